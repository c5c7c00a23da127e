//! Links go and come back faster than failure detectors settle.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Direction, FaultError, Span, Target, Unsupported, Who,
    act::{Act, Kind, Scene},
    cable::{Cable, Ends},
    who::phrase,
};
use crate::fabric::Rule;

/// Parameters of `flap`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flap {
    /// Whose links.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// Whether links to clients flap, too. They do not unless told.
    #[serde(default)]
    pub clients: bool,
    /// How long a link is cut, and then whole. 200 ms unless told.
    #[serde(default = "period")]
    pub period: Span,
    /// How long. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn period() -> Span {
    Span(Duration::from_millis(200))
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

struct Flapping {
    cable: Cable,
    period: Duration,
    lasts: Duration,
}

impl Flap {
    fn sentence(&self, what: &str) -> String {
        let Self { period, lasts, .. } = self;
        format!("cut {what} for {period}, let it pass for {period}, and so on for {lasts}")
    }
}

impl Kind for Flap {
    fn name(&self) -> &'static str {
        "flap"
    }

    fn describe(&self) -> String {
        let who = phrase(&self.who, self.count);
        self.sentence(&self.direction.phrase(&who))
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        if self.period.0.is_zero() {
            return Err(Unsupported::Senseless("expected a period above 0"));
        }
        let ends = Ends::choose(scene, &self.who, self.count, self.direction, self.clients)?;
        let sentence = self.sentence(&ends.phrase());
        Ok(Box::new(Flapping {
            cable: Cable::new(scene, ends, Rule::cut(), self.lasts.0, sentence)?,
            period: self.period.0,
            lasts: self.lasts.0,
        }))
    }
}

#[async_trait]
impl Act for Flapping {
    fn describe(&self) -> String {
        self.cable.describe()
    }

    fn victims(&self) -> &[String] {
        self.cable.victims()
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        self.cable.begin(target).await
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        let until = Instant::now() + self.lasts;
        while Instant::now() < until {
            tokio::time::sleep(self.period).await;
            self.cable.change(Rule::default());
            tokio::time::sleep(self.period).await;
            self.cable.change(self.cable.rule());
        }
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        self.cable.end(target).await
    }
}
