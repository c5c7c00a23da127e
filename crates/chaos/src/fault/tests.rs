//! Every kind of fault against a target that only remembers, in paused time.

mod parse;
mod play;
mod victims;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use host::{Clock as _, SeededEntropy, SystemClock};
use model::{Role, Roles, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::*;
use crate::fabric::{HostSpec, Links, Rule};

/// Six nodes in three zones: `a1` to `c1` have all roles but the frontend, `a2` to `c2` are frontends; `a1` leads.
struct Remembers {
    links: Option<Links>,
    cannot: Vec<Verb>,
    leader: Option<String>,
    /// Whose processes do not heed a SIGTERM.
    stubborn: bool,
    /// The verb that fails, for whom.
    fails: Option<(Verb, &'static str)>,
    disks: bool,
    clocks: Option<PathBuf>,
    /// Whether its nodes do not see how far their clocks are to be off.
    deaf: bool,
    began: Instant,
    remembered: Arc<Mutex<Remembered>>,
}

#[derive(Default)]
struct Remembered {
    down: Vec<String>,
    log: Vec<String>,
}

struct RemembersDisk {
    node: String,
    began: Instant,
    remembered: Arc<Mutex<Remembered>>,
}

const NODES: [(&str, &str); 6] = [
    ("a1", "a"),
    ("a2", "a"),
    ("b1", "b"),
    ("b2", "b"),
    ("c1", "c"),
    ("c2", "c"),
];

impl Remembers {
    fn new() -> Self {
        let client = ("client", "outside");
        let hosts: Vec<_> = NODES
            .into_iter()
            .chain([client])
            .zip(1..)
            .map(|((name, zone), last)| HostSpec::new(name, zone, [10, 0, 0, last].into()))
            .collect();
        Self {
            links: Some(Links::new(&hosts)),
            cannot: Vec::new(),
            leader: Some("a1".to_owned()),
            stubborn: false,
            fails: None,
            disks: true,
            clocks: None,
            deaf: false,
            began: Instant::now(),
            remembered: Arc::default(),
        }
    }

    fn log(&self) -> Vec<String> {
        self.remembered.lock().log.clone()
    }

    fn do_to(&self, verb: Verb, how: &str, node: &str) -> Result<(), TargetError> {
        note(&self.remembered, self.began, how, node);
        if self.fails == Some((verb, node)) {
            return Err(TargetError::new(verb, node, "it is told to"));
        }
        let mut remembered = self.remembered.lock();
        match verb {
            Verb::Kill | Verb::Terminate => remembered.down.push(node.to_owned()),
            Verb::Start => remembered.down.retain(|n| n != node),
            Verb::Pause | Verb::Wipe | Verb::Break => {}
        }
        Ok(())
    }

    /// Every direction that is not perfect now, as `a1>b1`.
    fn bad_links(&self) -> BTreeMap<String, Rule> {
        let links = self.links.as_ref().unwrap();
        let hosts = links.hosts();
        let pairs = hosts.iter().flat_map(|a| hosts.iter().map(move |b| (a, b)));
        pairs
            .map(|(a, b)| (format!("{a}>{b}"), links.rule(a, b).unwrap()))
            .filter(|(_, rule)| *rule != Rule::default())
            .collect()
    }
}

fn note(remembered: &Mutex<Remembered>, began: Instant, how: &str, node: &str) {
    let at = began.elapsed().as_millis();
    remembered.lock().log.push(format!("{at} {how} {node}"));
}

#[async_trait]
impl Target for Remembers {
    fn nodes(&self) -> Vec<Member> {
        NODES
            .into_iter()
            .map(|(name, zone)| Member {
                name: name.to_owned(),
                zone: zone.to_owned(),
                roles: if name.ends_with('1') {
                    Roles::default().with(Role::Controller).with(Role::Worker)
                } else {
                    Roles::default().with(Role::Frontend)
                },
            })
            .collect()
    }

    fn supports(&self, verb: Verb) -> Result<(), String> {
        if self.cannot.contains(&verb) {
            return Err("no command is given for it".to_owned());
        }
        Ok(())
    }

    async fn leader(&self) -> Option<String> {
        self.leader.clone()
    }

    async fn is_up(&self, node: &str) -> bool {
        !self.remembered.lock().down.iter().any(|n| n == node)
    }

    async fn kill(&self, node: &str) -> Result<(), TargetError> {
        self.do_to(Verb::Kill, "kill", node)
    }

    async fn terminate(&self, node: &str, patience: Duration) -> Result<bool, TargetError> {
        if self.stubborn {
            note(&self.remembered, self.began, "terminate", node);
            tokio::time::sleep(patience).await;
            return Ok(false);
        }
        self.do_to(Verb::Terminate, "terminate", node)?;
        Ok(true)
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        self.do_to(Verb::Start, "start", node)
    }

    async fn pause(&self, node: &str) -> Result<(), TargetError> {
        self.do_to(Verb::Pause, "pause", node)
    }

    async fn resume(&self, node: &str) -> Result<(), TargetError> {
        self.do_to(Verb::Pause, "resume", node)
    }

    async fn wipe(&self, node: &str) -> Result<(), TargetError> {
        self.do_to(Verb::Wipe, "wipe", node)
    }

    fn links(&self) -> Option<Links> {
        self.links.clone()
    }

    fn disk(&self, node: &str) -> Option<Arc<dyn Disk>> {
        self.disks.then(|| {
            Arc::new(RemembersDisk {
                node: node.to_owned(),
                began: self.began,
                remembered: self.remembered.clone(),
            }) as Arc<dyn Disk>
        })
    }

    fn clock(&self, node: &str) -> Result<PathBuf, String> {
        let directory = self.clocks.clone();
        directory
            .map(|directory| directory.join(node))
            .ok_or_else(|| "it shares the machine's".to_owned())
    }

    async fn wall(&self, node: &str) -> Option<Timestamp> {
        let off: i64 = match self.deaf {
            true => 0,
            false => {
                // Milliseconds, once the point is gone; or "+0".
                let text = std::fs::read_to_string(self.clock(node).ok()?).ok()?;
                text.trim().replace('.', "").parse().unwrap()
            }
        };
        let now = SystemClock.wall().0;
        Some(Timestamp(now.saturating_add_signed(off)))
    }
}

impl RemembersDisk {
    fn note(&self, how: &str) -> Result<(), TargetError> {
        note(&self.remembered, self.began, how, &self.node);
        Ok(())
    }
}

#[async_trait]
impl Disk for RemembersDisk {
    async fn stall(&self) -> Result<(), TargetError> {
        self.note("stall")
    }

    async fn slow(&self, by: Duration) -> Result<(), TargetError> {
        self.note(&format!("slow by {by:?}"))
    }

    async fn fail(&self) -> Result<(), TargetError> {
        self.note("fail")
    }

    async fn fill(&self) -> Result<(), TargetError> {
        self.note("fill")
    }

    async fn heal(&self) -> Result<(), TargetError> {
        self.note("heal")
    }

    async fn cut_power(&self) -> Result<(), TargetError> {
        self.note("cut")
    }

    async fn restore_power(&self) -> Result<(), TargetError> {
        self.note("restore")
    }
}

/// A fault from TOML.
fn fault(text: &str) -> Fault {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn prepare(target: &Arc<Remembers>, text: &str) -> Result<Prepared, Unsupported> {
    let target: Arc<dyn Target> = target.clone();
    fault(text).prepare(&target, &SeededEntropy::new(5)).await
}
