//! The Linux driver: namespaces, control groups, seccomp and Landlock, by hand.
//!
//! The node side is here; what runs with rights is in [`crate::spawner`]. A [`LinuxDriver`] refuses to start where a
//! piece is missing that the operator has not waived, so nothing runs weaker in silence. If the spawner dies, every
//! sandbox dies with it, and the next `create` starts a new one.

pub(crate) mod attributes;
mod blueprint;
pub(crate) mod cgroup;
pub(crate) mod gate;
mod link;
mod mailbox;
mod networked;
mod processes;
mod shell;

use std::{
    collections::BTreeSet,
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use model::NodeName;
use tokio::time::timeout;

use self::{
    cgroup::Layout,
    link::{ConnectError, Link, Made},
    shell::Shell,
};
pub use self::{link::SpawnerCommand, shell::COMMAND_BYTES_MAX};
use crate::{
    driver::{CreateError, Driver, Sandbox, Spec},
    network::{Networks, rules},
    report::{Finding, Piece, Report},
    wire::Configuration,
};

/// How long `create` may take.
const CREATE_LIMIT: Duration = Duration::from_secs(10);

/// How long the processes of one orphaned sandbox may take to die.
const SWEEP_LIMIT: Duration = Duration::from_secs(5);

/// How many host uids and gids, from [`Allotment::subuid_base`] on, sandboxes share among them.
pub const SUBUIDS: u32 = 65_536;

/// What of the host belongs to the sandboxes of this driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allotment {
    /// Directory below each cgroup mount that holds the groups of all nodes of this machine.
    pub cgroup_parent: String,
    /// First of [`SUBUIDS`] host uids and gids that belong to nobody else; used where the node has privilege.
    pub subuid_base: u32,
}

impl Default for Allotment {
    /// The groups are below `dunlin`; the ids are above every range that distributions hand out.
    fn default() -> Self {
        Self {
            cgroup_parent: "dunlin".to_owned(),
            subuid_base: 1_879_048_192,
        }
    }
}

/// Settings of the Linux driver.
#[derive(Clone, Debug)]
pub struct Options {
    /// A directory of this node's own; the driver keeps an empty directory there to mount over.
    pub state_dir: PathBuf,
    /// The node's name; it names the cgroups.
    pub node: NodeName,
    /// How to start the spawner.
    pub spawner: SpawnerCommand,
    /// Pieces that may be missing.
    pub allow_missing: BTreeSet<Piece>,
    /// How many sandboxes to prepare ahead.
    pub pool: usize,
    /// What of the host is theirs.
    pub allotment: Allotment,
    /// What they may reach; without policies there is no router, and nothing of the host's network is touched.
    pub networks: Arc<Networks>,
}

impl Options {
    /// Default settings: this binary is the spawner, nothing may be missing, four sandboxes are prepared ahead.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>, node: NodeName) -> Self {
        Self {
            state_dir: state_dir.into(),
            node,
            spawner: SpawnerCommand::default(),
            allow_missing: BTreeSet::new(),
            pool: 4,
            allotment: Allotment::default(),
            networks: Arc::default(),
        }
    }
}

/// One piece that is missing, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPiece {
    /// Which.
    pub piece: Piece,
    /// What was tried and what the host said.
    pub why: String,
    /// What the operator can do.
    pub remedy: String,
}

/// Why the driver does not start.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The host enforces less than was asked for.
    #[error("this host cannot confine sandboxes as configured: {}", describe(.0))]
    Weak(Vec<MissingPiece>),
    /// The directory for state cannot be used.
    #[error("state directory {path}")]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The spawner process does not work.
    #[error("{what}")]
    Spawner {
        /// What was expected of it.
        what: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

fn describe(missing: &[MissingPiece]) -> String {
    let pieces: Vec<String> = missing
        .iter()
        .map(|MissingPiece { piece, why, remedy }| {
            let waive = if piece.is_essential() {
                ""
            } else {
                ", or allow it to be missing"
            };
            format!("{piece} is missing ({why}): {remedy}{waive}")
        })
        .collect();
    pieces.join("; ")
}

impl From<ConnectError> for DriverError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Spawn { program, source } => Self::Spawner {
                what: format!("start the spawner program {}", program.display()),
                source,
            },
            ConnectError::Ended => Self::Spawner {
                what: "talk to the spawner; its last words are on standard error".to_owned(),
                source: io::ErrorKind::BrokenPipe.into(),
            },
            ConnectError::Deadline => Self::Spawner {
                what: "wait for the report of the spawner".to_owned(),
                source: io::ErrorKind::TimedOut.into(),
            },
        }
    }
}

