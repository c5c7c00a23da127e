//! What ran, against what callers were told.
//!
//! From the moment a worker says that a runtime has taken an invocation, nobody tries it elsewhere. Until then it may be
//! tried on another worker; if the connection breaks in between, code may have begun to run that nobody knows of. So an
//! invocation runs once, unless something broke while it was handed over, and what was refused has not run.

use std::{collections::BTreeMap, fmt, time::Duration};

/// One invocation, as its caller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name, which its runs have, too.
    pub id: String,
    /// When it was sent.
    pub sent: Duration,
    /// When it ended for its caller.
    pub ended: Duration,
    /// How.
    pub fate: Fate,
    /// Whether something broke meanwhile that may have cut a hand-over.
    pub is_disturbed: bool,
}

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The answer of code with this marker.
    Answered {
        /// What the code says it is.
        marker: String,
    },
    /// The code failed, crashed or ran out of time, which it can only by running.
    Failed,
    /// Nothing ran.
    Refused,
    /// Nothing that tells.
    Unknown,
}

/// One run of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The invocation it was for.
    pub id: String,
    /// What the code says it is.
    pub marker: String,
    /// When it began.
    pub begun: Duration,
    /// When its answer was taken; `None` if there was none.
    pub answered: Option<Duration>,
}

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Runs of an invocation that was disturbed: one for each worker that it may be tried on.
    pub disturbed_max: usize,
    /// Whether code that fails before it runs, in its initialization, counts as [`Fate::Failed`]: then no run is owed.
    pub fails_without_running: bool,
}

/// Runs that are not what the caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The invocation.
    pub id: String,
    /// What is wrong.
    pub wrong: Wrong,
    /// What its caller was told, if there was a caller.
    pub fate: Option<Fate>,
    /// All its runs.
    pub runs: Vec<Run>,
}

/// What is wrong with the runs of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Nobody had asked for it.
    NobodyAsked,
    /// The caller has an answer that no run gave before.
    AnswerFromNowhere,
    /// The caller was told that it failed, and it did not run.
    FailedWithoutRun,
    /// The caller was told that nothing ran.
    RanThoughRefused,
    /// It ran more often than it may.
    RanTooOften,
}

/// Compares all invocations with all runs.
#[must_use]
pub fn judge(asked: &[Asked], runs: &[Run], allowed: Allowed) -> Vec<Mismatch> {
    let mut by_id: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        by_id.entry(&run.id).or_default().push(run);
    }
    let mut found = Vec::new();
    for one in asked {
        let runs = by_id.remove(one.id.as_str()).unwrap_or_default();
        if let Some(wrong) = wrong(one, &runs, allowed) {
            found.push(mismatch(&one.id, wrong, Some(one.fate.clone()), &runs));
        }
    }
    for (id, runs) in by_id {
        found.push(mismatch(id, Wrong::NobodyAsked, None, &runs));
    }
    found
}

fn mismatch(id: &str, wrong: Wrong, fate: Option<Fate>, runs: &[&Run]) -> Mismatch {
    Mismatch {
        id: id.to_owned(),
        wrong,
        fate,
        runs: runs.iter().copied().cloned().collect(),
    }
}

