//! A whole zone is gone from the network: its nodes see each other and nobody else, and nobody sees them.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Direction, Span, Unsupported, Who,
    act::{Act, Kind, Scene, list},
    cable::{Cable, Ends},
};
use crate::fabric::Rule;

/// Parameters of `cut-zone`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutZone {
    /// Which zone; chance chooses one unless told.
    pub zone: Option<String>,
    /// Whether clients cannot reach it either. They cannot unless told.
    #[serde(default = "clients")]
    pub clients: bool,
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn clients() -> bool {
    true
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

impl Kind for CutZone {
    fn name(&self) -> &'static str {
        "cut-zone"
    }

    fn describe(&self) -> String {
        match &self.zone {
            Some(zone) => format!("cut zone {zone} off for {}", self.lasts),
            None => format!("cut one zone off for {}", self.lasts),
        }
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        let running = Who::Zone(self.zone.clone()).choose(scene, None)?;
        let zone = scene
            .all
            .iter()
            .find(|member| running.contains(&member.name))
            .map(|member| member.zone.clone());
        // Those that do not run now may be started meanwhile.
        let members = scene.all.iter().filter(|m| Some(&m.zone) == zone.as_ref());
        let victims: Vec<_> = members.map(|m| m.name.clone()).collect();
        if scene.other_nodes(&victims).is_empty() {
            return Err(Unsupported::Senseless(
                "expected nodes in other zones; with one zone there is nothing to cut it off from",
            ));
        }
        let zone = zone.unwrap_or_default();
        let sentence = format!(
            "cut zone {zone} ({}) off for {}",
            list(&victims),
            self.lasts
        );
        let ends = Ends::around(scene, victims, Direction::Both, self.clients)?;
        let cable = Cable::new(scene, ends, Rule::cut(), self.lasts.0, sentence)?;
        Ok(Box::new(cable))
    }
}
