//! Histories of a catalog that works, with one answer bent so that no catalog can have given it. Each kind of damage is one
//! that a cluster could do: the checker must find every one.

use super::{
    generated::{Plan, valid},
    *,
};

/// How many histories each kind of damage is done to.
const SEEDS: u64 = 60;

type Damage = fn(Vec<Told>, &mut Dice) -> Option<Vec<Told>>;

/// Damages many histories, one at a time, and returns how many could be damaged and in how many it was found.
fn rate(damage: Damage) -> (u32, u32) {
    let (mut damaged, mut found, mut calls): (u32, u32, usize) = (0, 0, 0);
    for seed in 0..SEEDS {
        let plan = Plan {
            seed,
            calls: 140,
            clients: 4,
            functions: 2,
            lost: [0, 10][usize::try_from(seed % 2).unwrap()],
        };
        let Some(told) = damage(valid(plan), &mut Dice(seed)) else {
            continue;
        };
        damaged += 1;
        match history(&told).check() {
            Err(violation) => {
                found += 1;
                calls += violation.calls.len();
            }
            Ok(verdict) => eprintln!("seed {seed}: {verdict:?}"),
        }
    }
    assert!(
        calls < 12 * usize::try_from(SEEDS).unwrap(),
        "{calls} calls to explain {found}"
    );
    (damaged, found)
}

fn every_one_is_found(damage: Damage) {
    let (damaged, found) = rate(damage);
    assert!(damaged >= 5, "only {damaged} histories had a place for it");
    assert_eq!(found, damaged);
}

/// Calls that were answered, in the order of their beginnings.
fn answered(told: &[Told], which: impl Fn(&Act, &Outcome) -> bool) -> Vec<usize> {
    let fits = |one: &Told| match (one.act(), one.outcome()) {
        (Some((_, act)), Some(outcome)) => which(act, outcome),
        _ => false,
    };
    (0..told.len()).filter(|n| fits(&told[*n])).collect()
}

fn function(told: &Told) -> &str {
    told.act().map_or("", |(function, _)| function)
}

/// Whether the first certainly came before the second.
fn is_before(first: &Told, second: &Told) -> bool {
    first.outcome().is_some() && first.ended().is_some_and(|at| at < second.begun)
}

/// All pairs of calls on one function of which the first certainly came before the second, one drawn.
fn pair(
    told: &[Told],
    dice: &mut Dice,
    fits: impl Fn(usize, usize) -> bool,
) -> Option<(usize, usize)> {
    let mut pairs = Vec::new();
    for a in 0..told.len() {
        for b in 0..told.len() {
            let same = !function(&told[a]).is_empty() && function(&told[a]) == function(&told[b]);
            if same && is_before(&told[a], &told[b]) && fits(a, b) {
                pairs.push((a, b));
            }
        }
    }
    dice.pick(&pairs).copied()
}

/// Whether a call of this kind on this function may have taken effect before the end of one call and after the beginning of
/// another.
fn may_be_between(told: &[Told], from: usize, until: usize, which: impl Fn(&Act) -> bool) -> bool {
    told.iter().any(|one| {
        let Some((name, act)) = one.act() else {
            return false;
        };
        let may_be_late = one.outcome().is_none() || one.ended() > Some(told[from].begun);
        name == function(&told[from])
            && which(act)
            && may_be_late
            && Some(one.begun) < told[until].ended()
    })
}

fn is_get(act: &Act) -> bool {
    *act == Act::Get {
        version: Version::Latest,
    }
}

fn answer(told: &mut Told, outcome: Outcome) {
    if let Some((_, how)) = &mut told.end {
        *how = Ended::Done(outcome);
    }
}

fn latest_seen(told: &Told) -> Option<&SeenVersion> {
    match told.outcome()? {
        Outcome::Version(seen) if seen.version == Version::Latest => Some(seen),
        _ => None,
    }
}

/// A read shows what another one had shown before a change that was acknowledged in between.
fn stale_read(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let gets = answered(&told, |act, _| is_get(act));
    let changes = answered(&told, |act, outcome| {
        matches!(act, Act::UpdateConfiguration { .. }) && matches!(outcome, Outcome::Version(_))
    });
    let (old, new) = pair(&told, dice, |a, b| {
        let between = |c: &usize| is_before(&told[a], &told[*c]) && is_before(&told[*c], &told[b]);
        let on_it = |c: &&usize| function(&told[**c]) == function(&told[a]);
        gets.contains(&a)
            && gets.contains(&b)
            && latest_seen(&told[a]).is_some()
            && changes.iter().filter(on_it).any(between)
    })?;
    let seen = told[old].outcome()?.clone();
    answer(&mut told[new], seen);
    Some(told)
}

/// Two changes on condition of the same revision are both made.
fn lost_update(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let conditional = answered(&told, |act, outcome| {
        let on_condition = matches!(
            act,
            Act::UpdateConfiguration {
                expected: Some(_),
                ..
            }
        );
        on_condition && matches!(outcome, Outcome::Version(_))
    });
    let first = *dice.pick(&conditional)?;
    let mut second = told[first].clone();
    let shown = latest_seen(&told[first])?.clone();
    if let Op::On {
        act: Act::UpdateConfiguration { marker, .. },
        ..
    } = &mut second.op
    {
        *marker = "twice".to_owned();
    }
    second.client = 99;
    second.begun = told[first].ended()? + Duration::from_nanos(100);
    let outcome = Outcome::Version(SeenVersion {
        marker: "twice".to_owned(),
        revision: revision(1),
        ..shown
    });
    let end = second.begun + Duration::from_nanos(100);
    second.end = Some((end, Ended::Done(outcome)));
    told.push(second);
    Some(told)
}

