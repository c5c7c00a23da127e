//! What goes wrong. Every file of this folder is one fault: it exports `ENTRY`.

use crate::hands::Hands;

include!(concat!(env!("OUT_DIR"), "/faults.rs"));

/// A fault as a run knows it.
pub(crate) struct FaultEntry {
    /// Its name, for options and reports.
    pub(crate) name: &'static str,
    /// How often it is drawn, beside the others.
    pub(crate) weight: u64,
    /// Whether it makes another controller lead. Every run suffers one that does.
    pub(crate) changes_leader: bool,
    /// Whether it hits controllers and nothing else, where roles are apart.
    pub(crate) controllers_only: bool,
    /// One occurrence of it.
    pub(crate) make: fn() -> Box<dyn Fault>,
}

/// One occurrence of a fault.
pub(crate) trait Fault {
    /// Breaks something and says what; `None` if there is nothing that it could break now.
    fn begin(&mut self, on: &mut Hands<'_>) -> Option<String>;

    /// Goes on, every 50 ms.
    fn go_on(&mut self, _on: &mut Hands<'_>) {}

    /// Mends what it broke. What ends by itself needs none.
    fn heal(&mut self, _on: &mut Hands<'_>) {}
}
