//! The few calls of a history that show what is wrong with it.

use std::{fmt, time::Duration};

use model::RevisionId;

use super::{
    Outcome, Record,
    compile::{self, Partition, Source, What},
    linear::{self, SearchEnd},
    op::Short,
    spec::Told,
};

/// Steps for all attempts to leave calls away, and for one.
const STEPS: u64 = 150_000;
const STEPS_EACH: u64 = 10_000;
/// So many of the possible states are told.
const STATES_TOLD: usize = 3;

/// Answers that no catalog can have given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Violation {
    /// The function.
    pub function: String,
    /// What cannot be.
    pub claim: String,
    /// The calls that show it, in the order of their beginnings. None can be left out, unless the search for a smaller set
    /// was given up.
    pub calls: Vec<String>,
    /// How things can have been before the call that cannot be explained.
    pub possible: Vec<String>,
    /// Changes besides, whose outcome makes no difference.
    pub others: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}: {}", self.function, self.claim)?;
        for call in &self.calls {
            write!(f, "\n  {call}")?;
        }
        if self.others > 0 {
            let others = self.others;
            write!(
                f,
                "\n  ({others} other changes, whose outcome makes no difference)"
            )?;
        }
        for state in &self.possible {
            write!(f, "\n  possible before it: {state}")?;
        }
        Ok(())
    }
}

/// The violation of a partition whose search is stuck at a call.
pub(super) fn violation(part: &Partition, at: usize, steps: u64) -> Violation {
    let mut smaller = Smaller {
        function: &part.function,
        steps_left: STEPS,
    };
    let mut kept = smaller.until(part, at);
    // What only looked is simply left away. Changes become unknown, which makes searches longer: so they come last.
    kept = smaller.all(kept, only_looked);
    kept = smaller.all(kept, |source| !only_looked(source));
    told(&compile::of_sources(&part.function, kept), steps)
}

/// The violation that a revision was shown with two contents.
pub(super) fn revision_of_two(
    function: &str,
    revision: RevisionId,
    records: [&Record; 2],
) -> Violation {
    let records: Vec<Record> = records.into_iter().cloned().collect();
    let sources = compile::partition(&records, function).sources;
    Violation {
        function: function.to_owned(),
        claim: format!("revision {} was shown with two contents", Short(revision)),
        calls: sources.iter().map(|s| line(s, false)).collect(),
        possible: Vec::new(),
        others: 0,
    }
}

struct Smaller<'a> {
    function: &'a str,
    steps_left: u64,
}

impl Smaller<'_> {
    /// The calls until one ended. Those that ended later may or may not have taken effect by then.
    fn until(&mut self, part: &Partition, at: usize) -> Vec<Source> {
        let end = part.calls.get(at).and_then(|span| span.ended);
        let Some(end) = end else {
            return part.sources.clone();
        };
        let begun = part.sources.iter().filter(|s| s.begun.0 < end);
        let mut kept: Vec<Source> = begun.cloned().collect();
        for source in &mut kept {
            if source.answered.is_some_and(|(ended, _)| ended > end) {
                weaken(source);
            }
        }
        // A read without an answer says nothing.
        kept.retain(|s| !(s.outcome.is_none() && only_looked(s)));
        // To know the outcome of a call that ended later may be what makes the difference.
        if self.is_wrong(&kept) {
            kept
        } else {
            part.sources.clone()
        }
    }

    /// Leaves away, in ever smaller pieces, what can be, of one kind.
    fn all(&mut self, mut kept: Vec<Source>, kind: fn(&Source) -> bool) -> Vec<Source> {
        let mut size = kept.len();
        while size > 0 {
            let mut end = kept.len();
            while end > 0 {
                let begin = end.saturating_sub(size);
                if let Some(fewer) = self.without(&kept, begin..end, kind) {
                    kept = fewer;
                }
                end = begin.min(kept.len());
            }
            size /= 2;
        }
        kept
    }

    /// The calls with less known of some, if they still cannot be explained.
    fn without(
        &mut self,
        kept: &[Source],
        range: std::ops::Range<usize>,
        kind: fn(&Source) -> bool,
    ) -> Option<Vec<Source>> {
        let mut fewer = Vec::new();
        let mut is_less = false;
        for (n, source) in kept.iter().enumerate() {
            let mut source = source.clone();
            if range.contains(&n) && source.answered.is_some() && kind(&source) {
                is_less = true;
                if only_looked(&source) {
                    continue;
                }
                weaken(&mut source);
            }
            fewer.push(source);
        }
        (is_less && self.is_wrong(&fewer)).then_some(fewer)
    }

    fn is_wrong(&mut self, sources: &[Source]) -> bool {
        let part = compile::of_sources(self.function, sources.to_vec());
        let search = linear::search(&part.calls, self.steps_left.min(STEPS_EACH));
        self.steps_left = self.steps_left.saturating_sub(search.steps);
        matches!(search.end, SearchEnd::Stuck { .. })
    }
}

