//! Processes get only a part of the time that they would run: each period they are stopped for the rest of it. To the
//! others such a node is slow in everything and silent in nothing, which is the hard case.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    FaultError, Share, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, list},
    pause::{pause_all, resume_all},
    who::phrase,
};

/// Parameters of `starve`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starve {
    /// Who starves.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// The part of each period in which they run.
    pub share: Share,
    /// How long a period is. 100 ms unless told.
    #[serde(default = "period")]
    pub period: Span,
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn period() -> Span {
    Span(Duration::from_millis(100))
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

struct Starving {
    victims: Vec<String>,
    fault: Starve,
}

impl Starve {
    fn sentence(&self, who: &str) -> String {
        let Self {
            share,
            period,
            lasts,
            ..
        } = self;
        format!("let {who} run {share} of each {period} for {lasts}")
    }
}

impl Kind for Starve {
    fn name(&self) -> &'static str {
        "starve"
    }

    fn describe(&self) -> String {
        self.sentence(&phrase(&self.who, self.count))
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Pause])?;
        if self.share.get() <= 0.0 || self.period.0.is_zero() {
            return Err(Unsupported::Senseless(
                "expected a period, and a share of it above 0; to stop a process altogether, pause it",
            ));
        }
        Ok(Box::new(Starving {
            victims: self.who.choose(scene, self.count)?,
            fault: self.clone(),
        }))
    }
}

#[async_trait]
impl Act for Starving {
    fn describe(&self) -> String {
        self.fault.sentence(&list(&self.victims))
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        pause_all(target, &self.victims).await
    }

    async fn hold(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        let until = Instant::now() + self.fault.lasts.0;
        let period = self.fault.period.0;
        let runs = period.mul_f64(self.fault.share.get());
        while Instant::now() < until {
            tokio::time::sleep(period.saturating_sub(runs)).await;
            resume_all(target, &self.victims).await?;
            tokio::time::sleep(runs).await;
            pause_all(target, &self.victims).await?;
        }
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        resume_all(target, &self.victims).await
    }
}
