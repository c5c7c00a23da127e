//! Packets arrive with wrong bits: some that checksums see, some that only cryptography does.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Direction, Share, Span, Unsupported, Who,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
    who::phrase,
};
use crate::fabric::Rule;

/// Parameters of `corrupt`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// Whose links.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// The share with a wrong bit that checksums see. None unless told.
    #[serde(default)]
    pub share: Share,
    /// The share with wrong bits that checksums do not see. None unless told.
    #[serde(default)]
    pub unseen: Share,
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

impl Corrupt {
    fn rule(&self) -> Rule {
        Rule {
            corrupt: self.share.get(),
            corrupt_unseen: self.unseen.get(),
            ..Rule::default()
        }
    }

    fn sentence(&self, what: &str) -> String {
        let Self {
            share,
            unseen,
            lasts,
            ..
        } = self;
        format!(
            "corrupt {share} of {what}, and {unseen} so that checksums do not see it, for {lasts}"
        )
    }
}

impl Kind for Corrupt {
    fn name(&self) -> &'static str {
        "corrupt"
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
