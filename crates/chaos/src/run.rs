//! One run: a cluster, the load, one fault after the other, and the judgement.
//!
//! Faults do not overlap: after each one the run waits until everything works again, and leaves the cluster alone for a
//! while, so that what clients felt has one cause. Whatever happens, faults are healed, the load is ended and the nodes of
//! a local cluster are gone when [`run`] returns.

mod play;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use host::{Entropy, SeededEntropy};
use tokio::sync::watch;

use crate::{
    load::{self, Load, LoadError, Orders},
    local::{LocalCluster, LocalError, LocalOptions},
    moment::Began,
    outcome::{About, Outcome},
    report,
    scenario::Scenario,
    staging::{Staging, StagingError},
    verdict::{self, Seen, Verdict},
    watched::Watched,
};

/// What the load's functions run on: in a local cluster the nearest that there is, in another one this, unless it says.
const RUNTIME: &str = "python3.12";
/// Where a local cluster lives, in the folder of the results.
const CLUSTER: &str = "cluster";

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// What happens.
    pub scenario: Scenario,
    /// What chance draws from.
    pub seed: u64,
    /// How long; as the scenario says unless given.
    pub duration: Option<Duration>,
    /// Where results go. Must be empty or not be there.
    pub out: PathBuf,
    /// Whether the data of a local cluster stay even if everything held.
    pub keep: bool,
    /// The Python with boto3 that drives the load; looked for unless given.
    pub python: Option<PathBuf>,
    /// The program that local nodes run.
    pub program: PathBuf,
    /// The version of it, for the record.
    pub version: String,
    /// An operator's own cluster, instead of a local one.
    pub staging: Option<Staging>,
    /// Whether faults that do not fit the cluster are left out and listed; they make the run invalid otherwise.
    pub skip_unfit: bool,
}

