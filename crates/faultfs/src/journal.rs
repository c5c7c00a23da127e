//! What was done and not synced, over what is durable.

use std::{collections::BTreeSet, ffi::OsString, sync::Arc};

use crate::{
    image::{Image, Ino, Inode},
    survival::Survival,
};

/// Bytes that may wait for a sync before the oldest become durable by themselves, as a kernel writes back in the end.
const PENDING_BYTES_MAX: usize = 64 << 20;
/// Operations that may wait for a sync.
const PENDING_OPS_MAX: usize = 16 << 10;

/// One change of a file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Bytes in a file.
    Write {
        /// Which file.
        ino: Ino,
        /// Where, in bytes.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// The length of a file.
    SetLen {
        /// Which file.
        ino: Ino,
        /// Its new length, in bytes.
        len: u64,
    },
    /// A new name for an inode, or its first.
    Link {
        /// Where.
        directory: Ino,
        /// The name.
        name: OsString,
        /// What it means.
        ino: Ino,
    },
    /// A name less.
    Unlink {
        /// Where.
        directory: Ino,
        /// The name.
        name: OsString,
    },
    /// An inode gets another name in place of one; never half of it.
    Rename {
        /// Directory and name until now.
        from: (Ino, OsString),
        /// Directory and name from now on.
        to: (Ino, OsString),
        /// What is renamed.
        ino: Ino,
    },
}

/// One thing that a disk is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// An inode comes to be, empty and without a name.
    Create {
        /// Its number.
        ino: Ino,
        /// What it is.
        kind: Kind,
    },
    /// A change.
    Change(Op),
    /// What is in a file becomes durable.
    SyncFile(Ino),
    /// The names in a directory become durable.
    SyncDirectory(Ino),
    /// A sync of a file failed: what waited for it is dropped, though readers see it still.
    Forget(Ino),
}

/// What is created.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file, with its permission bits.
    File(u16),
    /// A directory, with its permission bits.
    Directory(u16),
    /// A symbolic link, and where to.
    Symlink(std::path::PathBuf),
}

/// A durable state and the operations, oldest first, that wait for a sync.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    durable: Image,
    pending: Vec<Op>,
    pending_bytes: usize,
    /// Counts the changes of the durable state.
    version: u64,
}

impl Op {
    /// The names that it is about.
    fn names(&self) -> impl Iterator<Item = (Ino, &OsString)> {
        let (first, second) = match self {
            Self::Write { .. } | Self::SetLen { .. } => (None, None),
            Self::Link {
                directory, name, ..
            }
            | Self::Unlink { directory, name } => (Some((*directory, name)), None),
            Self::Rename { from, to, .. } => (Some((from.0, &from.1)), Some((to.0, &to.1))),
        };
        first.into_iter().chain(second)
    }

    fn is_content_of(&self, file: Ino) -> bool {
        match self {
            Self::Write { ino, .. } | Self::SetLen { ino, .. } => *ino == file,
            Self::Link { .. } | Self::Unlink { .. } | Self::Rename { .. } => false,
        }
    }

    /// Whether a sync of this directory carries it to the disk. A rename arrives with the directory it goes to.
    fn is_name_in(&self, place: Ino) -> bool {
        match self {
            Self::Write { .. } | Self::SetLen { .. } => false,
            Self::Link { directory, .. } | Self::Unlink { directory, .. } => *directory == place,
            Self::Rename { to, .. } => to.0 == place,
        }
    }

    fn ino(&self) -> Option<Ino> {
        match self {
            Self::Write { ino, .. }
            | Self::SetLen { ino, .. }
            | Self::Link { ino, .. }
            | Self::Rename { ino, .. } => Some(*ino),
            Self::Unlink { .. } => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::SetLen { .. } | Self::Link { .. } | Self::Unlink { .. } | Self::Rename { .. } => {
                0
            }
        }
    }
}

