//! The cluster that suffers, as far as faults know it.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{Role, Roles, Timestamp};

use crate::fabric::Links;

/// A cluster whose nodes can be hurt. A local one can do everything; an operator's staging cluster does what its commands
/// allow and says no to the rest in [`Target::supports`], which is asked before anything begins.
///
/// Every verb is bounded in time, and true when it returns: a killed node is gone, a started one runs (not necessarily
/// ready). Verbs about different nodes may be called at the same time.
#[async_trait]
pub trait Target: Send + Sync {
    /// The nodes, running or not, in an order that does not change.
    fn nodes(&self) -> Vec<Member>;

    /// Whether this can be done to nodes at all; if not, why.
    ///
    /// # Errors
    /// The reason, as the rest of a sentence.
    fn supports(&self, verb: Verb) -> Result<(), String>;

    /// The controller that leads now, if one is known to.
    async fn leader(&self) -> Option<String>;

    /// Whether a node's process runs, be it paused.
    async fn is_up(&self, node: &str) -> bool;

    /// Ends a node's process as a crash does (SIGKILL) and returns when it is gone. One that is not up stays so.
    async fn kill(&self, node: &str) -> Result<(), TargetError>;

    /// Asks a node's process to end (SIGTERM) and waits for it as long as `patience`. Answers whether it is gone.
    async fn terminate(&self, node: &str, patience: Duration) -> Result<bool, TargetError>;

    /// Starts a node on the data it left, and returns when its process runs. One that is up stays so.
    async fn start(&self, node: &str) -> Result<(), TargetError>;

    /// Stops a node's process where it stands (SIGSTOP).
    async fn pause(&self, node: &str) -> Result<(), TargetError>;

    /// Lets a paused process go on (SIGCONT). One that is not paused, or not up, stays so.
    async fn resume(&self, node: &str) -> Result<(), TargetError>;

    /// Takes away everything that a node that is not up has stored.
    async fn wipe(&self, node: &str) -> Result<(), TargetError>;

    /// The links between the nodes, whose hosts have the nodes' names; nothing if they are not ours.
    fn links(&self) -> Option<Links>;

    /// The disk that a node's `data_dir` is on; nothing if it is not ours.
    fn disk(&self, node: &str) -> Option<Arc<dyn Disk>>;

    /// The file that says how far a node's wall clock is off (see [`super::Faketime`]).
    ///
    /// # Errors
    /// Why there is none, as the rest of a sentence.
    fn clock(&self, node: &str) -> Result<PathBuf, String>;

    /// What a node's own wall clock shows; nothing if it does not answer.
    async fn wall(&self, node: &str) -> Option<Timestamp>;
}

/// A disk that fails on demand.
#[async_trait]
pub trait Disk: Send + Sync {
    /// Nothing that it is asked comes to an end, until [`Disk::heal`].
    async fn stall(&self) -> Result<(), TargetError>;

    /// Everything that it is asked takes this much longer, until [`Disk::heal`].
    async fn slow(&self, by: Duration) -> Result<(), TargetError>;

    /// Every read, write and sync answers EIO, until [`Disk::heal`].
    async fn fail(&self) -> Result<(), TargetError>;

    /// Every write that needs room answers ENOSPC, until [`Disk::heal`].
    async fn fill(&self) -> Result<(), TargetError>;

    /// Takes stalls, slowness, errors and fullness off. What waited goes on.
    async fn heal(&self) -> Result<(), TargetError>;

    /// The power fails: what was not synced is lost, and nothing is written from here on. The caller kills the process that
    /// uses the disk.
    async fn cut_power(&self) -> Result<(), TargetError>;

    /// The power comes back: the disk is at the same place again with what it kept. Nobody may use it when this is called.
    async fn restore_power(&self) -> Result<(), TargetError>;
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, also in the fabric.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// What it does.
    pub roles: Roles,
}

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// [`Target::kill`].
    Kill,
    /// [`Target::terminate`].
    Terminate,
    /// [`Target::start`].
    Start,
    /// [`Target::pause`] and [`Target::resume`].
    Pause,
    /// [`Target::wipe`].
    Wipe,
    /// A verb of its [`Disk`].
    Break,
}

/// A target did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} node {node}")]
pub struct TargetError {
    /// What it was told.
    pub verb: Verb,
    /// To whom.
    pub node: String,
    /// Why it did not.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Member {
    /// Whether it has this role.
    #[must_use]
    pub const fn is(&self, role: Role) -> bool {
        self.roles.has(role)
    }
}

impl Verb {
    /// The verb in a sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Terminate => "terminate",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Wipe => "wipe",
            Self::Break => "break the disk of",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TargetError {
    /// What was done to whom, and why it did not work.
    pub fn new(
        verb: Verb,
        node: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            verb,
            node: node.to_owned(),
            source: source.into(),
        }
    }
}
