//! Fewer than half of the controllers are on their own, together. If the leader is among them, it must step down; in any
//! case nothing that they answer may be a promise.

use std::time::Duration;

use model::Role;
use serde::Deserialize;

use super::{
    Direction, Span, Unsupported,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
};
use crate::fabric::Rule;

/// Parameters of `minority`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minority {
    /// Whether the leader is in the minority. It is unless told.
    #[serde(default = "with_leader")]
    pub with_leader: bool,
    /// Whether clients cannot reach the minority either. They can unless told.
    #[serde(default)]
    pub clients: bool,
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn with_leader() -> bool {
    true
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

impl Minority {
    fn choose(&self, scene: &Scene<'_>) -> Result<Vec<String>, Unsupported> {
        let all = scene.all.iter().filter(|m| m.is(Role::Controller)).count();
        let mut controllers = scene.with_role(Role::Controller);
        let size = all.saturating_sub(1) / 2;
        let too_few = |wanted| Unsupported::TooFew {
            who: "controller".to_owned(),
            wanted,
            got: controllers.len(),
        };
        if size == 0 || controllers.len() < 2 {
            return Err(too_few(3));
        }
        let Some(leader) = scene.leader.clone().filter(|l| controllers.contains(l)) else {
            return Err(Unsupported::TooFew {
                who: "leader".to_owned(),
                wanted: 1,
                got: 0,
            });
        };
        controllers.retain(|name| *name != leader);
        if !self.with_leader {
            return Ok(scene.draw(controllers, size));
        }
        let mut minority = vec![leader];
        minority.extend(scene.draw(controllers, size - 1));
        Ok(minority)
    }

    fn sentence(&self, who: &str) -> String {
        format!("cut {who} off from everybody else for {}", self.lasts)
    }
}

impl Kind for Minority {
    fn name(&self) -> &'static str {
        "minority"
    }

    fn describe(&self) -> String {
        self.sentence(if self.with_leader {
            "a minority of the controllers, the leader among them,"
        } else {
            "a minority of the controllers without the leader"
        })
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        let minority = self.choose(scene)?;
        let ends = Ends::around(scene, minority, Direction::Both, self.clients)?;
        let sentence = self.sentence(&ends.victims_phrase());
        let cable = Cable::new(scene, ends, Rule::cut(), self.lasts.0, sentence)?;
        Ok(Box::new(cable))
    }
}