/// Finds out what this host enforces, without starting anything that stays. `scratch` is a directory that may be
/// mounted over for a moment, in a namespace that nobody else sees; `allotment` is what a node would use.
///
/// # Errors
/// [`DriverError`] if the spawner cannot be started; a host that enforces nothing is a report, not an error.
pub async fn probe(
    spawner: &SpawnerCommand,
    scratch: &Path,
    allotment: &Allotment,
) -> Result<Report, DriverError> {
    let configuration = Configuration {
        scratch: scratch.to_owned(),
        cgroup_parent: format!("{}/probe-{}", allotment.cgroup_parent, std::process::id()),
        subuid_base: allotment.subuid_base,
        pool: 0,
        router: Some(rules::router(&Networks::default())),
    };
    let link = Link::connect(spawner, configuration).await?;
    let report = link.report.clone();
    let _ = tokio::task::spawn_blocking(move || link.end()).await;
    Ok(report)
}

/// See the module.
pub struct LinuxDriver {
    options: Options,
    report: Report,
    /// What no sandbox reaches, besides this machine.
    forbidden: parking_lot::Mutex<BTreeSet<Ipv4Addr>>,
    /// The spawner at work; `None` after shutdown.
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
}

impl LinuxDriver {
    /// Starts the driver. Must be called inside a tokio runtime with IO and time.
    ///
    /// # Errors
    /// [`DriverError::Weak`] names every missing piece that is essential or not waived, and what to do about it.
    pub async fn start(options: Options) -> Result<Self, DriverError> {
        let link = Self::connect(&options).await?;
        let report = link.report.clone();
        Ok(Self {
            options,
            report,
            forbidden: parking_lot::Mutex::default(),
            link: tokio::sync::Mutex::new(Some(Arc::new(link))),
        })
    }

    async fn connect(options: &Options) -> Result<Link, DriverError> {
        let scratch = options.state_dir.join("sandbox");
        std::fs::create_dir_all(&scratch).map_err(|source| DriverError::StateDir {
            path: scratch.clone(),
            source,
        })?;
        let configuration = Configuration {
            scratch,
            cgroup_parent: format!("{}/{}", options.allotment.cgroup_parent, options.node),
            subuid_base: options.allotment.subuid_base,
            pool: options.pool,
            router: (!options.networks.policies.is_empty())
                .then(|| rules::router(&options.networks)),
        };
        let link = Link::connect(&options.spawner, configuration).await?;
        let missing: Vec<MissingPiece> = link
            .report
            .iter()
            .filter_map(|(piece, finding)| match finding {
                Finding::Missing { why, remedy }
                    if piece.is_essential() || !options.allow_missing.contains(&piece) =>
                {
                    Some(MissingPiece {
                        piece,
                        why: why.clone(),
                        remedy: remedy.clone(),
                    })
                }
                _ => None,
            })
            .collect();
        if !missing.is_empty() {
            let _ = tokio::task::spawn_blocking(move || link.end()).await;
            return Err(DriverError::Weak(missing));
        }
        let begun = link.begin().await;
        begun.map_err(|source| DriverError::Spawner {
            what: "let the spawner begin".to_owned(),
            source,
        })?;
        Ok(link)
    }

    /// The process id of the spawner at work, for operators and tests.
    pub async fn spawner_pid(&self) -> Option<u32> {
        self.link.lock().await.as_ref().map(|link| link.pid())
    }

    /// The spawner at work; a new one if it died.
    async fn link(&self) -> Result<Arc<Link>, CreateError> {
        let mut place = self.link.lock().await;
        let Some(link) = place.as_ref() else {
            return Err(CreateError::Stopped);
        };
        if link.is_alive() {
            return Ok(Arc::clone(link));
        }
        tracing::warn!(
            pid = link.pid(),
            "the spawner died, and all sandboxes with it; starting another"
        );
        link.shut_gate();
        let layout = link.layout.clone();
        let _ = sweep_groups(layout, None).await;
        let new = Self::connect(&self.options)
            .await
            .map_err(|e| CreateError::SpawnerLost(io::Error::other(e)))?;
        self.forbid_at(&new).map_err(CreateError::SpawnerLost)?;
        let new = Arc::new(new);
        *place = Some(Arc::clone(&new));
        Ok(new)
    }

