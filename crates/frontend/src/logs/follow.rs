//! What is new of a group that is asked for again and again.
//!
//! Workers have clocks of their own, and a line is written when it ends but has the time at which it began: something new
//! may stand in front of what was told already. So the last seconds are asked for again each time, and what was told of them
//! is remembered.

use std::collections::BTreeSet;

use lambda_api::logs::Position;

use super::merge::Event;

/// How far back is asked for again, in milliseconds.
const AGAIN: u64 = 5_000;
/// Most events that are remembered.
const REMEMBERED: usize = 20_000;

/// How far one group was told.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    /// Everything up to this counts as told.
    floor: Position,
    /// What was told behind it.
    told: BTreeSet<Position>,
}

impl Follow {
    /// Nothing was told, and nothing from before this time is wanted.
    pub(crate) fn new(from: u64) -> Self {
        let floor = Position {
            at: from,
            ..Position::default()
        };
        Self {
            floor,
            told: BTreeSet::new(),
        }
    }

    /// Behind which event to look.
    pub(crate) const fn floor(&self) -> &Position {
        &self.floor
    }

    /// What of this was not told yet. It is told with that.
    pub(crate) fn take(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut new = events;
        new.retain(|event| event.position > self.floor && self.told.insert(event.position.clone()));
        new
    }

    /// Forgets what is old by now.
    pub(crate) fn settle(&mut self) {
        let newest = self.told.last().map_or(0, |position| position.at);
        let old = newest.saturating_sub(AGAIN);
        while let Some(first) = self.told.first()
            && (first.at < old || self.told.len() > REMEMBERED)
        {
            self.floor = self.told.pop_first().unwrap_or_default();
        }
    }

    /// Leaves out what there is up to this time, if it is still in front of us.
    pub(crate) fn skip_to(&mut self, at: u64) {
        let floor = Self::new(at).floor;
        if floor > self.floor {
            self.told = self.told.split_off(&floor);
            self.floor = floor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, stream: &str) -> Event {
        Event {
            position: Position {
                at,
                stream: stream.into(),
                number: 0,
            },
            message: String::new(),
        }
    }

    #[test]
    fn everything_is_told_once_and_what_comes_late_too() {
        let mut follow = Follow::new(1000);
        let told = |follow: &mut Follow, events: &[Event]| -> Vec<u64> {
            let new = follow.take(events.to_vec());
            follow.settle();
            new.iter().map(|event| event.position.at).collect()
        };
        let (early, a, b) = (event(900, "a"), event(5000, "a"), event(5003, "b"));
        assert_eq!(
            told(&mut follow, &[early, a.clone(), b.clone()]),
            [5000, 5003]
        );
        assert_eq!(told(&mut follow, &[a.clone(), b.clone()]), [0; 0]);
        // Of another worker, with a clock that is behind.
        let late = event(4990, "c");
        assert_eq!(
            told(&mut follow, &[late.clone(), a.clone(), b.clone()]),
            [4990]
        );
        assert_eq!(told(&mut follow, &[event(20_000, "a")]), [20_000]);
        assert_eq!(follow.floor().at, 5003);
        assert_eq!(told(&mut follow, &[late, a, b]), [0; 0]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut follow = Follow::new(0);
        for n in 0..3 {
            let events = (0..REMEMBERED as u64).map(|i| event(1, &format!("{n}-{i:06}")));
            assert_eq!(follow.take(events.collect()).len(), REMEMBERED);
            follow.settle();
            assert!(follow.told.len() <= REMEMBERED);
        }
    }

    #[test]
    fn what_is_skipped_is_not_told() {
        let mut follow = Follow::new(0);
        follow.skip_to(100);
        follow.skip_to(50);
        assert_eq!(follow.take(vec![event(99, "a"), event(100, "a")]).len(), 1);
    }
}
