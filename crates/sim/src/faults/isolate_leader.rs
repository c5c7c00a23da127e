//! The leading controller can reach no other node, and none reaches it.

use super::{Fault, FaultEntry};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "isolate-leader",
    weight: 3,
    changes_leader: true,
    controllers_only: true,
    make: || Box::new(IsolateLeader::default()),
};

#[derive(Default)]
struct IsolateLeader {
    one: Vec<usize>,
    others: Vec<usize>,
}

impl Fault for IsolateLeader {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let leader = on.leader()?;
        if !on.majority_without(&[leader]) {
            return None;
        }
        self.one = vec![leader];
        self.others = on.others(&self.one);
        on.separate(&self.one, &self.others);
        Some(on.names(&self.one))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        on.join(&self.one, &self.others);
    }
}
