//! What clients felt around one fault: from its begin until the next one's.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{FaultJudgement, Line, Played, Seen, is_ok, percentile, share};
use crate::{
    load::{
        Records,
        record::{Fate, Invoke, Outcome, Write},
    },
    moment::Moment,
    scenario::Writes,
};

/// For how long everything has to succeed to be called recovered.
const CLEAN: Duration = Duration::from_secs(2);

pub(super) fn judge(seen: &Seen<'_>) -> Vec<FaultJudgement> {
    let begins = seen.played.iter().skip(1).map(|played| played.begins);
    let until = begins.chain([seen.load_ended]);
    let around = seen.played.iter().zip(until);
    around
        .map(|(played, until)| fault(seen.records, played, until))
        .collect()
}

/// When, not before `healed`, everything works again through every one of these frontends: for two seconds no invocation
/// fails, each frontend has one that succeeds, and a write is acknowledged. Nothing if what was told until now does not
/// show it.
#[must_use]
pub fn recovered_at(
    records: &Records,
    frontends: &BTreeSet<String>,
    healed: Moment,
) -> Option<Moment> {
    // What began before may fail for what was before.
    let since = |start: Moment| start >= healed;
    let tried = records.invokes.iter().filter(|i| since(i.start));
    let tried: Vec<_> = tried.filter(|i| i.outcome != Outcome::Skipped).collect();
    let last_failure = tried.iter().filter(|i| !is_ok(i)).map(|i| i.start).max();
    let clean_from = |from: Moment| -> Option<Moment> {
        let after = |start: Moment| start >= from;
        let mut answered: BTreeMap<&str, Moment> = BTreeMap::new();
        for invoke in tried.iter().filter(|i| after(i.start) && is_ok(i)) {
            let first = answered.entry(&invoke.via).or_insert(invoke.end);
            *first = (*first).min(invoke.end);
        }
        if !frontends
            .iter()
            .all(|name| answered.contains_key(name.as_str()))
        {
            return None;
        }
        let acked = records
            .writes
            .iter()
            .filter(|w| w.fate == Fate::Acked && after(w.start));
        let acked = acked.map(|w| w.end).min()?;
        answered.values().copied().chain([acked]).max()
    };
    // Begins are tried in the order of time: the first clean stretch counts, whatever fails later.
    let mut starts: Vec<Moment> = tried.iter().map(|i| i.start).collect();
    starts.push(healed);
    starts.sort_unstable();
    starts.dedup();
    let failures: Vec<Moment> = tried
        .iter()
        .filter(|i| !is_ok(i))
        .map(|i| i.start)
        .collect();
    let newest = tried.iter().map(|i| i.start).max()?;
    for from in starts {
        let dirty = |at: &Moment| *at >= from && *at < from.plus(CLEAN);
        if failures.iter().any(dirty) {
            continue;
        }
        if newest < from.plus(CLEAN) && last_failure.is_some_and(|at| at >= from) {
            return None;
        }
        return if newest >= from.plus(CLEAN) {
            clean_from(from)
        } else {
            None
        };
    }
    None
}

fn fault(records: &Records, played: &Played, until: Moment) -> FaultJudgement {
    if !played.happened {
        return FaultJudgement {
            held: true,
            lines: Vec::new(),
            judged: 0,
            blast_radius: Vec::new(),
        };
    }
    let radius = played.radius();
    let outside = |via: &str| !radius.contains(via);
    // What is under way when a fault begins is that fault's to spoil.
    let within = |end: Moment| end >= played.begins && end < until;
    let invokes = records.invokes.iter().filter(|i| within(i.end));
    let judged: Vec<&Invoke> = invokes
        .filter(|i| outside(&i.via) && i.outcome != Outcome::Skipped)
        .collect();
    let writes = records.writes.iter().filter(|w| within(w.end));
    let writes: Vec<&Write> = writes.filter(|w| outside(&w.via)).collect();

    let frontends: BTreeSet<&str> = records.invokes.iter().map(|i| i.via.as_str()).collect();
    let mut lines = invocations(played, &judged, until);
    lines.push(writing(played, &writes, until));
    lines.push(recovery(records, played));
    FaultJudgement {
        held: lines.iter().all(|line| line.held),
        lines,
        judged: judged.len(),
        blast_radius: frontends
            .into_iter()
            .filter(|name| !outside(name))
            .map(str::to_owned)
            .collect(),
    }
}

