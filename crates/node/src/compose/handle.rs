//! A running node, from outside.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use audit::Recorder;
use catalog::LocalCopy;
use controller::Controller;
use frontend::Frontend;
use host::Host;
use worker::Worker;

use super::{count, observe::Observer};
use crate::admin::{Subject, metrics::Figures};

/// How long environments may take to end once no request needs them.
const ENVIRONMENTS_MAX: Duration = Duration::from_secs(2);
/// How long the last records of the audit log may take.
const RECORD_MAX: Duration = Duration::from_secs(2);
/// How long handing leadership over may take.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);
/// How long saying goodbye may take.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// A running node. When it is dropped the node runs on: end it with [`NodeHandle::drain`] or [`NodeHandle::crash`].
pub struct NodeHandle {
    pub(super) addresses: Addresses,
    pub(super) observer: Arc<Observer>,
    pub(super) host: Host,
    pub(super) copy: LocalCopy,
    pub(super) controller: Option<Controller>,
    pub(super) worker: Option<Arc<Worker>>,
    pub(super) frontend: Option<Frontend>,
}

/// Where a node listens, with real ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The AWS API; on frontends.
    pub public: Option<SocketAddr>,
    /// The gRPC API; on frontends.
    pub grpc: Option<SocketAddr>,
    /// The other nodes.
    pub internal: SocketAddr,
}

impl NodeHandle {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Its copy of the catalog.
    #[must_use]
    pub fn copy(&self) -> &LocalCopy {
        &self.copy
    }

    /// The controller in it, if it is one.
    #[must_use]
    pub fn controller(&self) -> Option<&Controller> {
        self.controller.as_ref()
    }

    /// What operators ask it.
    #[must_use]
    pub fn subject(&self) -> Arc<dyn Subject> {
        self.observer.clone()
    }

    /// The audit log that it writes, if it is a frontend.
    #[must_use]
    pub fn audit(&self) -> Option<&Recorder> {
        self.frontend.as_ref().map(Frontend::audit)
    }

    /// What it counts.
    #[must_use]
    pub fn figures(&self) -> Vec<Arc<dyn Figures>> {
        let mut parts: Vec<Arc<dyn Figures>> = vec![self.observer.clone()];
        if let Some(frontend) = &self.frontend {
            parts.push(Arc::new(count::Edge(frontend.clone())));
        }
        if let Some(worker) = &self.worker {
            parts.push(Arc::new(count::Works(worker.clone())));
        }
        parts
    }

    /// Returns when the node can do its work.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ready(&self) {
        self.observer.ready().await;
    }

    /// Returns when the node's storage failed, on a node of any role: the process must end.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn failed(&self) -> replica::Fatal {
        let controller = async {
            match &self.controller {
                Some(controller) => controller.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            fatal = controller => fatal,
            error = self.copy.failed() => replica::Fatal::Store(error),
        }
    }

    /// Ends the node in order: no new work, work under way to its end within `grace`, leadership and gossip handed over,
    /// storage flushed. Answers whether all work ended by itself.
    pub async fn drain(&self, grace: Duration) -> bool {
        let in_time = self.host.tasks.finish(grace).await;
        tracing::debug!(in_time, "drain: requests are over");
        if let Some(frontend) = &self.frontend
            && tokio::time::timeout(RECORD_MAX, frontend.audit().flush())
                .await
                .is_err()
        {
            tracing::warn!("the audit log was not brought to disk in time");
        }
        let worker = async {
            if let Some(worker) = &self.worker {
                worker.drain(ENVIRONMENTS_MAX).await;
                tracing::debug!("drain: environments have ended");
            }
        };
        let controller = async {
            if let Some(controller) = &self.controller
                && tokio::time::timeout(HAND_OVER_MAX, controller.stop())
                    .await
                    .is_err()
            {
                tracing::warn!("leadership was not handed over in time");
            }
            tracing::debug!("drain: raft has stopped");
        };
        let gossip = async {
            let alone = self.host.membership.watch().borrow().len() < 2;
            if !alone {
                let _bounded = tokio::time::timeout(LEAVE_MAX, self.host.membership.leave()).await;
            }
            tracing::debug!("drain: gossip was told");
        };
        futures::future::join3(worker, controller, gossip).await;
        if let Err(error) = self.host.store.flush().await {
            tracing::warn!(%error, "the store was not flushed; the next start replays the log");
        }
        tracing::debug!("drain: the store is flushed");
        self.host.tasks.stop().await;
        in_time
    }

    /// Ends the node as a crash of its process would: nothing is handed over, nothing is flushed.
    pub async fn crash(self) {
        self.host.tasks.stop().await;
    }
}