/// Forgets how a call ended: then it may have taken effect at any time after it began, or never.
fn weaken(source: &mut Source) {
    if let (Some(at), Some(outcome)) = (source.answered.take(), source.outcome.take()) {
        source.forgotten = Some((at, outcome));
    }
}

/// Whether a call changed nothing: it is a read, or a change that was refused.
fn only_looked(source: &Source) -> bool {
    let is_read = match &source.act {
        What::Act(act) => act.is_read(),
        What::Listed => true,
    };
    let was_refused = matches!(
        source.outcome,
        Some(Outcome::NotFound | Outcome::Conflict | Outcome::PreconditionFailed)
    );
    is_read || was_refused
}

fn told(part: &Partition, steps: u64) -> Violation {
    let search = linear::search(&part.calls, steps);
    let (stuck, states) = match search.end {
        SearchEnd::Stuck { at, before } => (Some(at), before),
        SearchEnd::Explained | SearchEnd::GivenUp => (None, Vec::new()),
    };
    let shown = |source: &Source, n: usize| {
        let known = part.calls.get(n).is_some_and(|span| span.ended.is_some());
        source.outcome.is_some() || known
    };
    let mut calls = Vec::new();
    for (n, source) in part.sources.iter().enumerate() {
        if shown(source, n) {
            calls.push(line(source, stuck == Some(n)));
        }
    }
    let mut possible: Vec<String> = states
        .iter()
        .map(|state| Told(state, &part.texts).to_string())
        .collect();
    possible.sort();
    possible.dedup();
    if possible.len() > STATES_TOLD {
        let more = possible.len() - STATES_TOLD;
        possible.truncate(STATES_TOLD);
        possible.push(format!("and {more} more"));
    }
    Violation {
        function: part.function.clone(),
        claim: "no order of these calls explains what they were answered".to_owned(),
        others: part.sources.len() - calls.len(),
        calls,
        possible,
    }
}

/// `> client 3  120.0..133.5 ms  get $LATEST => ...`
fn line(source: &Source, is_stuck: bool) -> String {
    let mark = if is_stuck { '>' } else { ' ' };
    let client = source.client;
    let begun = Millis(source.begun.1);
    let act: &dyn fmt::Display = match &source.act {
        What::Act(act) => act,
        What::Listed => &"list functions",
    };
    let known = source.outcome.as_ref().zip(source.answered);
    let forgotten = source
        .forgotten
        .as_ref()
        .map(|(at, outcome)| (outcome, *at));
    match known.or(forgotten) {
        Some((outcome, (_, ended))) => {
            let ended = Millis(ended);
            format!("{mark} client {client}  {begun}..{ended} ms  {act} => {outcome}")
        }
        None => format!("{mark} client {client}  {begun}.. ms  {act} => not known"),
    }
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{}", micros / 1000, micros % 1000 / 100)
    }
}
