//! A zone is cut off from the others; clients still reach it.

use super::{Fault, FaultEntry};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "isolate-zone",
    weight: 3,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(IsolateZone::default()),
};

#[derive(Default)]
struct IsolateZone {
    zone: Vec<usize>,
    others: Vec<usize>,
}

impl Fault for IsolateZone {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.zone = on.a_zone();
        self.others = on.others(&self.zone);
        on.separate(&self.zone, &self.others);
        Some(on.names(&self.zone))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        on.join(&self.zone, &self.others);
    }
}
