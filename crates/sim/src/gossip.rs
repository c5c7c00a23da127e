//! Gossip of simulated nodes: who has been heard of lately, by heartbeats that travel over the simulated network.
//!
//! Every round a node counts its own heartbeat up and sends what it knows of everybody to a few others; a node whose
//! heartbeat does not grow any more is dead. The datagrams carry only names and numbers. What a member says of itself
//! lies in a register that all nodes of the run share, under the number of its publication, so that no node ever reads
//! what has not reached it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use host::{Clock, Entropy, Membership, Tasks, membership::Members, task::Kind};
use model::{NodeName, capacity::Member};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use turmoil::net::UdpSocket;

/// Where nodes gossip.
const PORT: u16 = 7000;
/// How often.
const ROUND: Duration = Duration::from_millis(200);
/// To how many others.
const FANOUT: u64 = 3;
/// A member not heard of for this long is dead.
const SILENCE: Duration = Duration::from_millis(1800);
/// A life that ended is forgotten after this long.
const FORGET: Duration = Duration::from_secs(60);
/// Publications of one member that are kept: more than can be on their way.
const KEPT: usize = 256;

/// What a node knows of another: the start of its process, its heartbeat, and the number of what it said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Pulse {
    generation: u64,
    beats: u64,
    version: u64,
    left: bool,
}

/// What all members of a run ever said, by name and number.
#[derive(Default)]
pub(crate) struct Register {
    said: Mutex<BTreeMap<NodeName, Publications>>,
    /// How many datagrams were sent, by sender and receiver, whether or not they came.
    told: Mutex<BTreeMap<(NodeName, NodeName), u64>>,
}

/// By generation and number.
type Publications = BTreeMap<(u64, u64), Arc<Member>>;

impl Register {
    /// How often one has told another who is there.
    pub(crate) fn told(&self, from: &NodeName, to: &NodeName) -> u64 {
        let key = (from.clone(), to.clone());
        self.told.lock().get(&key).copied().unwrap_or_default()
    }

    fn tells(&self, from: &NodeName, to: &NodeName) {
        let key = (from.clone(), to.clone());
        *self.told.lock().entry(key).or_default() += 1;
    }

    fn put(&self, version: u64, member: Member) {
        let mut said = self.said.lock();
        let of = said.entry(member.name.clone()).or_default();
        of.insert((member.generation, version), Arc::new(member));
        while of.len() > KEPT {
            of.pop_first();
        }
    }

    fn get(&self, name: &NodeName, pulse: Pulse) -> Option<Arc<Member>> {
        let said = self.said.lock();
        let key = (pulse.generation, pulse.version);
        said.get(name)?.get(&key).cloned()
    }
}

/// The members as one simulated node sees them.
pub(crate) struct SimMembership {
    own: watch::Sender<(Member, bool)>,
    members: watch::Receiver<Members>,
    gone: CancellationToken,
    _tasks: Tasks,
}

struct Heard {
    pulse: Pulse,
    at: Instant,
}

struct Gossip {
    register: Arc<Register>,
    peers: Vec<NodeName>,
    entropy: Arc<dyn Entropy>,
    own: watch::Receiver<(Member, bool)>,
    /// By name and generation: of two lives of a name that are both heard, the newer counts.
    heard: BTreeMap<(NodeName, u64), Heard>,
    members: watch::Sender<Members>,
}

impl SimMembership {
    /// Begins to gossip with these names, as a node that says this of itself.
    ///
    /// # Errors
    /// If the port is taken.
    pub(crate) async fn start(
        mut own: Member,
        peers: Vec<NodeName>,
        register: Arc<Register>,
        entropy: Arc<dyn Entropy>,
        clock: &dyn Clock,
        tasks: &Tasks,
    ) -> std::io::Result<Self> {
        let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
        own.generation = clock.wall().as_millis().max(1);
        let alone = BTreeMap::from([(own.name.clone(), Arc::new(own.clone()))]);
        let (members, seen) = watch::channel(Members::from(alone));
        let (publish, own) = watch::channel((own, false));
        let gone = CancellationToken::new();
        let gossip = Gossip {
            register,
            peers,
            entropy,
            own,
            heard: BTreeMap::new(),
            members,
        };
        let (ended, stopped) = (gone.clone().drop_guard(), tasks.stopped());
        // Its own: a drain says goodbye when all other tasks are over.
        let own_tasks = Tasks::in_place();
        own_tasks.spawn(Kind::Lasting, "gossip", async move {
            let _ended = ended;
            tokio::select! {
                () = stopped.cancelled() => {}
                () = gossip.run(socket) => {}
            }
        });
        Ok(Self {
            _tasks: own_tasks,
            own: publish,
            members: seen,
            gone,
        })
    }
}

