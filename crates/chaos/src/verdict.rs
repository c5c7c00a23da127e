//! What a run showed: around each fault, and of what was promised. Pure: records in, verdicts out.
//!
//! Around a fault the clients outside of its blast radius are judged: those of a frontend that is itself hit cannot be
//! helped by a cluster, only by another endpoint. Of promises, everybody's are judged, at the end and all the time.
//!
//! A run is broken if one line is; it is invalid if it says nothing: too few invocations, a fault that never happened, a
//! change of the leader that was to be provoked and was not. What is broken stays broken in a run that is invalid.

mod around;
mod promises;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

pub use around::recovered_at;

use crate::{
    load::{
        Records,
        record::{Invoke, Outcome},
    },
    moment::Moment,
    scenario::Limits,
};

/// Fewer invocations around one fault say nothing.
const JUDGED_MIN: usize = 10;
/// Of all invocations, this share must succeed for a run to say something.
const SUCCESS_MIN: f64 = 0.5;
/// How many examples a line shows.
const EXAMPLES_MAX: usize = 5;

/// A fault that was to happen, and what came of it.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its kind.
    pub kind: String,
    /// What it did to whom.
    pub what: String,
    /// Whom it hit.
    pub victims: Vec<String>,
    /// What had to hold.
    pub limits: Limits,
    /// When it began.
    pub begins: Moment,
    /// When it was in force.
    pub holds: Moment,
    /// When its end began.
    pub ends: Moment,
    /// When everything was healed.
    pub over: Moment,
    /// When every node was ready again; nothing if that was not waited for to its end.
    pub ready: Option<Moment>,
    /// Who led before it, and after it.
    pub leaders: (Option<Leadership>, Option<Leadership>),
    /// Whether another leader was expected.
    pub leader_change: bool,
    /// Why it did not happen, or was not healed, as it should.
    pub trouble: Option<String>,
    /// Whether anything of it happened; around what never began there is nothing to judge.
    pub happened: bool,
}

/// A fault that was left out, because it does not fit the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotTried {
    /// Its kind.
    pub kind: String,
    /// What it would have done.
    pub what: String,
    /// What the cluster would have to have for it.
    pub needs: String,
    /// How often it was left out.
    pub times: usize,
}

/// Who leads, and since when in Raft's count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leadership {
    /// The leader's name.
    pub name: String,
    /// Its term.
    pub term: u64,
}

/// Something that happened on a node and should not: a panic, an exit that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Where.
    pub node: String,
    /// What.
    pub text: String,
}

/// Everything that was seen.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What clients told.
    pub records: &'a Records,
    /// The faults, in the order that they were played.
    pub played: &'a [Played],
    /// The faults that were left out.
    pub not_tried: &'a [NotTried],
    /// What nodes did that they should not.
    pub remarks: &'a [Remark],
    /// When the load ended.
    pub load_ended: Moment,
    /// Why the run did not come to its end, if so.
    pub cut_short: Option<String>,
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// In one word.
    pub verdict: Verdict,
    /// Why the run says nothing; empty unless it is invalid.
    pub invalid: Vec<String>,
    /// Around each fault, in their order.
    pub faults: Vec<FaultJudgement>,
    /// Of what was promised.
    pub promises: Vec<Line>,
    /// How many attempts there were.
    pub totals: Totals,
}

/// A run in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything held.
    Held,
    /// Something did not.
    Broken,
    /// It cannot be told.
    Invalid,
}

/// What was seen around one fault.
#[derive(Clone, Debug, Serialize)]
pub struct FaultJudgement {
    /// Whether every line held.
    pub held: bool,
    /// What was measured, and what it had to be.
    pub lines: Vec<Line>,
    /// How many invocations were judged.
    pub judged: usize,
    /// Frontends whose clients are not judged.
    pub blast_radius: Vec<String>,
}

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What.
    pub name: &'static str,
    /// How much it was, for people.
    pub measured: String,
    /// How much it was; nothing if it never came.
    pub value: Option<f64>,
    /// Of what: `share`, `ms` or `count`.
    pub unit: &'static str,
    /// What it had to be, for people.
    pub limit: String,
    /// Whether it was.
    pub held: bool,
    /// Some of what broke it.
    pub examples: Vec<String>,
}

/// How many attempts there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Invocations.
    pub invokes: usize,
    /// Of them, how many succeeded.
    pub succeeded: usize,
    /// Of them, how many the client was too busy to try.
    pub skipped: usize,
    /// Control writes.
    pub writes: usize,
    /// Of them, how many were acknowledged.
    pub acknowledged: usize,
    /// Of them, how many may have happened.
    pub unknown: usize,
    /// How often another leader was seen.
    pub leader_changes: usize,
}

impl Verdict {
    /// The exit code of a run: 0, 1 or 2.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Broken => 1,
            Self::Invalid => 2,
        }
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Invalid => "invalid",
        }
    }
}

impl Line {
    pub(crate) fn share(name: &'static str, share: f64, least: f64) -> Self {
        Self {
            name,
            measured: percent(share),
            value: Some(share),
            unit: "share",
            limit: format!("≥ {}", percent(least)),
            held: share >= least,
            examples: Vec::new(),
        }
    }

