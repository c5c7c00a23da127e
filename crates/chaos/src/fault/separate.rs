//! Two roles do not see each other, such as controllers and frontends: what runs must go on running, and what needs a
//! quorum must say so quickly.

use std::time::Duration;

use model::Role;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    Span, Unsupported, Who,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
};
use crate::fabric::Rule;

/// Parameters of `separate`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Separate {
    /// One role.
    #[serde(deserialize_with = "role")]
    pub role: Role,
    /// The role that it does not see. A node that has both is on the side of the first.
    #[serde(deserialize_with = "role")]
    pub from: Role,
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

fn role<'de, D: Deserializer<'de>>(from: D) -> Result<Role, D::Error> {
    match Who::deserialize(from)? {
        Who::Role(role) => Ok(role),
        other => Err(D::Error::custom(format!(
            "expected \"controller\", \"worker\" or \"frontend\", got \"{other}\""
        ))),
    }
}

impl Kind for Separate {
    fn name(&self) -> &'static str {
        "separate"
    }

    fn describe(&self) -> String {
        let (role, from) = (self.role.as_str(), self.from.as_str());
        format!("cut every {role} off from every {from} for {}", self.lasts)
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        let of = |role: Role| {
            let those = scene.all.iter().filter(move |m| m.is(role));
            those.map(|m| m.name.clone()).collect::<Vec<_>>()
        };
        let victims = of(self.role);
        let mut others = of(self.from);
        others.retain(|name| !victims.contains(name));
        for (side, who) in [
            (&victims, self.role.as_str().to_owned()),
            (
                &others,
                format!(
                    "{} without being {}",
                    self.from.as_str(),
                    self.role.as_str()
                ),
            ),
        ] {
            if side.is_empty() {
                return Err(Unsupported::TooFew {
                    who,
                    wanted: 1,
                    got: 0,
                });
            }
        }
        let ends = Ends::between(victims, others);
        let sentence = format!("cut {} for {}", ends.phrase(), self.lasts);
        let cable = Cable::new(scene, ends, Rule::cut(), self.lasts.0, sentence)?;
        Ok(Box::new(cable))
    }
}
