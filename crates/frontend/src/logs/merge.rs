//! Puts the events of several workers into one page.

use lambda_api::logs::{PAGE_BYTES, Position};

/// What an event takes in an answer besides its text and the name of its stream.
const EVENT_BYTES: usize = 26;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) position: Position,
    pub(crate) message: String,
}

/// A page of what came so far. Each worker's part is in order; one that stopped early says how far it looked, and the page
/// goes no further than any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) events: Vec<Event>,
    /// If there may be more: everything up to this is in the page.
    pub(crate) until: Option<Position>,
    limit: usize,
    bytes: usize,
}

impl Merged {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            events: Vec::new(),
            until: None,
            limit,
            bytes: PAGE_BYTES,
        }
    }

    /// Adds the part of one more worker.
    pub(crate) fn add(&mut self, events: Vec<Event>, until: Option<Position>) {
        self.events.extend(events);
        self.events.sort_by(|a, b| a.position.cmp(&b.position));
        self.until = match (self.until.take(), until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(until) = &self.until {
            let within = self
                .events
                .partition_point(|event| event.position <= *until);
            self.events.truncate(within);
        }
        let fitting = self.fitting();
        if fitting < self.events.len() {
            self.events.truncate(fitting);
            self.until = self.events.last().map(|event| event.position.clone());
        }
    }

    /// How many events fit: at least one.
    fn fitting(&self) -> usize {
        let mut size = 0;
        let fit = self.events.iter().take(self.limit).take_while(|event| {
            size += event.message.len() + event.position.stream.len() + EVENT_BYTES;
            size <= self.bytes
        });
        fit.count().max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event((at, stream, number): (u64, u8, u64)) -> Event {
        Event {
            position: Position {
                at,
                stream: stream.to_string(),
                number,
            },
            message: format!("{at} {stream} {number}"),
        }
    }

    /// What a worker answers that has these events, of which at most `most`.
    fn part(
        all: &[Event],
        after: Option<&Position>,
        most: usize,
    ) -> (Vec<Event>, Option<Position>) {
        let rest = all
            .iter()
            .filter(|e| after.is_none_or(|after| e.position > *after));
        let part: Vec<Event> = rest.clone().take(most).cloned().collect();
        let until = (rest.count() > most).then(|| part.last().map(|e| e.position.clone()));
        (part, until.flatten())
    }

    proptest! {
        /// Whatever workers hold back, and in whatever order they answer, page after page gives every event once, in order.
        #[test]
        fn pages_of_many_workers_are_whole(
            workers in prop::collection::vec(prop::collection::btree_set((0u64..20, 0u64..3), 0..15), 1..5),
            limit in 1usize..20,
            most in 1usize..6,
            backwards in any::<bool>(),
        ) {
            let workers: Vec<Vec<Event>> = workers.iter().enumerate().map(|(n, events)| {
                let n = u8::try_from(n).unwrap();
                events.iter().map(|(at, number)| event((*at, n, *number))).collect()
            }).collect();
            let mut whole: Vec<Event> = workers.iter().flatten().cloned().collect();
            whole.sort_by(|a, b| a.position.cmp(&b.position));
            let (mut paged, mut after) = (Vec::new(), None);
            loop {
                let mut merged = Merged::new(limit);
                let mut parts: Vec<_> = workers.iter().map(|w| part(w, after.as_ref(), most)).collect();
                if backwards {
                    parts.reverse();
                }
                for (events, until) in parts {
                    merged.add(events, until);
                }
                prop_assert!(merged.events.len() <= limit);
                paged.extend(merged.events);
                match merged.until {
                    Some(until) => after = Some(until),
                    None => break,
                }
            }
            prop_assert_eq!(paged, whole);
        }
    }

    #[test]
    fn a_page_has_a_bound_in_bytes_and_one_event_at_least() {
        let large = |at| Event {
            message: "x".repeat(PAGE_BYTES),
            ..event((at, 0, 0))
        };
        let mut merged = Merged::new(10);
        merged.add(vec![large(2)], None);
        merged.add(vec![large(1)], None);
        assert_eq!(merged.events.len(), 1);
        assert_eq!(merged.until.map(|until| until.at), Some(1));
    }
}
