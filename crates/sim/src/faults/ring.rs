//! Two nodes cannot reach each other, while both reach everybody else.

use super::{Fault, FaultEntry};
use crate::hands::Hands;

pub(crate) const ENTRY: FaultEntry = FaultEntry {
    name: "ring",
    weight: 2,
    changes_leader: false,
    controllers_only: false,
    make: || Box::new(Ring::default()),
};

#[derive(Default)]
struct Ring {
    between: Option<(usize, usize)>,
}

impl Fault for Ring {
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String> {
        let one = on.pick(&on.up())?;
        let other = on.pick(&on.others(&[one]))?;
        on.separate(&[one], &[other]);
        self.between = Some((one, other));
        Some(on.names(&[one, other]))
    }

    fn heal(&mut self, on: &mut Hands<'_>) {
        if let Some((one, other)) = self.between.take() {
            on.join(&[one], &[other]);
        }
    }
}
