//! What holds whatever happens: no acknowledged write is lost, no answer is another one's or of code that was never
//! published, nothing goes back in time, no node panics.

use std::collections::{BTreeMap, BTreeSet};

use super::{Line, Played, Seen, is_ok};
use crate::{
    load::{
        Records,
        record::{Answer, Fate, Final, Invoke, Operation, Version, Write},
    },
    moment::Moment,
};

/// A write that was not answered may be carried out this long after its client gave up; later ones follow each other.
const LATE_MAX: std::time::Duration = std::time::Duration::from_secs(15);
/// A frontend shows an acknowledged change of an alias within this time, in a healthy cluster.
const FRESH: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) fn judge(seen: &Seen<'_>) -> Vec<Line> {
    let records = seen.records;
    let known = versions(records);
    let remarks: Vec<_> = seen
        .remarks
        .iter()
        .map(|r| format!("{}: {}", r.node, r.text))
        .collect();
    vec![
        Line::none("acknowledged writes lost", &lost(records)),
        Line::none("reads that differ from the last write", &differing(records)),
        Line::none("wrong answers", &wrong(records, &known)),
        Line::none(
            "answers older than before",
            &went_back(records, seen.played),
        ),
        Line::none("stale answers of a healthy cluster", &stale(records, seen)),
        Line::none("panics and exits", &remarks),
    ]
}

/// Every version that is known to exist, by its number.
fn versions(records: &Records) -> BTreeMap<&str, BTreeSet<&Version>> {
    let mut known: BTreeMap<&str, BTreeSet<&Version>> = BTreeMap::new();
    let published = records.writes.iter().filter_map(|w| w.result.as_ref());
    let read = records.finals.iter().flat_map(|f| &f.versions);
    let first = records
        .deployed
        .iter()
        .filter(|d| churns(&d.function))
        .map(|d| &d.result);
    for version in first.chain(published).chain(read) {
        known.entry(&version.version).or_default().insert(version);
    }
    known
}

fn churns(function: &str) -> bool {
    function.ends_with("churn")
}

/// Acknowledged writes of names that nobody else writes, and versions, that a frontend does not have at the end.
fn lost(records: &Records) -> Vec<String> {
    let mut lost = Vec::new();
    let mut fates: BTreeMap<&str, Vec<&Write>> = BTreeMap::new();
    for write in &records.writes {
        if matches!(write.op, Operation::CreateAlias | Operation::DeleteAlias) {
            fates.entry(&write.subject).or_default().push(write);
        }
    }
    for last in read_back(records) {
        for (alias, writes) in &fates {
            let of = |op: Operation| writes.iter().filter(move |w| w.op == op);
            let acked = |op| of(op).any(|w| w.fate == Fate::Acked);
            let tried_to_delete = of(Operation::DeleteAlias).any(|w| w.fate != Fate::Refused);
            let there = last.aliases.contains_key(*alias);
            if acked(Operation::CreateAlias) && !tried_to_delete && !there {
                lost.push(format!(
                    "{} does not have alias {alias}, which was created",
                    last.via
                ));
            }
            if acked(Operation::DeleteAlias) && there {
                lost.push(format!("{} has alias {alias}, which was deleted", last.via));
            }
        }
        let published = records.writes.iter().filter(|w| w.fate == Fate::Acked);
        for version in published.filter_map(|w| w.result.as_ref()) {
            if !last.versions.contains(version) {
                let number = &version.version;
                let instead = last.versions.iter().find(|v| v.version == *number);
                let (via, word) = (&last.via, version.word.as_deref().unwrap_or("?"));
                lost.push(match instead {
                    None => format!(
                        "{via} does not have version {number} ({word}), which was published"
                    ),
                    Some(other) => format!(
                        "{via} has {other:?} for version {number}, published as {version:?}"
                    ),
                });
            }
        }
    }
    lost
}

/// Values that were written again and again: each frontend must say the last one, and all the same.
fn differing(records: &Records) -> Vec<String> {
    let mut differ = Vec::new();
    for last in &records.finals {
        if let Some(error) = &last.error {
            differ.push(format!("{} cannot be read: {error}", last.via));
        }
    }
    if records.finals.is_empty() {
        differ.push("nothing was read back".to_owned());
    }
    let read = |op: Operation, of: fn(&Final) -> Option<&String>, first: &str| {
        let allowed = allowed(records, op, first);
        read_back(records)
            .filter_map(move |last| {
                let value = of(last)?;
                let wrong = !allowed.contains(value.as_str());
                wrong.then(|| format!("{} says {value} of {op:?}, expected {allowed:?}", last.via))
            })
            .collect::<Vec<_>>()
    };
    differ.extend(read(Operation::UpdateAlias, |f| f.live.as_ref(), "1"));
    differ.extend(read(
        Operation::UpdateConfiguration,
        |f| f.setting.as_ref(),
        "c0",
    ));
    differ.extend(read(Operation::UpdateCode, |f| f.word.as_ref(), "w0"));
    let mut others = read_back(records);
    if let Some(first) = others.next() {
        for other in others {
            let same = Final {
                via: first.via.clone(),
                ..other.clone()
            };
            if same != *first {
                differ.push(format!(
                    "{} and {} do not say the same",
                    first.via, other.via
                ));
            }
        }
    }
    differ
}

