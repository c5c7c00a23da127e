//! A node loses its disk: it dies, everything it stored is gone, and a node of the same name comes back with nothing. It
//! must do so as another incarnation: a voter that forgot its log could help to make a second quorum.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    FaultError, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, kill_all, list, start_all},
    together::together,
    who::phrase,
};

/// Parameters of `wipe`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wipe {
    /// Who loses its disk.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How long it is away. 5 s unless told.
    #[serde(default = "down")]
    pub down: Span,
}

fn down() -> Span {
    Span(Duration::from_secs(5))
}

struct Wiping {
    victims: Vec<String>,
    down: Span,
}

fn sentence(who: &str, down: Span) -> String {
    format!("kill {who} and take its data away; start again with nothing after {down}")
}

impl Kind for Wipe {
    fn name(&self) -> &'static str {
        "wipe"
    }

    fn describe(&self) -> String {
        sentence(&phrase(&self.who, self.count), self.down)
    }

    fn lasts(&self) -> Duration {
        self.down.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Kill, Verb::Wipe, Verb::Start])?;
        Ok(Box::new(Wiping {
            victims: self.who.choose(scene, self.count)?,
            down: self.down,
        }))
    }
}

#[async_trait]
impl Act for Wiping {
    fn describe(&self) -> String {
        sentence(&list(&self.victims), self.down)
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        kill_all(target, &self.victims).await?;
        together(
            self.victims
                .iter()
                .map(|node| async move { Ok(target.wipe(node).await?) }),
        )
        .await
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.down.0).await;
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        start_all(target, &self.victims).await
    }
}
