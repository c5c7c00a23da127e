//! A node hears the others and is not heard by them, or the other way round.

use super::{Fault, FaultEntry, Reach};
use crate::hands::{Hands, pairs};

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "one-way",
    weight: 3,
    changes_leader: false,
    reach: Reach::All,
    make: || Box::new(OneWay::default()),
};

#[derive(Default)]
struct OneWay {
    cut: Vec<(usize, usize)>,
    /// What was said that way before.
    before: u64,
}

impl Fault for OneWay {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let victim = match on.entropy.below(2) {
            0 => on.leader(),
            _ => on.pick(&on.up()),
        }?;
        let others = on.others(&[victim]);
        let deaf = on.entropy.below(2) == 0;
        self.cut = match deaf {
            true => pairs(&others, &[victim]),
            false => pairs(&[victim], &others),
        };
        self.before = on.told(&self.cut);
        for (from, to) in &self.cut {
            on.cut(*from, *to);
        }
        let how = if deaf { "hears nobody" } else { "is not heard" };
        Some(format!("{} {how}", on.names(&[victim])))
    }

    fn is_felt(&self, on: &Hands<'_>) -> bool {
        on.told(&self.cut) > self.before
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        for (from, to) in std::mem::take(&mut self.cut) {
            on.mend(from, to);
        }
    }
}