/// A function is there again after its deletion was acknowledged.
fn resurrected(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let gets = answered(&told, |act, outcome| {
        is_get(act) && matches!(outcome, Outcome::Version(_))
    });
    let deletions = answered(&told, |act, outcome| {
        *act == Act::Delete && *outcome == Outcome::Nothing
    });
    let (old, deleted) = pair(&told, dice, |a, b| {
        gets.contains(&a) && deletions.contains(&b)
    })?;
    let mut again = told[old].clone();
    again.client = 99;
    again.begun = told[deleted].ended()? + Duration::from_nanos(100);
    again.end.as_mut()?.0 = again.begun + Duration::from_nanos(100);
    told.push(again);
    Some(told)
}

/// The number of a version is given to another one.
fn reused_number(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let published = answered(&told, |act, outcome| {
        matches!(act, Act::Publish { .. }) && matches!(outcome, Outcome::Version(_))
    });
    let seen = |n: usize| match told[n].outcome() {
        Some(Outcome::Version(seen)) => Some(seen.clone()),
        _ => None,
    };
    let (first, second) = pair(&told, dice, |a, b| {
        published.contains(&a)
            && published.contains(&b)
            && seen(a).map(|s| s.version) < seen(b).map(|s| s.version)
            && !may_be_between(&told, a, b, |act| *act == Act::Delete)
    })?;
    let reused = SeenVersion {
        version: seen(first)?.version,
        ..seen(second)?
    };
    answer(&mut told[second], Outcome::Version(reused));
    Some(told)
}

/// What was acknowledged is gone, without anybody having deleted it.
fn acknowledged_and_lost(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let created = answered(&told, |act, outcome| {
        matches!(act, Act::Create { .. }) && matches!(outcome, Outcome::Version(_))
    });
    let gets = answered(&told, |act, outcome| {
        is_get(act) && matches!(outcome, Outcome::Version(_))
    });
    let (_, lost) = pair(&told, dice, |a, b| {
        created.contains(&a)
            && gets.contains(&b)
            && !may_be_between(&told, a, b, |act| *act == Act::Delete)
    })?;
    answer(&mut told[lost], Outcome::NotFound);
    Some(told)
}

/// One publication has made two versions: a number is skipped.
fn applied_twice(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let published = answered(&told, |act, outcome| {
        matches!(act, Act::Publish { .. }) && matches!(outcome, Outcome::Version(_))
    });
    let fits = |n: &usize| {
        !told.iter().any(|one| {
            let publishes = matches!(one.act(), Some((_, Act::Publish { .. } | Act::Delete)));
            let settled = one.outcome().is_some() && one.ended() < Some(told[*n].begun)
                || Some(one.begun) > told[*n].ended();
            publishes
                && function(one) == function(&told[*n])
                && one.begun != told[*n].begun
                && !settled
        })
    };
    let fitting: Vec<usize> = published.into_iter().filter(fits).collect();
    let n = *dice.pick(&fitting)?;
    let Some(Outcome::Version(seen)) = told[n].outcome().cloned() else {
        return None;
    };
    let skipped = SeenVersion {
        version: number(seen.version.as_number()? + 1),
        ..seen
    };
    answer(&mut told[n], Outcome::Version(skipped));
    Some(told)
}

/// An alias that was acknowledged to point elsewhere points where it did before.
fn alias_went_back(mut told: Vec<Told>, dice: &mut Dice) -> Option<Vec<Told>> {
    let alias_seen = |n: usize| match told[n].outcome() {
        Some(Outcome::Alias(seen)) => Some(seen.alias.clone()),
        _ => None,
    };
    let gets = answered(&told, |act, outcome| {
        matches!(act, Act::GetAlias { .. }) && matches!(outcome, Outcome::Alias(_))
    });
    let changes = answered(&told, |act, outcome| {
        matches!(act, Act::UpdateAlias { .. }) && matches!(outcome, Outcome::Alias(_))
    });
    let (old, changed) = pair(&told, dice, |a, b| {
        gets.contains(&a) && changes.contains(&b) && alias_seen(a) == alias_seen(b)
    })?;
    let mut again = told[old].clone();
    again.client = 99;
    again.begun = told[changed].ended()? + Duration::from_nanos(100);
    again.end.as_mut()?.0 = again.begun + Duration::from_nanos(100);
    told.push(again);
    Some(told)
}

#[test]
fn stale_reads_are_found() {
    every_one_is_found(stale_read);
}

#[test]
fn lost_updates_are_found() {
    every_one_is_found(lost_update);
}

#[test]
fn resurrections_are_found() {
    every_one_is_found(resurrected);
}

#[test]
fn reused_numbers_are_found() {
    every_one_is_found(reused_number);
}

#[test]
fn losses_are_found() {
    every_one_is_found(acknowledged_and_lost);
}

#[test]
fn double_applications_are_found() {
    every_one_is_found(applied_twice);
}

#[test]
fn aliases_that_went_back_are_found() {
    every_one_is_found(alias_went_back);
}
