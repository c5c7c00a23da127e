//! A zone is cut off from the others; clients still reach it.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "isolate-zone",
    weight: 3,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(IsolateZone::default()),
};

#[derive(Default)]
struct IsolateZone {
    zone: Vec<usize>,
    others: Vec<usize>,
    /// What was said over these links before.
    before: u64,
}

impl Fault for IsolateZone {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.zone = on.a_zone();
        self.others = on.others(&self.zone);
        self.before = on.told(&Hands::between(&self.zone, &self.others));
        on.separate(&self.zone, &self.others);
        Some(on.names(&self.zone))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        on.told(&Hands::between(&self.zone, &self.others)) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        on.join(&self.zone, &self.others);
    }
}
