//! What is done to a cluster, under which load, and what has to hold meanwhile: one TOML file.
//!
//! A scenario has either `[[step]]`s, played in their order, or `[[draw]]`s, from which a seed draws until the duration is
//! used up. Everything else has defaults. The program carries the files of `scenarios/`; any other is named by its path.

mod draw;
mod limits;
mod nearest;
#[cfg(test)]
mod tests;

use std::{path::Path, time::Duration};

use host::Entropy;
use serde::Deserialize;

use limits::LimitsPatch;
pub use limits::{Limits, Writes};

use crate::fault::{Fault, Span};

/// The scenarios that the program carries, by name.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));
/// The most steps of a file.
const STEPS_MAX: usize = 200;
/// The longest scenario.
const DURATION_MAX: Duration = Duration::from_secs(100 * 3600);

/// A scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name: that of its file.
    pub name: String,
    /// What it is for, in a sentence.
    pub summary: String,
    /// The cluster that it wants, if it is one of ours.
    pub cluster: Shape,
    /// What clients do meanwhile.
    pub load: LoadOptions,
    /// How long the load runs before the first step.
    pub warmup: Duration,
    /// How long the cluster is left alone after it has recovered from a step.
    pub settle: Duration,
    /// What has to hold around every step.
    pub limits: Limits,
    plot: Plot,
}

/// One fault of a scenario, and what has to hold around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What happens.
    pub fault: Fault,
    /// What has to hold.
    pub limits: Limits,
    /// Whether another leader is expected.
    pub leader_change: bool,
}

/// How the nodes of a local cluster share the roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// In each zone a controller that works, and a frontend.
    #[default]
    Split,
    /// In each zone one node with all roles.
    Whole,
    /// In each zone a controller, a frontend and a worker.
    Apart,
}

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadOptions {
    /// Invocations a second, over all frontends.
    pub rate: f64,
    /// Control writes a second, over all frontends.
    pub writes: f64,
    /// The pause between two changes of the function that changes.
    pub churn: Span,
    /// How long a client waits for an answer.
    pub timeout: Span,
}

#[derive(Clone, Debug, PartialEq)]
enum Plot {
    Steps(Vec<Step>),
    Draws(Vec<(u32, Step)>, Duration),
}

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    summary: String,
    #[serde(default)]
    cluster: ClusterTable,
    #[serde(default)]
    load: LoadOptions,
    #[serde(default)]
    pace: Pace,
    #[serde(default)]
    limits: LimitsPatch,
    #[serde(default)]
    step: Vec<StepTable>,
    #[serde(default)]
    draw: Vec<DrawTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterTable {
    #[serde(default)]
    shape: Shape,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pace {
    warmup: Span,
    settle: Span,
    /// How long draws go on.
    duration: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    fault: Fault,
    #[serde(default)]
    limits: LimitsPatch,
    #[serde(default)]
    leader_change: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrawTable {
    #[serde(default = "one")]
    weight: u32,
    fault: Fault,
    #[serde(default)]
    limits: LimitsPatch,
}

const fn one() -> u32 {
    1
}

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The program carries none of that name.
    #[error(
        "expected a scenario's name or the path of a TOML file, got {name:?}{hint}; there are {known}"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name, as the rest of a sentence.
        hint: String,
        /// The names.
        known: String,
    },
    /// The file cannot be read.
    #[error("scenario {path} cannot be read")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is no scenario.
    #[error("scenario {name}: {problem}")]
    Invalid {
        /// Which.
        name: String,
        /// What is wrong with it, where, and the nearest thing that would not be.
        problem: String,
    },
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            rate: 20.0,
            writes: 4.0,
            churn: Span(Duration::from_secs(3)),
            timeout: Span(Duration::from_secs(5)),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            warmup: Span(Duration::from_secs(5)),
            settle: Span(Duration::from_secs(5)),
            duration: None,
        }
    }
}

impl Scenario {
    /// The scenarios that the program carries.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`]; tests hold that there is none.
    pub fn built_in() -> Result<Vec<Self>, ScenarioError> {
        BUILT_IN
            .iter()
            .map(|(name, text)| Self::parse(name, text))
            .collect()
    }

