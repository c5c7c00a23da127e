//! Whom a fault hits.

use std::{fmt, str::FromStr};

use model::Role;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Unsupported, act::Scene, units::InvalidUnit};

/// Some nodes: `leader`, `follower` (a controller that does not lead), `controller`, `worker`, `frontend`, `any`, `all`,
/// `zone:NAME`, `zone:any` or `node:NAME`. Only nodes that run are chosen. How many: all of them for `all` and zones, one
/// otherwise, unless the fault's `count` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The controller that leads.
    Leader,
    /// Controllers that do not lead.
    Follower,
    /// Nodes with a role.
    Role(Role),
    /// Nodes, whichever.
    Any,
    /// Every node.
    All,
    /// The nodes of a zone; of one that chance chooses if there is no name.
    Zone(Option<String>),
    /// One node.
    Node(String),
}

impl Who {
    /// Chooses among the running nodes, in the target's order of names or drawn.
    pub(crate) fn choose(
        &self,
        scene: &Scene<'_>,
        count: Option<usize>,
    ) -> Result<Vec<String>, Unsupported> {
        let fit = self.fit(scene);
        let wanted = count.unwrap_or(match self {
            Self::All | Self::Zone(_) => fit.len().max(1),
            Self::Leader | Self::Follower | Self::Role(_) | Self::Any | Self::Node(_) => 1,
        });
        if wanted == 0 {
            return Err(Unsupported::Senseless("expected a count of at least 1"));
        }
        if fit.len() < wanted {
            return Err(Unsupported::TooFew {
                who: self.to_string(),
                wanted,
                got: fit.len(),
            });
        }
        if fit.len() == wanted {
            return Ok(fit);
        }
        Ok(scene.draw(fit, wanted))
    }

    fn fit(&self, scene: &Scene<'_>) -> Vec<String> {
        let zone = match self {
            Self::Zone(Some(zone)) => Some(zone.clone()),
            Self::Zone(None) => draw_zone(scene),
            _ => None,
        };
        let leads = |name: &String| scene.leader.as_ref() == Some(name);
        let fits = |member: &&super::Member| match self {
            Self::Leader => leads(&member.name),
            Self::Follower => member.is(Role::Controller) && !leads(&member.name),
            Self::Role(role) => member.is(*role),
            Self::Any | Self::All => true,
            Self::Zone(_) => Some(&member.zone) == zone.as_ref(),
            Self::Node(name) => member.name == *name,
        };
        let fit = scene.up.iter().filter(fits);
        fit.map(|member| member.name.clone()).collect()
    }
}

fn draw_zone(scene: &Scene<'_>) -> Option<String> {
    let mut zones: Vec<_> = scene.up.iter().map(|m| m.zone.clone()).collect();
    zones.sort_unstable();
    zones.dedup();
    scene.draw(zones, 1).pop()
}

impl FromStr for Who {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let role = Role::ALL.into_iter().find(|role| role.as_str() == text);
        Ok(match (text, role) {
            (_, Some(role)) => Self::Role(role),
            ("leader", _) => Self::Leader,
            ("follower", _) => Self::Follower,
            ("any", _) => Self::Any,
            ("all", _) => Self::All,
            ("zone:any", _) => Self::Zone(None),
            _ => match text.split_once(':') {
                Some(("zone", name)) if !name.is_empty() => Self::Zone(Some(name.to_owned())),
                Some(("node", name)) if !name.is_empty() => Self::Node(name.to_owned()),
                _ => {
                    return Err(InvalidUnit {
                        expected: "\"leader\", \"follower\", a role, \"any\", \"all\", \"zone:NAME\", \"zone:any\" or \"node:NAME\"",
                        got: text.to_owned(),
                    });
                }
            },
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("leader"),
            Self::Follower => f.write_str("follower"),
            Self::Role(role) => f.write_str(role.as_str()),
            Self::Any => f.write_str("any"),
            Self::All => f.write_str("all"),
            Self::Zone(Some(zone)) => write!(f, "zone:{zone}"),
            Self::Zone(None) => f.write_str("zone:any"),
            Self::Node(node) => write!(f, "node:{node}"),
        }
    }
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// `the leader`, `2 × worker`, `all of zone:a`: how a sentence names victims that are not chosen yet.
pub(crate) fn phrase(who: &Who, count: Option<usize>) -> String {
    match (who, count) {
        (Who::Node(name), _) => name.clone(),
        (Who::Leader, _) => "the leader".to_owned(),
        (Who::All, None) => "all nodes".to_owned(),
        (Who::Zone(_), None) => format!("all of {who}"),
        (Who::Any, None) => "any node".to_owned(),
        (Who::Follower | Who::Role(_), None) => format!("one {who}"),
        (_, Some(count)) => format!("{count} × {who}"),
    }
}
