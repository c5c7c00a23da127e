//! The disk of one simulated node: what the real log, store and blobs keep in files, kept in memory, and lost as files are.
//!
//! A [`Disk`] outlives its node. Every process of the node mounts it and gets the four ports of a host that lie on a disk;
//! a crash ends what was mounted and decides, by seed, what of the unsynced is still there. The model is that of the ports,
//! and in it as unkind as their contracts allow:
//!
//! - a log batch under way may be there or not, those before it first; one that was answered is there;
//! - a store table keeps a prefix of its batches that holds all that was flushed. This goes for the end of a process too,
//!   because the engine behind the port buffers in its process; the batches of different tables are lost apart;
//! - of an append to a segment under way there may be a beginning; one that was answered is there;
//! - a blob that was being put is there whole or not at all; one that was deleted may come back when the power goes.
//!
//! Every record carries a checksum. Bits that flip are noticed by the read that meets them, as the real adapters notice
//! them: the log as [`Damaged`](host::log::LogError::Damaged), the store as an error of its engine, a blob as a
//! [`Mismatch`](host::blobs::BlobError::Mismatch) that sets it aside. The first error of a log or a store is its last word
//! until it is mounted again. Time is `tokio::time`, chance is [`Entropy`]; nothing here starts a thread or opens a file.

mod blobs;
mod faults;
mod journal;
mod life;
mod log;
mod sealed;
mod segments;
mod store;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use host::{Blobs, Entropy, LogEngine, Segments, Store};
use parking_lot::Mutex;

use self::{
    blobs::{BlobArea, SimBlobs},
    faults::Faults,
    life::Life,
    log::{LogArea, SimLog},
    segments::{SegmentArea, SimSegments},
    store::{SimStore, StoreArea},
};

/// A part of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The Raft log.
    Log,
    /// Small records.
    Store,
    /// Code packages.
    Blobs,
}

/// What goes with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its own memory: what it had handed to the operating system stays.
    Process,
    /// That of the machine too: what was not synced is lost, or torn, or there without what was written before it.
    Power,
}

/// Something wrong with a disk, until [`Disk::heal`] unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Answers nothing for this long, from the first operation that meets it; then goes on.
    Stall(Duration),
    /// Every operation takes this much longer.
    Slow(Duration),
    /// Every write and every sync fails with EIO, and so do some reads: the others are answered from memory.
    Eio,
    /// Whatever needs room fails with ENOSPC.
    NoSpace,
    /// Flips one bit of one record that is there, for ever. Nothing happens to an empty area.
    FlipBit(Area),
}

/// What really hit an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// An operation had to wait for a stall to end.
    Stall,
    /// An operation was slowed down.
    Slow,
    /// An operation failed with EIO.
    Eio,
    /// An operation failed with ENOSPC.
    NoSpace,
    /// A read met a flipped bit.
    Flip,
    /// A record that was written and not synced did not survive a crash.
    Lost,
    /// A record that was half written was found by its checksum, and dropped.
    Torn,
    /// A record survived one that was written before it, and was dropped for it.
    Reordered,
    /// A store was damaged, by a loss of power or a flipped bit, and a new one took its place.
    SetAside,
}

/// The bytes that lie on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of entries and named records of all groups.
    pub log: u64,
    /// Of keys and values of all tables.
    pub store: u64,
    /// Of blobs, and of those that were set aside as rotten.
    pub blobs: u64,
}

/// What a process gets from the disk it mounts.
#[derive(Clone)]
pub struct Mounted {
    /// The log of all groups.
    pub log: Arc<dyn LogEngine>,
    /// All tables.
    pub store: Arc<dyn Store>,
    /// All blobs.
    pub blobs: Arc<dyn Blobs>,
    /// All segments.
    pub segments: Arc<dyn Segments>,
}

/// A handle on a disk; clones are of the same disk.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    state: Mutex<State>,
}

struct State {
    /// Counts mounts and crashes: an operation of another life than this one never returns.
    life: u64,
    /// What is wrong, and what it did.
    faults: Faults,
    /// Decides what a crash loses and which bits flip.
    fate: Arc<dyn Entropy>,
    log: LogArea,
    store: StoreArea,
    blobs: BlobArea,
    segments: SegmentArea,
}

