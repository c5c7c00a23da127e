//! One layer: a tar archive, perhaps compressed, becomes a directory that overlayfs can stack.
//!
//! Everything is made relative to descriptors of directories below the target, and links on the way resolve inside it, so
//! that no name leads out. Whiteouts become what overlayfs takes for them. Files keep their times and the right to be
//! executed, and everybody may read them; owners, further rights, attributes and device nodes are left out.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write as _},
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    path::Path,
};

use model::Digest;
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, XattrFlags,
        fchmod, futimens, linkat, makedev, mkdirat, mknodat, openat, openat2, setxattr, statat,
        symlinkat, unlinkat,
    },
    io::Errno,
};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};

/// What stands before the name of a file that is to be hidden.
const WHITEOUT: &str = ".wh.";
/// What hides everything that lower layers have in a directory.
const OPAQUE: &str = ".wh..wh..opq";
/// How overlayfs, mounted with `userxattr`, is told the same.
pub(crate) const OPAQUE_ATTRIBUTE: &str = "user.overlay.opaque";
/// The longest path and the longest target of a link.
const PATH_MAX: usize = 4096;
/// The longest part of a path.
const PART_MAX: usize = 255;

/// What a layer may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of the archive once it is decompressed.
    pub(crate) bytes: u64,
    /// Files, directories and links.
    pub(crate) entries: u64,
}

/// Why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It is none.
    #[error("{0}")]
    Invalid(String),
    /// The disk.
    #[error("cannot write {path:?}")]
    Disk {
        path: String,
        #[source]
        source: io::Error,
    },
}

fn invalid(text: impl Into<String>) -> UnpackError {
    UnpackError::Invalid(text.into())
}

fn disk(path: &str, source: impl Into<io::Error>) -> UnpackError {
    UnpackError::Disk {
        path: path.to_owned(),
        source: source.into(),
    }
}

/// What a layer took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Bytes of the archive: nearly what its files take.
    pub(crate) bytes: u64,
}

/// Unpacks the archive in `from` into the empty directory `into`. `content` is the digest that it has once it is decompressed.
pub(crate) fn unpack(
    from: File,
    into: &Path,
    content: Digest,
    limits: Limits,
) -> Result<Unpacked, UnpackError> {
    let reader = decompress(from).map_err(|e| invalid(format!("the layer cannot be read: {e}")))?;
    let mut reader = Counted {
        inner: reader,
        hash: Sha256::new(),
        bytes: 0,
        most: limits.bytes,
    };
    let root = openat(
        CWD,
        into,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| disk(".", e))?;
    let mut tree = Tree { root, parent: None };
    let mut archive = Archive::new(&mut reader);
    let entries = archive.entries().map_err(|e| unreadable(&e))?;
    let mut count = 0_u64;
    for entry in entries {
        let mut entry = entry.map_err(|e| unreadable(&e))?;
        count += 1;
        if count > limits.entries {
            return Err(invalid(format!(
                "expected a layer of at most {} entries, got more",
                limits.entries
            )));
        }
        tree.add(&mut entry)?;
    }
    // What is behind the end of the archive counts for its digest.
    io::copy(&mut reader, &mut io::sink()).map_err(|e| unreadable(&e))?;
    let actual = Digest::from_bytes(reader.hash.finalize().into());
    if actual != content {
        return Err(invalid(format!(
            "expected a layer with content sha256:{content} as the image's configuration says, got sha256:{actual}; build and push it again"
        )));
    }
    Ok(Unpacked {
        bytes: reader.bytes,
    })
}

fn unreadable(error: &io::Error) -> UnpackError {
    invalid(format!(
        "the layer cannot be read: {error}; build and push the image again"
    ))
}

/// By the first bytes: media types are wrong sometimes.
fn decompress(mut from: File) -> io::Result<Box<dyn Read>> {
    let mut magic = [0_u8; 4];
    let mut have = 0;
    while let Some(rest) = magic.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match from.read(rest)? {
            0 => break,
            more => have += more,
        }
    }
    io::Seek::rewind(&mut from)?;
    let from = BufReader::with_capacity(256 << 10, from);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::with_buffer(from)?),
        _ => Box::new(from),
    })
}

/// Hashes and counts what is read.
struct Counted {
    inner: Box<dyn Read>,
    hash: Sha256,
    bytes: u64,
    most: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.bytes += u64::try_from(read).unwrap_or(u64::MAX);
        if self.bytes > self.most {
            let text = format!(
                "expected at most {} bytes once it is decompressed, got more",
                self.most
            );
            return Err(io::Error::other(text));
        }
        Ok(read)
    }
}