/// What came of a run, and where it is written down.
#[derive(Debug)]
pub struct Finished {
    /// What came of it.
    pub outcome: Outcome,
    /// For machines.
    pub result: PathBuf,
    /// For people.
    pub report: PathBuf,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The load cannot be run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no local cluster.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// There is no network for it.
    #[error(transparent)]
    Fabric(#[from] crate::fabric::FabricError),
    /// The operator's cluster cannot be used.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// Results would lie among other things.
    #[error("expected an empty folder for the results, got {0}; choose another with --out")]
    NotEmpty(String),
    /// Results cannot be written.
    #[error("could not write {path}")]
    Write {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Plays a scenario and judges it. `stop` ends it early once it is true: the fault in force is healed, and the run is
/// invalid. `say` hears what happens, a line at a time.
///
/// # Errors
/// [`RunError`] if it could not begin; what goes wrong later makes the run invalid or broken.
pub async fn run(
    options: &Options,
    stop: watch::Receiver<bool>,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<Finished, RunError> {
    let python = load::find_python(options.python.as_deref())?;
    fresh(&options.out)?;
    let entropy = SeededEntropy::new(options.seed);
    let steps = options
        .scenario
        .steps(options.duration, &*entropy.fork("steps"));
    let finished = match &options.staging {
        None => {
            let has = |kind: &str| steps.iter().any(|step| step.fault.name() == kind);
            let cluster = local(options, has("clock-step"), has("disk"), say).await?;
            let command = cluster.client_command(&python)?;
            let orders = orders(options, cluster.endpoints()?, {
                let c = cluster.credentials();
                [&c.access_key_id, &c.secret_access_key, &c.region].map(Clone::clone)
            });
            let cluster = Arc::new(cluster);
            let stage = Stage {
                options,
                steps,
                entropy,
                command,
                orders,
            };
            let watched: Arc<dyn Watched> = cluster.clone();
            let finished = stage.perform(watched, stop, say, cluster.stop()).await;
            tidy(options, finished.as_ref().ok());
            finished
        }
        Some(staging) => {
            let cluster: Arc<dyn Watched> = Arc::new(staging.connect());
            let command = std::process::Command::new(&python);
            let orders = orders(options, staging.endpoints(), staging.credentials()?);
            let stage = Stage {
                options,
                steps,
                entropy,
                command,
                orders,
            };
            stage
                .perform(cluster, stop, say, std::future::ready(()))
                .await
        }
    }?;
    Ok(finished)
}

struct Stage<'a> {
    options: &'a Options,
    steps: Vec<crate::scenario::Step>,
    entropy: SeededEntropy,
    command: std::process::Command,
    orders: Orders,
}

impl Stage<'_> {
    /// Load, faults, end of the load, end of the cluster, judgement.
    async fn perform(
        self,
        cluster: Arc<dyn Watched>,
        stop: watch::Receiver<bool>,
        say: &mut (dyn FnMut(&str) + Send),
        end: impl Future<Output = ()>,
    ) -> Result<Finished, RunError> {
        let Self {
            options,
            steps,
            entropy,
            command,
            orders,
        } = self;
        let began = Began::now();
        let mut load = Load::start(command, &orders, &options.out, began)?;
        let readied = load.ready().await;
        if let Err(error) = readied {
            end.await;
            return Err(error.into());
        }
        say(&format!(
            "{} load: {} invocations and {} writes a second through {} frontends",
            began.moment(),
            orders.rate,
            orders.writes,
            orders.endpoints.len()
        ));
        let director = play::Director {
            cluster: cluster.clone(),
            scenario: &options.scenario,
            skip_unfit: options.skip_unfit,
            entropy,
            began,
            stop,
            frontends: orders.endpoints.iter().map(|e| e.name.clone()).collect(),
        };
        let play::Course {
            played,
            not_tried,
            mut cut_short,
        } = director.play(&steps, &mut load, say).await;
        let load_ended = began.moment();
        say(&format!(
            "{load_ended} the load ends, and reads back what it was promised"
        ));
        let records = load.records();
        let records = match load.finish().await {
            Ok(records) => records,
            Err(error) => {
                cut_short.get_or_insert_with(|| error.to_string());
                std::mem::take(&mut *records.lock())
            }
        };
        end.await;
        let remarks = cluster.remarks();
        let seen = Seen {
            records: &records,
            played: &played,
            not_tried: &not_tried,
            remarks: &remarks,
            load_ended,
            cut_short,
        };
        let judgement = verdict::judge(&seen);
        let about = About {
            scenario: options.scenario.name.clone(),
            summary: options.scenario.summary.clone(),
            seed: options.seed,
            version: options.version.clone(),
            target: options
                .staging
                .as_ref()
                .map_or("local", |s| s.name())
                .to_owned(),
            began_wall_ms: began.wall_ms(),
            took: began.moment(),
            steps: steps.len(),
        };
        write(options, Outcome::new(about, &seen, judgement))
    }
}

async fn local(
    options: &Options,
    clocks: bool,
    disks: bool,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<LocalCluster, RunError> {
    let local = LocalOptions {
        program: options.program.clone(),
        directory: options.out.join(CLUSTER),
        shape: options.scenario.cluster,
        seed: options.seed,
        clocks,
        disks,
    };
    say("starting a cluster in three zones");
    Ok(LocalCluster::start(&local).await?)
}

fn orders(
    options: &Options,
    endpoints: Vec<load::Endpoint>,
    [access_key_id, secret_access_key, region]: [String; 3],
) -> Orders {
    let load = &options.scenario.load;
    let runtime = options.staging.as_ref().and_then(Staging::runtime);
    Orders {
        endpoints,
        access_key_id,
        secret_access_key,
        region,
        runtime: runtime.unwrap_or(RUNTIME).to_owned(),
        rate: load.rate,
        writes: load.writes,
        churn_s: load.churn.0.as_secs_f64(),
        timeout_s: load.timeout.0.as_secs_f64(),
    }
}

/// Makes the folder of the results; one with something in it is refused.
fn fresh(out: &Path) -> Result<(), RunError> {
    let at = |source| RunError::Write {
        path: out.display().to_string(),
        source,
    };
    fs::create_dir_all(out).map_err(at)?;
    match fs::read_dir(out).map_err(at)?.next() {
        None => Ok(()),
        Some(_) => Err(RunError::NotEmpty(out.display().to_string())),
    }
}

fn write(options: &Options, outcome: Outcome) -> Result<Finished, RunError> {
    let result = options.out.join("result.json");
    let report = options.out.join("report.html");
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |source| RunError::Write { path, source }
    };
    let json = serde_json::to_string_pretty(&outcome).map_err(|e| at(&result)(e.into()))?;
    fs::write(&result, json + "\n").map_err(at(&result))?;
    fs::write(&report, report::html(&outcome)).map_err(at(&report))?;
    Ok(Finished {
        outcome,
        result,
        report,
    })
}

/// Takes the nodes' data away if there is nothing to look for in them. Logs and configurations stay.
fn tidy(options: &Options, finished: Option<&Finished>) {
    let held = finished.is_some_and(|f| f.outcome.judgement.verdict == Verdict::Held);
    if options.keep || !held {
        return;
    }
    let nodes = options.out.join(CLUSTER).join("nodes");
    for node in fs::read_dir(nodes).into_iter().flatten().flatten() {
        for folder in ["data", "disk"] {
            match fs::remove_dir_all(node.path().join(folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(node = %node.path().display(), %error, "a node's data are left");
                }
                _ => {}
            }
        }
    }
}