impl Disk {
    /// An empty disk. `name` is for the texts of errors; everything that is left to chance follows from `entropy`.
    #[must_use]
    pub fn new(name: &str, entropy: Arc<dyn Entropy>) -> Self {
        let state = State {
            life: 0,
            faults: Faults::new(entropy.fork("latency and errors")),
            fate: entropy,
            log: LogArea::default(),
            store: StoreArea::default(),
            blobs: BlobArea::default(),
            segments: SegmentArea::default(),
        };
        Self {
            shared: Arc::new(Shared {
                name: name.to_owned(),
                state: Mutex::new(state),
            }),
        }
    }

    /// Opens the disk for a process; what an earlier one mounted is dead from here on. Call it within the process's
    /// runtime: the writers of log and store are tasks there, and end with it or with the last handle.
    ///
    /// An earlier process that was not crashed is taken to have ended in order: what it had not answered may be lost,
    /// nothing else is.
    #[must_use]
    pub fn mount(&self) -> Mounted {
        let number = {
            let mut state = self.shared.state.lock();
            state.end_life();
            let State {
                log,
                blobs,
                segments,
                fate,
                ..
            } = &mut *state;
            log.crash(Loss::Process, &**fate);
            blobs.crash(Loss::Process, &**fate);
            segments.crash(Loss::Process, &**fate);
            state.life
        };
        let life = Life::new(self.shared.clone(), number);
        Mounted {
            log: Arc::new(SimLog::start(life.clone())),
            store: Arc::new(SimStore::start(life.clone())),
            segments: Arc::new(SimSegments::new(life.clone())),
            blobs: Arc::new(SimBlobs::new(life)),
        }
    }

    /// Does before a mount what a node does about a damaged store: sets it aside, and begins with an empty one. Tells
    /// whether there was one.
    pub fn set_damaged_store_aside(&self) -> bool {
        let mut state = self.shared.state.lock();
        let was_damaged = state.store.begin_anew();
        state.faults.count(Hit::SetAside, u64::from(was_damaged));
        was_damaged
    }

    /// Ends the process that has the disk mounted: its operations never return, and what was not durable may be gone.
    pub fn crash(&self, loss: Loss) {
        let mut state = self.shared.state.lock();
        state.end_life();
        let State {
            faults,
            fate,
            log,
            store,
            blobs,
            segments,
            ..
        } = &mut *state;
        let mut lost = log.crash(loss, &**fate);
        lost += store.crash(loss, &**fate);
        lost += blobs.crash(loss, &**fate);
        lost += segments.crash(loss, &**fate);
        faults.count(Hit::Lost, lost.records);
        faults.count(Hit::Torn, lost.torn);
        faults.count(Hit::Reordered, lost.reordered);
    }

    /// Breaks something.
    pub fn inject(&self, fault: DiskFault) {
        let mut state = self.shared.state.lock();
        let State {
            faults,
            fate,
            log,
            store,
            blobs,
            ..
        } = &mut *state;
        match fault {
            DiskFault::Stall(_) | DiskFault::Slow(_) | DiskFault::Eio | DiskFault::NoSpace => {
                faults.begin(fault);
            }
            DiskFault::FlipBit(Area::Log) => log.flip(&**fate),
            DiskFault::FlipBit(Area::Store) => store.flip(&**fate),
            DiskFault::FlipBit(Area::Blobs) => blobs.flip(&**fate),
        }
    }

    /// Mends whatever can be mended: flipped bits stay as they are, and a log or store that failed stays dead until it is
    /// mounted again.
    pub fn heal(&self) {
        self.shared.state.lock().faults.end();
    }

    /// Replaces the disk by an empty one without faults; what was mounted is dead.
    pub fn wipe(&self) {
        let mut state = self.shared.state.lock();
        state.end_life();
        state.faults.end();
        state.log = LogArea::default();
        state.store = StoreArea::default();
        state.blobs = BlobArea::default();
        state.segments = SegmentArea::default();
    }

    /// How often each fault hit an operation or a record, since the disk was made.
    #[must_use]
    pub fn fired(&self) -> BTreeMap<Hit, u64> {
        self.shared.state.lock().faults.fired().clone()
    }

    /// Whether a blob is on it, durably.
    #[must_use]
    pub fn holds(&self, digest: model::Digest) -> bool {
        self.shared.state.lock().blobs.holds(digest)
    }

    /// Every segment on it.
    #[must_use]
    pub fn segments(&self) -> BTreeMap<u64, Vec<u8>> {
        self.shared.state.lock().segments.content()
    }

    /// What lies on it now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let state = self.shared.state.lock();
        Usage {
            log: state.log.bytes(),
            store: state.store.bytes(),
            blobs: state.blobs.bytes(),
        }
    }
}

impl State {
    fn end_life(&mut self) {
        self.life += 1;
        self.faults.forget_timers();
    }
}
