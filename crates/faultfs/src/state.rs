//! A disk: what is on it, what waits, what is broken.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use fuser::{Errno as Answer, FileAttr};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    attributes::{self, Line},
    gate::{Errno, Gate, Verdict, Want},
    image::{Body, Image, Ino, Inode, ROOT},
    journal::{Journal, Kind, Op, Step},
    recording::Recording,
    survival::Survival,
};

/// Steps between two looks for what nothing can reach any more.
const COLLECT_EVERY: u64 = 4096;

/// A disk that a mount and its controls share.
pub(crate) struct Disk {
    state: Mutex<State>,
    /// A fault was taken off, the power went, or a file was closed.
    moved: Condvar,
}

pub(crate) struct State {
    pub(crate) now: Image,
    pub(crate) journal: Journal,
    pub(crate) gate: Gate,
    pub(crate) recording: Option<Recording>,
    /// What the disk keeps, while the power is off.
    pub(crate) kept: Option<Image>,
    pub(crate) capacity: u64,
    pub(crate) used: u64,
    pub(crate) next: Ino,
    opens: BTreeMap<Ino, usize>,
    listings: BTreeMap<u64, Arc<Vec<Line>>>,
    next_listing: u64,
    changed: BTreeMap<Ino, SystemTime>,
    steps: u64,
}

pub(crate) type Answered<T> = Result<T, Answer>;

impl Disk {
    pub(crate) fn new(image: Image, next: Ino, capacity: u64) -> Self {
        let state = State {
            used: image.bytes(),
            journal: Journal::new(image.clone()),
            now: image,
            gate: Gate::default(),
            recording: None,
            kept: None,
            capacity,
            next,
            opens: BTreeMap::new(),
            listings: BTreeMap::new(),
            next_listing: 1,
            changed: BTreeMap::new(),
            steps: 0,
        };
        Self {
            state: Mutex::new(state),
            moved: Condvar::new(),
        }
    }

    /// Past all faults: for controls.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Wakes whoever waits for a change.
    pub(crate) fn announce(&self) {
        self.moved.notify_all();
    }

    /// Waits until no file is open, or for as long as `patience`; whether none is.
    pub(crate) fn wait_until_idle(&self, patience: Duration) -> bool {
        let mut state = self.state.lock();
        while !state.opens.is_empty() {
            if self.moved.wait_for(&mut state, patience).timed_out() {
                return state.opens.is_empty();
            }
        }
        true
    }

    /// Lets an operation in, after what waiting the faults demand, or refuses it.
    pub(crate) fn enter(&self, want: Want) -> Answered<MutexGuard<'_, State>> {
        self.enter_for(want, None)
    }

    /// Like [`Disk::enter`], for a sync of a file: one that fails drops what waited for it.
    pub(crate) fn enter_sync(&self, file: Ino) -> Answered<MutexGuard<'_, State>> {
        self.enter_for(Want::Sync, Some(file))
    }

    fn enter_for(&self, want: Want, synced: Option<Ino>) -> Answered<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        while state.gate.is_stalled && !state.gate.is_off {
            self.moved.wait(&mut state);
        }
        let slow = state.gate.slow;
        if !slow.is_zero() && want != Want::Look && !state.gate.is_off {
            MutexGuard::unlocked(&mut state, || thread::sleep(slow));
        }
        match state.gate.judge(want) {
            Verdict::Pass => Ok(state),
            Verdict::Refuse(errno) => {
                if let Some(file) = synced.filter(|_| !state.gate.is_off) {
                    state.gate.failed_syncs += 1;
                    state.take(Step::Forget(file));
                }
                Err(answer(errno))
            }
            Verdict::Cut(survival) => {
                state.cut(survival);
                self.announce();
                Err(Answer::EIO)
            }
        }
    }
}

pub(crate) const fn answer(errno: Errno) -> Answer {
    match errno {
        Errno::Io => Answer::EIO,
        Errno::NoSpace => Answer::ENOSPC,
    }
}

impl State {
    /// Takes the power away.
    pub(crate) fn cut(&mut self, survival: Survival) {
        if self.kept.is_none() {
            let survivors = self.journal.survivors(survival);
            self.kept = Some(self.journal.after(&survivors));
        }
        self.gate.heal();
        self.gate.is_off = true;
    }