#[async_trait]
impl Membership for SimMembership {
    fn watch(&self) -> watch::Receiver<Members> {
        self.members.clone()
    }

    fn publish(&self, own: Member) {
        self.own.send_modify(|(member, _)| {
            let generation = member.generation;
            *member = own;
            member.generation = generation;
        });
    }

    async fn leave(&self) {
        self.own.send_modify(|(_, left)| *left = true);
        self.gone.cancelled().await;
    }
}

impl Gossip {
    async fn run(mut self, socket: UdpSocket) {
        let mut rounds = tokio::time::interval(ROUND);
        let mut version = 0;
        let mut beats = 0;
        let mut said: Option<Member> = None;
        let mut buffer = vec![0; 64 << 10];
        let mut goodbyes = 0;
        loop {
            tokio::select! {
                biased;
                _ = rounds.tick() => {
                    beats += 1;
                    let (member, left) = self.own.borrow_and_update().clone();
                    if said.as_ref() != Some(&member) {
                        version += 1;
                        self.register.put(version, member.clone());
                        said = Some(member.clone());
                    }
                    let pulse = Pulse { generation: member.generation, beats, version, left };
                    self.hear(member.name.clone(), pulse);
                    self.tell(&socket, &member.name).await;
                    self.show(&member);
                    if left {
                        goodbyes += 1;
                        if goodbyes > 2 {
                            return;
                        }
                    }
                }
                received = socket.recv_from(&mut buffer) => {
                    let Ok((length, _)) = received else { return };
                    let text = buffer.get(..length).unwrap_or_default();
                    let table: Vec<(String, Pulse)> =
                        serde_json::from_slice(text).unwrap_or_default();
                    for (name, pulse) in table {
                        if let Ok(name) = name.parse() {
                            self.hear(name, pulse);
                        }
                    }
                    let own = self.own.borrow().0.clone();
                    self.show(&own);
                }
            }
        }
    }

    /// Takes note of a heartbeat that is newer than what we know.
    fn hear(&mut self, name: NodeName, pulse: Pulse) {
        let at = Instant::now();
        let life = (name, pulse.generation);
        let known = self.heard.entry(life).or_insert(Heard { pulse, at });
        if pulse > known.pulse {
            *known = Heard { pulse, at };
        }
        self.heard.retain(|_, heard| heard.at.elapsed() < FORGET);
    }

    /// Sends what we know to some others.
    async fn tell(&self, socket: &UdpSocket, own: &NodeName) {
        let table: Vec<(String, Pulse)> = self
            .heard
            .iter()
            .filter(|(_, heard)| heard.at.elapsed() < SILENCE)
            .map(|((name, _), heard)| (name.to_string(), heard.pulse))
            .collect();
        let text = serde_json::to_vec(&table).unwrap_or_default();
        let mut others: Vec<_> = self.peers.iter().filter(|p| *p != own).collect();
        for _ in 0..FANOUT.min(others.len() as u64) {
            let chosen = self.entropy.below(others.len() as u64);
            let peer = others.swap_remove(usize::try_from(chosen).unwrap_or(0));
            self.register.tells(own, peer);
            let _lost = socket.send_to(&text, (peer.as_str(), PORT)).await;
        }
    }

    /// Shows who is alive now, if that is news.
    fn show(&self, own: &Member) {
        let mut alive: BTreeMap<NodeName, Arc<Member>> = self
            .heard
            .iter()
            .filter(|(_, heard)| heard.at.elapsed() < SILENCE && !heard.pulse.left)
            .filter_map(|((name, _), heard)| {
                Some((name.clone(), self.register.get(name, heard.pulse)?))
            })
            // In the order of generations: the newest stays.
            .collect();
        alive.insert(own.name.clone(), Arc::new(own.clone()));
        self.members.send_if_modified(|members| {
            let news = **members != alive;
            if news {
                *members = Arc::new(alive);
            }
            news
        });
    }
}

#[cfg(test)]
mod tests;
