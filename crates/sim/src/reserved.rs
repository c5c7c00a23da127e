//! Reserved concurrency, as the clients that set it know it.

use std::time::Duration;

use parking_lot::Mutex;

/// All reservations of a run.
#[derive(Default)]
pub(crate) struct Reservations(Mutex<Vec<Reservation>>);

/// A reservation, or the lack of one, from the moment when it was acknowledged until another was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    /// The function.
    pub(crate) function: String,
    /// What may run at once; `None` if nothing is reserved.
    pub(crate) limit: Option<u32>,
    /// When it was acknowledged.
    pub(crate) since: Duration,
    /// Until when it was certainly in force.
    pub(crate) until: Duration,
    /// The process of the frontend that took it and has it in its own copy of the catalog, if that is known.
    pub(crate) through: Option<(String, u64)>,
}

impl Reservations {
    pub(crate) fn add(&self, reservation: Reservation) {
        self.0.lock().push(reservation);
    }

    pub(crate) fn all(&self) -> Vec<Reservation> {
        self.0.lock().clone()
    }
}
