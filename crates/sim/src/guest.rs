//! Sandboxes of a simulated node: their code is a script, and speaks the real Runtime API.
//!
//! [`Guests`] is a [`Driver`] whose sandboxes are tasks of the node that makes them. A deployment package's `bootstrap` is
//! no program but a [`script::Script`]; what a payload asks for is in [`script::Order`]. Everything between worker and
//! script is real: the listener, HTTP, the log, freezing, exits. A frozen guest makes no step, a killed one is dropped where
//! it stands, and a guest dies with its node because its task does.
//!
//! What guests did is in a [`Ledger`], which outlives every node.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use host::{Entropy, Tasks};
use parking_lot::Mutex;
use sandbox::{CreateError, Driver, Report, Sandbox, Spec};
use tokio_util::sync::CancellationToken;

mod api;
mod health;
mod inlet;
pub mod ledger;
mod printer;
pub mod script;
mod shell;
#[cfg(test)]
mod tests;

pub use health::{Health, Illness};
pub use ledger::{Alive, Ending, Execution, Ledger, Overlap};

use shell::{Body, Shell};

/// The environment variable that every function of a world has: its own name.
pub(crate) const OWNER: &str = "OWNER";
/// How long it takes to make a sandbox, at least, and how much longer at most, in milliseconds.
const CREATE_MS: (u64, u64) = (4, 20);

/// The driver of one process of a simulated node. Its guests die with it.
pub struct Guests {
    node: String,
    entropy: Arc<dyn Entropy>,
    ledger: Ledger,
    health: Health,
    report: Report,
    tasks: Tasks,
    stopped: CancellationToken,
    bodies: Mutex<Bodies>,
}

#[derive(Default)]
struct Bodies {
    used: BTreeSet<String>,
    alive: BTreeMap<String, Arc<Body>>,
}

impl Guests {
    /// A driver without sandboxes. `node` names the node in the ledger.
    #[must_use]
    pub fn new(node: &str, entropy: Arc<dyn Entropy>, ledger: Ledger) -> Arc<Self> {
        Self::in_health(node, entropy, ledger, Health::default())
    }

    /// Like [`new`](Self::new), for a node that may fall ill.
    #[must_use]
    pub fn in_health(
        node: &str,
        entropy: Arc<dyn Entropy>,
        ledger: Ledger,
        health: Health,
    ) -> Arc<Self> {
        Arc::new(Self {
            node: node.to_owned(),
            entropy,
            ledger,
            health,
            report: Report::default(),
            tasks: Tasks::in_place(),
            stopped: CancellationToken::new(),
            bodies: Mutex::default(),
        })
    }

    fn check(&self, spec: &Spec) -> Result<(), CreateError> {
        if self.stopped.is_cancelled() {
            return Err(CreateError::Stopped);
        }
        if self.bodies.lock().used.contains(&spec.id) {
            return Err(CreateError::Invalid {
                field: "id",
                reason: format!("expected one that was not used yet, got {}", spec.id),
            });
        }
        if let sandbox::NetworkPolicy::Named(policy) = &spec.network {
            return Err(CreateError::Network {
                policy: policy.clone(),
                reason: "simulated sandboxes have no network".to_owned(),
                remedy: "simulate without network policies".to_owned(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for Guests {
    fn name(&self) -> &'static str {
        "guests"
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn runs_interpreters(&self) -> bool {
        false
    }

    async fn create(&self, spec: Spec) -> Result<Box<dyn Sandbox>, CreateError> {
        self.check(&spec)?;
        let entropy = self.entropy.fork(&spec.id);
        let usual = between(&*entropy, CREATE_MS);
        tokio::time::sleep(usual + self.health.start_delay()).await;
        self.check(&spec)?;
        if self.health.forbids(&*entropy) {
            return Err(CreateError::Setup {
                step: "mount /var/task".to_owned(),
                source: io::Error::from_raw_os_error(5),
            });
        }
        let ground = shell::Ground {
            node: self.node.clone(),
            entropy,
            ledger: self.ledger.clone(),
            health: self.health.clone(),
            tasks: self.tasks.clone(),
            killed: self.stopped.child_token(),
        };
        let id = spec.id.clone();
        let shell = Shell::new(spec, ground);
        let mut bodies = self.bodies.lock();
        // Those that are over are of no interest any more.
        bodies.alive.retain(|_, body| !body.is_killed());
        bodies.used.insert(id.clone());
        bodies.alive.insert(id, shell.body());
        Ok(Box::new(shell))
    }

    /// Nothing is left of a previous life: it took its guests along.
    async fn sweep(&self) -> io::Result<usize> {
        Ok(0)
    }

    async fn shutdown(&self) {
        self.stopped.cancel();
        let alive = std::mem::take(&mut self.bodies.lock().alive);
        for body in alive.into_values() {
            body.kill().await;
        }
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.stopped.cancel();
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guests")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// A draw: at least the first, at most the second more, in milliseconds.
fn between(entropy: &dyn Entropy, (least, more): (u64, u64)) -> Duration {
    Duration::from_millis(least + entropy.below(more + 1))
}
