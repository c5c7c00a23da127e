//! The hand that breaks a disk.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fuser::{INodeNo, Notifier};

use crate::{
    dice::Dice,
    gate::{At, Errno, Lasting, What},
    image::{Image, Ino},
    recording::Recording,
    state::{Disk, State},
    survival::Survival,
};

/// Breaks and mends a mounted disk, from any thread, at once and without blocking. Clones mean the same disk.
#[derive(Clone)]
pub struct Control {
    disk: Arc<Disk>,
    notifier: Notifier,
    mounted_at: PathBuf,
}

/// Where a bit flips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Which file, by its path from the root of the disk.
    pub file: PathBuf,
    /// Which bytes of it; nothing means all.
    pub bytes: Option<std::ops::Range<usize>>,
    /// Which bit of these: the same seed chooses the same.
    pub seed: u64,
}

/// What is on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in files, as readers see them.
    pub bytes: u64,
    /// Files, as readers see them.
    pub files: usize,
    /// Changes that wait for a sync.
    pub unsynced_changes: usize,
    /// Bytes that wait for a sync.
    pub unsynced_bytes: usize,
    /// Changes and syncs that were asked for so far; what [`Control::fail_at`] counts.
    pub steps: u64,
    /// Syncs of files that failed, and with it dropped what waited for them.
    pub failed_syncs: u64,
    /// Whether the power is on.
    pub is_on: bool,
}

/// Why a disk did not do what its control said.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such file, or it has no such bytes.
    #[error("expected bytes to damage in {file} on the disk at {mounted_at}, found none there")]
    NothingThere {
        /// The file.
        file: PathBuf,
        /// Which disk.
        mounted_at: PathBuf,
    },
    /// The power is on, or was never cut.
    #[error("expected the disk at {mounted_at} to be without power; cut it first")]
    PowerIsOn {
        /// Which disk.
        mounted_at: PathBuf,
    },
    /// Files are open.
    #[error(
        "expected nobody to use the disk at {mounted_at}, but files are open; end the process that has them"
    )]
    InUse {
        /// Which disk.
        mounted_at: PathBuf,
    },
}

impl Control {
    pub(crate) const fn new(disk: Arc<Disk>, notifier: Notifier, mounted_at: PathBuf) -> Self {
        Self {
            disk,
            notifier,
            mounted_at,
        }
    }

    /// Where the disk is mounted.
    #[must_use]
    pub fn mounted_at(&self) -> &Path {
        &self.mounted_at
    }

    /// Nothing comes to an end any more, until [`Control::heal`] or a cut of the power.
    ///
    /// As with a real disk, a process that is killed while it waits is gone only when the wait ends.
    pub fn stall(&self) {
        self.disk.lock().gate.is_stalled = true;
    }

    /// Every read, write and sync takes this much longer, one after the other.
    pub fn slow(&self, by: Duration) {
        self.disk.lock().gate.slow = by;
    }

    /// Every read, change and sync answers this. What readers have in the page cache they still read.
    pub fn fail(&self, errno: Errno) {
        self.disk.lock().gate.answers = Some(errno);
    }

    /// Every change that needs room answers ENOSPC; what shrinks or syncs still works.
    pub fn no_space(&self) {
        self.fail(Errno::NoSpace);
    }

    /// The `after`th change or sync from now (0 is the next) answers this.
    pub fn fail_at(&self, after: u64, errno: Errno, lasting: Lasting) {
        self.at(after, What::Fail(errno, lasting));
    }

    /// The power goes at the `after`th change or sync from now (0 is the next), before it is done.
    pub fn power_cut_at(&self, after: u64, survival: Survival) {
        self.at(after, What::Cut(survival));
    }

    fn at(&self, after: u64, what: What) {
        let mut state = self.disk.lock();
        let step = state.gate.steps.saturating_add(after);
        state.gate.at = Some(At { step, what });
    }

    /// Turns one bit over, on the medium and for readers.
    ///
    /// # Errors
    /// [`ControlError::NothingThere`].
    pub fn flip_bit(&self, area: &Area) -> Result<(), ControlError> {
        let missing = || ControlError::NothingThere {
            file: area.file.clone(),
            mounted_at: self.mounted_at.clone(),
        };
        let ino = {
            let mut state = self.disk.lock();
            flip(&mut state, area).ok_or_else(missing)?
        };
        // Outside of the lock: the kernel may have to wait for a read that is on its way here.
        if let Err(error) = self.notifier.inval_inode(INodeNo(ino), 0, 0) {
            tracing::debug!(%error, "the kernel had nothing of the damaged file");
        }
        Ok(())
    }

