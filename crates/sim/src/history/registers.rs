//! Records that are a value under a name, and whether a catalog can have answered so.
//!
//! Most kinds of records are that: they are created, put, changed, deleted and read, and nothing else happens to them. The
//! search is the one of functions ([`linear`](super::linear)); only what the calls do is simpler.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    STEPS_MAX,
    linear::{self, Model, SearchEnd, Span},
};

/// What is asked of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// To be there with this value, unless it is there.
    Create(u64),
    /// To have this value, whether it is there or not.
    Put(u64),
    /// To have this value, if it is there.
    Update(u64),
    /// To be away, if it is there.
    Delete,
    /// To be away, whether it is there or not.
    Remove,
    /// To be shown.
    Read,
}

/// How that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A change was made.
    Done,
    /// The record has this value, or is away.
    Shown(Option<u64>),
    /// It is not there.
    NotFound,
    /// It is there already.
    Conflict,
}

/// What a client knows of the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered.
    Known(Answer),
    /// It did certainly not happen.
    Refused,
    /// It may have happened, or happen yet.
    Unknown,
}

/// The calls of all clients on all records. Clones share it. The order in which it is told of beginnings and ends is the
/// order in which they happened.
#[derive(Clone, Default)]
pub struct Registers(Arc<Mutex<Log>>);

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId(usize);

/// Calls on one record that no order explains.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    /// The record.
    pub name: String,
    /// Its calls until the one that cannot have ended as it did.
    calls: Vec<Taken>,
    /// What it can have been before that one.
    before: Vec<Option<u64>>,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// Records that were checked.
    pub records: usize,
    /// Steps of all searches.
    pub steps: u64,
    /// Records whose search was given up. This is no success.
    pub undecided: Vec<String>,
}

#[derive(Default)]
struct Log {
    calls: Vec<Taken>,
    events: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Taken {
    /// None until the catalog has given the record one.
    name: Option<String>,
    act: Act,
    begun: (usize, Duration),
    end: Option<(usize, Duration, Fate)>,
}

/// A call as the search sees it.
#[derive(Clone, Copy)]
struct Call {
    act: Act,
    answer: Option<Answer>,
}

/// What a call needs of a record, or leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Anything,
    There,
    Away,
    Exactly(u64),
}

impl Registers {
    /// A client begins a call. The name is `None` if the catalog makes one up: see [`named`](Self::named).
    #[must_use = "the call must be ended by its id"]
    pub fn begin(&self, name: Option<&str>, act: Act, at: Duration) -> CallId {
        let mut log = self.0.lock();
        log.events += 1;
        let taken = Taken {
            name: name.map(str::to_owned),
            act,
            begun: (log.events, at),
            end: None,
        };
        log.calls.push(taken);
        CallId(log.calls.len() - 1)
    }

    /// The name that the catalog gave the record that this call has made. A call without a name is left out: nobody else can
    /// know of its record.
    pub fn named(&self, call: CallId, name: &str) {
        if let Some(taken) = self.0.lock().calls.get_mut(call.0) {
            taken.name = Some(name.to_owned());
        }
    }

    /// The call has ended. Only its first end counts.
    pub fn end(&self, call: CallId, fate: Fate, at: Duration) {
        let mut log = self.0.lock();
        log.events += 1;
        let event = log.events;
        if let Some(taken) = log.calls.get_mut(call.0) {
            taken.end.get_or_insert((event, at, fate));
        }
    }

    /// Looks, for each record, for an order of the calls that explains them all. A call that has not ended counts as unknown.
    ///
    /// # Errors
    /// [`Violation`] if there is none for some record.
    pub fn check(&self) -> Result<Verdict, Violation> {
        let mut parts: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
        for taken in &self.0.lock().calls {
            if let Some(name) = &taken.name {
                parts.entry(name.clone()).or_default().push(taken.clone());
            }
        }
        let mut verdict = Verdict {
            records: parts.len(),
            steps: 0,
            undecided: Vec::new(),
        };
        for (name, calls) in parts {
            let (spans, kept): (Vec<_>, Vec<_>) =
                calls.iter().filter_map(|c| Some((c.span()?, c))).unzip();
            let search = linear::search(&spans, STEPS_MAX);
            verdict.steps += search.steps;
            match search.end {
                SearchEnd::Explained => {}
                SearchEnd::GivenUp => verdict.undecided.push(name),
                SearchEnd::Stuck { at, before } => {
                    let end = kept.get(at).and_then(|c| c.end).map(|(event, ..)| event);
                    let earlier = kept.iter().filter(|c| Some(c.begun.0) < end);
                    return Err(Violation {
                        name,
                        calls: earlier.map(|c| (*c).clone()).collect(),
                        before,
                    });
                }
            }
        }
        Ok(verdict)
    }
}

