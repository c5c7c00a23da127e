//! Two controllers do not see each other while the others see both: two majorities that overlap. If one of the two leads,
//! the other must neither depose it again and again nor stay behind for ever.

use std::time::Duration;

use model::Role;
use serde::Deserialize;

use super::{
    Span, Unsupported,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
};
use crate::fabric::Rule;

/// Parameters of `bridge`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

impl Kind for Bridge {
    fn name(&self) -> &'static str {
        "bridge"
    }

    fn describe(&self) -> String {
        format!(
            "cut the leader and one follower off from each other alone for {}",
            self.lasts
        )
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        let controllers = scene.with_role(Role::Controller);
        if controllers.len() < 3 {
            return Err(Unsupported::TooFew {
                who: "controller".to_owned(),
                wanted: 3,
                got: controllers.len(),
            });
        }
        let leads = |name: &&String| scene.leader.as_ref() == Some(*name);
        let one = match controllers.iter().find(leads) {
            Some(leader) => vec![leader.clone()],
            None => scene.draw(controllers.clone(), 1),
        };
        let mut rest = controllers;
        rest.retain(|name| !one.contains(name));
        let ends = Ends::between(one, scene.draw(rest, 1));
        let sentence = format!("cut {} for {}", ends.phrase(), self.lasts);
        let cable = Cable::new(scene, ends, Rule::cut(), self.lasts.0, sentence)?;
        Ok(Box::new(cable))
    }
}