impl Kind {
    pub(crate) fn inode(&self, owner: (u32, u32)) -> Inode {
        match self {
            Self::File(mode) => Inode::file(*mode, owner),
            Self::Directory(mode) => Inode::directory(*mode, owner),
            Self::Symlink(target) => Inode {
                body: crate::image::Body::Symlink(target.clone()),
                mode: 0o777,
                owner,
            },
        }
    }
}

impl Journal {
    /// Begins with this state, all of it durable.
    #[must_use]
    pub fn new(durable: Image) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    /// What is durable now.
    #[must_use]
    pub const fn durable(&self) -> &Image {
        &self.durable
    }

    pub(crate) const fn durable_mut(&mut self) -> &mut Image {
        &mut self.durable
    }

    /// The operations that wait, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[Op] {
        &self.pending
    }

    pub(crate) const fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Grows whenever the durable state changes.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Takes a step.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Create { ino, kind } => self.durable.insert(*ino, kind.inode((0, 0))),
            Step::Change(op) => {
                self.pending_bytes += op.size();
                self.pending.push(op.clone());
                self.write_back();
            }
            Step::SyncFile(ino) => self.settle(|op| op.is_content_of(*ino)),
            Step::SyncDirectory(ino) => self.settle(|op| op.is_name_in(*ino)),
            Step::Forget(ino) => {
                self.pending.retain(|op| !op.is_content_of(*ino));
                self.weigh();
            }
        }
    }

    /// What a cut leaves now.
    #[must_use]
    pub fn after(&self, survivors: &[Op]) -> Image {
        let mut image = self.durable.clone();
        for op in survivors {
            image.apply(op);
        }
        image
    }

    /// The operations that a cut would let through, oldest first; a torn write is several, or one that is shorter.
    #[must_use]
    pub fn survivors(&self, survival: Survival) -> Vec<Op> {
        survival.choose(&self.pending)
    }

    /// Drops the inodes that nothing can reach any more, `open` ones aside.
    pub(crate) fn collect(&mut self, open: &BTreeSet<Ino>) {
        let mut keep = self.durable.reachable();
        keep.extend(open);
        for op in &self.pending {
            keep.extend(op.ino());
            keep.extend(op.names().map(|(directory, _)| directory));
        }
        // A name that waits may lead to names that are durable.
        let mut more: Vec<Ino> = keep.iter().copied().collect();
        while let Some(directory) = more.pop() {
            for (_, ino) in self.durable.names(directory) {
                if keep.insert(*ino) {
                    more.push(*ino);
                }
            }
        }
        self.durable.keep(&keep);
    }

    /// Makes the chosen operations durable, and the older ones that they rest on.
    fn settle(&mut self, is_chosen: impl Fn(&Op) -> bool) {
        let mut chosen: Vec<bool> = self.pending.iter().map(is_chosen).collect();
        if !chosen.contains(&true) {
            return;
        }
        close(&self.pending, &mut chosen);
        let mut chosen = chosen.into_iter();
        let durable = &mut self.durable;
        self.pending.retain(|op| {
            let is_chosen = chosen.next().unwrap_or(false);
            if is_chosen {
                durable.apply(op);
            }
            !is_chosen
        });
        self.version += 1;
        self.weigh();
    }

    fn write_back(&mut self) {
        if self.pending_bytes <= PENDING_BYTES_MAX && self.pending.len() <= PENDING_OPS_MAX {
            return;
        }
        let half = self.pending.len().div_ceil(2);
        for op in self.pending.drain(..half) {
            self.durable.apply(&op);
        }
        self.version += 1;
        self.weigh();
    }

    fn weigh(&mut self) {
        self.pending_bytes = self.pending.iter().map(Op::size).sum();
    }
}

/// Adds to a choice the older operations about the same names: changes of one name keep their order on every disk.
pub(crate) fn close(ops: &[Op], chosen: &mut [bool]) {
    let mut names: BTreeSet<(Ino, &OsString)> = BTreeSet::new();
    for (op, is_chosen) in ops.iter().zip(chosen).rev() {
        *is_chosen |= op.names().any(|name| names.contains(&name));
        if *is_chosen {
            names.extend(op.names());
        }
    }
}

#[cfg(test)]
mod tests;
