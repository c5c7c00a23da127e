mod by_hand;
mod exhaustive;
mod generated;
mod mutated;

use std::time::Duration;

use model::{RevisionId, Version};

use super::*;

/// A call with its end, before a history is told of it. Times tell the order, so no two are the same.
#[derive(Clone, Debug)]
struct Told {
    client: u32,
    op: Op,
    begun: Duration,
    end: Option<(Duration, Ended)>,
}

impl Told {
    fn outcome(&self) -> Option<&Outcome> {
        match self.end.as_ref()? {
            (_, Ended::Done(outcome)) => Some(outcome),
            _ => None,
        }
    }

    fn act(&self) -> Option<(&str, &Act)> {
        match &self.op {
            Op::On { function, act } => Some((function, act)),
            Op::ListFunctions => None,
        }
    }

    fn ended(&self) -> Option<Duration> {
        self.end.as_ref().map(|(at, _)| *at)
    }
}

/// Tells a history of everything, in the order of time.
fn history(told: &[Told]) -> History {
    let mut events: Vec<(Duration, usize, bool)> = Vec::new();
    for (n, one) in told.iter().enumerate() {
        events.push((one.begun, n, false));
        events.extend(one.ended().map(|at| (at, n, true)));
    }
    events.sort();
    let history = History::new();
    let mut ids = vec![None; told.len()];
    for (at, n, is_end) in events {
        let one = &told[n];
        match (is_end, ids[n], &one.end) {
            (false, ..) => ids[n] = Some(history.invoke(one.client, one.op.clone(), at)),
            (true, Some(id), Some((_, Ended::Done(outcome)))) => {
                history.done(id, outcome.clone(), at);
            }
            (true, Some(id), Some((_, Ended::Refused))) => history.refused(id, at),
            (true, Some(id), Some((_, Ended::Unknown))) => history.unknown(id, at),
            (true, ..) => panic!("expected a beginning before the end of {one:?}"),
        }
    }
    history
}

/// Even draws from a seed: splitmix64 (Steele 2014).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(from.len().max(1) as u64);
        from.get(usize::try_from(at).unwrap())
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn revision(n: u64) -> RevisionId {
    RevisionId::from_random(u128::from(n) << 96)
}

fn number(n: u64) -> Version {
    Version::number(n).unwrap()
}
