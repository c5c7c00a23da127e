//! What goes wrong: one file a kind of fault, all with the same life.
//!
//! A [`Fault`] is a description, parsed from TOML. [`Fault::prepare`] looks at a [`Target`], chooses victims and answers
//! [`Unsupported`] if the target cannot suffer it, before anything has happened; a dry run stops there and prints
//! [`Prepared::describe`]. [`Prepared::play`] then begins the fault, holds it, and ends it: the end always comes, after an
//! error, and when the run is told to stop, and it undoes whatever part of the fault had happened. Ending is healing: links
//! are as they were, disks work, every victim that is down is started. Whether it recovers is for the caller to judge.
//!
//! Chance (which victim, which zone) is drawn from the entropy that the caller passes, so a seed repeats a schedule.

mod act;
mod bandwidth;
mod bridge;
mod cable;
mod clock;
mod corrupt;
mod disk;
mod flap;
mod isolate;
mod kill;
mod loss;
mod minority;
mod pause;
mod separate;
mod slow;
mod starve;
mod storm;
mod target;
mod terminate;
#[cfg(test)]
mod tests;
mod together;
mod units;
mod who;
mod wipe;
mod zone;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use host::Entropy;
use serde::Deserialize;

use act::{Act, Kind, Scene};
pub use bandwidth::Bandwidth;
pub use bridge::Bridge;
pub use cable::Direction;
pub use clock::{ClockStep, Faketime};
pub use corrupt::Corrupt;
pub use disk::{DiskFault, How};
pub use flap::Flap;
pub use isolate::Isolate;
pub use kill::Kill;
pub use loss::Loss;
pub use minority::Minority;
pub use pause::Pause;
pub use separate::Separate;
pub use slow::Slow;
pub use starve::Starve;
pub use storm::RestartStorm;
pub use target::{Disk, Member, Target, TargetError, Verb};
pub use terminate::Terminate;
pub use units::{BitRate, Share, Span, Step};
pub use who::Who;
pub use wipe::Wipe;
pub use zone::CutZone;

/// How long a fault may take to begin, and to end, beside the time it is held.
const MOVE_MAX: Duration = Duration::from_secs(180);

/// One fault, as a scenario describes it. In TOML the key `kind` names the variant (`kill`, `restart-storm`, …); the other
/// keys are the fields of its parameters, and a key that is not among them is refused.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fault {
    /// Processes die at once.
    Kill(Kill),
    /// Processes stand still, and go on.
    Pause(Pause),
    /// Processes get little time to run.
    Starve(Starve),
    /// Processes die again and again.
    RestartStorm(RestartStorm),
    /// Processes are asked to end, and drain.
    Terminate(Terminate),
    /// Nodes neither hear nor reach the others, or only one of both.
    Isolate(Isolate),
    /// Fewer than half of the controllers are on their own.
    Minority(Minority),
    /// Two controllers do not see each other; the others see both.
    Bridge(Bridge),
    /// Two roles do not see each other.
    Separate(Separate),
    /// A whole zone is gone from the network.
    CutZone(CutZone),
    /// Links go and come back, quickly.
    Flap(Flap),
    /// Packets take long.
    Slow(Slow),
    /// Packets vanish.
    Loss(Loss),
    /// Packets arrive with wrong bits.
    Corrupt(Corrupt),
    /// Little passes.
    Bandwidth(Bandwidth),
    /// A disk does not do its work.
    Disk(DiskFault),
    /// Wall clocks jump.
    ClockStep(ClockStep),
    /// A node loses its disk and comes back with an empty one.
    Wipe(Wipe),
}

/// A fault that knows whom it hits.
pub struct Prepared {
    target: Arc<dyn Target>,
    act: Box<dyn Act>,
}

/// A point in the life of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It is about to begin.
    Begins,
    /// It is in force.
    Holds,
    /// It is about to end.
    Ends,
    /// It is over.
    Over,
}

/// How a fault went.
#[derive(Debug)]
pub struct Played {
    /// Whether it began and held as it should have.
    pub happened: Result<(), FaultError>,
    /// Whether everything is healed.
    pub healed: Result<(), FaultError>,
    /// Whether it was told to stop before its time.
    pub stopped: bool,
}

/// Why a target cannot suffer a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The target cannot do something that the fault needs.
    #[error("this cluster cannot {verb} a node: {reason}")]
    Verb {
        /// What it cannot do.
        verb: Verb,
        /// Why.
        reason: String,
    },
    /// The network is not ours.
    #[error("the links between the nodes are not ours to break; run the cluster in a fabric")]
    NoLinks,
    /// A node's disk is not ours.
    #[error("the data of node {node} is not on a faulty disk; mount one under its data_dir")]
    NoDisk {
        /// Whose.
        node: String,
    },
    /// Clocks are shared.
    #[error("the wall clock of node {node} cannot be moved: {reason}")]
    NoClock {
        /// Whose.
        node: String,
        /// Why.
        reason: String,
    },
    /// There are not enough nodes that fit.
    #[error("expected at least {wanted} running node(s) that are {who}, got {got}")]
    TooFew {
        /// What they should be.
        who: String,
        /// How many are needed.
        wanted: usize,
        /// How many there are.
        got: usize,
    },
    /// The parameters contradict each other, or nothing would happen.
    #[error("{0}")]
    Senseless(&'static str),
}

