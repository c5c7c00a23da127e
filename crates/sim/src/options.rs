//! What a run can be told.

use std::time::Duration;

/// How long faults happen if nobody says, in virtual seconds.
const SECONDS: u64 = 12;

/// The choices of one run. Equal options give equal runs, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// What everything else is drawn from.
    #[arg(long)]
    pub seed: u64,
    /// How long clients work while faults happen, in virtual seconds.
    #[arg(long, default_value_t = SECONDS)]
    pub seconds: u64,
    /// Faults by name, separated by commas, instead of those that the seed draws.
    #[arg(long, value_delimiter = ',')]
    pub faults: Vec<String>,
    /// Workloads by name, separated by commas, instead of all.
    #[arg(long, value_delimiter = ',')]
    pub workloads: Vec<String>,
}

impl Options {
    /// A run of a seed with everything else as usual.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            seconds: SECONDS,
            faults: Vec::new(),
            workloads: Vec::new(),
        }
    }

    /// Whether the run begins with an older build on every node: then it is upgraded on the way.
    #[must_use]
    pub fn begins_old(&self) -> bool {
        self.faults.iter().any(|fault| fault == "upgrade")
    }

    /// How long the faults last in all.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The options as they are typed.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--seed={}", self.seed)];
        if self.seconds != SECONDS {
            arguments.push(format!("--seconds={}", self.seconds));
        }
        for (name, list) in [("faults", &self.faults), ("workloads", &self.workloads)] {
            if !list.is_empty() {
                arguments.push(format!("--{name}={}", list.join(",")));
            }
        }
        arguments
    }
}
