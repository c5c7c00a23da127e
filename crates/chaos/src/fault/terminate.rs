//! Processes are asked to end (SIGTERM): they drain, hand over and exit by themselves, and are started again.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    FaultError, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, list, start_all},
    together::together,
    who::phrase,
};

/// Parameters of `terminate`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminate {
    /// Who is asked.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How long they may take; one that takes longer is killed, and the fault failed. 60 s unless told.
    #[serde(default = "patience")]
    pub patience: Span,
    /// How long they are away then. 5 s unless told.
    #[serde(default = "down")]
    pub down: Span,
}

fn patience() -> Span {
    Span(Duration::from_secs(60))
}

fn down() -> Span {
    Span(Duration::from_secs(5))
}

struct Terminating {
    victims: Vec<String>,
    fault: Terminate,
}

impl Terminate {
    fn sentence(&self, who: &str) -> String {
        let Self { patience, down, .. } = self;
        format!("ask {who} to end within {patience}; start again after {down}")
    }
}

impl Kind for Terminate {
    fn name(&self) -> &'static str {
        "terminate"
    }

    fn describe(&self) -> String {
        self.sentence(&phrase(&self.who, self.count))
    }

    fn lasts(&self) -> Duration {
        self.down.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Terminate, Verb::Kill, Verb::Start])?;
        if self.patience.0 > Duration::from_secs(150) {
            return Err(Unsupported::Senseless(
                "expected a patience of at most 150s",
            ));
        }
        Ok(Box::new(Terminating {
            victims: self.who.choose(scene, self.count)?,
            fault: self.clone(),
        }))
    }
}

#[async_trait]
impl Act for Terminating {
    fn describe(&self) -> String {
        self.fault.sentence(&list(&self.victims))
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        let patience = self.fault.patience.0;
        together(self.victims.iter().map(|node| async move {
            if target.terminate(node, patience).await? {
                return Ok(());
            }
            target.kill(node).await?;
            Err(FaultError::Lingers {
                node: node.clone(),
                patience,
            })
        }))
        .await
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.fault.down.0).await;
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        start_all(target, &self.victims).await
    }
}
