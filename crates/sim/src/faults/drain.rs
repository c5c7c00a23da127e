//! Nodes are told to end and started again, each once the one before is back: a rolling restart.

use std::time::Duration;

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

/// From the start of a node to the end of the next one.
const PAUSE: Duration = Duration::from_millis(800);

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "drain",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(Drain::default()),
};

#[derive(Default)]
struct Drain {
    left: Vec<usize>,
    /// The node that was told to end last, and the process that it then was.
    last: Option<(usize, u64)>,
    /// When it was seen to be back.
    back: Option<Duration>,
    /// Whether one was.
    felt: bool,
}

impl Drain {
    fn next(&mut self, on: &mut Hands<'_>) -> Option<usize> {
        let next = self.left.pop()?;
        let starts = on.starts(next);
        on.terminate(next);
        self.last = Some((next, starts));
        self.back = None;
        Some(next)
    }
}

impl Fault for Drain {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.left = on.up();
        // Beginning anywhere, so that a leader is sometimes the first.
        let by = usize::try_from(on.entropy.below(self.left.len() as u64)).unwrap_or(0);
        self.left.rotate_left(by);
        let first = self.next(on)?;
        Some(format!("{} first", on.names(&[first])))
    }

    fn is_felt(&self, _on: &Hands<'_>) -> bool {
        self.felt
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        let now = on.now();
        match (self.back, self.last) {
            (Some(back), _) if now >= back + PAUSE => {
                self.next(on);
            }
            (None, Some((node, starts))) if on.starts(node) > starts => {
                self.back = Some(now);
                self.felt = true;
            }
            (_, _) => {}
        }
    }
}