fn wrong(asked: &Asked, runs: &[&Run], allowed: Allowed) -> Option<Wrong> {
    if runs.iter().any(|run| run.begun < asked.sent) {
        return Some(Wrong::NobodyAsked);
    }
    match &asked.fate {
        Fate::Answered { marker } => {
            let gave = |run: &&Run| {
                let in_time = run.answered.is_some_and(|at| at <= asked.ended);
                run.marker == *marker && in_time
            };
            if !runs.iter().copied().any(|run| gave(&run)) {
                return Some(Wrong::AnswerFromNowhere);
            }
        }
        Fate::Failed if runs.is_empty() && !allowed.fails_without_running => {
            return Some(Wrong::FailedWithoutRun);
        }
        Fate::Refused if !runs.is_empty() => {
            return Some(Wrong::RanThoughRefused);
        }
        Fate::Failed | Fate::Refused | Fate::Unknown => {}
    }
    let runs_max = if asked.is_disturbed {
        allowed.disturbed_max
    } else {
        1
    };
    (runs.len() > runs_max).then_some(Wrong::RanTooOften)
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.wrong {
            Wrong::NobodyAsked => "ran before or without being asked for",
            Wrong::AnswerFromNowhere => "has an answer that no run gave by then",
            Wrong::FailedWithoutRun => "is said to have failed, and did not run",
            Wrong::RanThoughRefused => "was refused, and ran",
            Wrong::RanTooOften => "ran too often",
        };
        write!(f, "invocation {} {what}", self.id)?;
        match &self.fate {
            Some(Fate::Answered { marker }) => write!(f, "; answered by {marker}")?,
            Some(Fate::Failed) => f.write_str("; failed")?,
            Some(Fate::Refused) => f.write_str("; refused")?,
            Some(Fate::Unknown) => f.write_str("; not known")?,
            None => {}
        }
        for run in &self.runs {
            write!(f, "; ran {} from {} ms", run.marker, run.begun.as_millis())?;
            if let Some(at) = run.answered {
                write!(f, ", answered at {} ms", at.as_millis())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Allowed = Allowed {
        disturbed_max: 2,
        fails_without_running: false,
    };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn asked(fate: Fate, is_disturbed: bool) -> Asked {
        Asked {
            id: "i".to_owned(),
            sent: ms(10),
            ended: ms(50),
            fate,
            is_disturbed,
        }
    }

    fn run(marker: &str, begun: u64, answered: Option<u64>) -> Run {
        Run {
            id: "i".to_owned(),
            marker: marker.to_owned(),
            begun: ms(begun),
            answered: answered.map(ms),
        }
    }

    fn found(fate: Fate, is_disturbed: bool, runs: &[Run]) -> Option<Wrong> {
        let found = judge(&[asked(fate, is_disturbed)], runs, ALLOWED);
        found.first().map(|mismatch| mismatch.wrong)
    }

    fn answered() -> Fate {
        Fate::Answered {
            marker: "m".to_owned(),
        }
    }

    #[test]
    fn an_answer_comes_from_one_run_of_the_right_code() {
        let good = run("m", 20, Some(40));
        assert_eq!(found(answered(), false, std::slice::from_ref(&good)), None);
        for bad in [
            vec![],
            vec![run("other", 20, Some(40))],
            vec![run("m", 20, None)],
            vec![run("m", 20, Some(60))],
        ] {
            assert_eq!(
                found(answered(), true, &bad),
                Some(Wrong::AnswerFromNowhere),
                "{bad:?}"
            );
        }
        let twice = [good.clone(), run("m", 25, None)];
        assert_eq!(found(answered(), false, &twice), Some(Wrong::RanTooOften));
        assert_eq!(found(answered(), true, &twice), None);
        let thrice = [good, run("m", 25, None), run("m", 26, None)];
        assert_eq!(found(answered(), true, &thrice), Some(Wrong::RanTooOften));
    }

    #[test]
    fn what_was_refused_did_not_run() {
        assert_eq!(found(Fate::Refused, false, &[]), None);
        let ran = [run("m", 20, None)];
        for is_disturbed in [false, true] {
            assert_eq!(
                found(Fate::Refused, is_disturbed, &ran),
                Some(Wrong::RanThoughRefused)
            );
        }
    }

    #[test]
    fn what_failed_ran() {
        assert_eq!(found(Fate::Failed, false, &[run("m", 20, None)]), None);
        assert_eq!(
            found(Fate::Failed, false, &[]),
            Some(Wrong::FailedWithoutRun)
        );
        let lenient = Allowed {
            fails_without_running: true,
            ..ALLOWED
        };
        assert_eq!(judge(&[asked(Fate::Failed, false)], &[], lenient), []);
    }

    #[test]
    fn what_is_unknown_ran_at_most_as_often_as_it_may() {
        let runs = [run("m", 20, None), run("m", 90, None)];
        assert_eq!(found(Fate::Unknown, false, &[]), None);
        assert_eq!(found(Fate::Unknown, false, &runs[..1]), None);
        assert_eq!(found(Fate::Unknown, false, &runs), Some(Wrong::RanTooOften));
        assert_eq!(found(Fate::Unknown, true, &runs), None);
    }

    #[test]
    fn nothing_runs_by_itself() {
        assert_eq!(
            found(Fate::Unknown, true, &[run("m", 9, None)]),
            Some(Wrong::NobodyAsked)
        );
        let found = judge(&[], &[run("m", 20, Some(30))], ALLOWED);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "invocation i ran before or without being asked for; ran m from 20 ms, answered at 30 ms"
        );
    }
}
