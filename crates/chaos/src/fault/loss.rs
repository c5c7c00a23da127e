//! Packets vanish.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Direction, Share, Span, Unsupported, Who,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
    who::phrase,
};
use crate::fabric::Rule;

/// Parameters of `loss`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Whose links.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// The share that vanishes.
    pub share: Share,
    /// The share that arrives twice. None unless told.
    #[serde(default)]
    pub duplicate: Share,
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

impl Loss {
    fn rule(&self) -> Rule {
        Rule {
            duplicate: self.duplicate.get(),
            ..Rule::lossy(self.share.get())
        }
    }

    fn sentence(&self, what: &str) -> String {
        format!("lose {} of {what} for {}", self.share, self.lasts)
    }
}

impl Kind for Loss {
    fn name(&self) -> &'static str {
        "loss"
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
