//! A cluster that can be watched beside being hurt.

use async_trait::async_trait;

use crate::{
    fault::Target,
    verdict::{Leadership, Remark},
};

/// What a run asks a cluster, beside what faults do to it.
#[async_trait]
pub trait Watched: Target {
    /// Who leads, by the newest term that a running controller knows a leader of.
    async fn leadership(&self) -> Option<Leadership>;

    /// Why each node that is not ready is not; empty if all are.
    async fn unready(&self) -> Vec<String>;

    /// What nodes have done until now that they should not. Complete once they are stopped.
    fn remarks(&self) -> Vec<Remark>;
}
