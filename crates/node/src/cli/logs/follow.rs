//! What was shown already.
//!
//! Workers have clocks of their own, so that something new may stand in front of what was shown: the last seconds are asked
//! for again each time.

use std::{collections::BTreeSet, time::Duration};

use super::ask::Event;

/// How often what is new is asked for.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// How far back is asked for again, in milliseconds.
const AGAIN: u64 = 5_000;

/// How far a log was shown.
pub(super) struct Follow {
    start: u64,
    /// Ids of what was shown since then; they begin with the time.
    shown: BTreeSet<(u64, String)>,
}

impl Follow {
    pub(super) const fn new(start: u64) -> Self {
        Self {
            start,
            shown: BTreeSet::new(),
        }
    }

    /// From which time on to ask.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// Whether an event was not shown yet. It is shown with that.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        self.shown.insert((event.timestamp, event.event_id.clone()))
    }

    /// Forgets what will not be asked for again.
    pub(super) fn settle(&mut self) {
        let newest = self.shown.last().map_or(0, |(at, _)| *at);
        self.start = self.start.max(newest.saturating_sub(AGAIN));
        self.shown = self.shown.split_off(&(self.start, String::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shown_once() {
        let event = |at: u64| Event {
            timestamp: at,
            event_id: at.to_string(),
            log_stream_name: "s".to_owned(),
            message: String::new(),
        };
        let mut follow = Follow::new(100);
        assert!(follow.is_new(&event(150)) && !follow.is_new(&event(150)));
        follow.settle();
        assert!(follow.start() == 100 && !follow.is_new(&event(150)));
        assert!(follow.is_new(&event(9_000)));
        follow.settle();
        assert_eq!((follow.start(), follow.shown.len()), (4_000, 1));
        assert!(follow.is_new(&event(8_999)));
    }
}
