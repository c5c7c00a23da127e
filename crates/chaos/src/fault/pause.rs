//! Processes stand still (SIGSTOP) and go on as if nothing had been (SIGCONT): what a long stop of the machine looks like.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    FaultError, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, list},
    together::together,
    who::phrase,
};

/// Parameters of `pause`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Who stands still.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How long. 5 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn lasts() -> Span {
    Span(Duration::from_secs(5))
}

struct Pausing {
    victims: Vec<String>,
    lasts: Span,
}

impl Kind for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn describe(&self) -> String {
        let who = phrase(&self.who, self.count);
        format!("stop {who} where it stands for {}", self.lasts)
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Pause])?;
        Ok(Box::new(Pausing {
            victims: self.who.choose(scene, self.count)?,
            lasts: self.lasts,
        }))
    }
}

#[async_trait]
impl Act for Pausing {
    fn describe(&self) -> String {
        let who = list(&self.victims);
        format!("stop {who} where it stands for {}", self.lasts)
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        pause_all(target, &self.victims).await
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.lasts.0).await;
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        resume_all(target, &self.victims).await
    }
}

pub(crate) async fn pause_all(target: &dyn Target, nodes: &[String]) -> Result<(), FaultError> {
    together(
        nodes
            .iter()
            .map(|node| async move { Ok(target.pause(node).await?) }),
    )
    .await
}

pub(crate) async fn resume_all(target: &dyn Target, nodes: &[String]) -> Result<(), FaultError> {
    together(
        nodes
            .iter()
            .map(|node| async move { Ok(target.resume(node).await?) }),
    )
    .await
}
