//! How long operations take, which of them fail, and what was counted of it.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use host::Entropy;
use rustix::io::Errno;
use tokio::time::Instant;

use super::{DiskFault, Hit};

/// What an operation asks of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Reads records, often from memory.
    Read,
    /// Writes to memory that the operating system writes out in its own time; takes room.
    Write,
    /// Waits until something is on the disk; takes room.
    Sync,
    /// Takes something away, which needs no room.
    Remove,
}

/// What is wrong with a disk now, and what it did so far.
pub(super) struct Faults {
    entropy: Arc<dyn Entropy>,
    stall: Option<Stall>,
    slow: Duration,
    eio: bool,
    no_space: bool,
    fired: BTreeMap<Hit, u64>,
}

struct Stall {
    length: Duration,
    /// Set by the first operation that meets it, in the time of its runtime.
    until: Option<Instant>,
}

impl Faults {
    pub(super) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            entropy,
            stall: None,
            slow: Duration::ZERO,
            eio: false,
            no_space: false,
            fired: BTreeMap::new(),
        }
    }

    pub(super) fn begin(&mut self, fault: DiskFault) {
        match fault {
            DiskFault::Stall(length) => {
                self.stall = Some(Stall {
                    length,
                    until: None,
                });
            }
            DiskFault::Slow(by) => self.slow = by,
            DiskFault::Eio => self.eio = true,
            DiskFault::NoSpace => self.no_space = true,
            DiskFault::FlipBit(_) => {}
        }
    }

    pub(super) fn end(&mut self) {
        self.stall = None;
        self.slow = Duration::ZERO;
        self.eio = false;
        self.no_space = false;
    }

    /// A stall that has begun does not outlive the process whose clock it was timed by.
    pub(super) fn forget_timers(&mut self) {
        if self.stall.as_ref().is_some_and(|s| s.until.is_some()) {
            self.stall = None;
        }
    }

    pub(super) fn fired(&self) -> &BTreeMap<Hit, u64> {
        &self.fired
    }

    pub(super) fn count(&mut self, hit: Hit, times: u64) {
        if times > 0 {
            *self.fired.entry(hit).or_default() += times;
        }
    }

    /// How long an operation over this many bytes takes, stalls aside.
    pub(super) fn latency(&mut self, op: Op, bytes: u64) -> Duration {
        // Timers know milliseconds; what takes less in truth takes one of them now and then.
        let millis = match op {
            Op::Read | Op::Write | Op::Remove => u64::from(self.entropy.below(32) == 0),
            Op::Sync if self.entropy.below(64) == 0 => 10 + self.entropy.below(20),
            Op::Sync => 1 + self.entropy.below(4),
        };
        if self.slow > Duration::ZERO {
            self.count(Hit::Slow, 1);
        }
        let transfer = bytes / (200 << 10);
        self.slow + Duration::from_millis(millis + transfer)
    }

    /// How much of a stall is left; `None` if there is none.
    pub(super) fn stalled(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let stall = self.stall.as_mut()?;
        let hit = stall.until.is_none();
        let until = *stall.until.get_or_insert(now + stall.length);
        if hit {
            self.count(Hit::Stall, 1);
        }
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            self.stall = None;
            return None;
        }
        Some(left)
    }

    /// The error of an operation, if it has one.
    pub(super) fn strike(&mut self, op: Op) -> io::Result<()> {
        let from_memory = op == Op::Read && self.entropy.below(4) != 0;
        if self.eio && !from_memory {
            self.count(Hit::Eio, 1);
            return Err(Errno::IO.into());
        }
        if self.no_space && matches!(op, Op::Write | Op::Sync) {
            self.count(Hit::NoSpace, 1);
            return Err(Errno::NOSPC.into());
        }
        Ok(())
    }
}