    /// Takes stalls, slowness, errors and fullness off, and whatever was to happen later. What waited goes on. Does not give
    /// the power back.
    pub fn heal(&self) {
        self.disk.lock().gate.heal();
        self.disk.announce();
    }

    /// Cuts the power now. The medium keeps what is durable and what `survival` lets through of the rest; everything answers
    /// EIO until [`Control::restore_power`]. What waited for a stalled disk is answered, too. A second cut changes nothing.
    pub fn power_cut(&self, survival: Survival) {
        self.disk.lock().cut(survival);
        self.disk.announce();
    }

    /// Gives the power back: the disk is at the same place with what it kept, healed. Waits for as long as `patience` until
    /// nobody has files open.
    ///
    /// # Errors
    /// [`ControlError::PowerIsOn`] or [`ControlError::InUse`].
    pub fn restore_power(&self, patience: Duration) -> Result<(), ControlError> {
        self.wait_until_idle(patience)?;
        let mut state = self.disk.lock();
        let Some(kept) = state.kept.take() else {
            return Err(ControlError::PowerIsOn {
                mounted_at: self.mounted_at.clone(),
            });
        };
        state.restore(&kept);
        Ok(())
    }

    /// Puts another disk in: this image, all of it durable, no faults.
    ///
    /// # Errors
    /// [`ControlError::InUse`] when files are still open after `patience`.
    pub fn replace(&self, image: &Image, patience: Duration) -> Result<(), ControlError> {
        self.wait_until_idle(patience)?;
        self.disk.lock().restore(image);
        Ok(())
    }

    /// Returns when nobody has files open, or after `patience`.
    ///
    /// # Errors
    /// [`ControlError::InUse`].
    pub fn wait_until_idle(&self, patience: Duration) -> Result<(), ControlError> {
        if self.disk.wait_until_idle(patience) {
            return Ok(());
        }
        Err(ControlError::InUse {
            mounted_at: self.mounted_at.clone(),
        })
    }

    /// What is on the disk.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let state = self.disk.lock();
        Usage {
            bytes: state.used,
            files: state.now.files().len(),
            unsynced_changes: state.journal.pending().len(),
            unsynced_bytes: state.journal.pending_bytes(),
            steps: state.gate.steps,
            failed_syncs: state.gate.failed_syncs,
            is_on: !state.gate.is_off,
        }
    }

    /// What readers see now.
    #[must_use]
    pub fn image(&self) -> Image {
        self.disk.lock().now.clone()
    }

    /// Begins to record every step, from what is durable now with nothing waiting: what waits becomes durable.
    pub fn record(&self) {
        let mut state = self.disk.lock();
        let base = state.now.clone();
        state.journal = crate::Journal::new(base.clone());
        state.recording = Some(Recording::new(base));
    }

    /// How many steps were recorded so far; 0 when nothing is recorded.
    #[must_use]
    pub fn position(&self) -> usize {
        let state = self.disk.lock();
        state.recording.as_ref().map_or(0, |r| r.steps().len())
    }

    /// Ends a recording.
    #[must_use]
    pub fn take_recording(&self) -> Option<Recording> {
        self.disk.lock().recording.take()
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("mounted_at", &self.mounted_at)
            .finish_non_exhaustive()
    }
}

fn flip(state: &mut State, area: &Area) -> Option<Ino> {
    let ino = *state.now.files().get(&area.file)?;
    let mut dice = Dice::new(area.seed);
    let len = state.now.bytes_mut(ino)?.len();
    let range = area.bytes.clone().unwrap_or(0..len);
    let range = range.start..range.end.min(len);
    if range.is_empty() {
        return None;
    }
    let at = range.start + dice.below(range.len());
    let bit = 1_u8 << dice.below(8);
    for image in [&mut state.now, state.journal.durable_mut()] {
        // The durable file may be shorter, or not there yet.
        if let Some(byte) = image.bytes_mut(ino).and_then(|bytes| bytes.get_mut(at)) {
            *byte ^= bit;
        }
    }
    Some(ino)
}
