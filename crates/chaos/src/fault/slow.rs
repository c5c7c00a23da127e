//! Packets take long on their way.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Direction, Share, Span, Unsupported, Who,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
    who::phrase,
};
use crate::fabric::Rule;

/// Parameters of `slow`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// Whose links.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How long a packet takes.
    pub delay: Span,
    /// How much that varies to either side. Not at all unless told.
    #[serde(default = "steady")]
    pub jitter: Span,
    /// The share of packets that others overtake. None unless told.
    #[serde(default)]
    pub reorder: Share,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// Whether what passes between them and clients suffers, too. It does not unless told.
    #[serde(default)]
    pub clients: bool,
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

impl Slow {
    fn rule(&self) -> Rule {
        Rule {
            reorder: self.reorder.get(),
            ..Rule::slow(self.delay.0, self.jitter.0)
        }
    }

    fn sentence(&self, what: &str) -> String {
        let Self {
            delay,
            jitter,
            lasts,
            ..
        } = self;
        format!("delay {what} by {delay} ± {jitter} for {lasts}")
    }
}

impl Kind for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn describe(&self) -> String {
        let who = phrase(&self.who, self.count);
        self.sentence(&self.direction.phrase(&who))
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        let ends = Ends::choose(scene, &self.who, self.count, self.direction, self.clients)?;
        let sentence = self.sentence(&ends.phrase());
        let cable = Cable::new(scene, ends, self.rule(), self.lasts.0, sentence)?;
        Ok(Box::new(cable))
    }
}

fn steady() -> Span {
    Span(Duration::ZERO)
}
