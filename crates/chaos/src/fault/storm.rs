//! Processes die and are started again and again, faster than they may have become ready.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    FaultError, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, kill_all, list, start_all},
    who::phrase,
};

/// Parameters of `restart-storm`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartStorm {
    /// Who is restarted.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How often. Five times unless told.
    #[serde(default = "times")]
    pub times: u32,
    /// How long they run each time. 2 s unless told.
    #[serde(default = "up")]
    pub up: Span,
    /// How long they are dead each time. 500 ms unless told.
    #[serde(default = "down")]
    pub down: Span,
}

fn times() -> u32 {
    5
}

fn up() -> Span {
    Span(Duration::from_secs(2))
}

fn down() -> Span {
    Span(Duration::from_millis(500))
}

struct Storming {
    victims: Vec<String>,
    fault: RestartStorm,
}

impl RestartStorm {
    fn sentence(&self, who: &str) -> String {
        let Self {
            times, up, down, ..
        } = self;
        format!("kill {who} {times} times, dead for {down}, then up for {up}")
    }
}

impl Kind for RestartStorm {
    fn name(&self) -> &'static str {
        "restart-storm"
    }

    fn describe(&self) -> String {
        self.sentence(&phrase(&self.who, self.count))
    }

    fn lasts(&self) -> Duration {
        (self.up.0 + self.down.0).saturating_mul(self.times)
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Kill, Verb::Start])?;
        if self.times == 0 {
            return Err(Unsupported::Senseless(
                "expected a storm of at least 1 time",
            ));
        }
        Ok(Box::new(Storming {
            victims: self.who.choose(scene, self.count)?,
            fault: self.clone(),
        }))
    }
}

#[async_trait]
impl Act for Storming {
    fn describe(&self) -> String {
        self.fault.sentence(&list(&self.victims))
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        kill_all(target, &self.victims).await
    }

    async fn hold(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        for time in 1..=self.fault.times {
            tokio::time::sleep(self.fault.down.0).await;
            start_all(target, &self.victims).await?;
            tokio::time::sleep(self.fault.up.0).await;
            if time < self.fault.times {
                kill_all(target, &self.victims).await?;
            }
        }
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        start_all(target, &self.victims).await
    }
}