/// What went wrong with the fault itself.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The target did not do what it was told.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The fabric does not know a node.
    #[error("the fabric and the cluster disagree")]
    Links(#[from] crate::fabric::UnknownHost),
    /// A node that was asked to end did not.
    #[error("node {node} still ran {patience:?} after it was asked to end, and was killed")]
    Lingers {
        /// Which.
        node: String,
        /// How long it had.
        patience: Duration,
    },
    /// A node still shows the time that it showed before.
    #[error("the wall clock of node {node} did not move within {patience:?}")]
    ClockStays {
        /// Which.
        node: String,
        /// How long it was looked at.
        patience: Duration,
    },
    /// A file could not be written.
    #[error("could not write {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Beginning or ending took too long.
    #[error("expected a fault to begin or end within {MOVE_MAX:?}")]
    Late,
}

impl Unsupported {
    /// What a cluster would have to have for the fault to fit it. Nothing if the fault fits, and what is wrong is the fault's
    /// parameters or the moment: too few nodes run, say.
    #[must_use]
    pub fn needs(&self) -> Option<String> {
        match self {
            Self::Verb { verb, reason } => Some(format!("a way to {verb} a node: {reason}")),
            Self::NoLinks => Some("links between the nodes that are ours to break".to_owned()),
            Self::NoDisk { .. } => Some("disks of ours under the data of the nodes".to_owned()),
            Self::NoClock { reason, .. } => {
                Some(format!("wall clocks that can be moved: {reason}"))
            }
            Self::TooFew { .. } | Self::Senseless(_) => None,
        }
    }
}

impl Fault {
    /// The kind, as a scenario spells it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// How long it is held.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.kind().lasts()
    }

    /// Chooses victims. Changes nothing.
    ///
    /// # Errors
    /// [`Unsupported`] if the target cannot suffer this.
    pub async fn prepare(
        &self,
        target: &Arc<dyn Target>,
        entropy: &dyn Entropy,
    ) -> Result<Prepared, Unsupported> {
        let scene = Scene::look(target.as_ref(), entropy).await;
        Ok(Prepared {
            act: self.kind().prepare(&scene)?,
            target: target.clone(),
        })
    }

    fn kind(&self) -> &dyn Kind {
        match self {
            Self::Kill(it) => it,
            Self::Pause(it) => it,
            Self::Starve(it) => it,
            Self::RestartStorm(it) => it,
            Self::Terminate(it) => it,
            Self::Isolate(it) => it,
            Self::Minority(it) => it,
            Self::Bridge(it) => it,
            Self::Separate(it) => it,
            Self::CutZone(it) => it,
            Self::Flap(it) => it,
            Self::Slow(it) => it,
            Self::Loss(it) => it,
            Self::Corrupt(it) => it,
            Self::Bandwidth(it) => it,
            Self::Disk(it) => it,
            Self::ClockStep(it) => it,
            Self::Wipe(it) => it,
        }
    }
}

/// What it does, before victims are chosen: a sentence for dry runs.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind().describe())
    }
}

impl Prepared {
    /// What it does to whom: a sentence for dry runs and reports.
    #[must_use]
    pub fn describe(&self) -> String {
        self.act.describe()
    }

    /// Whom it hits.
    #[must_use]
    pub fn victims(&self) -> &[String] {
        self.act.victims()
    }

    /// Begins, holds and ends the fault. `stop` cuts it short; the end comes all the same and cannot be cut short, so let
    /// this future finish. `on` hears of every phase as it comes.
    ///
    /// # Cancel safety
    /// None: dropped, it leaves processes as they are at that moment. Links are healed even then.
    pub async fn play(
        mut self,
        stop: impl Future<Output = ()> + Send,
        mut on: impl FnMut(Phase) + Send,
    ) -> Played {
        let target = self.target.as_ref();
        let act = self.act.as_mut();
        on(Phase::Begins);
        let happens = async {
            in_time(act.begin(target)).await?;
            on(Phase::Holds);
            act.hold(target).await
        };
        let happened = tokio::select! {
            biased;
            happened = happens => Some(happened),
            () = stop => None,
        };
        on(Phase::Ends);
        let healed = in_time(act.end(target)).await;
        on(Phase::Over);
        Played {
            stopped: happened.is_none(),
            happened: happened.unwrap_or(Ok(())),
            healed,
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(&self.describe()).finish()
    }
}

async fn in_time(step: impl Future<Output = Result<(), FaultError>>) -> Result<(), FaultError> {
    tokio::time::timeout(MOVE_MAX, step)
        .await
        .unwrap_or(Err(FaultError::Late))
}
