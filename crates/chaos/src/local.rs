//! A cluster on this machine: three zones, each node a process of the real program in a network namespace of its own, with
//! certificates of its own, on the default network of which this run is the wire.
//!
//! Nodes are named by their zone: `a1` to `c1` are controllers that work, `a2` to `c2` frontends; or `a1` to `c1` have
//! every role; or each has one, and workers are `a3` to `c3`. Clients live on the host `client`.

mod disk;
mod node;
mod supplies;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use host::{Entropy, SeededEntropy, Tasks};
use model::{Role, Roles, Timestamp};
use tokio::time::Instant;

use crate::{
    admin,
    fabric::{Fabric, FabricError, FabricOptions, HostSpec, Links},
    fault::{Disk, Faketime, Member, Target, TargetError, Verb},
    load::Endpoint,
    scenario::Shape,
    verdict::{Leadership, Remark},
    watched::Watched,
};
use node::Node;
pub use supplies::{Credentials, SuppliesError};

/// What begins the names of its namespaces.
const PREFIX: &str = "chaos";
/// Where clients live.
pub const CLIENT: &str = "client";
/// The zones.
const ZONES: [&str; 3] = ["a", "b", "c"];
/// The port of the AWS API.
pub(crate) const PUBLIC: u16 = 9000;
/// The port of gRPC.
pub(crate) const GRPC: u16 = 9001;
/// The port for other nodes.
pub(crate) const INTERNAL: u16 = 9010;
/// The admin endpoint, in each node's own namespace.
pub(crate) const ADMIN: &str = "127.0.0.1:9020";
/// How long all nodes may take to be ready at first.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long nodes may take to drain at the end.
const DRAIN_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

/// How a local cluster is made.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The program that its nodes run.
    pub program: PathBuf,
    /// Where it keeps everything; must not be there yet.
    pub directory: PathBuf,
    /// How nodes share the roles.
    pub shape: Shape,
    /// What the network's chance draws from.
    pub seed: u64,
    /// Whether the nodes' wall clocks will be moved.
    pub clocks: bool,
    /// Whether the nodes' disks will be broken.
    pub disks: bool,
}

/// A running local cluster. Dropping it kills its nodes.
pub struct LocalCluster {
    nodes: BTreeMap<String, Arc<Node>>,
    members: Vec<Member>,
    credentials: Credentials,
    tasks: Tasks,
    clocks: Result<(), String>,
    fabric: Arc<Fabric>,
}