    /// The text of a scenario, by its name or its path (something with a `/`, or that ends in `.toml`), and its name.
    ///
    /// # Errors
    /// [`ScenarioError::Unknown`], with the nearest name; [`ScenarioError::Read`].
    pub fn text(which: &str) -> Result<(String, String), ScenarioError> {
        let path = Path::new(which);
        if which.contains('/') || path.extension() == Some("toml".as_ref()) {
            let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
                path: which.to_owned(),
                source,
            })?;
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            return Ok((stem.unwrap_or("scenario").to_owned(), text));
        }
        let found = BUILT_IN.iter().find(|(name, _)| *name == which);
        if let Some((name, text)) = found {
            return Ok(((*name).to_owned(), (*text).to_owned()));
        }
        let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        Err(ScenarioError::Unknown {
            name: which.to_owned(),
            hint: nearest::hint(which, names.iter().copied()),
            known: names.join(", "),
        })
    }

    /// Finds a scenario as [`Scenario::text`] does, and reads it.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn find(which: &str) -> Result<Self, ScenarioError> {
        let (name, text) = Self::text(which)?;
        Self::parse(&name, &text)
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with the line, and for a name that is not known the nearest one.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let invalid = |problem: String| ScenarioError::Invalid {
            name: name.to_owned(),
            problem,
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let hint = nearest::hint_of(error.message());
            invalid(format!("{}{hint}", error.to_string().trim_end()))
        })?;
        file.check()
            .map_err(|problem| invalid(problem.to_owned()))?;
        let limits = Limits::default().with(&file.limits);
        let steps = file.step.into_iter().map(|step| Step {
            limits: limits.with(&step.limits),
            fault: step.fault,
            leader_change: step.leader_change,
        });
        let draws = file.draw.into_iter().map(|draw| {
            let step = Step {
                limits: limits.with(&draw.limits),
                fault: draw.fault,
                leader_change: false,
            };
            (draw.weight, step)
        });
        let plot = match file.pace.duration {
            Some(Span(duration)) => Plot::Draws(draws.collect(), duration),
            None => Plot::Steps(steps.collect()),
        };
        Ok(Self {
            name: name.to_owned(),
            summary: file.summary,
            cluster: file.cluster.shape,
            load: file.load,
            warmup: file.pace.warmup.0,
            settle: file.pace.settle.0,
            limits,
            plot,
        })
    }

    /// The steps of one run: those of the file, again and again until `duration` is used up if it is given; or as many
    /// draws as `duration`, or the scenario's own, has room for, at least one. A fault counts with the time that it is held
    /// and what is left alone after it.
    #[must_use]
    pub fn steps(&self, duration: Option<Duration>, entropy: &dyn Entropy) -> Vec<Step> {
        match &self.plot {
            Plot::Steps(steps) => match duration {
                Some(duration) => draw::repeat(steps, duration.min(DURATION_MAX), self.settle),
                None => steps.clone(),
            },
            Plot::Draws(draws, own) => {
                let duration = duration.unwrap_or(*own).min(DURATION_MAX);
                draw::draw(draws, duration, self.settle, entropy)
            }
        }
    }

    /// Every step that may be played.
    pub fn candidates(&self) -> impl Iterator<Item = &Step> {
        let (steps, draws): (&[Step], &[(u32, Step)]) = match &self.plot {
            Plot::Steps(steps) => (steps, &[]),
            Plot::Draws(draws, _) => (&[], draws),
        };
        steps.iter().chain(draws.iter().map(|(_, step)| step))
    }
}

impl File {
    fn check(&self) -> Result<(), &'static str> {
        let sane = |number: f64| number.is_finite() && (0.1..=10_000.0).contains(&number);
        if self.pace.duration.is_some() == self.draw.is_empty() {
            return Err("expected pace.duration with [[draw]], and only with it");
        }
        if self.draw.is_empty() == self.step.is_empty() {
            return Err("expected either [[step]] or [[draw]]");
        }
        if self.step.len() > STEPS_MAX || self.draw.len() > STEPS_MAX {
            return Err("expected at most 200 steps");
        }
        if self
            .draw
            .iter()
            .any(|draw| draw.weight == 0 || draw.weight > 1000)
        {
            return Err("expected every weight of a draw to be from 1 to 1000");
        }
        if !sane(self.load.rate) || !sane(self.load.writes) {
            return Err("expected load.rate and load.writes to be from 0.1 to 10000 a second");
        }
        if self.load.timeout.0.is_zero() {
            return Err("expected load.timeout to be above 0");
        }
        Ok(())
    }
}
