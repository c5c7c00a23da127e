//! Processes die at once (SIGKILL), and are started again after a pause.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    FaultError, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, kill_all, list, start_all},
    who::phrase,
};

/// Parameters of `kill`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Who dies.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How long they are dead. 5 s unless told.
    #[serde(default = "down")]
    pub down: Span,
}

fn down() -> Span {
    Span(Duration::from_secs(5))
}

struct Killing {
    victims: Vec<String>,
    down: Span,
}

impl Kind for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn describe(&self) -> String {
        let who = phrase(&self.who, self.count);
        format!("kill {who} at once; start again after {}", self.down)
    }

    fn lasts(&self) -> Duration {
        self.down.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Kill, Verb::Start])?;
        Ok(Box::new(Killing {
            victims: self.who.choose(scene, self.count)?,
            down: self.down,
        }))
    }
}

#[async_trait]
impl Act for Killing {
    fn describe(&self) -> String {
        let who = list(&self.victims);
        format!("kill {who} at once; start again after {}", self.down)
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        kill_all(target, &self.victims).await
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.down.0).await;
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        start_all(target, &self.victims).await
    }
}
