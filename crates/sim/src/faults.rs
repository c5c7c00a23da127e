//! What goes wrong. Every file of this folder is one fault: it exports `ENTRY`.

use crate::hands::Hands;
pub(crate) use crate::troubles::Reach;

include!(concat!(env!("OUT_DIR"), "/faults.rs"));

/// A fault as a run knows it.
pub(crate) struct FaultEntry {
    /// Its name, for options and reports.
    pub(crate) name: &'static str,
    /// How often it is drawn, beside the others.
    pub(crate) weight: u64,
    /// Whether it makes another controller lead. Every run suffers one that does.
    pub(crate) changes_leader: bool,
    /// How far it may be felt.
    pub(crate) reach: Reach,
    /// One occurrence of it.
    pub(crate) make: fn() -> Box<dyn Fault>,
}

/// One occurrence of a fault.
pub(crate) trait Fault {
    /// Breaks something and says what; `None` if there is nothing that it could break now.
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String>;

    /// Goes on, every 50 ms.
    fn go_on(&mut self, _on: &mut Hands<'_>) {}

    /// Whether it has made a difference to anybody. A link that was cut while nothing was sent over it has not, nor has a
    /// full disk that nobody wrote to. Whoever loses its process always feels it.
    fn is_felt(&self, _on: &Hands<'_>) -> bool {
        true
    }

    /// Whether it can be mended now. One that is in the middle of what must come to an end cannot.
    fn is_finished(&self) -> bool {
        true
    }

    /// Nodes that are down for as long as it lasts.
    fn lost(&self) -> &[usize] {
        &[]
    }

    /// Mends what it broke. What ends by itself needs none.
    fn heal(&mut self, _on: &mut Hands<'_>) {}
}
