//! The environments of this worker: who holds which, and what becomes of the idle ones.
//!
//! [`table`] decides; this shell keeps the environments themselves, and runs a supervisor for each and one keeper for all.
//! The supervisor freezes its environment when it was idle for a moment, and removes it when its runtime dies; the keeper
//! retires what was idle for long or belongs to a version that is no more. A [`Lease`] is the right to use one environment;
//! dropping it without giving it back ends the environment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use host::{Clock, Tasks, task::Kind};
use model::{ByteCount, Timestamp};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::environment::Environment;

mod supervise;
pub(crate) mod table;

pub(crate) use table::{Bounds, Key, Refusal};
use table::{Checkout as Choice, Now, Number, Stay, Table};

/// How often the keeper looks for what is over.
const KEEPER_PERIOD: Duration = Duration::from_secs(1);
/// How long a newcomer waits for those that make room for it.
const VICTIM_MAX: Duration = Duration::from_secs(5);

/// When idle environments are stopped, and when they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Idle {
    pub(crate) freeze_after: Duration,
    pub(crate) expiry: Duration,
}

/// The pool. Clones share it.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    idle: Idle,
    tasks: Tasks,
    /// Counts changes: look again.
    changed: watch::Sender<u64>,
}

struct State {
    table: Table,
    /// In the order of their numbers, for what is done to all of them.
    environments: BTreeMap<Number, Resident>,
}

struct Resident {
    environment: Arc<Environment>,
    /// Rung when it was given back, or has left.
    bell: Arc<Notify>,
}

/// Where an invocation goes.
pub(crate) enum Checkout {
    /// An environment that was idle.
    Reuse(Lease),
    /// The place for a new one.
    Start(Reservation),
}

/// The right to use one environment.
pub(crate) struct Lease {
    pool: Pool,
    number: Number,
    environment: Arc<Environment>,
    held: bool,
}

/// A counted place without an environment yet. Dropping it gives it up.
pub(crate) struct Reservation {
    pool: Pool,
    number: Number,
    held: bool,
}

impl Pool {
    /// An empty pool; `is_current` says whether a version is still of use.
    pub(crate) fn start(
        bounds: Bounds,
        idle: Idle,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        is_current: impl Fn(&Key) -> bool + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            table: Table::new(bounds),
            environments: BTreeMap::new(),
        };
        let pool = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                idle,
                tasks,
                changed: watch::Sender::new(0),
            }),
        };
        let keeper = pool.clone();
        pool.shared
            .tasks
            .spawn(Kind::Background, "pool-keeper", async move {
                loop {
                    tokio::time::sleep(KEEPER_PERIOD.min(keeper.shared.idle.expiry)).await;
                    let expiry = keeper.shared.idle.expiry;
                    let now = Now {
                        monotonic: Instant::now(),
                        wall: clock.wall(),
                    };
                    keeper.end_all(|table| table.retire(now, expiry, &is_current));
                }
            });
        pool
    }

    /// Chooses for one invocation.
    ///
    /// # Errors
    /// [`Refusal`] if there is nothing to give.
    pub(crate) async fn checkout(
        &self,
        key: &Arc<Key>,
        memory: ByteCount,
        now: Timestamp,
    ) -> Result<Checkout, Refusal> {
        let (number, victims) = {
            let mut state = self.shared.state.lock();
            match state.table.checkout(key, memory, now) {
                Choice::Refuse(refusal) => return Err(refusal),
                Choice::Reuse(number) => {
                    if let Some(resident) = state.environments.get(&number) {
                        let lease = Lease {
                            pool: self.clone(),
                            number,
                            environment: resident.environment.clone(),
                            held: true,
                        };
                        drop(state);
                        self.shared.note_change();
                        return Ok(Checkout::Reuse(lease));
                    }
                    debug_assert!(false, "an idle environment is resident");
                    state.table.discard(number);
                    state.table.removed(number);
                    return Err(Refusal::NoCapacity);
                }
                Choice::Start { number, victims } => (number, state.evict(&victims)),
            }
        };
        let reservation = Reservation {
            pool: self.clone(),
            number,
            held: true,
        };
        self.shared.note_change();
        if !victims.is_empty() {
            let gone = futures::future::join_all(victims.iter().map(|v| v.kill()));
            if tokio::time::timeout(VICTIM_MAX, gone).await.is_err() {
                tracing::warn!("an idle environment takes long to end; its memory is in use twice");
            }
        }
        Ok(Checkout::Start(reservation))
    }

    /// Whether a checkout would be refused now.
    pub(crate) fn refusal(&self, key: &Key, memory: ByteCount, now: Timestamp) -> Option<Refusal> {
        self.shared.state.lock().table.refusal(key, memory, now)
    }

    /// Takes no new work; the idle environments end.
    pub(crate) fn begin_drain(&self) {
        self.end_all(Table::drain);
    }

    /// Whether it takes no new work.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.state.lock().table.is_draining()
    }

    /// Waits until there is no environment.
    pub(crate) async fn empty(&self) {
        let mut changed = self.shared.changed.subscribe();
        while self.shared.state.lock().table.counted() > 0 {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends every environment, whatever it is doing.
    pub(crate) fn end_everything(&self) {
        self.end_all(|table| table.drain());
        let rest: Vec<(Number, Arc<Environment>)> = {
            let state = self.shared.state.lock();
            let each = state.environments.iter();
            each.map(|(n, r)| (*n, r.environment.clone())).collect()
        };
        for (number, _) in rest {
            self.end_all(|table| {
                table
                    .discard(number)
                    .then_some(number)
                    .into_iter()
                    .collect()
            });
        }
    }

    /// Reads something off the table.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.shared.state.lock().table)
    }

    /// Changes whenever the table does.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Ends the environments that the table lets go.
    fn end_all(&self, choose: impl FnOnce(&mut Table) -> Vec<Number>) {
        let leaving: Vec<(Number, Option<Resident>)> = {
            let mut state = self.shared.state.lock();
            let numbers = choose(&mut state.table);
            numbers
                .into_iter()
                .map(|n| (n, state.environments.remove(&n)))
                .collect()
        };
        for (number, resident) in leaving {
            self.end(number, resident);
        }
        self.shared.note_change();
    }

    /// Kills what is leaving, in the background, and gives its place back.
    fn end(&self, number: Number, resident: Option<Resident>) {
        let pool = self.clone();
        self.shared
            .tasks
            .spawn(Kind::Environment, "environment-end", async move {
                if let Some(resident) = resident {
                    resident.bell.notify_one();
                    resident.environment.kill().await;
                }
                pool.shared.state.lock().table.removed(number);
                pool.shared.note_change();
            });
    }

    fn stay(&self, number: Number) -> Option<Stay> {
        self.shared.state.lock().table.stay(number)
    }

    fn is_resident(&self, number: Number) -> bool {
        self.shared.state.lock().environments.contains_key(&number)
    }
}

