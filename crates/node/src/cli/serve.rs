//! What `server` and `dev` share: the runtime, signals, the drain.

use std::{io, process::ExitCode, time::Duration};

use host::Tasks;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

use super::{Exit, FAILED};
use crate::{
    admin::{Admin, metrics::Metrics},
    compose::NodeHandle,
    config::NodeConfig,
};

/// How long the admin endpoint may take to end after its node did.
const ADMIN_GRACE: Duration = Duration::from_millis(500);
/// What a shell answers for a process that a signal ended: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// A runtime for a node.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .thread_name("dunlin")
        .enable_all()
        .build()
}

/// A runtime for a question.
pub(crate) fn small_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The signals that end a node. Made before anything else, so that none is missed.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A running node with its admin endpoint.
pub(crate) struct Running {
    node: NodeHandle,
    admin: Tasks,
}

impl Running {
    /// Begins to answer operators about a node on a socket that was bound before.
    pub(crate) fn new(node: NodeHandle, listener: TcpListener) -> Self {
        let admin = Tasks::new();
        Admin::new(node.subject(), Metrics::new(node.figures()))
            .with_audit(node.audit().cloned())
            .serve(listener, &admin);
        Self { node, admin }
    }

    /// Waits for a signal or the end of the node's storage, drains, and answers the exit code. A second signal ends the
    /// drain at once.
    pub(crate) async fn until_stopped(self, signals: &mut Signals, grace: Duration) -> ExitCode {
        let code = tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, ?grace, "draining; a second signal ends this node at once");
                ExitCode::SUCCESS
            }
            fatal = self.node.failed() => {
                let error = format!("{:#}", anyhow::Error::new(fatal));
                tracing::error!(error, "this node cannot go on");
                ExitCode::from(FAILED)
            }
        };
        let drained = async {
            if !self.node.drain(grace).await {
                tracing::warn!("the grace period ended before all work under way did");
            }
            self.admin.drain(ADMIN_GRACE).await;
        };
        tokio::select! {
            () = drained => code,
            _ = signals.next() => ExitCode::from(INTERRUPTED),
        }
    }
}

/// Binds the admin endpoint of a configuration.
pub(crate) async fn bind_admin(config: &NodeConfig) -> Result<TcpListener, Exit> {
    let address = config.listen.admin;
    TcpListener::bind(address).await.map_err(|source| {
        Exit::from(crate::compose::StartError::Bind {
            key: "listen.admin",
            address,
            source,
        })
    })
}
