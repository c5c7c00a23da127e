//! An inode as the kernel wants to see it.

use std::{
    ffi::OsString,
    time::{Duration, SystemTime},
};

use fuser::{FileAttr, FileType, INodeNo};

use crate::image::{Body, Ino, Inode};

/// Nothing is remembered about names and attributes: after a cut they mean something else.
pub(crate) const NEVER: Duration = Duration::ZERO;

const BLOCK: u32 = 4096;

pub(crate) fn of(ino: Ino, inode: &Inode, changed: SystemTime) -> FileAttr {
    let size = match &inode.body {
        Body::File(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        Body::Directory(_) => u64::from(BLOCK),
        Body::Symlink(target) => u64::try_from(target.as_os_str().len()).unwrap_or(0),
    };
    FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(512),
        atime: changed,
        mtime: changed,
        ctime: changed,
        crtime: changed,
        kind: kind(inode),
        perm: inode.mode,
        nlink: match inode.body {
            Body::Directory(_) => 2,
            Body::File(_) | Body::Symlink(_) => 1,
        },
        uid: inode.owner.0,
        gid: inode.owner.1,
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    }
}

pub(crate) const fn kind(inode: &Inode) -> FileType {
    match inode.body {
        Body::File(_) => FileType::RegularFile,
        Body::Directory(_) => FileType::Directory,
        Body::Symlink(_) => FileType::Symlink,
    }
}

/// One line of a directory as it is read.
pub(crate) struct Line {
    pub(crate) ino: Ino,
    pub(crate) kind: FileType,
    pub(crate) name: OsString,
}

/// The permission bits that a creation asks for.
pub(crate) fn permissions(mode: u32, umask: u32) -> u16 {
    u16::try_from(mode & !umask & 0o7777).unwrap_or(0)
}