impl Taken {
    /// What there is to order; `None` if it did not happen, or shows nothing.
    fn span(&self) -> Option<Span<Call>> {
        let (ended, answer) = match self.end {
            Some((_, _, Fate::Refused)) => return None,
            Some((event, _, Fate::Known(answer))) => (Some(event), Some(answer)),
            Some((_, _, Fate::Unknown)) | None => (None, None),
        };
        if answer.is_none() && self.act == Act::Read {
            return None;
        }
        Some(Span {
            call: Call {
                act: self.act,
                answer,
            },
            begun: self.begun.0,
            ended,
        })
    }
}

impl Call {
    fn needs(self) -> Need {
        match (self.act, self.answer) {
            (Act::Read, Some(Answer::Shown(Some(value)))) => Need::Exactly(value),
            (Act::Read, Some(Answer::Shown(None)))
            | (Act::Create(_), Some(Answer::Done) | None)
            | (_, Some(Answer::NotFound)) => Need::Away,
            (Act::Create(_), Some(Answer::Conflict))
            | (Act::Update(_) | Act::Delete, Some(Answer::Done) | None) => Need::There,
            _ => Need::Anything,
        }
    }

    fn leaves(self) -> Option<u64> {
        match self.act {
            Act::Create(value) | Act::Put(value) | Act::Update(value) => Some(value),
            Act::Delete | Act::Remove | Act::Read => None,
        }
    }
}

impl Model for Call {
    type State = Option<u64>;

    fn initial() -> Self::State {
        None
    }

    fn step(&self, state: &Self::State) -> Option<Self::State> {
        let fits = match self.needs() {
            Need::Anything => true,
            Need::There => state.is_some(),
            Need::Away => state.is_none(),
            Need::Exactly(value) => *state == Some(value),
        };
        if !fits {
            return None;
        }
        match (self.act, self.answer) {
            (Act::Read, Some(Answer::Shown(_)))
            | (Act::Create(_), Some(Answer::Conflict))
            | (Act::Update(_) | Act::Delete, Some(Answer::NotFound)) => Some(*state),
            (Act::Read, _) => None,
            (_, Some(Answer::Done) | None) => Some(self.leaves()),
            // An answer that this kind of call does not have.
            _ => None,
        }
    }

    fn only_looks(&self) -> bool {
        self.act == Act::Read || matches!(self.answer, Some(Answer::Conflict | Answer::NotFound))
    }

