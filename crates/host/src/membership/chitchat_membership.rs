//! Membership by chitchat.
//!
//! One task follows chitchat's view of the live nodes and publishes our own, at most once a gossip interval. If chitchat's
//! task ends on its own, which it does when it panics, it is started again under a greater generation; the members are
//! kept meanwhile, because a node that gossips badly still serves.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, NodeState, ProtocolVersion,
    spawn_chitchat, transport::Transport,
};
use model::{NodeName, capacity::Member};
use parking_lot::Mutex;
use tokio::{net::UdpSocket, sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    GossipCounts, Members, Membership,
    encoding::{self, Texts},
    transport::{Counters, SealedTransport},
};
use crate::{Clock, Entropy, Tasks, task::Kind};

/// How often a node gossips.
const INTERVAL: Duration = Duration::from_millis(200);
/// Rounds after which what a node says has reached everybody.
const ROUNDS: u32 = 4;
/// How long a dead node is remembered.
const DEAD_GRACE: Duration = Duration::from_secs(15 * 60);
/// A pause before gossip that died is started again.
const RESTART: Duration = Duration::from_secs(1);
/// How long the members of an earlier life of gossip are believed to be there.
const SETTLING: Duration = Duration::from_secs(3);
/// How often a node that knows nobody looks up the names of its seeds.
const LONELY: Duration = Duration::from_secs(2);
/// How long the end of chitchat's task is waited for.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// What a [`ChitchatMembership`] is made of.
pub struct MembershipOptions {
    /// The name of the cluster; nodes of another one are not heard even with the same key.
    pub cluster_id: String,
    /// What this node says of itself at first. A generation of zero is replaced by the time now.
    pub own: Member,
    /// The UDP address to listen on; port 0 takes any.
    pub bind: SocketAddr,
    /// The UDP address that others send to; port 0 stands for the bound one.
    pub advertise: SocketAddr,
    /// `host:port` of some other nodes; this node may be among them.
    pub seeds: Vec<String>,
    /// The keys of the cluster: the first one seals, any opens. To rotate: add the new key as the second everywhere, then
    /// make it the first everywhere, then drop the old one.
    pub keys: Vec<[u8; 32]>,
}

/// Why gossip could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// No key.
    #[error("expected at least one gossip key of 32 bytes, got none")]
    NoKey,
    /// Others cannot send to this.
    #[error("expected an address that other nodes can send gossip to, got {0}")]
    Advertise(SocketAddr),
    /// The socket is refused.
    #[error("gossip cannot listen on {address}; check that no other process does")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The protocol did not come up.
    #[error("gossip could not be started")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The members of a cluster as gossip knows them. When it is dropped it stops without a goodbye.
pub struct ChitchatMembership {
    members: watch::Receiver<Members>,
    own: watch::Sender<Own>,
    name: NodeName,
    address: SocketAddr,
    restarts: Arc<AtomicU64>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    stopped: CancellationToken,
}

/// What we say of ourselves.
#[derive(Clone)]
struct Own {
    member: Member,
    left: bool,
}

impl ChitchatMembership {
    /// Binds the socket and starts to gossip.
    ///
    /// # Errors
    /// [`MembershipError`] if the options make no sense or the socket is refused.
    pub async fn start(
        mut options: MembershipOptions,
        tasks: &Tasks,
        entropy: Arc<dyn Entropy>,
        clock: &dyn Clock,
    ) -> Result<Self, MembershipError> {
        if options.keys.is_empty() {
            return Err(MembershipError::NoKey);
        }
        if options.own.generation == 0 {
            options.own.generation = clock.wall().as_millis().max(1);
        }
        let refused = |source| MembershipError::Bind {
            address: options.bind,
            source,
        };
        let socket = UdpSocket::bind(options.bind).await.map_err(refused)?;
        options.bind = socket.local_addr().map_err(refused)?;
        let counters = Arc::new(Counters::default());
        let transport = SealedTransport {
            cluster: options.cluster_id.as_str().into(),
            keys: std::mem::take(&mut options.keys),
            entropy,
            counters: counters.clone(),
            bound: Mutex::new(Some(socket)),
        };
        Self::start_on(options, Box::new(transport), counters, tasks).await
    }

