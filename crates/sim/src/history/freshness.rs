//! What invocations may see of changes.
//!
//! An invocation reads its frontend's local copy of the catalog, so it may run what was there a moment ago. It may not run
//! what was never there, nor what was replaced longer ago than a bound; one process of a frontend never goes back; and
//! through the process that took a change, the change is seen at once. Which of these a cluster owes its callers depends on
//! whether it is whole, so it is said in [`Owed`].

use std::{fmt, time::Duration};

/// One process of one frontend: what it shows may not go back.
pub type Session = (String, u64);

/// What is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// How long after its replacement was acknowledged something may still be seen; `None` for any time.
    pub staleness_max: Option<Duration>,
    /// Whether the session that acknowledged a change shows it from then on.
    pub own_changes: bool,
    /// Whether a session that showed a value never shows an older one to a later invocation.
    pub never_back: bool,
}

/// A change of one value: of what a name runs, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new value, which no other change has; `None` for a deletion.
    pub value: Option<String>,
    /// When it was asked for.
    pub begun: Duration,
    /// When and by whom it was acknowledged; `None` if nobody knows whether and when it took effect.
    pub acknowledged: Option<(Duration, Session)>,
}

/// What one invocation saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// The value; `None` if there was none.
    pub value: Option<String>,
    /// When the invocation began.
    pub begun: Duration,
    /// When it was answered.
    pub ended: Duration,
    /// Who served it.
    pub session: Session,
}

/// A glimpse that should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The glimpse.
    pub glimpse: Glimpse,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a glimpse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody had asked for this value by then.
    NeverWritten,
    /// This change had replaced it, longer ago than what is owed.
    Replaced(Change),
    /// The same session had acknowledged this change, which replaced it.
    OwnChangeMissed(Change),
    /// The same session had shown this, which is newer.
    WentBack(Glimpse),
}

/// Judges what was seen of one value, which is `None` at the beginning.
#[must_use]
pub fn judge(changes: &[Change], glimpses: &[Glimpse], owed: Owed) -> Vec<Stale> {
    let mut all = vec![Change {
        value: None,
        begun: Duration::ZERO,
        acknowledged: Some((Duration::ZERO, Session::default())),
    }];
    all.extend(changes.iter().cloned());
    let value = Value { changes: &all };
    glimpses
        .iter()
        .filter_map(|glimpse| {
            let why = value.wrong(glimpse, glimpses, owed)?;
            Some(Stale {
                glimpse: glimpse.clone(),
                why,
            })
        })
        .collect()
}

struct Value<'a> {
    changes: &'a [Change],
}

impl Value<'_> {
    fn wrong(&self, glimpse: &Glimpse, all: &[Glimpse], owed: Owed) -> Option<Why> {
        let writers = self.writers(&glimpse.value);
        if !writers
            .iter()
            .any(|w| w.begun < glimpse.ended || w.begun.is_zero())
        {
            return Some(Why::NeverWritten);
        }
        let replaced = |by: &dyn Fn(Duration, &Session) -> bool| {
            let known = self.changes.iter().filter(|change| {
                let acknowledged = change.acknowledged.as_ref();
                acknowledged.is_some_and(|(at, session)| by(*at, session))
            });
            let mut newer = known.filter(|c| writers.iter().all(|w| w.is_before(c)));
            newer.next().cloned()
        };
        if let Some(bound) = owed.staleness_max
            && let Some(change) = replaced(&|at, _| at.saturating_add(bound) < glimpse.begun)
        {
            return Some(Why::Replaced(change));
        }
        if owed.own_changes
            && let Some(change) =
                replaced(&|at, session| at <= glimpse.begun && *session == glimpse.session)
        {
            return Some(Why::OwnChangeMissed(change));
        }
        let mut earlier = all
            .iter()
            .filter(|e| e.session == glimpse.session && e.ended <= glimpse.begun && *e != glimpse);
        earlier
            .find(|e| owed.never_back && self.is_newer(e, &writers))
            .map(|e| Why::WentBack(e.clone()))
    }

    fn writers(&self, value: &Option<String>) -> Vec<&Change> {
        let writers = self.changes.iter().filter(|c| c.value == *value);
        writers.collect()
    }

    /// Whether what was shown is certainly newer than everything that these changes wrote.
    fn is_newer(&self, shown: &Glimpse, older: &[&Change]) -> bool {
        let shown = self.writers(&shown.value);
        !shown.is_empty() && shown.iter().all(|s| older.iter().all(|o| o.is_before(s)))
    }
}

