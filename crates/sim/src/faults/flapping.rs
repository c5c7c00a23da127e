//! The links of a node come and go, many times a second.

use super::{Fault, FaultEntry, Reach};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "flapping",
    weight: 2,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(Flapping::default()),
};

#[derive(Default)]
struct Flapping {
    one: Vec<usize>,
    others: Vec<usize>,
    cut: bool,
    /// What had been said over the links before they were cut last.
    before: u64,
    felt: bool,
}

impl Flapping {
    fn turn(&mut self, on: &mut Hands<'_>) {
        let told = on.told(&Hands::between(&self.one, &self.others));
        self.felt |= self.cut && told > self.before;
        self.before = told;
        match self.cut {
            true => on.join(&self.one, &self.others),
            false => on.separate(&self.one, &self.others),
        }
        self.cut = !self.cut;
    }
}

impl Fault for Flapping {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        self.one = vec![on.pick(&on.up())?];
        self.others = on.others(&self.one);
        self.turn(on);
        Some(on.names(&self.one))
    }

    fn go_on(&mut self, on: &mut Hands<'_>) {
        if on.entropy.below(5) == 0 {
            self.turn(on);
        }
    }

    fn is_felt(&self, _on: &Hands<'_>) -> bool {
        self.felt
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if self.cut {
            self.turn(on);
        }
    }
}
