//! Two nodes cannot reach each other, while both reach everybody else.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "ring",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(Ring::default()),
};

#[derive(Default)]
struct Ring {
    between: Option<(usize, usize)>,
    /// What the two had said to each other before.
    before: u64,
}

impl Ring {
    fn told(&self, on: &Hands<'_>) -> u64 {
        let two = self.between.into_iter();
        on.told(&two.flat_map(|(a, b)| [(a, b), (b, a)]).collect::<Vec<_>>())
    }
}

impl Fault for Ring {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let one = on.pick(&on.up())?;
        let other = on.pick(&on.others(&[one]))?;
        self.between = Some((one, other));
        self.before = self.told(on);
        on.separate(&[one], &[other]);
        Some(on.names(&[one, other]))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        self.told(on) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some((one, other)) = self.between.take() {
            on.join(&[one], &[other]);
        }
    }
}
