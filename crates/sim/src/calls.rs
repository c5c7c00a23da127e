//! What clients asked functions to do, and what came back.

use std::{collections::BTreeSet, time::Duration};

use parking_lot::Mutex;

/// All invocations of a run.
#[derive(Default)]
pub(crate) struct Calls {
    made: Mutex<Vec<Invocation>>,
    /// Names of those that were made while the cluster came up.
    early: Mutex<BTreeSet<String>>,
}

/// One invocation by a client.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// What the payload names it.
    pub(crate) id: String,
    /// The function.
    pub(crate) function: String,
    /// Which version or alias of it; none for `$LATEST`.
    pub(crate) qualifier: Option<String>,
    /// What the guest was told to do.
    pub(crate) told: &'static str,
    /// Through which frontend, and which process of it.
    pub(crate) frontend: (String, u64),
    pub(crate) sent: Duration,
    pub(crate) ended: Duration,
    pub(crate) outcome: Outcome,
}

/// How an invocation ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The function's answer, with the marker of the code that gave it.
    Answered { marker: String },
    /// The function failed, as the API tells it.
    FunctionFailed { why: String },
    /// The API refused: it says that nothing ran.
    Refused { status: u16, error: String },
    /// The API failed while or after something ran.
    Failed { status: u16, error: String },
    /// Nothing was sent.
    NotSent,
    /// Nothing came back.
    Lost,
}

impl Calls {
    pub(crate) fn add(&self, invocation: Invocation) {
        self.made.lock().push(invocation);
    }

    /// Forgets what was asked of a cluster that was not up yet.
    pub(crate) fn forget(&self) {
        let made = std::mem::take(&mut *self.made.lock());
        self.early
            .lock()
            .extend(made.into_iter().map(|call| call.id));
    }

    /// Whether it was asked of a cluster that was not up yet.
    pub(crate) fn was_early(&self, id: &str) -> bool {
        self.early.lock().contains(id)
    }

    pub(crate) fn all(&self) -> Vec<Invocation> {
        self.made.lock().clone()
    }
}

impl Invocation {
    /// Whether the client has reason to be content with it.
    pub(crate) fn was_served(&self) -> bool {
        match &self.outcome {
            Outcome::Answered { .. } => true,
            Outcome::FunctionFailed { .. } => self.told != "echo" && self.told != "sleep",
            Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::NotSent | Outcome::Lost => {
                false
            }
        }
    }
}