    async fn start_on(
        mut options: MembershipOptions,
        transport: Box<dyn Transport>,
        counters: Arc<Counters>,
        tasks: &Tasks,
    ) -> Result<Self, MembershipError> {
        if options.advertise.port() == 0 {
            options.advertise.set_port(options.bind.port());
        }
        if options.advertise.ip().is_unspecified() {
            return Err(MembershipError::Advertise(options.advertise));
        }
        let own = Own {
            member: options.own.clone(),
            left: false,
        };
        let name = own.member.name.clone();
        let address = options.advertise;
        let first = (name.clone(), Arc::new(own.member.clone()));
        let (members_sender, members) = watch::channel(Arc::new(BTreeMap::from([first])));
        let (own_sender, own) = watch::channel(own);
        let restarts = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let mut follower = Follower {
            options,
            transport,
            own,
            members: members_sender,
            restarts: restarts.clone(),
            stop: stop.clone(),
        };
        let handle = follower.spawn().await.map_err(MembershipError::Start)?;
        let done = stopped.clone().drop_guard();
        tasks.spawn(Kind::Lasting, "gossip", async move {
            let _done = done;
            follower.follow(handle).await;
        });
        Ok(Self {
            members,
            own: own_sender,
            name,
            address,
            restarts,
            counters,
            stop,
            stopped,
        })
    }

    /// The UDP address that others send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often gossip died and was started again. Anything but zero deserves a look at the log.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// What gossip did and met so far.
    #[must_use]
    pub fn counts(&self) -> GossipCounts {
        self.counters.read()
    }
}

#[async_trait]
impl Membership for ChitchatMembership {
    fn watch(&self) -> watch::Receiver<Members> {
        self.members.clone()
    }

    fn publish(&self, member: Member) {
        // The name and the generation are how the others know us; they stay.
        self.own.send_if_modified(|own| {
            let next = Member {
                name: self.name.clone(),
                generation: own.member.generation,
                draining: member.draining || own.left,
                ..member
            };
            let changed = own.member != next;
            own.member = next;
            changed
        });
    }

    async fn leave(&self) {
        self.own.send_modify(|own| {
            own.member.draining = true;
            own.left = true;
        });
        tokio::select! {
            () = tokio::time::sleep(INTERVAL * ROUNDS) => {}
            () = self.stopped.cancelled() => {}
        }
        self.stop.cancel();
        // The task bounds its own end.
        self.stopped.cancelled().await;
    }
}

impl Drop for ChitchatMembership {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The task between chitchat and the rest of the node.
struct Follower {
    options: MembershipOptions,
    transport: Box<dyn Transport>,
    own: watch::Receiver<Own>,
    members: watch::Sender<Members>,
    restarts: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Follower {
    async fn spawn(&mut self) -> Result<ChitchatHandle, Box<dyn std::error::Error + Send + Sync>> {
        let generation = self.options.own.generation + self.restarts.load(Ordering::Relaxed);
        let name = self.options.own.name.as_str();
        let config = ChitchatConfig {
            chitchat_id: ChitchatId::new(name, generation, self.options.advertise),
            cluster_id: self.options.cluster_id.clone(),
            gossip_interval: INTERVAL,
            listen_addr: self.options.bind,
            seed_nodes: self.options.seeds.clone(),
            failure_detector_config: FailureDetectorConfig {
                phi_threshold: 8.0,
                sampling_window_size: 1000,
                max_interval: Duration::from_secs(2),
                initial_interval: Duration::from_millis(500),
                dead_node_grace_period: DEAD_GRACE,
            },
            marked_for_deletion_grace_period: DEAD_GRACE,
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: ProtocolVersion::V1,
        };
        let texts = self.texts();
        let pairs = texts.into_iter().map(|(key, text)| (key.to_owned(), text));
        Ok(spawn_chitchat(config, pairs.collect(), &*self.transport).await?)
    }

    /// Runs until it is stopped; starts chitchat again when it dies.
    async fn follow(&mut self, mut handle: ChitchatHandle) {
        loop {
            let outcome = self.run(&handle).await;
            let shutdown = tokio::time::timeout(SHUTDOWN, handle.shutdown()).await;
            let Err(cause) = outcome else { return };
            tracing::error!(%cause, ?shutdown, "gossip ended on its own and is started again; this node may look dead to others meanwhile");
            handle = loop {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = tokio::time::sleep(RESTART) => {}
                }
                match self.spawn().await {
                    Ok(handle) => break handle,
                    Err(error) => tracing::error!(%error, "gossip could not be started again"),
                }
            };
        }
    }

