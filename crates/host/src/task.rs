//! Background work: named, traced, bounded by the life of its node.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// What a task is for: it decides what its failure means and how long a drain waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Accepts connections.
    Listener,
    /// Serves one connection; a drain waits for it.
    Connection,
    /// Serves one request that outlives its connection; a drain waits for it.
    Request,
    /// Follows something for ever: watch streams, reconcilers. Cancelled at once by a drain.
    Background,
    /// Keeps something up until the node stops, which a drain needs to the end: gossip, that says so; Raft, that must not
    /// lose a voter for the time of a drain. Cancelled once requests are over.
    Lasting,
    /// Looks after one environment; cancelled by a drain once requests are over.
    Environment,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Connection => "connection",
            Self::Request => "request",
            Self::Background => "background",
            Self::Lasting => "lasting",
            Self::Environment => "environment",
        }
    }
}

/// Spawns the tasks of one node. Clones share the same set.
///
/// Cancellation: every task gets a token and should end soon after it fires; tasks of kind [`Kind::Connection`] and
/// [`Kind::Request`] see [`Tasks::draining`] first and have until the end of the drain to finish on their own. What is
/// left when [`Tasks::drain`] gives up is dropped at its next await.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    all: TaskTracker,
    /// Those that a drain waits for.
    awaited: TaskTracker,
    draining: CancellationToken,
    stopped: CancellationToken,
    in_place: bool,
}

impl Tasks {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty set that does blocking work where it is asked for, on the thread that asks: a simulator has one thread,
    /// and what happens on it must not depend on how long another one takes.
    #[must_use]
    pub fn in_place() -> Self {
        Self {
            in_place: true,
            ..Self::default()
        }
    }

    /// Whether blocking work is done in place: then no thread may be started for it either.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.in_place
    }

    /// Runs a future until it ends or the node stops. `name` is for logs and traces.
    pub fn spawn<F>(&self, kind: Kind, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = match kind {
            Kind::Listener | Kind::Background => self.draining.clone(),
            Kind::Connection | Kind::Request | Kind::Lasting | Kind::Environment => {
                self.stopped.clone()
            }
        };
        let span = tracing::debug_span!("task", kind = kind.as_str(), name);
        let awaited = match kind {
            Kind::Connection | Kind::Request => Some(self.awaited.token()),
            Kind::Listener | Kind::Background | Kind::Lasting | Kind::Environment => None,
        };
        let guarded = async move {
            let _awaited = awaited;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = future => {}
            }
        };
        #[allow(
            clippy::disallowed_methods,
            reason = "this is the one place that spawns"
        )]
        self.all.spawn(guarded.instrument(span));
    }

    /// Runs blocking work on the thread pool for it, or in place (see [`Tasks::in_place`]).
    ///
    /// # Errors
    /// [`tokio::task::JoinError`] if the work panicked.
    pub async fn blocking<T, F>(&self, work: F) -> Result<T, tokio::task::JoinError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self.in_place {
            return Ok(work());
        }
        tokio::task::spawn_blocking(work).await
    }

    /// Fires when the node begins to drain: take no new work.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Fires when the node has stopped waiting.
    #[must_use]
    pub fn stopped(&self) -> CancellationToken {
        self.stopped.clone()
    }

    /// Begins to drain, waits at most `grace` for connections and requests to end, then stops what is left: environments
    /// are needed until the last request is over. Returns whether every connection and request ended by itself.
    pub async fn drain(&self, grace: Duration) -> bool {
        let in_time = self.finish(grace).await;
        self.stop().await;
        in_time
    }

    /// The first half of a drain: begins it, and waits at most `grace` for connections and requests to end. Environments
    /// and lasting tasks run on, for whoever must hand something over first. Returns as [`Tasks::drain`] does.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.draining.cancel();
        self.awaited.close();
        tokio::time::timeout(grace, self.awaited.wait())
            .await
            .is_ok()
    }

    /// The second half: stops what is left and waits until it is gone.
    pub async fn stop(&self) {
        self.draining.cancel();
        self.stopped.cancel();
        self.all.close();
        self.all.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_requests_and_not_for_background_work() {
        let tasks = Tasks::new();
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        tasks.spawn(Kind::Background, "forever", std::future::pending());
        tasks.spawn(Kind::Request, "slow", async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            flag.store(true, Ordering::SeqCst);
        });
        assert!(tasks.drain(Duration::from_secs(5)).await);
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_keeps_environments_until_requests_are_over() {
        let tasks = Tasks::new();
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(Kind::Environment, "environment", async move {
            let _answers_at_the_end = sender;
            std::future::pending().await
        });
        tasks.spawn(Kind::Request, "request", async move {
            let environment = tokio::time::timeout(Duration::from_secs(3), receiver);
            assert!(environment.await.is_err(), "the environment ended first");
        });
        let before = tokio::time::Instant::now();
        assert!(tasks.drain(Duration::from_secs(60)).await);
        assert_eq!(before.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_gives_up_after_its_grace() {
        let tasks = Tasks::new();
        tasks.spawn(Kind::Request, "stuck", std::future::pending());
        let before = tokio::time::Instant::now();
        assert!(!tasks.drain(Duration::from_secs(5)).await);
        assert_eq!(before.elapsed(), Duration::from_secs(5));
    }
}
