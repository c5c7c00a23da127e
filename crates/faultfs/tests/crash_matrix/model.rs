//! What a workload did, by the steps of the disk; what may be there after a cut.

use std::{cell::RefCell, fmt::Debug};

use faultfs::Control;

/// Which steps of a script had begun, and which were acknowledged, when.
pub(crate) struct Ledger {
    control: Control,
    events: RefCell<Vec<Event>>,
}

/// One step of a script, by positions in the recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) began: usize,
    pub(crate) acknowledged: Option<usize>,
}

/// How far a script is known to be: what is there must be the state after at least `acknowledged` steps and at most
/// `begun` ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Progress {
    pub(crate) acknowledged: usize,
    pub(crate) begun: usize,
}

impl Ledger {
    pub(crate) fn new(control: Control) -> Self {
        Self {
            control,
            events: RefCell::default(),
        }
    }

    /// Notes that the next `count` steps begin; gives the number of the first.
    pub(crate) fn begin(&self, count: usize) -> usize {
        let began = self.control.position();
        let mut events = self.events.borrow_mut();
        let first = events.len();
        events.extend((0..count).map(|_| Event {
            began,
            acknowledged: None,
        }));
        first
    }

    /// Notes that a step was acknowledged.
    pub(crate) fn acknowledge(&self, step: usize) {
        let at = self.control.position();
        self.events.borrow_mut()[step].acknowledged = Some(at);
    }

    /// The steps, when they began and ended.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }

    /// How far the script is now.
    pub(crate) fn progress(&self) -> Progress {
        progress(&self.events(), usize::MAX)
    }
}

/// How far a script whose steps are acknowledged in order is when the power goes before disk step `cut`.
pub(crate) fn progress(events: &[Event], cut: usize) -> Progress {
    let is_done = |event: &&Event| event.acknowledged.is_some_and(|at| at <= cut);
    Progress {
        acknowledged: events.iter().take_while(is_done).count(),
        begun: events.iter().filter(|event| event.began < cut).count(),
    }
}

/// Checks that what was found is one of the states that the progress allows.
pub(crate) fn check<S: PartialEq + Debug>(
    what: &str,
    states: &[S],
    found: &S,
    progress: Progress,
) -> Result<(), String> {
    let allowed = states.get(progress.acknowledged..=progress.begun);
    if allowed.is_some_and(|states| states.contains(found)) {
        return Ok(());
    }
    let other = states.iter().position(|state| state == found);
    Err(format!(
        "{what}: expected the state after {} to {} steps, found {}",
        progress.acknowledged,
        progress.begun,
        other.map_or_else(
            || format!("one that never was: {found:.400?}"),
            |at| format!("that after {at}")
        )
    ))
}

/// Bytes that tell where they belong.
pub(crate) fn bytes(seed: usize, len: usize) -> Vec<u8> {
    let word = format!("{seed:08x}.");
    word.bytes().cycle().take(len).collect()
}