    /// Gives the power back, over what was kept or over another image.
    pub(crate) fn restore(&mut self, image: &Image) {
        let image = image.renumbered(&mut self.next);
        self.used = image.bytes();
        self.journal = Journal::new(image.clone());
        self.now = image;
        self.kept = None;
        self.recording = None;
        self.gate = Gate::default();
        self.opens.clear();
        self.listings.clear();
        self.changed.clear();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.opens.is_empty()
    }

    /// Takes a step in both states.
    fn take(&mut self, step: Step) {
        match &step {
            Step::Create { ino, kind } => self.now.insert(*ino, kind.inode((0, 0))),
            Step::Change(op) => self.now.apply(op),
            Step::SyncFile(_) | Step::SyncDirectory(_) | Step::Forget(_) => {}
        }
        self.journal.take(&step);
        let has_its_name = !matches!(step, Step::Create { .. });
        if let Some(recording) = &mut self.recording {
            recording.push(step);
        }
        self.steps += u64::from(has_its_name);
        if has_its_name && self.steps.is_multiple_of(COLLECT_EVERY) {
            self.collect();
        }
    }

    fn collect(&mut self) {
        let open: BTreeSet<Ino> = self.opens.keys().copied().collect();
        self.journal.collect(&open);
        let mut keep = self.now.reachable();
        keep.extend(&open);
        self.now.keep(&keep);
        self.changed.retain(|ino, _| keep.contains(ino));
        self.used = self.now.bytes();
    }

    pub(crate) fn inode(&self, ino: Ino) -> Answered<&Inode> {
        self.now.get(ino).ok_or(Answer::ENOENT)
    }

    pub(crate) fn attributes(&self, ino: Ino) -> Answered<FileAttr> {
        let changed = self.changed.get(&ino).copied();
        let changed = changed.unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(attributes::of(ino, self.inode(ino)?, changed))
    }

    pub(crate) fn touch(&mut self, ino: Ino, when: SystemTime) {
        self.changed.insert(ino, when);
    }

    pub(crate) fn lookup(&self, directory: Ino, name: &OsStr) -> Answered<Ino> {
        self.now.lookup(directory, name).ok_or(Answer::ENOENT)
    }

    pub(crate) fn read(&self, ino: Ino, offset: u64, size: u32) -> Answered<&[u8]> {
        let Body::File(bytes) = &self.inode(ino)?.body else {
            return Err(Answer::EISDIR);
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let until = from.saturating_add(size).min(bytes.len());
        Ok(bytes.get(from..until).unwrap_or_default())
    }

    pub(crate) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Answered<()> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.make_room(ino, offset.saturating_add(size))?;
        let bytes = bytes.into();
        self.take(Step::Change(Op::Write { ino, offset, bytes }));
        Ok(())
    }

    pub(crate) fn set_len(&mut self, ino: Ino, len: u64) -> Answered<()> {
        let less = self.size(ino)?.saturating_sub(len);
        self.make_room(ino, len)?;
        self.used = self.used.saturating_sub(less);
        self.take(Step::Change(Op::SetLen { ino, len }));
        Ok(())
    }

    /// Accounts for a file that ends at least at `end`.
    fn make_room(&mut self, ino: Ino, end: u64) -> Answered<()> {
        let more = end.saturating_sub(self.size(ino)?);
        if more > self.capacity.saturating_sub(self.used) {
            // Files that were removed may still be counted.
            self.collect();
        }
        if more > self.capacity.saturating_sub(self.used) {
            return Err(Answer::ENOSPC);
        }
        self.used += more;
        Ok(())
    }

    fn size(&self, ino: Ino) -> Answered<u64> {
        match &self.inode(ino)?.body {
            Body::File(bytes) => Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Body::Directory(_) | Body::Symlink(_) => Err(Answer::EISDIR),
        }
    }