impl Change {
    /// Whether it certainly took effect before the other one.
    fn is_before(&self, other: &Self) -> bool {
        let acknowledged = self.acknowledged.as_ref();
        acknowledged.is_some_and(|(at, _)| *at <= other.begun) && self != other
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Glimpse {
            value,
            begun,
            ended,
            session,
        } = &self.glimpse;
        let value = value.as_deref().unwrap_or("nothing");
        let (begun, ended) = (begun.as_millis(), ended.as_millis());
        let (name, starts) = session;
        write!(
            f,
            "{name} #{starts} showed {value} at {begun}..{ended} ms, "
        )?;
        match &self.why {
            Why::NeverWritten => f.write_str("which nobody had written"),
            Why::Replaced(change) => write!(f, "long after {change}"),
            Why::OwnChangeMissed(change) => write!(f, "after it had itself acknowledged {change}"),
            Why::WentBack(newer) => {
                let value = newer.value.as_deref().unwrap_or("nothing");
                let ended = newer.ended.as_millis();
                write!(f, "after it had shown the newer {value} until {ended} ms")
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_deref().unwrap_or("nothing");
        write!(f, "{value} ({}..", self.begun.as_millis())?;
        match &self.acknowledged {
            Some((at, (name, starts))) => write!(f, "{} ms by {name} #{starts})", at.as_millis()),
            None => f.write_str(" not acknowledged)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWED: Owed = Owed {
        staleness_max: Some(Duration::from_millis(100)),
        own_changes: true,
        never_back: true,
    };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn session(name: &str) -> Session {
        (name.to_owned(), 1)
    }

    fn change(value: &str, begun: u64, acknowledged: Option<(u64, &str)>) -> Change {
        Change {
            value: (value != "-").then(|| value.to_owned()),
            begun: ms(begun),
            acknowledged: acknowledged.map(|(at, name)| (ms(at), session(name))),
        }
    }

    fn glimpse(value: &str, begun: u64, through: &str) -> Glimpse {
        Glimpse {
            value: (value != "-").then(|| value.to_owned()),
            begun: ms(begun),
            ended: ms(begun + 10),
            session: session(through),
        }
    }

    fn verdicts(changes: &[Change], glimpses: &[Glimpse], owed: Owed) -> Vec<Why> {
        let stale = judge(changes, glimpses, owed);
        stale.into_iter().map(|s| s.why).collect()
    }

    #[test]
    fn late_is_allowed_for_a_while_and_only_elsewhere() {
        let changes = [
            change("a", 10, Some((20, "f1"))),
            change("b", 30, Some((40, "f1"))),
        ];
        let late = |at, through| verdicts(&changes, &[glimpse("a", at, through)], OWED);
        assert_eq!(late(45, "f2"), []);
        assert_eq!(late(140, "f2"), []);
        assert_eq!(late(141, "f2"), [Why::Replaced(changes[1].clone())]);
        assert_eq!(late(45, "f1"), [Why::OwnChangeMissed(changes[1].clone())]);
        assert_eq!(late(35, "f1"), [], "it is not acknowledged yet");
        let lenient = Owed {
            staleness_max: None,
            own_changes: false,
            never_back: false,
        };
        let seen = [glimpse("b", 50, "f1"), glimpse("a", 5000, "f1")];
        assert_eq!(verdicts(&changes, &seen, lenient), []);
    }

    #[test]
    fn a_value_comes_from_somebody() {
        let changes = [change("a", 100, Some((120, "f1")))];
        assert_eq!(
            verdicts(&changes, &[glimpse("x", 200, "f2")], OWED),
            [Why::NeverWritten]
        );
        assert_eq!(
            verdicts(&changes, &[glimpse("a", 50, "f2")], OWED),
            [Why::NeverWritten]
        );
        assert_eq!(verdicts(&changes, &[glimpse("a", 95, "f2")], OWED), []);
        assert_eq!(verdicts(&changes, &[glimpse("-", 50, "f2")], OWED), []);
    }

    #[test]
    fn a_session_does_not_go_back() {
        let changes = [
            change("a", 10, Some((20, "f1"))),
            change("b", 30, Some((40, "f1"))),
        ];
        let seen = [glimpse("b", 45, "f2"), glimpse("a", 60, "f2")];
        assert_eq!(
            verdicts(&changes, &seen, OWED),
            [Why::WentBack(seen[0].clone())]
        );
        let others = [glimpse("b", 45, "f2"), glimpse("a", 60, "f3")];
        assert_eq!(verdicts(&changes, &others, OWED), []);
        let at_once = [glimpse("b", 45, "f2"), glimpse("a", 50, "f2")];
        assert_eq!(verdicts(&changes, &at_once, OWED), [], "they overlap");
        let mut restarted = seen;
        restarted[1].session.1 = 2;
        assert_eq!(verdicts(&changes, &restarted, OWED), []);
    }

    #[test]
    fn changes_at_once_come_in_either_order() {
        let changes = [
            change("a", 10, Some((20, "f1"))),
            change("b", 30, Some((50, "f1"))),
            change("c", 30, Some((50, "f1"))),
        ];
        for value in ["b", "c"] {
            assert_eq!(verdicts(&changes, &[glimpse(value, 400, "f1")], OWED), []);
        }
        let seen = [glimpse("b", 55, "f2"), glimpse("c", 70, "f2")];
        assert_eq!(verdicts(&changes, &seen, OWED), []);
    }

    #[test]
    fn what_is_not_acknowledged_may_come_late_or_never() {
        let changes = [
            change("a", 10, Some((20, "f1"))),
            change("b", 30, None),
            change("c", 400, Some((420, "f1"))),
        ];
        for (value, at) in [("a", 300), ("b", 300), ("b", 900), ("c", 900)] {
            assert_eq!(verdicts(&changes, &[glimpse(value, at, "f2")], OWED), []);
        }
        assert_eq!(
            verdicts(&changes, &[glimpse("a", 900, "f2")], OWED),
            [Why::Replaced(changes[2].clone())]
        );
    }

    #[test]
    fn what_is_deleted_is_gone_and_may_have_been_missing_before() {
        let changes = [
            change("a", 10, Some((20, "f1"))),
            change("-", 30, Some((40, "f1"))),
        ];
        assert_eq!(verdicts(&changes, &[glimpse("-", 15, "f2")], OWED), []);
        assert_eq!(verdicts(&changes, &[glimpse("-", 500, "f2")], OWED), []);
        let stale = judge(&changes, &[glimpse("a", 500, "f2")], OWED);
        assert_eq!(
            stale[0].to_string(),
            "f2 #1 showed a at 500..510 ms, long after nothing (30..40 ms by f1 #1)"
        );
        let kept = &changes[..1];
        let missing = [glimpse("-", 500, "f2")];
        assert_eq!(
            verdicts(kept, &missing, OWED),
            [Why::Replaced(changes[0].clone())]
        );
    }
}