/// Why there is no local cluster.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is no network for it.
    #[error("there is no network for a local cluster")]
    Fabric(#[from] FabricError),
    /// What its nodes need could not be made.
    #[error(transparent)]
    Supplies(#[from] SuppliesError),
    /// There are no disks that can be broken.
    #[error(
        "there are no disks to break; load the module fuse, and pass /dev/fuse into this environment"
    )]
    Disk(#[from] faultfs::MountError),
    /// A node could not be started.
    #[error(transparent)]
    Start(#[from] TargetError),
    /// It does not become ready.
    #[error("the cluster was not ready after {READY_MAX:?}: {why}; the nodes' logs are in {logs}")]
    NotReady {
        /// Who is not, and why.
        why: String,
        /// Where to look.
        logs: String,
    },
}

/// The nodes of a shape, and where each is reached.
#[must_use]
pub fn members(shape: Shape) -> Vec<(Member, Ipv4Addr)> {
    let core = Roles::default().with(Role::Controller).with(Role::Worker);
    let only = |role| Roles::default().with(role);
    let (split, apart);
    let of_zone: &[Roles] = match shape {
        Shape::Split => {
            split = [core, only(Role::Frontend)];
            &split
        }
        Shape::Whole => &[Roles::ALL],
        Shape::Apart => {
            apart = [Role::Controller, Role::Frontend, Role::Worker].map(only);
            &apart
        }
    };
    let mut members = Vec::new();
    for (zone, zone_number) in ZONES.iter().zip(1..) {
        for (roles, number) in of_zone.iter().zip(1..) {
            let member = Member {
                name: format!("{zone}{number}"),
                zone: (*zone).to_owned(),
                roles: *roles,
            };
            members.push((member, Ipv4Addr::new(10, 77, zone_number, number)));
        }
    }
    members
}

/// The hosts of a local cluster's network.
#[must_use]
pub fn hosts(shape: Shape) -> Vec<HostSpec> {
    let members = members(shape).into_iter();
    let nodes = members.map(|(m, address)| HostSpec::new(m.name, m.zone, address));
    let client = HostSpec::new(CLIENT, "outside", Ipv4Addr::new(10, 77, 9, 9));
    nodes.chain([client]).collect()
}

impl LocalCluster {
    /// Builds the network, makes what nodes need, starts them and waits until all are ready and one leads.
    ///
    /// # Errors
    /// [`LocalError`]. Nothing runs then.
    pub async fn start(options: &LocalOptions) -> Result<Self, LocalError> {
        Fabric::possible()?;
        let placed = members(options.shape);
        let supplies = supplies::make(options, &placed)?;
        let network = FabricOptions {
            seed: Some(options.seed),
            ..FabricOptions::default()
        };
        let fabric = Fabric::build_with(PREFIX, &hosts(options.shape), &network)?;
        let fabric = Arc::new(fabric);
        let faketime = options.clocks.then(Faketime::find);
        let clocks = match &faketime {
            None => Err("this run was started without clocks of its own".to_owned()),
            Some(found) => found.clone().map(drop),
        };
        let faketime = faketime.and_then(Result::ok);
        let disks = SeededEntropy::new(options.seed).fork("disks");
        let mut nodes = BTreeMap::new();
        for (member, _) in &placed {
            let directory = supplies::node_directory(&options.directory, &member.name);
            let node = Node::new(
                member.name.clone(),
                options.program.clone(),
                directory,
                fabric.clone(),
                faketime.clone(),
            );
            if options.disks {
                node.mount_disk(disks.next_u64())?;
            }
            nodes.insert(member.name.clone(), Arc::new(node));
        }
        let this = Self {
            nodes,
            members: placed.into_iter().map(|(member, _)| member).collect(),
            credentials: supplies,
            tasks: Tasks::new(),
            clocks,
            fabric,
        };
        for node in this.nodes.values() {
            node.start()?;
        }
        this.wait_ready(&options.directory).await?;
        Ok(this)
    }

    /// A command that runs a program where clients live.
    ///
    /// # Errors
    /// [`FabricError`], which cannot be: that host is always there.
    pub fn client_command(&self, program: &Path) -> Result<Command, FabricError> {
        self.fabric.command(CLIENT, program)
    }

    /// The frontends, as clients reach them.
    ///
    /// # Errors
    /// [`FabricError`], which cannot be: every node is a host.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, FabricError> {
        let frontends = self.members.iter().filter(|m| m.is(Role::Frontend));
        frontends
            .map(|member| {
                let address = self.fabric.address(&member.name)?;
                Ok(Endpoint {
                    name: member.name.clone(),
                    url: format!("http://{address}:{PUBLIC}"),
                })
            })
            .collect()
    }

    /// Who may call it.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Lets every node drain, kills those that do not, and returns when all are gone.
    pub async fn stop(&self) {
        for node in self.nodes.values() {
            node.ask_to_end();
        }
        let deadline = Instant::now() + DRAIN_MAX;
        for node in self.nodes.values() {
            if !node.gone_by(deadline).await {
                tracing::warn!(
                    node = node.name(),
                    "a node did not drain in time and is killed"
                );
            }
            if let Err(error) = node.kill().await {
                tracing::error!(error = %error, "a node is left");
            }
        }
        for disk in self.nodes.values().filter_map(|node| node.disk().cloned()) {
            // A panic of it was told already; what counts is that the others come down, too.
            let _down = self.tasks.blocking(move || disk.unmount()).await;
        }
    }

    async fn wait_ready(&self, directory: &Path) -> Result<(), LocalError> {
        let deadline = Instant::now() + READY_MAX;
        loop {
            let mut why = self.unready().await;
            if why.is_empty() && self.leadership().await.is_none() {
                why.push("nobody leads".to_owned());
            }
            if why.is_empty() {
                return Ok(());
            }
            let dead = self.nodes.values().find(|node| !node.is_up());
            if dead.is_some() || Instant::now() > deadline {
                return Err(LocalError::NotReady {
                    why: dead.map_or_else(|| why.join(", "), |node| node.obituary()),
                    logs: supplies::node_directory(directory, "")
                        .display()
                        .to_string(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn node(&self, name: &str, verb: Verb) -> Result<&Arc<Node>, TargetError> {
        let found = self.nodes.get(name);
        found.ok_or_else(|| TargetError::new(verb, name, "there is no such node"))
    }

    /// Asks every node that is up and of this kind, each in its own namespace.
    async fn ask<T: Send + 'static>(
        &self,
        whom: impl Fn(&Member) -> bool,
        question: fn(&str) -> T,
    ) -> Vec<(String, Option<T>)> {
        let those = self.members.iter().filter(|m| whom(m));
        let names: Vec<String> = those.map(|m| m.name.clone()).collect();
        let up: Vec<bool> = names
            .iter()
            .map(|name| self.nodes.get(name).is_some_and(|node| node.is_up()))
            .collect();
        let fabric = self.fabric.clone();
        let asked = self.tasks.blocking(move || {
            let answers = names.into_iter().zip(up).map(|(name, up)| {
                let answer = up.then(|| fabric.enter(&name, || question(ADMIN)).ok());
                (name, answer.flatten())
            });
            answers.collect()
        });
        asked.await.unwrap_or_default()
    }
}

#[async_trait]
impl Watched for LocalCluster {
    async fn leadership(&self) -> Option<Leadership> {
        let ask = |endpoint: &str| admin::leadership(endpoint).ok().flatten();
        let said = self.ask(|m| m.is(Role::Controller), ask).await;
        let known = said.into_iter().filter_map(|(_, leader)| leader.flatten());
        known.max_by_key(|leader| leader.term)
    }

    async fn unready(&self) -> Vec<String> {
        let said = self.ask(|_| true, admin::unready).await;
        let told = said.into_iter().filter_map(|(name, answer)| match answer {
            None => Some(format!("{name} does not run")),
            Some(Some(why)) => Some(format!("{name}: {why}")),
            Some(None) => None,
        });
        told.collect()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.nodes
            .values()
            .flat_map(|node| node.remarks())
            .collect()
    }
}

#[async_trait]
impl Target for LocalCluster {
    fn nodes(&self) -> Vec<Member> {
        self.members.clone()
    }

    fn supports(&self, _verb: Verb) -> Result<(), String> {
        Ok(())
    }

    async fn leader(&self) -> Option<String> {
        self.leadership().await.map(|leader| leader.name)
    }

    async fn is_up(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| node.is_up())
    }

    async fn kill(&self, node: &str) -> Result<(), TargetError> {
        self.node(node, Verb::Kill)?.kill().await
    }

    async fn terminate(&self, node: &str, patience: Duration) -> Result<bool, TargetError> {
        let node = self.node(node, Verb::Terminate)?;
        node.ask_to_end();
        Ok(node.gone_by(Instant::now() + patience).await)
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        self.node(node, Verb::Start)?.start()
    }

    async fn pause(&self, node: &str) -> Result<(), TargetError> {
        self.node(node, Verb::Pause)?.pause()
    }

    async fn resume(&self, node: &str) -> Result<(), TargetError> {
        self.node(node, Verb::Pause)?.resume()
    }

    async fn wipe(&self, node: &str) -> Result<(), TargetError> {
        let node = self.node(node, Verb::Wipe)?.clone();
        let name = node.name().to_owned();
        let wiped = self.tasks.blocking(move || node.wipe()).await;
        wiped.map_err(|panic| TargetError::new(Verb::Wipe, &name, panic))?
    }

    fn links(&self) -> Option<Links> {
        Some(self.fabric.links())
    }

    fn disk(&self, node: &str) -> Option<Arc<dyn Disk>> {
        let disk = self.nodes.get(node)?.disk()?;
        Some(disk.clone())
    }

    fn clock(&self, node: &str) -> Result<PathBuf, String> {
        self.clocks.clone()?;
        let node = self.nodes.get(node).ok_or("there is no such node")?;
        Ok(node.clock_file())
    }

    async fn wall(&self, node: &str) -> Option<Timestamp> {
        let ask = |endpoint: &str| admin::wall(endpoint).ok();
        let said = self.ask(|m| m.name == node, ask).await;
        said.into_iter().find_map(|(_, wall)| wall.flatten())
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        for node in self.nodes.values() {
            node.kill_now();
        }
    }
}