/// The directory that grows.
struct Tree {
    root: OwnedFd,
    /// The directory of the last entry: the next one is most often in it too.
    parent: Option<(String, OwnedFd)>,
}

impl Tree {
    fn add(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), UnpackError> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = clean(&entry.path_bytes())?;
        let Some((parent, name)) = split(&path) else {
            return Ok(()); // The directory itself.
        };
        if name == OPAQUE {
            return self.hide_all(parent);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return self.hide(parent, hidden, &path);
        }
        match kind {
            EntryType::Directory => self.directory(parent, name, &path, entry),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(parent, name, &path, entry)
            }
            EntryType::Symlink => {
                let target = target(entry, &path)?;
                let parent = self.enter(parent)?;
                vacate(parent, name, &path)?;
                symlinkat(target.as_slice(), parent, name).map_err(|e| disk(&path, e))
            }
            EntryType::Link => self.link(parent, name, &path, entry),
            // Nothing inside may make device nodes, and nothing needs those of an image.
            EntryType::Block | EntryType::Char | EntryType::Fifo => Ok(()),
            other => Err(invalid(format!(
                "expected files, directories and links, got {path:?} of kind {other:?}"
            ))),
        }
    }

    /// The directory `path`, made if it is not there.
    fn enter(&mut self, path: &str) -> Result<&OwnedFd, UnpackError> {
        if self.parent.as_ref().is_none_or(|(of, _)| of != path) {
            let opened = match open_directory(&self.root, path) {
                Err(Errno::NOENT) => self.make(path)?,
                opened => opened.map_err(|e| parent_error(path, e))?,
            };
            self.parent = Some((path.to_owned(), opened));
        }
        match &self.parent {
            Some((_, opened)) => Ok(opened),
            None => Ok(&self.root),
        }
    }

    fn make(&self, path: &str) -> Result<OwnedFd, UnpackError> {
        let mut at = open_directory(&self.root, "").map_err(|e| disk(path, e))?;
        let ends = path
            .match_indices('/')
            .map(|(end, _)| end)
            .chain([path.len()]);
        for end in ends {
            let so_far = path.get(..end).unwrap_or_default();
            let name = so_far.rsplit('/').next().unwrap_or_default();
            at = match open_directory(&self.root, so_far) {
                Err(Errno::NOENT) => {
                    mkdirat(&at, name, Mode::from_raw_mode(0o755))
                        .map_err(|e| parent_error(path, e))?;
                    open_directory(&self.root, so_far).map_err(|e| parent_error(path, e))?
                }
                opened => opened.map_err(|e| parent_error(path, e))?,
            };
        }
        Ok(at)
    }

    fn directory(
        &mut self,
        parent: &str,
        name: &str,
        path: &str,
        entry: &Entry<'_, impl Read>,
    ) -> Result<(), UnpackError> {
        let mode = entry.header().mode().unwrap_or(0o755);
        let parent = self.enter(parent)?;
        let was = kind_of(parent, name);
        if was != Some(FileType::Directory) {
            if was.is_some() {
                unlinkat(parent, name, AtFlags::empty()).map_err(|e| disk(path, e))?;
            }
            mkdirat(parent, name, Mode::from_raw_mode(0o755)).map_err(|e| disk(path, e))?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(parent, name, flags, Mode::empty()).map_err(|e| disk(path, e))?;
        if was == Some(FileType::CharacterDevice) {
            // It was hidden as a whole, and comes back with nothing that it had.
            hide_lower(&made, path)?;
        }
        // The owner must be able to remove what is in it again.
        fchmod(&made, Mode::from_raw_mode(mode & 0o755 | 0o755)).map_err(|e| disk(path, e))
    }

    fn file(
        &mut self,
        parent: &str,
        name: &str,
        path: &str,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), UnpackError> {
        let header = entry.header();
        let executable = header.mode().unwrap_or(0o644) & 0o111 != 0;
        let seconds = i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0);
        let parent = self.enter(parent)?;
        vacate(parent, name, path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made =
            openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(|e| disk(path, e))?;
        let mut made = File::from(made);
        copy(entry, &mut made, path)?;
        let mode = if executable { 0o755 } else { 0o644 };
        fchmod(&made, Mode::from_raw_mode(mode)).map_err(|e| disk(path, e))?;
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        // Compiled Python files count only beside a source of the time that they were made for.
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        futimens(&made, &times).map_err(|e| disk(path, e))
    }

    fn link(
        &mut self,
        parent: &str,
        name: &str,
        path: &str,
        entry: &Entry<'_, impl Read>,
    ) -> Result<(), UnpackError> {
        let of = clean(&target(entry, path)?)?;
        let missing = || {
            invalid(format!(
                "{path:?} is a link to {of:?}, which the layer does not have; build the image again"
            ))
        };
        let (of_parent, of_name) = split(&of).ok_or_else(missing)?;
        let of_parent = open_directory(&self.root, of_parent).map_err(|_| missing())?;
        match kind_of(&of_parent, of_name) {
            Some(FileType::RegularFile | FileType::Symlink) => {}
            _ => return Err(missing()),
        }
        if of == path {
            return Ok(());
        }
        let parent = self.enter(parent)?;
        vacate(parent, name, path)?;
        linkat(&of_parent, of_name, parent, name, AtFlags::empty()).map_err(|e| disk(path, e))
    }

    fn hide(&mut self, parent: &str, name: &str, path: &str) -> Result<(), UnpackError> {
        if name.starts_with(WHITEOUT) {
            return Ok(()); // What other file systems keep for themselves.
        }
        if matches!(name, "" | "." | "..") {
            return Err(invalid(format!("{path:?} hides nothing that can be there")));
        }
        let parent = self.enter(parent)?;
        match kind_of(parent, name) {
            // This layer brings a file of this name: it covers the lower one anyway.
            Some(kind) if kind != FileType::Directory => Ok(()),
            Some(_) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let there =
                    openat(parent, name, flags, Mode::empty()).map_err(|e| disk(path, e))?;
                hide_lower(&there, path)
            }
            None => mknodat(
                parent,
                name,
                FileType::CharacterDevice,
                Mode::empty(),
                makedev(0, 0),
            )
            .map_err(|e| disk(path, e)),
        }
    }

    fn hide_all(&mut self, directory: &str) -> Result<(), UnpackError> {
        let opened = self.enter(directory)?;
        hide_lower(opened, directory)
    }
}

