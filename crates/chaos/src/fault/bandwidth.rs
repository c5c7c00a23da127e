//! Little passes: packets wait for their turn, and those that would wait too long are dropped.

use std::time::Duration;

use serde::Deserialize;

use super::{
    BitRate, Direction, Span, Unsupported, Who,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
    who::phrase,
};
use crate::fabric::Rule;

/// Parameters of `bandwidth`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Whose links.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How much passes a second, on each link for itself.
    pub rate: BitRate,
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

impl Bandwidth {
    fn rule(&self) -> Rule {
        Rule {
            rate: Some(self.rate.0),
            ..Rule::default()
        }
    }

    fn sentence(&self, what: &str) -> String {
        format!("let {} of {what} pass for {}", self.rate, self.lasts)
    }
}

impl Kind for Bandwidth {
    fn name(&self) -> &'static str {
        "bandwidth"
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