    pub(crate) fn time(name: &'static str, took: Option<Duration>, most: Duration) -> Self {
        Self {
            name,
            measured: took.map_or_else(|| "never".to_owned(), seconds),
            value: took.map(|took| took.as_secs_f64() * 1000.0),
            unit: "ms",
            limit: format!("≤ {}", seconds(most)),
            held: took.is_some_and(|took| took <= most),
            examples: Vec::new(),
        }
    }

    pub(crate) fn none(name: &'static str, found: &[String]) -> Self {
        Self {
            name,
            measured: found.len().to_string(),
            value: u32::try_from(found.len()).ok().map(f64::from),
            unit: "count",
            limit: "0".to_owned(),
            held: found.is_empty(),
            examples: found.iter().take(EXAMPLES_MAX).cloned().collect(),
        }
    }

    pub(crate) fn because(mut self, examples: impl Iterator<Item = String>) -> Self {
        if !self.held {
            self.examples = examples.take(EXAMPLES_MAX).collect();
        }
        self
    }
}

impl Played {
    /// The frontends whose clients a cluster cannot help: those that are hit themselves.
    pub(crate) fn radius(&self) -> BTreeSet<&str> {
        self.victims.iter().map(String::as_str).collect()
    }

    fn changed_leader(&self) -> bool {
        match &self.leaders {
            (Some(before), Some(after)) => before != after,
            _ => false,
        }
    }
}

/// Judges a run.
#[must_use]
pub fn judge(seen: &Seen<'_>) -> Judgement {
    let faults: Vec<_> = around::judge(seen);
    let promises = promises::judge(seen);
    let totals = totals(seen);
    let invalid = invalid(seen, &faults, &totals);
    let held = faults.iter().all(|fault| fault.held) && promises.iter().all(|line| line.held);
    let verdict = match (held, invalid.is_empty()) {
        (false, _) if !only_for_want_of_records(seen) => Verdict::Broken,
        (true, true) => Verdict::Held,
        _ => Verdict::Invalid,
    };
    Judgement {
        verdict,
        invalid,
        faults,
        promises,
        totals,
    }
}

/// A run without a single success shows no fault of the cluster's, but one of its own.
fn only_for_want_of_records(seen: &Seen<'_>) -> bool {
    !seen.records.invokes.iter().any(is_ok)
}

fn invalid(seen: &Seen<'_>, faults: &[FaultJudgement], totals: &Totals) -> Vec<String> {
    let mut why: Vec<String> = seen.cut_short.iter().cloned().collect();
    if seen.played.is_empty() {
        why.push("no fault was played".to_owned());
    }
    if seen.records.not_understood > 0 {
        why.push(format!(
            "{} lines of the load were not understood",
            seen.records.not_understood
        ));
    }
    let tried = totals.invokes - totals.skipped;
    if share(totals.succeeded, tried) < SUCCESS_MIN {
        why.push(format!(
            "expected at least half of the invocations to succeed, got {} of {tried}",
            totals.succeeded
        ));
    }
    for (played, judged) in seen.played.iter().zip(faults) {
        let what = &played.what;
        if let Some(trouble) = &played.trouble {
            why.push(format!("{what}: {trouble}"));
        } else if judged.judged < JUDGED_MIN {
            why.push(format!(
                "{what}: expected at least {JUDGED_MIN} invocations outside of its blast radius, got {}",
                judged.judged
            ));
        }
        if played.trouble.is_none() && played.leader_change && !played.changed_leader() {
            let led = played
                .leaders
                .0
                .as_ref()
                .map_or("nobody", |l| l.name.as_str());
            why.push(format!(
                "{what}: expected another leader than {led} of that term"
            ));
        }
    }
    why
}

fn totals(seen: &Seen<'_>) -> Totals {
    use crate::load::record::Fate;
    let Records {
        invokes, writes, ..
    } = seen.records;
    let fates = |fate: Fate| writes.iter().filter(|w| w.fate == fate).count();
    Totals {
        invokes: invokes.len(),
        succeeded: invokes.iter().filter(|i| is_ok(i)).count(),
        skipped: invokes
            .iter()
            .filter(|i| i.outcome == Outcome::Skipped)
            .count(),
        writes: writes.len(),
        acknowledged: fates(Fate::Acked),
        unknown: fates(Fate::Unknown),
        leader_changes: seen.played.iter().filter(|p| p.changed_leader()).count(),
    }
}

pub(crate) fn is_ok(invoke: &Invoke) -> bool {
    invoke.outcome == Outcome::Ok
}

/// A part of a whole; all of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of one run fit 53 bits")]
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

/// The value that this share of the values does not exceed; values must be sorted. Nothing of nothing.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of one run fit 53 bits"
)]
pub(crate) fn percentile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn percent(share: f64) -> String {
    // Rounded down: a share that is not whole must not look so.
    format!("{} %", (share * 10_000.0).floor() / 100.0)
}

pub(crate) fn seconds(span: Duration) -> String {
    format!("{:.2} s", span.as_secs_f64())
}
