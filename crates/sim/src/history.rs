//! What clients of the control API saw, and whether a catalog can have answered so.
//!
//! A [`History`] takes down the calls of all clients: when each was made, how it ended, and what it showed. [`History::check`]
//! then looks for one order of the calls that explains every answer and contradicts nobody's clock (linearizability, Herlihy
//! and Wing 1990). A call whose outcome its client never learnt may have taken effect at any time after it was made, even
//! after everything else, or never.
//!
//! Reads of the control API are promised to be linearizable, so all of this holds for them. Invocations read a frontend's
//! local copy, which may be late; what is promised of them is in [`freshness`]. What ran where is in [`executions`].

mod answer;
mod compile;
pub mod executions;
mod explain;
pub mod freshness;
mod linear;
mod op;
pub mod registers;
mod spec;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;

pub use answer::Reading;
pub use explain::Violation;
pub use op::{Act, Listed, Op, Outcome, SeenAlias, SeenVersion};

/// How many steps the search may take for one function, unless told otherwise.
pub const STEPS_MAX: u64 = 20_000_000;

/// The calls of all clients of a run. Clones share it. The order in which it is told of beginnings and ends is the order in
/// which they happened; the times are for its readers.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Log>>);

/// One call of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(usize);

/// How many calls ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub invoked: usize,
    /// Those that were answered.
    pub done: usize,
    /// Those that did certainly not happen.
    pub refused: usize,
    /// Those that may have happened.
    pub unknown: usize,
    /// Those that have not ended.
    pub pending: usize,
}

/// What a check found, other than a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Every function's calls can be explained.
    Linearizable(Effort),
    /// No function's calls contradict the catalog, but for some the search was given up. This is no success.
    Undecided {
        /// The functions whose search was given up.
        functions: Vec<String>,
        /// What was spent in all.
        effort: Effort,
    },
}

/// What a check has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Functions that were checked.
    pub functions: usize,
    /// Calls that were ordered or left out.
    pub calls: usize,
    /// Steps of the search.
    pub steps: u64,
}

#[derive(Default)]
struct Log {
    records: Vec<Record>,
    events: usize,
}

/// One call, as it was taken down.
#[derive(Clone, Debug)]
struct Record {
    client: u32,
    op: Op,
    /// Place in the order of all beginnings and ends, and the time.
    begun: (usize, Duration),
    end: Option<End>,
}

#[derive(Clone, Debug)]
struct End {
    at: (usize, Duration),
    how: Ended,
}

#[derive(Clone, Debug)]
enum Ended {
    Done(Outcome),
    Refused,
    Unknown,
}

impl History {
    /// Without calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A client begins a call, at a time since the beginning of the run.
    #[must_use = "the call must be ended by its id"]
    pub fn invoke(&self, client: u32, op: Op, at: Duration) -> CallId {
        let mut log = self.0.lock();
        let begun = log.event(at);
        log.records.push(Record {
            client,
            op,
            begun,
            end: None,
        });
        CallId(log.records.len() - 1)
    }

    /// The call was answered. Only the first end of a call counts, here and below.
    pub fn done(&self, call: CallId, outcome: Outcome, at: Duration) {
        self.end(call, Ended::Done(outcome), at);
    }

    /// The call did certainly not happen, and never will.
    pub fn refused(&self, call: CallId, at: Duration) {
        self.end(call, Ended::Refused, at);
    }

    /// The client gave up. The call may happen at any later time, or have happened.
    pub fn unknown(&self, call: CallId, at: Duration) {
        self.end(call, Ended::Unknown, at);
    }

    /// Ends a call as its answer was read; see [`Reading`].
    pub fn ended(&self, call: CallId, reading: Reading, at: Duration) {
        match reading {
            Reading::Done(outcome) => self.done(call, outcome, at),
            Reading::Refused => self.refused(call, at),
            Reading::Unknown => self.unknown(call, at),
        }
    }

    /// How many calls ended how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let log = self.0.lock();
        let mut counts = Counts {
            invoked: log.records.len(),
            ..Counts::default()
        };
        for record in &log.records {
            let count = match record.end.as_ref().map(|end| &end.how) {
                Some(Ended::Done(_)) => &mut counts.done,
                Some(Ended::Refused) => &mut counts.refused,
                Some(Ended::Unknown) => &mut counts.unknown,
                None => &mut counts.pending,
            };
            *count += 1;
        }
        counts
    }

    /// Looks for an order of the calls that explains them all. A call that has not ended counts as unknown.
    ///
    /// # Errors
    /// [`Violation`] if there is none for some function, with the few calls that show it.
    pub fn check(&self) -> Result<Verdict, Violation> {
        self.check_within(STEPS_MAX)
    }

    /// Like [`check`](Self::check), with another bound on the steps for one function.
    ///
    /// # Errors
    /// As there.
    pub fn check_within(&self, steps: u64) -> Result<Verdict, Violation> {
        let records = self.0.lock().records.clone();
        compile::revisions_are_unique(&records)?;
        let mut effort = Effort::default();
        let mut functions = Vec::new();
        for function in compile::functions(&records) {
            let part = compile::partition(&records, &function);
            let search = linear::search(&part.calls, steps);
            effort.functions += 1;
            effort.calls += part.calls.len();
            effort.steps += search.steps;
            match search.end {
                linear::SearchEnd::Explained => {}
                linear::SearchEnd::GivenUp => functions.push(function),
                linear::SearchEnd::Stuck { at, .. } => {
                    return Err(explain::violation(&part, at, steps));
                }
            }
        }
        Ok(match functions.is_empty() {
            true => Verdict::Linearizable(effort),
            false => Verdict::Undecided { functions, effort },
        })
    }

    fn end(&self, call: CallId, how: Ended, at: Duration) {
        let mut log = self.0.lock();
        let at = log.event(at);
        if let Some(record) = log.records.get_mut(call.0) {
            record.end.get_or_insert(End { at, how });
        }
    }
}

impl Log {
    fn event(&mut self, at: Duration) -> (usize, Duration) {
        self.events += 1;
        (self.events, at)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("History").field(&self.counts()).finish()
    }
}