    async fn make(&self, spec: Spec) -> Result<Box<dyn Sandbox>, CreateError> {
        blueprint::check(&spec)?;
        let network = self.network_of(&spec)?;
        let number = network.as_ref().map(|(number, _)| *number);
        let (link, mut made) = self.ask(&spec, number).await?;
        let ends = made.names.take();
        let id = spec.id.clone();
        let mut shell = Shell::complete(spec, Arc::clone(&link), made).await?;
        if let Some((_, setting)) = network {
            let resolver = networked::resolver(&id, &link, ends, setting);
            shell.answer_names(resolver.map_err(|source| CreateError::Setup {
                step: "take over the name server".to_owned(),
                source,
            })?);
        }
        Ok(Box::new(shell))
    }

    /// Asks the spawner, and once more if it died meanwhile.
    async fn ask(
        &self,
        spec: &Spec,
        network: Option<u8>,
    ) -> Result<(Arc<Link>, Made), CreateError> {
        let mut last = None;
        for _ in 0..2 {
            let link = self.link().await?;
            let zygote = spec.zygote.as_ref().and_then(|plan| link.zygote(plan));
            match link.create(blueprint::draw(spec, zygote, network)).await {
                Ok(Ok(made)) => return Ok((link, made)),
                Ok(Err(error)) => {
                    return Err(CreateError::Setup {
                        source: error.source(),
                        step: error.step,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    return Err(CreateError::Invalid {
                        field: "spec",
                        reason: error.to_string(),
                    });
                }
                Err(error) => {
                    last = Some(error);
                    link.wait_dead().await;
                }
            }
        }
        Err(CreateError::SpawnerLost(
            last.unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()),
        ))
    }
}

#[async_trait]
impl Driver for LinuxDriver {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn runs_images(&self) -> bool {
        self.report.enforces(Piece::Overlay)
    }

    async fn create(&self, spec: Spec) -> Result<Box<dyn Sandbox>, CreateError> {
        timeout(CREATE_LIMIT, self.make(spec))
            .await
            .unwrap_or(Err(CreateError::Deadline(CREATE_LIMIT)))
    }

    async fn sweep(&self) -> io::Result<usize> {
        let link = self.link.lock().await.clone();
        match link {
            Some(link) => sweep_groups(link.layout.clone(), Some(format!("{}-", link.life))).await,
            None => Ok(0),
        }
    }

    fn forbid(&self, addresses: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
        self.forbid_more(addresses)
    }

    async fn shutdown(&self) {
        let Some(link) = self.link.lock().await.take() else {
            return;
        };
        let layout = link.layout.clone();
        let _ = tokio::task::spawn_blocking(move || link.end()).await;
        if let Err(error) = sweep_groups(layout.clone(), None).await {
            tracing::warn!(%error, "some sandbox did not die at shutdown");
        }
        layout.remove();
    }
}

/// Kills and removes every group whose name does not start with `spared`; answers how many.
async fn sweep_groups(layout: Layout, spared: Option<String>) -> io::Result<usize> {
    let swept = tokio::task::spawn_blocking(move || {
        let mut count = 0;
        for name in layout.names() {
            if spared
                .as_ref()
                .is_some_and(|prefix| name.starts_with(prefix.as_str()))
            {
                continue;
            }
            layout.group(&name).destroy(SWEEP_LIMIT)?;
            count += 1;
        }
        Ok(count)
    });
    swept
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_spawner_that_is_not_there_is_a_typed_error() {
        let state = tempfile::tempdir().unwrap();
        let mut options = Options::new(state.path(), "node-1".parse().unwrap());
        options.spawner.program = "/does/not/exist".into();
        let Err(DriverError::Spawner { what, source }) = LinuxDriver::start(options).await else {
            panic!()
        };
        assert!(what.contains("/does/not/exist"));
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_refusal_names_each_piece_and_what_to_do() {
        let missing = |piece| MissingPiece {
            piece,
            why: "why".into(),
            remedy: "do this".into(),
        };
        let error = DriverError::Weak(vec![
            missing(Piece::UserNamespace),
            missing(Piece::Landlock),
        ]);
        assert_eq!(
            error.to_string(),
            "this host cannot confine sandboxes as configured: user-namespace is missing (why): do this; \
             landlock is missing (why): do this, or allow it to be missing"
        );
    }
}
