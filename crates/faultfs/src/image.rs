//! A whole file system as a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::journal::Op;

/// The number of an inode. The root is 1; numbers are not used twice in the life of a disk.
pub type Ino = u64;

/// The root directory.
pub(crate) const ROOT: Ino = 1;

/// Inodes and what they hold. Cheap to clone: contents are shared until they change.
#[derive(Clone, Debug)]
pub struct Image {
    inodes: BTreeMap<Ino, Inode>,
}

/// One file, directory or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What it holds.
    pub body: Body,
    /// Permission bits.
    pub mode: u16,
    /// User and group.
    pub owner: (u32, u32),
}

/// What an inode holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Bytes.
    File(Arc<Vec<u8>>),
    /// Names.
    Directory(BTreeMap<OsString, Ino>),
    /// A path.
    Symlink(PathBuf),
}

impl Inode {
    pub(crate) fn file(mode: u16, owner: (u32, u32)) -> Self {
        Self {
            body: Body::File(Arc::default()),
            mode,
            owner,
        }
    }

    pub(crate) const fn directory(mode: u16, owner: (u32, u32)) -> Self {
        Self {
            body: Body::Directory(BTreeMap::new()),
            mode,
            owner,
        }
    }
}

impl Default for Image {
    /// An empty root directory.
    fn default() -> Self {
        let root = Inode::directory(0o755, (0, 0));
        Self {
            inodes: BTreeMap::from([(ROOT, root)]),
        }
    }
}

impl Image {
    /// Reads a directory of the machine with all that is below it; `next` is the first number that may be given out.
    ///
    /// # Errors
    /// If something cannot be read. Sockets and devices are left out.
    pub fn load(directory: &Path, next: &mut Ino) -> io::Result<Self> {
        let mut image = Self::default();
        image.load_into(ROOT, directory, next)?;
        Ok(image)
    }

