//! What clients wrote that invocations show, and what invocations showed of it.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;

use crate::history::freshness::{Change, Glimpse, Session};

/// All that was seen in a run, by the name of the value.
#[derive(Default)]
pub(crate) struct Seen(Mutex<BTreeMap<String, Shown>>);

/// One value: what one alias runs, say.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    pub(crate) changes: Vec<Change>,
    pub(crate) glimpses: Vec<Glimpse>,
}

/// How a change ended for the client that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was acknowledged.
    Done,
    /// It did certainly not happen.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// A change that was asked for.
pub(crate) struct Asked {
    /// The new value; `None` for a deletion.
    pub(crate) value: Option<String>,
    /// When.
    pub(crate) begun: Duration,
    /// Through which process.
    pub(crate) session: Session,
}

/// How long a frontend that has done a change waits for its own copy of the catalog before it answers in any case.
const OWN_COPY: Duration = Duration::from_secs(1);

/// Whether the frontend that answered a change certainly has it in its own copy of the catalog.
pub(crate) fn is_in_own_copy(begun: Duration, answered: Duration) -> bool {
    answered < begun + OWN_COPY
}

impl Seen {
    /// Takes note of a change that has ended, now.
    pub(crate) fn changed(&self, name: &str, asked: Asked, ended: Ended, now: Duration) {
        let acknowledged = match ended {
            Ended::Done if is_in_own_copy(asked.begun, now) => Some((now, asked.session)),
            Ended::Done => Some((now, Session::default())),
            Ended::Refused => return,
            Ended::Unknown => None,
        };
        let mut all = self.0.lock();
        all.entry(name.to_owned())
            .or_default()
            .changes
            .push(Change {
                value: asked.value,
                begun: asked.begun,
                acknowledged,
            });
    }

    /// Takes note of what an invocation showed.
    pub(crate) fn shown(&self, name: &str, glimpse: Glimpse) {
        let mut all = self.0.lock();
        all.entry(name.to_owned())
            .or_default()
            .glimpses
            .push(glimpse);
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Shown> {
        self.0.lock().clone()
    }
}
