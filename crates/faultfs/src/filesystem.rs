//! The face of a disk towards the kernel.

use std::{
    ffi::OsStr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow,
    WriteFlags,
};

use crate::{
    attributes::{self, NEVER},
    gate::Want,
    image::{Body, Ino},
    journal::Kind,
    state::{Answered, Disk, State},
};

const BLOCK: u32 = 4096;

/// Serves a disk.
pub(crate) struct FaultFilesystem {
    pub(crate) disk: Arc<Disk>,
}

impl FaultFilesystem {
    fn make(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        kind: Kind,
        open: bool,
    ) -> Answered<fuser::FileAttr> {
        let mut state = self.disk.enter(Want::Grow)?;
        let owner = (request.uid(), request.gid());
        let ino = state.create(parent.0, name, kind, owner)?;
        let time = now();
        state.touch(ino, time);
        state.touch(parent.0, time);
        if open {
            state.opened(ino);
        }
        state.attributes(ino)
    }

    fn change(
        &self,
        want: Want,
        change: impl FnOnce(&mut State) -> Answered<()>,
        reply: ReplyEmpty,
    ) {
        let outcome = self
            .disk
            .enter(want)
            .and_then(|mut state| change(&mut state));
        match outcome {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn length(&self, ino: Ino, len: u64) -> Answered<()> {
        let has = self.disk.lock().attributes(ino)?.size;
        let want = if len > has { Want::Grow } else { Want::Shrink };
        let mut state = self.disk.enter(want)?;
        state.set_len(ino, len)?;
        state.touch(ino, now());
        Ok(())
    }
}

impl Filesystem for FaultFilesystem {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.disk.enter(Want::Look).and_then(|state| {
            let ino = state.lookup(parent.0, name)?;
            state.attributes(ino)
        });
        answer_entry(found, reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let state = self.disk.enter(Want::Look);
        match state.and_then(|state| state.attributes(ino.0)) {
            Ok(attributes) => reply.attr(&NEVER, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let resized = size.map_or(Ok(()), |len| self.length(ino.0, len));
        let outcome = resized.and_then(|()| {
            let mut state = self.disk.enter(Want::Look)?;
            let mode = mode.map(|mode| attributes::permissions(mode, 0));
            state.set_mode(ino.0, mode, (uid, gid));
            match mtime {
                Some(TimeOrNow::SpecificTime(time)) => state.touch(ino.0, time),
                Some(TimeOrNow::Now) => state.touch(ino.0, now()),
                None => {}
            }
            state.attributes(ino.0)
        });
        match outcome {
            Ok(attributes) => reply.attr(&NEVER, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        let state = match self.disk.enter(Want::Look) {
            Ok(state) => state,
            Err(errno) => return reply.error(errno),
        };
        match state.inode(ino.0).map(|inode| &inode.body) {
            Ok(Body::Symlink(target)) => reply.data(target.as_os_str().as_encoded_bytes()),
            Ok(Body::File(_) | Body::Directory(_)) => reply.error(Errno::EINVAL),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let kind = Kind::Directory(attributes::permissions(mode, umask));
        answer_entry(self.make(request, parent, name, kind, false), reply);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        if mode & libc::S_IFMT != libc::S_IFREG {
            return reply.error(Errno::EPERM);
        }
        let kind = Kind::File(attributes::permissions(mode, umask));
        answer_entry(self.make(request, parent, name, kind, false), reply);
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let kind = Kind::Symlink(target.to_owned());
        answer_entry(self.make(request, parent, name, kind, false), reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let kind = Kind::File(attributes::permissions(mode, umask));
        match self.make(request, parent, name, kind, true) {
            Ok(attributes) => reply.created(
                &NEVER,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::empty(),
            ),
            Err(errno) => reply.error(errno),
        }
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let linked = self.disk.enter(Want::Grow).and_then(|mut state| {
            state.link(ino.0, parent.0, name)?;
            state.attributes(ino.0)
        });
        answer_entry(linked, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.change(Want::Shrink, |state| state.unlink(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.change(Want::Shrink, |state| state.unlink(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if !RenameFlags::RENAME_NOREPLACE.contains(flags) {
            return reply.error(Errno::EINVAL);
        }
        let may_replace = flags.is_empty();
        let rename =
            |state: &mut State| state.rename((parent.0, name), (newparent.0, newname), may_replace);
        self.change(Want::Shrink, rename, reply);
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let opened = self.disk.enter(Want::Look).and_then(|mut state| {
            state.inode(ino.0)?;
            state.opened(ino.0);
            Ok(())
        });
        match opened {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        }
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.disk.lock().closed(ino.0);
        self.disk.announce();
        reply.ok();
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.disk.enter(Want::Read) {
            Ok(state) => match state.read(ino.0, offset, size) {
                Ok(bytes) => reply.data(bytes),
                Err(errno) => reply.error(errno),
            },
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.disk.enter(Want::Grow).and_then(|mut state| {
            state.write(ino.0, offset, data)?;
            state.touch(ino.0, now());
            Ok(())
        });
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(errno) => reply.error(errno),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.disk.enter_sync(ino.0) {
            Ok(mut state) => {
                state.sync(ino.0);
                reply.ok();
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let sync = |state: &mut State| {
            state.sync(ino.0);
            Ok(())
        };
        self.change(Want::Sync, sync, reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let state = self.disk.enter(Want::Look);
        match state.and_then(|mut state| state.list(ino.0)) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let state = self.disk.enter(Want::Read);
        let lines = match state.and_then(|state| state.listing(handle.0)) {
            Ok(lines) => lines,
            Err(errno) => return reply.error(errno),
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (line, next) in lines.iter().skip(from).zip(offset.saturating_add(1)..) {
            if reply.add(INodeNo(line.ino), next, line.kind, &line.name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.disk.lock().unlist(handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = self.disk.lock();
        let blocks = state.capacity / u64::from(BLOCK);
        let free = state.capacity.saturating_sub(state.used) / u64::from(BLOCK);
        reply.statfs(blocks, free, free, 1 << 32, 1 << 31, BLOCK, 255, BLOCK);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Said once, the kernel asks no more: nothing is held back until a close.
        reply.error(Errno::ENOSYS);
    }

    fn access(&self, _: &Request, _: INodeNo, _: AccessFlags, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }
}

fn answer_entry(found: Answered<fuser::FileAttr>, reply: ReplyEntry) {
    match found {
        Ok(attributes) => reply.entry(&NEVER, &attributes, Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

/// The time that files are stamped with, in whole milliseconds as many file systems have it.
#[allow(
    clippy::disallowed_methods,
    reason = "a file system stamps files with the time of the machine it is mounted on; nothing is decided by it"
)]
fn now() -> SystemTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