/// What may be read at the end: the last value that was acknowledged, and those that may have come after it.
fn allowed<'a>(records: &'a Records, op: Operation, first: &'a str) -> BTreeSet<&'a str> {
    let of = || records.writes.iter().filter(move |w| w.op == op);
    let last = of().filter(|w| w.fate == Fate::Acked).max_by_key(|w| w.end);
    let since = last.map_or(Moment(0), |w| w.start);
    let may_be = of().filter(|w| w.fate == Fate::Unknown && w.end.plus(LATE_MAX) >= since);
    let mut allowed: BTreeSet<&str> = may_be.map(|w| w.value.as_str()).collect();
    allowed.insert(last.map_or(first, |w| w.value.as_str()));
    allowed
}

fn read_back(records: &Records) -> impl Iterator<Item = &Final> {
    records.finals.iter().filter(|last| last.error.is_none())
}

/// Answers to another question, and answers of something that no version is.
fn wrong(records: &Records, known: &BTreeMap<&str, BTreeSet<&Version>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, are) in known {
        if are.len() > 1 {
            wrong.push(format!("version {number} was more than one thing: {are:?}"));
        }
    }
    let first: BTreeMap<_, _> = records
        .deployed
        .iter()
        .map(|d| (&d.function, &d.result))
        .collect();
    for invoke in records.invokes.iter().filter(|i| is_ok(i)) {
        let Some(answer) = &invoke.answer else {
            continue;
        };
        if answer.id.as_deref() != Some(&invoke.id) {
            wrong.push(said(invoke, "which is the answer to another event"));
            continue;
        }
        let right = match &answer.version {
            None => false,
            Some(_) if !churns(&invoke.function) => first
                .get(&invoke.function)
                .is_none_or(|version| is(answer, version)),
            // A version whose publication was not answered and that nobody could read back is not known.
            Some(number) => known
                .get(number.as_str())
                .is_none_or(|are| are.iter().any(|version| is(answer, version))),
        };
        if !right {
            wrong.push(said(invoke, "which no such version is"));
        }
    }
    wrong
}

fn is(answer: &Answer, version: &Version) -> bool {
    answer.version.as_ref() == Some(&version.version)
        && answer.setting == version.setting
        // Code that the load did not make has no word to compare.
        && (version.word.is_none() || answer.word == version.word)
}

/// Answers of an older version than the same frontend had given before they were asked for. A frontend that was hit may
/// begin anew with what is on its disk.
fn went_back(records: &Records, played: &[Played]) -> Vec<String> {
    let mut back = Vec::new();
    let mut by_frontend: BTreeMap<&str, Vec<(&Invoke, u64)>> = BTreeMap::new();
    for invoke in records.invokes.iter().filter(|i| churns(&i.function)) {
        if let Some(number) = shows(invoke) {
            by_frontend
                .entry(&invoke.via)
                .or_default()
                .push((invoke, number));
        }
    }
    for (via, mut invokes) in by_frontend {
        let hits: Vec<_> = played.iter().filter(|p| p.radius().contains(via)).collect();
        invokes.sort_unstable_by_key(|(invoke, _)| invoke.start);
        let mut ended: Vec<_> = invokes.clone();
        ended.sort_unstable_by_key(|(invoke, _)| invoke.end);
        let mut ended = ended.into_iter().peekable();
        let mut newest: Option<(&Invoke, u64)> = None;
        for (invoke, number) in invokes {
            while let Some((before, seen)) = ended.next_if(|(other, _)| other.end < invoke.start) {
                if newest.is_none_or(|(_, most)| seen > most) {
                    newest = Some((before, seen));
                }
            }
            let Some((before, most)) = newest else {
                continue;
            };
            let hit = hits
                .iter()
                .any(|p| p.begins <= invoke.start && p.over >= before.start);
            if number < most && !hit {
                back.push(said(invoke, &format!("after it had shown {most}")));
            }
        }
    }
    back
}

/// Answers of an older version than was acknowledged well before they were asked for, when nothing was broken.
fn stale(records: &Records, seen: &Seen<'_>) -> Vec<String> {
    let moves = records
        .writes
        .iter()
        .filter(|w| w.op == Operation::UpdateAlias);
    let mut moves: Vec<_> = moves
        .filter(|w| w.fate == Fate::Acked)
        .filter_map(|w| Some((w.end, w.value.parse::<u64>().ok()?)))
        .collect();
    moves.sort_unstable();
    let broken = |at: Moment| {
        let around = |p: &Played| at >= p.begins && at <= p.over.plus(p.limits.recovery);
        seen.played.iter().any(around)
    };
    let mut stale = Vec::new();
    for invoke in records.invokes.iter().filter(|i| churns(&i.function)) {
        let Some(number) = shows(invoke) else {
            continue;
        };
        let known = moves.partition_point(|(end, _)| end.plus(FRESH) <= invoke.start);
        let newest = moves.iter().take(known).map(|(_, number)| *number).max();
        if newest.is_some_and(|newest| number < newest) && !broken(invoke.start) {
            stale.push(said(
                invoke,
                &format!("long after {} was acknowledged", newest.unwrap_or(0)),
            ));
        }
    }
    stale
}

fn shows(invoke: &Invoke) -> Option<u64> {
    let answer = invoke.answer.as_ref().filter(|_| is_ok(invoke))?;
    answer.version.as_ref()?.parse().ok()
}

fn said(invoke: &Invoke, and: &str) -> String {
    let said = invoke.answer.as_ref().map_or_else(String::new, |a| {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        format!(
            "id {} version {} word {} setting {}",
            shown(&a.id),
            shown(&a.version),
            shown(&a.word),
            shown(&a.setting)
        )
    });
    let Invoke {
        start,
        id,
        via,
        function,
        ..
    } = invoke;
    format!("{start} {id} of {function} via {via}: {said}, {and}")
}