fn invocations(played: &Played, judged: &[&Invoke], until: Moment) -> Vec<Line> {
    let limits = &played.limits;
    let felt_until = played.begins.plus(limits.grace);
    let (patient, single): (Vec<&Invoke>, Vec<&Invoke>) = judged.iter().partition(|i| i.patient);
    let (early, later): (Vec<&Invoke>, Vec<&Invoke>) =
        single.into_iter().partition(|i| i.start < felt_until);
    let success = |name, these: &[&Invoke], least| {
        let good = these.iter().filter(|i| is_ok(i)).count();
        Line::share(name, share(good, these.len()), least).because(failures(these))
    };
    let mut successes: Vec<Moment> = judged.iter().filter(|i| is_ok(i)).map(|i| i.end).collect();
    successes.retain(|end| *end >= played.begins && *end <= until);
    let mut took: Vec<Duration> = later
        .iter()
        .filter(|i| is_ok(i))
        .map(|i| i.end.since(i.start))
        .collect();
    took.sort_unstable();
    vec![
        success("success at once", &early, limits.early),
        success("success", &later, limits.success),
        success("success with the SDK's retries", &patient, limits.patient),
        Line::time(
            "longest gap",
            Some(longest_gap(successes, played.begins, until)),
            limits.gap,
        ),
        Line::time("p99", percentile(&took, 0.99), limits.p99),
    ]
}

/// Control writes: that they went on, or that they were refused quickly.
fn writing(played: &Played, writes: &[&Write], until: Moment) -> Line {
    let limits = &played.limits;
    let acked = writes.iter().filter(|w| w.fate == Fate::Acked);
    let acked: Vec<Moment> = acked.map(|w| w.end).filter(|end| *end <= until).collect();
    let gap = longest_gap(acked, played.begins, until);
    match limits.writes {
        Writes::Continue => Line::time("longest gap of writes", Some(gap), limits.write_gap)
            .because(
                writes
                    .iter()
                    .filter(|w| w.fate != Fate::Acked)
                    .map(|w| told(w)),
            ),
        Writes::Any => Line {
            held: true,
            limit: "any".to_owned(),
            ..Line::time("longest gap of writes", Some(gap), limits.write_gap)
        },
        Writes::Refused => {
            let from = played.holds.plus(limits.grace);
            let those = writes
                .iter()
                .filter(|w| w.start >= from && w.end < played.ends);
            let slow: Vec<_> = those.clone().collect();
            let slowest = slow.iter().map(|w| w.end.since(w.start)).max();
            Line::time("slowest refusal of a write", slowest, limits.refusal).because(
                slow.into_iter()
                    .filter(|w| w.end.since(w.start) > limits.refusal)
                    .map(|w| told(w)),
            )
        }
    }
}

fn recovery(records: &Records, played: &Played) -> Line {
    let frontends: BTreeSet<String> = records.invokes.iter().map(|i| i.via.clone()).collect();
    let works = recovered_at(records, &frontends, played.over);
    let both = works
        .zip(played.ready)
        .map(|(works, ready)| works.max(ready));
    let took = both.map(|at| at.since(played.over));
    let line = Line::time("recovered after", took, played.limits.recovery);
    let since = |i: &&Invoke| i.start >= played.over && !is_ok(i) && i.outcome != Outcome::Skipped;
    let not_ready = played
        .ready
        .is_none()
        .then(|| "not every node became ready".to_owned());
    let not_ready = not_ready.into_iter();
    line.because(not_ready.chain(records.invokes.iter().filter(since).map(shown)))
}

/// The longest time between two of these, the first and the bounds included.
fn longest_gap(mut moments: Vec<Moment>, from: Moment, until: Moment) -> Duration {
    moments.push(from);
    moments.push(until);
    moments.sort_unstable();
    let gaps = moments.iter().zip(moments.iter().skip(1));
    gaps.map(|(a, b)| b.since(*a)).max().unwrap_or_default()
}

fn failures(these: &[&Invoke]) -> impl Iterator<Item = String> {
    these.iter().filter(|i| !is_ok(i)).map(|i| shown(i))
}

fn shown(invoke: &Invoke) -> String {
    format!(
        "{} {} via {} {:?} {} after {:.2} s: {}",
        invoke.start,
        invoke.id,
        invoke.via,
        invoke.outcome,
        invoke.status,
        invoke.end.since(invoke.start).as_secs_f64(),
        invoke.error.as_deref().unwrap_or("")
    )
}

fn told(write: &Write) -> String {
    format!(
        "{} {:?} {} via {} {:?} {} after {:.2} s: {}",
        write.start,
        write.op,
        write.subject,
        write.via,
        write.fate,
        write.status,
        write.end.since(write.start).as_secs_f64(),
        write.error.as_deref().unwrap_or("")
    )
}