    /// Makes a file, directory or link with a first name.
    pub(crate) fn create(
        &mut self,
        directory: Ino,
        name: &OsStr,
        kind: Kind,
        owner: (u32, u32),
    ) -> Answered<Ino> {
        self.inode(directory)?;
        if self.now.lookup(directory, name).is_some() {
            return Err(Answer::EEXIST);
        }
        let ino = self.next;
        self.next += 1;
        self.take(Step::Create { ino, kind });
        for image in [&mut self.now, self.journal.durable_mut()] {
            if let Some(inode) = image.get_mut(ino) {
                inode.owner = owner;
            }
        }
        let name = name.to_owned();
        self.take(Step::Change(Op::Link {
            directory,
            name,
            ino,
        }));
        Ok(ino)
    }

    pub(crate) fn link(&mut self, ino: Ino, directory: Ino, name: &OsStr) -> Answered<()> {
        self.inode(ino)?;
        if self.now.lookup(directory, name).is_some() {
            return Err(Answer::EEXIST);
        }
        let name = name.to_owned();
        self.take(Step::Change(Op::Link {
            directory,
            name,
            ino,
        }));
        Ok(())
    }

    pub(crate) fn unlink(&mut self, directory: Ino, name: &OsStr) -> Answered<()> {
        let ino = self.lookup(directory, name)?;
        if self.now.names(ino).next().is_some() {
            return Err(Answer::ENOTEMPTY);
        }
        let name = name.to_owned();
        self.take(Step::Change(Op::Unlink { directory, name }));
        Ok(())
    }

    pub(crate) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        may_replace: bool,
    ) -> Answered<()> {
        let ino = self.lookup(from.0, from.1)?;
        match self.now.lookup(to.0, to.1) {
            Some(_) if !may_replace => return Err(Answer::EEXIST),
            Some(same) if same == ino => return Ok(()),
            Some(other) if self.now.names(other).next().is_some() => return Err(Answer::ENOTEMPTY),
            Some(_) | None => {}
        }
        self.take(Step::Change(Op::Rename {
            from: (from.0, from.1.to_owned()),
            to: (to.0, to.1.to_owned()),
            ino,
        }));
        Ok(())
    }

    pub(crate) fn sync(&mut self, ino: Ino) {
        let step = match self.now.get(ino).map(|inode| &inode.body) {
            Some(Body::Directory(_)) => Step::SyncDirectory(ino),
            Some(Body::File(_) | Body::Symlink(_)) | None => Step::SyncFile(ino),
        };
        self.take(step);
    }

    /// Permission bits and owners are durable at once: no promise rests on them.
    pub(crate) fn set_mode(
        &mut self,
        ino: Ino,
        mode: Option<u16>,
        owner: (Option<u32>, Option<u32>),
    ) {
        for image in [&mut self.now, self.journal.durable_mut()] {
            if let Some(inode) = image.get_mut(ino) {
                inode.mode = mode.unwrap_or(inode.mode);
                inode.owner.0 = owner.0.unwrap_or(inode.owner.0);
                inode.owner.1 = owner.1.unwrap_or(inode.owner.1);
            }
        }
    }

    pub(crate) fn opened(&mut self, ino: Ino) {
        *self.opens.entry(ino).or_default() += 1;
    }

    pub(crate) fn closed(&mut self, ino: Ino) {
        if let Some(count) = self.opens.get_mut(&ino) {
            *count -= 1;
            if *count == 0 {
                self.opens.remove(&ino);
            }
        }
    }

    /// Takes down what is in a directory now: names that go or come while it is read do not shift the others.
    pub(crate) fn list(&mut self, directory: Ino) -> Answered<u64> {
        let this = attributes::kind(self.inode(directory)?);
        let dots = [".", ".."].map(|name| Line {
            // Who asks for the number of the parent walks there.
            ino: directory.max(ROOT),
            kind: this,
            name: name.into(),
        });
        let named = self.now.names(directory).filter_map(|(name, ino)| {
            Some(Line {
                ino: *ino,
                kind: attributes::kind(self.now.get(*ino)?),
                name: name.clone(),
            })
        });
        let lines = dots.into_iter().chain(named).collect();
        let handle = self.next_listing;
        self.next_listing += 1;
        self.listings.insert(handle, Arc::new(lines));
        Ok(handle)
    }

    pub(crate) fn listing(&self, handle: u64) -> Answered<Arc<Vec<Line>>> {
        self.listings.get(&handle).cloned().ok_or(Answer::EBADF)
    }

    pub(crate) fn unlist(&mut self, handle: u64) {
        self.listings.remove(&handle);
    }
}
