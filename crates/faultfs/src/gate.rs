//! Where a disk refuses, waits, or loses its power, before it does anything.

use std::time::Duration;

use crate::survival::Survival;

/// What a broken disk answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errno {
    /// The medium failed (EIO). A failed sync of a file also drops what waited for it.
    Io,
    /// No room (ENOSPC).
    NoSpace,
}

/// How long a fault that begins at a certain step lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lasting {
    /// For that step.
    Once,
    /// From that step until the disk is healed.
    UntilHealed,
}

/// What somebody wants of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Names and attributes.
    Look,
    /// Content.
    Read,
    /// A change that may need room.
    Grow,
    /// A change that needs none.
    Shrink,
    /// Durability.
    Sync,
}

/// What stands in the way now.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) is_stalled: bool,
    pub(crate) slow: Duration,
    pub(crate) answers: Option<Errno>,
    pub(crate) at: Option<At>,
    pub(crate) is_off: bool,
    /// Steps let in so far, refused ones counted: changes and syncs.
    pub(crate) steps: u64,
    pub(crate) failed_syncs: u64,
}

/// Something that happens at a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// The number of the step.
    pub(crate) step: u64,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Fail(Errno, Lasting),
    Cut(Survival),
}

/// What the gate says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Refuse(Errno),
    Cut(Survival),
}

impl Gate {
    /// Counts the step and judges it. Waiting is the caller's part.
    pub(crate) fn judge(&mut self, want: Want) -> Verdict {
        if self.is_off {
            return Verdict::Refuse(Errno::Io);
        }
        if matches!(want, Want::Grow | Want::Shrink | Want::Sync) {
            let step = self.steps;
            self.steps += 1;
            if let Some(at) = self.at
                && at.step == step
            {
                self.at = None;
                match at.what {
                    What::Fail(errno, Lasting::Once) => return Verdict::Refuse(errno),
                    What::Fail(errno, Lasting::UntilHealed) => self.answers = Some(errno),
                    What::Cut(survival) => return Verdict::Cut(survival),
                }
            }
        }
        match (self.answers, want) {
            (Some(Errno::Io), Want::Read | Want::Grow | Want::Shrink | Want::Sync) => {
                Verdict::Refuse(Errno::Io)
            }
            (Some(Errno::NoSpace), Want::Grow) => Verdict::Refuse(Errno::NoSpace),
            (Some(_) | None, _) => Verdict::Pass,
        }
    }

    pub(crate) fn heal(&mut self) {
        self.is_stalled = false;
        self.slow = Duration::ZERO;
        self.answers = None;
        self.at = None;
    }
}
