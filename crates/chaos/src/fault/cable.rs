//! What all faults of the network have in common: a rule that lies on some links for a while.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    FaultError, Target, Unsupported, Who,
    act::{Act, Scene, list},
};
use crate::fabric::{Layer, Links, Rule, Select};

/// Which way packets suffer, seen from the victims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Those that they send and those that they get.
    #[default]
    Both,
    /// Those that they get.
    In,
    /// Those that they send.
    Out,
}

/// The two ends of the links that suffer.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    victims: Vec<String>,
    others: Vec<String>,
    direction: Direction,
}

/// A rule on links, as an act.
pub(crate) struct Cable {
    links: Links,
    ends: Ends,
    rule: Rule,
    lasts: Duration,
    sentence: String,
    laid: Vec<Layer>,
}

impl Direction {
    /// `what n1 sends`: the direction in a sentence.
    pub(crate) fn phrase(self, who: &str) -> String {
        match self {
            Self::Both => format!("what {who} sends and gets"),
            Self::In => format!("what {who} gets"),
            Self::Out => format!("what {who} sends"),
        }
    }
}

impl Ends {
    /// Links between chosen nodes and everybody else: every other node, and with `clients` every other host of the fabric.
    pub(crate) fn choose(
        scene: &Scene<'_>,
        who: &Who,
        count: Option<usize>,
        direction: Direction,
        clients: bool,
    ) -> Result<Self, Unsupported> {
        let victims = who.choose(scene, count)?;
        Self::around(scene, victims, direction, clients)
    }

    /// Links between these nodes and everybody else. Links among them stay whole, unless there is nobody else.
    pub(crate) fn around(
        scene: &Scene<'_>,
        victims: Vec<String>,
        direction: Direction,
        clients: bool,
    ) -> Result<Self, Unsupported> {
        let mut others = if clients {
            let mut hosts = scene.links()?.hosts();
            hosts.retain(|host| !victims.contains(host));
            hosts
        } else {
            scene.other_nodes(&victims)
        };
        if others.is_empty() {
            others.clone_from(&victims);
        }
        Ok(Self {
            victims,
            others,
            direction,
        })
    }

    /// Links between some and others, in both directions.
    pub(crate) fn between(victims: Vec<String>, others: Vec<String>) -> Self {
        Self {
            victims,
            others,
            direction: Direction::Both,
        }
    }

    /// `n1 and n2`.
    pub(crate) fn victims_phrase(&self) -> String {
        list(&self.victims)
    }

    /// `what n1 sends to n2 and n3`.
    pub(crate) fn phrase(&self) -> String {
        let others = list(&self.others);
        match self.direction {
            Direction::Both => format!(
                "what {} sends to and gets from {others}",
                list(&self.victims)
            ),
            Direction::In => format!("what {} gets from {others}", list(&self.victims)),
            Direction::Out => format!("what {} sends to {others}", list(&self.victims)),
        }
    }
}

impl Cable {
    pub(crate) fn new(
        scene: &Scene<'_>,
        ends: Ends,
        rule: Rule,
        lasts: Duration,
        sentence: String,
    ) -> Result<Self, Unsupported> {
        Ok(Self {
            links: scene.links()?,
            ends,
            rule,
            lasts,
            sentence,
            laid: Vec::new(),
        })
    }

    /// Makes the rule that lies on the links another one.
    pub(crate) fn change(&self, rule: Rule) {
        for layer in &self.laid {
            layer.change(rule);
        }
    }

    pub(crate) const fn rule(&self) -> Rule {
        self.rule
    }
}

#[async_trait]
impl Act for Cable {
    fn describe(&self) -> String {
        self.sentence.clone()
    }

    fn victims(&self) -> &[String] {
        &self.ends.victims
    }

    async fn begin(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        let victims = Select::Hosts(self.ends.victims.clone());
        let others = Select::Hosts(self.ends.others.clone());
        let layer = match self.ends.direction {
            Direction::Both => self.links.lay_both(&victims, &others, self.rule)?,
            Direction::In => self.links.lay(&others, &victims, self.rule)?,
            Direction::Out => self.links.lay(&victims, &others, self.rule)?,
        };
        self.laid.push(layer);
        Ok(())
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.lasts).await;
        Ok(())
    }

    async fn end(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        self.laid.clear();
        Ok(())
    }
}