impl State {
    /// Takes out the victims of a checkout; the table has let go of them already.
    fn evict(&mut self, victims: &[Number]) -> Vec<Arc<Environment>> {
        let residents = victims.iter().filter_map(|n| self.environments.remove(n));
        residents
            .map(|resident| {
                resident.bell.notify_one();
                resident.environment
            })
            .collect()
    }
}

impl Shared {
    fn note_change(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }
}

impl Lease {
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Gives the environment back for the next invocation.
    pub(crate) fn release(mut self) {
        self.held = false;
        let warm = self.environment.is_up();
        let leaving = {
            let mut state = self.pool.shared.state.lock();
            if state.table.release(self.number, warm, Instant::now()) {
                if let Some(resident) = state.environments.get(&self.number) {
                    resident.bell.notify_one();
                }
                None
            } else {
                Some(state.environments.remove(&self.number))
            }
        };
        match leaving {
            None => self.pool.shared.note_change(),
            Some(resident) => self.pool.end(self.number, resident),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.held {
            let number = self.number;
            self.pool.end_all(|table| {
                table
                    .discard(number)
                    .then_some(number)
                    .into_iter()
                    .collect()
            });
        }
    }
}

impl Reservation {
    /// Puts the new environment in its place.
    pub(crate) fn fill(mut self, environment: Environment) -> Lease {
        self.held = false;
        let environment = Arc::new(environment);
        let bell = Arc::new(Notify::new());
        let resident = Resident {
            environment: environment.clone(),
            bell: bell.clone(),
        };
        {
            let mut state = self.pool.shared.state.lock();
            state.table.bound(self.number, environment.good_until());
            state.environments.insert(self.number, resident);
        }
        let supervisor = supervise::run(self.pool.clone(), self.number, environment.clone(), bell);
        self.pool
            .shared
            .tasks
            .spawn(Kind::Environment, "environment", supervisor);
        Lease {
            pool: self.pool.clone(),
            number: self.number,
            environment,
            held: true,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.held {
            let mut state = self.pool.shared.state.lock();
            state.table.discard(self.number);
            state.table.removed(self.number);
            drop(state);
            self.pool.shared.note_change();
        }
    }
}