    fn load_into(&mut self, parent: Ino, directory: &Path, next: &mut Ino) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let mode = u16::try_from(entry.metadata()?.permissions().mode() & 0o7777).unwrap_or(0);
            let ino = *next;
            let mut inode = Inode::file(mode, (0, 0));
            if kind.is_dir() {
                inode = Inode::directory(mode, (0, 0));
            } else if kind.is_symlink() {
                inode.body = Body::Symlink(fs::read_link(entry.path())?);
            } else if kind.is_file() {
                inode.body = Body::File(Arc::new(fs::read(entry.path())?));
            } else {
                continue;
            }
            *next += 1;
            self.inodes.insert(ino, inode);
            self.link(parent, &entry.file_name(), ino);
            if kind.is_dir() {
                self.load_into(ino, &entry.path(), next)?;
            }
        }
        Ok(())
    }

    /// Writes the tree into an existing, empty directory of the machine. Hard links become separate files.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn materialise(&self, directory: &Path) -> io::Result<()> {
        self.materialise_from(ROOT, directory)
    }

    fn materialise_from(&self, from: Ino, directory: &Path) -> io::Result<()> {
        for (name, ino) in self.names(from) {
            let path = directory.join(name);
            match self.get(*ino).map(|inode| (&inode.body, inode.mode)) {
                Some((Body::File(bytes), mode)) => {
                    fs::write(&path, bytes.as_slice())?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode.into()))?;
                }
                Some((Body::Directory(_), mode)) => {
                    fs::create_dir(&path)?;
                    self.materialise_from(*ino, &path)?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode.into()))?;
                }
                Some((Body::Symlink(target), _)) => symlink(target, &path)?,
                None => {}
            }
        }
        Ok(())
    }

    /// An inode by its number.
    #[must_use]
    pub fn get(&self, ino: Ino) -> Option<&Inode> {
        self.inodes.get(&ino)
    }

    pub(crate) fn get_mut(&mut self, ino: Ino) -> Option<&mut Inode> {
        self.inodes.get_mut(&ino)
    }

    pub(crate) fn insert(&mut self, ino: Ino, inode: Inode) {
        self.inodes.insert(ino, inode);
    }

    /// The names in a directory; none if it is not one.
    pub(crate) fn names(&self, directory: Ino) -> impl Iterator<Item = (&OsString, &Ino)> {
        let names = match self.get(directory).map(|inode| &inode.body) {
            Some(Body::Directory(names)) => Some(names),
            Some(Body::File(_) | Body::Symlink(_)) | None => None,
        };
        names.into_iter().flatten()
    }

    /// What a name in a directory means.
    #[must_use]
    pub fn lookup(&self, directory: Ino, name: &OsStr) -> Option<Ino> {
        match &self.get(directory)?.body {
            Body::Directory(names) => names.get(name).copied(),
            Body::File(_) | Body::Symlink(_) => None,
        }
    }

    /// Every regular file that can be reached, by its path from the root.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Ino> {
        let mut found = BTreeMap::new();
        let mut below = vec![(ROOT, PathBuf::new())];
        while let Some((directory, path)) = below.pop() {
            for (name, ino) in self.names(directory) {
                match self.get(*ino).map(|inode| &inode.body) {
                    Some(Body::File(_)) => {
                        found.insert(path.join(name), *ino);
                    }
                    Some(Body::Directory(_)) => below.push((*ino, path.join(name))),
                    Some(Body::Symlink(_)) | None => {}
                }
            }
        }
        found
    }

    /// The bytes in all files, reachable or still open.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let sizes = self.inodes.values().map(|inode| match &inode.body {
            Body::File(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Body::Directory(_) | Body::Symlink(_) => 0,
        });
        sizes.sum()
    }

    pub(crate) fn reachable(&self) -> BTreeSet<Ino> {
        let mut found = BTreeSet::from([ROOT]);
        let mut below = vec![ROOT];
        while let Some(directory) = below.pop() {
            for (_, ino) in self.names(directory) {
                if found.insert(*ino) {
                    below.push(*ino);
                }
            }
        }
        found
    }

    pub(crate) fn keep(&mut self, keep: &BTreeSet<Ino>) {
        self.inodes.retain(|ino, _| keep.contains(ino));
    }

    /// The same tree, what cannot be reached left out, under numbers that were never used.
    pub(crate) fn renumbered(&self, next: &mut Ino) -> Self {
        let mut number = BTreeMap::from([(ROOT, ROOT)]);
        for ino in self.reachable() {
            number.entry(ino).or_insert_with(|| {
                let fresh = *next;
                *next += 1;
                fresh
            });
        }
        let inodes = self.inodes.iter().filter_map(|(ino, inode)| {
            let mut inode = inode.clone();
            if let Body::Directory(names) = &mut inode.body {
                names.retain(|_, named| match number.get(named) {
                    Some(fresh) => {
                        *named = *fresh;
                        true
                    }
                    None => false,
                });
            }
            Some((*number.get(ino)?, inode))
        });
        Self {
            inodes: inodes.collect(),
        }
    }

    /// Carries one operation out. What it is about and is not there stays away.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { ino, offset, bytes } => self.write(*ino, *offset, bytes),
            Op::SetLen { ino, len } => {
                if let Some(file) = self.bytes_mut(*ino) {
                    file.resize(usize::try_from(*len).unwrap_or(usize::MAX), 0);
                }
            }
            Op::Link {
                directory,
                name,
                ino,
            } => self.link(*directory, name, *ino),
            Op::Unlink { directory, name } => {
                self.unlink(*directory, name);
            }
            Op::Rename { from, to, ino } => {
                if self.lookup(from.0, &from.1) == Some(*ino) {
                    self.unlink(from.0, &from.1);
                }
                self.link(to.0, &to.1, *ino);
            }
        }
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        let Some(file) = self.bytes_mut(ino) else {
            return;
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(bytes.len());
        if file.len() < end {
            file.resize(end, 0);
        }
        if let Some(place) = file.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
    }

    pub(crate) fn bytes_mut(&mut self, ino: Ino) -> Option<&mut Vec<u8>> {
        match &mut self.get_mut(ino)?.body {
            Body::File(bytes) => Some(Arc::make_mut(bytes)),
            Body::Directory(_) | Body::Symlink(_) => None,
        }
    }

    fn link(&mut self, directory: Ino, name: &OsStr, ino: Ino) {
        if let Some(Body::Directory(names)) = self.get_mut(directory).map(|inode| &mut inode.body) {
            names.insert(name.to_owned(), ino);
        }
    }

    fn unlink(&mut self, directory: Ino, name: &OsStr) {
        if let Some(Body::Directory(names)) = self.get_mut(directory).map(|inode| &mut inode.body) {
            names.remove(name);
        }
    }
}