    /// Follows one life of chitchat: `Ok` if we were stopped, the cause if it died.
    async fn run(&mut self, handle: &ChitchatHandle) -> Result<(), String> {
        let mut died = std::pin::pin!(handle.termination_watcher());
        let mut live = handle.with_chitchat(|c| c.live_nodes_watcher()).await;
        let mut said = Texts::new();
        let mut next_word = Instant::now();
        let restarted = self.restarts.load(Ordering::Relaxed) > 0;
        let settled = next_word + if restarted { SETTLING } else { Duration::ZERO };
        let mut lonely = tokio::time::interval(LONELY);
        lonely.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let quiet = Instant::now() < next_word;
            if !quiet && self.say(handle, &mut said).await {
                next_word = Instant::now() + INTERVAL;
            }
            let settling = Instant::now() < settled;
            self.show(&live.borrow_and_update().clone(), settling);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                end = &mut died => {
                    return Err(end.map_or_else(|e| e.to_string(), |()| "it stopped".to_owned()));
                }
                changed = live.changed() => {
                    changed.map_err(|_| "its view is gone".to_owned())?;
                }
                changed = self.own.changed(), if !quiet => {
                    // Whoever publishes is gone, so nobody can stop us but the node.
                    changed.map_err(|_| "nobody owns it".to_owned())?;
                }
                () = tokio::time::sleep_until(next_word), if quiet => {}
                () = tokio::time::sleep_until(settled), if settling => {}
                _ = lonely.tick() => self.look_up_seeds(handle).await,
            }
        }
    }

    fn texts(&mut self) -> Texts {
        let own = self.own.borrow_and_update();
        encoding::encode(&own.member, own.left)
    }

    /// Tells chitchat what is new about us; whether there was anything.
    async fn say(&mut self, handle: &ChitchatHandle, said: &mut Texts) -> bool {
        let texts = self.texts();
        if texts == *said {
            return false;
        }
        handle
            .with_chitchat(|chitchat| {
                let state = chitchat.self_node_state();
                for (key, text) in &texts {
                    // chitchat compares too: a text that did not change is not sent again.
                    state.set(key, text);
                }
            })
            .await;
        *said = texts;
        true
    }

    /// Wakes those who watch, if the members have changed. While it settles, chitchat knows too few.
    fn show(&self, live: &BTreeMap<ChitchatId, NodeState>, settling: bool) {
        let own = self.own.borrow().member.clone();
        self.members.send_if_modified(|known| {
            let mut members = members(own, live, known);
            if settling {
                for (name, member) in known.iter() {
                    let kept = || member.clone();
                    members.entry(name.clone()).or_insert_with(kept);
                }
            }
            let changed = members != **known;
            if changed {
                *known = Arc::new(members);
            }
            changed
        });
    }

    /// chitchat looks up names once a minute. A node that knows nobody cannot wait for that.
    async fn look_up_seeds(&self, handle: &ChitchatHandle) {
        if self.members.borrow().len() > 1 {
            return;
        }
        let names = self.options.seeds.iter();
        for name in names.filter(|seed| seed.parse::<SocketAddr>().is_err()) {
            let look_up = tokio::net::lookup_host(name);
            let Ok(Ok(found)) = tokio::time::timeout(INTERVAL, look_up).await else {
                continue;
            };
            for address in found.filter(|address| *address != self.options.advertise) {
                // It fails only if chitchat has ended, which is noticed elsewhere.
                let _ = handle.gossip(address);
            }
        }
    }
}

/// The newest generation of each live node, ourselves as we are. Members that did not change keep their place in memory.
fn members(
    own: Member,
    live: &BTreeMap<ChitchatId, NodeState>,
    known: &Members,
) -> BTreeMap<NodeName, Arc<Member>> {
    // In the order of the map a newer generation comes later.
    let mut newest: BTreeMap<&str, &NodeState> = BTreeMap::new();
    for (id, state) in live {
        newest.insert(&id.node_id, state);
    }
    let decoded = newest.into_iter().filter_map(|(name, state)| {
        let member = encoding::decode(name, |key| state.get(key));
        if member.is_none() {
            tracing::trace!(name, "a live node that has left or makes no sense");
        }
        member
    });
    // What others say of us does not count: the last one under a name stays.
    let members: BTreeMap<_, _> = decoded
        .chain(std::iter::once(own))
        .map(|member| (member.name.clone(), member))
        .collect();
    members
        .into_iter()
        .map(|(name, member)| match known.get(&name) {
            Some(same) if **same == member => (name, same.clone()),
            Some(_) | None => (name, Arc::new(member)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