/// Hides what lower layers have in this directory.
fn hide_lower(directory: impl AsFd, path: &str) -> Result<(), UnpackError> {
    let place = format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd());
    setxattr(&place, OPAQUE_ATTRIBUTE, b"y", XattrFlags::empty()).map_err(|e| disk(path, e))
}

fn open_directory(root: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { "." } else { path };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

fn parent_error(path: &str, errno: Errno) -> UnpackError {
    match errno {
        Errno::NOTDIR | Errno::LOOP | Errno::NOENT | Errno::EXIST | Errno::XDEV => invalid(
            format!("expected a directory at {path:?}, got a file or a link that leads nowhere"),
        ),
        errno => disk(path, errno),
    }
}

fn kind_of(parent: &OwnedFd, name: &str) -> Option<FileType> {
    let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(found.st_mode))
}

/// Removes what is there: of two entries of one name, the later one counts.
fn vacate(parent: &OwnedFd, name: &str, path: &str) -> Result<(), UnpackError> {
    match kind_of(parent, name) {
        None => Ok(()),
        Some(FileType::Directory) => {
            let place = format!("/proc/self/fd/{}/{name}", parent.as_raw_fd());
            std::fs::remove_dir_all(place).map_err(|e| disk(path, e))
        }
        Some(_) => unlinkat(parent, name, AtFlags::empty()).map_err(|e| disk(path, e)),
    }
}

fn copy(entry: &mut impl Read, file: &mut File, path: &str) -> Result<(), UnpackError> {
    let mut buffer = vec![0_u8; 128 << 10];
    loop {
        let read = entry.read(&mut buffer).map_err(|e| unreadable(&e))?;
        if read == 0 {
            return Ok(());
        }
        let part = buffer.get(..read).unwrap_or_default();
        file.write_all(part).map_err(|e| disk(path, e))?;
    }
}

/// The target of a link as it stands there.
fn target(entry: &Entry<'_, impl Read>, path: &str) -> Result<Vec<u8>, UnpackError> {
    let target = entry.link_name_bytes().unwrap_or_default().into_owned();
    if target.is_empty() || target.len() >= PATH_MAX || target.contains(&0) {
        return Err(invalid(format!("{path:?} is a link without a target")));
    }
    Ok(target)
}

/// A path below the root: no `..`, no empty parts. Empty for the root itself.
fn clean(bytes: &[u8]) -> Result<String, UnpackError> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|t| t.len() < PATH_MAX && !t.contains('\0'))
        .ok_or_else(|| invalid("expected names of UTF-8 below 4096 bytes, got another one"))?;
    let mut parts = Vec::new();
    for part in text.split('/').filter(|p| !matches!(*p, "" | ".")) {
        if part == ".." || part.len() > PART_MAX {
            return Err(invalid(format!(
                "expected a path inside the image, got {text:?}"
            )));
        }
        parts.push(part);
    }
    Ok(parts.join("/"))
}

/// Directory and name.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').unwrap_or(("", path)))
}

#[cfg(test)]
mod tests;