    fn concerns(&self, later: &Self) -> bool {
        let left = self.leaves();
        match later.needs() {
            Need::Anything => false,
            Need::There => left.is_some(),
            Need::Away => left.is_none(),
            Need::Exactly(value) => left == Some(value),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before: BTreeSet<_> = self.before.iter().collect();
        write!(f, "{}: it was one of {before:?} at the end of", self.name)?;
        let shown = self.calls.len().saturating_sub(12);
        for call in self.calls.iter().skip(shown) {
            write!(f, "\n    {} ms: {:?}", call.begun.1.as_millis(), call.act)?;
            match call.end {
                Some((_, at, fate)) => write!(f, ", {} ms: {fate:?}", at.as_millis())?,
                None => f.write_str(", no end")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "tag of a";

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One call after the other.
    fn history(calls: &[(Act, Fate)]) -> Registers {
        let registers = Registers::default();
        for (n, (act, fate)) in (0..).zip(calls) {
            let call = registers.begin(Some(NAME), *act, at(10 * n));
            registers.end(call, *fate, at(10 * n + 5));
        }
        registers
    }

    fn known(act: Act, answer: Answer) -> (Act, Fate) {
        (act, Fate::Known(answer))
    }

    #[test]
    fn what_a_record_does_is_explained() {
        let registers = history(&[
            known(Act::Read, Answer::Shown(None)),
            known(Act::Update(1), Answer::NotFound),
            known(Act::Create(2), Answer::Done),
            known(Act::Create(3), Answer::Conflict),
            known(Act::Update(4), Answer::Done),
            known(Act::Read, Answer::Shown(Some(4))),
            known(Act::Put(5), Answer::Done),
            known(Act::Delete, Answer::Done),
            known(Act::Delete, Answer::NotFound),
            known(Act::Remove, Answer::Done),
        ]);
        let verdict = registers.check().unwrap();
        assert_eq!((verdict.records, verdict.undecided), (1, Vec::new()));
    }

    #[test]
    fn what_it_cannot_do_is_seen() {
        let put = known(Act::Put(1), Answer::Done);
        let newer = known(Act::Put(2), Answer::Done);
        let gone = known(Act::Delete, Answer::Done);
        for wrong in [
            // An acknowledged write is not there, an old value comes back, and a deleted record does.
            vec![put, known(Act::Read, Answer::Shown(None))],
            vec![put, newer, known(Act::Read, Answer::Shown(Some(1)))],
            vec![put, gone, known(Act::Read, Answer::Shown(Some(1)))],
            // Nobody wrote it.
            vec![known(Act::Read, Answer::Shown(Some(9)))],
            // What is there is not looked for.
            vec![put, known(Act::Create(2), Answer::Done)],
            vec![put, known(Act::Update(2), Answer::NotFound)],
            vec![gone],
            // Refused, and seen all the same.
            vec![
                (Act::Put(3), Fate::Refused),
                known(Act::Read, Answer::Shown(Some(3))),
            ],
        ] {
            let violation = history(&wrong).check().unwrap_err();
            assert_eq!(violation.name, NAME, "{wrong:?}");
        }
    }

    #[test]
    fn an_unknown_call_may_have_happened_or_happen_late_or_never() {
        let lost = (Act::Put(7), Fate::Unknown);
        let read = |value| known(Act::Read, Answer::Shown(value));
        for right in [
            vec![lost, read(None)],
            vec![lost, read(Some(7))],
            vec![lost, read(None), read(Some(7))],
            vec![
                lost,
                known(Act::Put(8), Answer::Done),
                read(Some(8)),
                read(Some(7)),
            ],
            vec![
                lost,
                (Act::Delete, Fate::Unknown),
                read(Some(7)),
                read(None),
            ],
        ] {
            assert!(
                history(&right).check().unwrap().undecided.is_empty(),
                "{right:?}"
            );
        }
        // But only once.
        let twice = [
            lost,
            read(Some(7)),
            known(Act::Put(8), Answer::Done),
            read(Some(7)),
        ];
        history(&twice).check().unwrap_err();
    }

    #[test]
    fn calls_that_overlap_may_come_in_either_order() {
        let registers = Registers::default();
        let put = registers.begin(Some(NAME), Act::Put(1), at(0));
        let early = registers.begin(Some(NAME), Act::Read, at(1));
        registers.end(early, Fate::Known(Answer::Shown(Some(1))), at(2));
        registers.end(put, Fate::Known(Answer::Done), at(3));
        assert!(registers.check().is_ok());
        let late = registers.begin(Some(NAME), Act::Read, at(4));
        registers.end(late, Fate::Known(Answer::Shown(None)), at(5));
        assert!(registers.check().is_err());
    }

    #[test]
    fn a_name_may_come_with_the_answer() {
        let registers = Registers::default();
        for _ in 0..2 {
            let made = registers.begin(None, Act::Create(1), at(0));
            registers.named(made, "layer:1");
            registers.end(made, Fate::Known(Answer::Done), at(1));
        }
        let lost = registers.begin(None, Act::Create(2), at(2));
        registers.end(lost, Fate::Unknown, at(3));
        // The same name was given twice.
        assert_eq!(registers.check().unwrap_err().name, "layer:1");
    }
}
