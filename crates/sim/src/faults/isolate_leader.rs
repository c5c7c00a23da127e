//! The leading controller can reach no other node, and none reaches it.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "isolate-leader",
    weight: 3,
    changes_leader: true,
    reach: Reach::Controllers,
    make: || Box::new(IsolateLeader::default()),
};

#[derive(Default)]
struct IsolateLeader {
    one: Vec<usize>,
    others: Vec<usize>,
    /// What was said over these links before.
    before: u64,
}

impl Fault for IsolateLeader {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let leader = on.leader()?;
        if !on.majority_without(&[leader]) {
            return None;
        }
        self.one = vec![leader];
        self.others = on.others(&self.one);
        self.before = on.told(&Hands::between(&self.one, &self.others));
        on.separate(&self.one, &self.others);
        Some(on.names(&self.one))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        on.told(&Hands::between(&self.one, &self.others)) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        on.join(&self.one, &self.others);
    }
}
