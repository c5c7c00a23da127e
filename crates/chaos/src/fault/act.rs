//! The life that every kind of fault has.

use std::time::Duration;

use async_trait::async_trait;
use host::Entropy;
use model::Role;

use super::{FaultError, Member, Target, Unsupported, Verb, together::together};
use crate::fabric::Links;

/// The parameters of one kind of fault.
pub(crate) trait Kind: Send + Sync {
    /// How a scenario spells it.
    fn name(&self) -> &'static str;

    /// What it does, before victims are chosen.
    fn describe(&self) -> String;

    /// How long it is held.
    fn lasts(&self) -> Duration;

    /// Chooses victims and finds out whether all this is possible.
    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported>;
}

/// One fault with its victims.
#[async_trait]
pub(crate) trait Act: Send + Sync {
    /// What it does to whom.
    fn describe(&self) -> String;

    /// Whom it hits.
    fn victims(&self) -> &[String];

    /// Makes it happen.
    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError>;

    /// As long as it lasts.
    async fn hold(&mut self, target: &dyn Target) -> Result<(), FaultError>;

    /// Heals whatever of it has happened; called once, whether or not the others came to their ends.
    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError>;
}

/// The cluster at the moment that victims are chosen.
pub(crate) struct Scene<'a> {
    /// Its nodes, those that are up first in the order of the target.
    pub(crate) up: Vec<Member>,
    /// Every node.
    pub(crate) all: Vec<Member>,
    /// Who leads.
    pub(crate) leader: Option<String>,
    pub(crate) target: &'a dyn Target,
    pub(crate) entropy: &'a dyn Entropy,
}

impl<'a> Scene<'a> {
    pub(crate) async fn look(target: &'a dyn Target, entropy: &'a dyn Entropy) -> Self {
        let all = target.nodes();
        let mut up = Vec::with_capacity(all.len());
        for member in &all {
            if target.is_up(&member.name).await {
                up.push(member.clone());
            }
        }
        Self {
            up,
            all,
            leader: target.leader().await,
            target,
            entropy,
        }
    }

    /// That the target can do all of these.
    pub(crate) fn needs(&self, verbs: &[Verb]) -> Result<(), Unsupported> {
        for verb in verbs {
            self.target
                .supports(*verb)
                .map_err(|reason| Unsupported::Verb {
                    verb: *verb,
                    reason,
                })?;
        }
        Ok(())
    }

    pub(crate) fn links(&self) -> Result<Links, Unsupported> {
        self.target.links().ok_or(Unsupported::NoLinks)
    }

    /// Every running node with this role.
    pub(crate) fn with_role(&self, role: Role) -> Vec<String> {
        let those = self.up.iter().filter(|member| member.is(role));
        those.map(|member| member.name.clone()).collect()
    }

    /// Every node, running or not, that is not among these.
    pub(crate) fn other_nodes(&self, these: &[String]) -> Vec<String> {
        let others = self.all.iter().filter(|m| !these.contains(&m.name));
        others.map(|member| member.name.clone()).collect()
    }

    /// So many of these, drawn evenly; all, if there are no more.
    pub(crate) fn draw(&self, mut from: Vec<String>, count: usize) -> Vec<String> {
        let mut drawn = Vec::new();
        while drawn.len() < count && !from.is_empty() {
            let bound = u64::try_from(from.len()).unwrap_or(u64::MAX);
            let at = usize::try_from(self.entropy.below(bound)).unwrap_or(0);
            drawn.push(from.remove(at));
        }
        drawn
    }
}

/// Starts every one of these that is not up, all at once. Every one is tried; the first error is answered.
pub(crate) async fn start_all(target: &dyn Target, nodes: &[String]) -> Result<(), FaultError> {
    together(nodes.iter().map(|node| async move {
        if !target.is_up(node).await {
            target.start(node).await?;
        }
        Ok(())
    }))
    .await
}

/// Kills all of these at once.
pub(crate) async fn kill_all(target: &dyn Target, nodes: &[String]) -> Result<(), FaultError> {
    together(
        nodes
            .iter()
            .map(|node| async move { Ok(target.kill(node).await?) }),
    )
    .await
}

/// `n1, n2 and n3`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
