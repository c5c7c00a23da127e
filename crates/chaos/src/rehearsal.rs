//! What a run would do, without doing it: every fault is prepared against a cluster that only remembers.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use host::{Entropy, SeededEntropy};
use model::{Role, Timestamp};
use parking_lot::Mutex;

use crate::{
    fabric::Links,
    fault::{Disk, Faketime, Fault, Member, Phase, Prepared, Target, TargetError, Verb},
    local,
    moment::Moment,
    scenario::{Scenario, Step},
    staging::{Action, Staging},
};

/// A cluster on which nothing happens. All its nodes run; its first controller leads.
struct Rehearsed {
    members: Vec<Member>,
    links: Option<Links>,
    staging: Option<Staging>,
    said: Arc<Mutex<Vec<String>>>,
    down: Mutex<BTreeSet<String>>,
}

struct RehearsedDisk {
    node: String,
    said: Arc<Mutex<Vec<String>>>,
}

/// The lines of a plan: when what would be done to whom, and by which command. Whom chance would hit is as in a run of the
/// same seed, as long as the same node leads.
pub async fn plan(
    scenario: &Scenario,
    seed: u64,
    duration: Option<Duration>,
    staging: Option<&Staging>,
) -> Vec<String> {
    let entropy = SeededEntropy::new(seed);
    let steps = scenario.steps(duration, &*entropy.fork("steps"));
    let rehearsed = Arc::new(Rehearsed::new(scenario, staging));
    let leader = rehearsed.leader().await.unwrap_or_default();
    let mut lines = vec![format!(
        "{}, seed {seed}: {} faults, if {leader} leads and every fault heals at once",
        scenario.name,
        steps.len()
    )];
    let mut at = Moment::after(scenario.warmup);
    let mut unfit = 0;
    let target: Arc<dyn Target> = rehearsed.clone();
    for step in &steps {
        match step.fault.prepare(&target, &entropy).await {
            Ok(prepared) => {
                lines.push(format!("{at}  {}", prepared.describe()));
                lines.extend(rehearse(&rehearsed, step, prepared).await);
                at = at.plus(step.fault.lasts()).plus(scenario.settle);
            }
            Err(unsupported) => {
                let why = match unsupported.needs() {
                    Some(needs) => format!("DOES NOT FIT: needs {needs}"),
                    None => format!("NOT POSSIBLE: {unsupported}"),
                };
                unfit += usize::from(unsupported.needs().is_some());
                lines.push(format!("{at}  {}: {why}", step.fault));
            }
        }
    }
    if unfit > 0 {
        lines.push(format!(
            "{unfit} of {} faults do not fit this cluster: --skip-unfit leaves them out, without it the run is invalid",
            steps.len()
        ));
    }
    lines
}

/// What is done to nodes when it begins and when it ends.
async fn rehearse(rehearsed: &Arc<Rehearsed>, step: &Step, prepared: Prepared) -> Vec<String> {
    if matches!(step.fault, Fault::ClockStep(_)) {
        // It would write files.
        return Vec::new();
    }
    rehearsed.said.lock().clear();
    let said = rehearsed.said.clone();
    let mut begins = Vec::new();
    // Beginning takes no time here; what would be waited for is cut short.
    prepared
        .play(std::future::ready(()), |phase| {
            if phase == Phase::Ends {
                begins = std::mem::take(&mut *said.lock());
            }
        })
        .await;
    let ends = std::mem::take(&mut *rehearsed.said.lock());
    let begins = begins
        .into_iter()
        .map(|said| format!("        begins: {said}"));
    let ends = ends
        .into_iter()
        .map(|said| format!("        ends:   {said}"));
    begins.chain(ends).collect()
}

impl Rehearsed {
    fn new(scenario: &Scenario, staging: Option<&Staging>) -> Self {
        let local = || local::members(scenario.cluster).into_iter().map(|(m, _)| m);
        Self {
            members: staging.map_or_else(|| local().collect(), Staging::members),
            links: staging
                .is_none()
                .then(|| Links::new(&local::hosts(scenario.cluster))),
            staging: staging.cloned(),
            said: Arc::default(),
            down: Mutex::default(),
        }
    }

    fn say(&self, action: Action, node: &str) {
        let line = match &self.staging {
            Some(staging) => staging.command(action, node).unwrap_or_default(),
            None => format!("{} {node}", action.as_str()),
        };
        self.said.lock().push(line);
    }
}

#[async_trait]
impl Target for Rehearsed {
    fn nodes(&self) -> Vec<Member> {
        self.members.clone()
    }

    fn supports(&self, verb: Verb) -> Result<(), String> {
        let staging = self.staging.as_ref();
        staging.map_or(Ok(()), |staging| staging.hooks().supports(verb))
    }

    async fn leader(&self) -> Option<String> {
        let leads = self.members.iter().find(|m| m.is(Role::Controller));
        leads.map(|member| member.name.clone())
    }

    async fn is_up(&self, node: &str) -> bool {
        !self.down.lock().contains(node)
    }

    async fn kill(&self, node: &str) -> Result<(), TargetError> {
        self.say(Action::Kill, node);
        self.down.lock().insert(node.to_owned());
        Ok(())
    }

    async fn terminate(&self, node: &str, _patience: Duration) -> Result<bool, TargetError> {
        self.say(Action::Terminate, node);
        self.down.lock().insert(node.to_owned());
        Ok(true)
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        self.say(Action::Start, node);
        self.down.lock().remove(node);
        Ok(())
    }

    async fn pause(&self, node: &str) -> Result<(), TargetError> {
        self.say(Action::Pause, node);
        Ok(())
    }

    async fn resume(&self, node: &str) -> Result<(), TargetError> {
        self.say(Action::Resume, node);
        Ok(())
    }

    async fn wipe(&self, node: &str) -> Result<(), TargetError> {
        self.say(Action::Wipe, node);
        Ok(())
    }

    fn links(&self) -> Option<Links> {
        self.links.clone()
    }

    fn disk(&self, node: &str) -> Option<Arc<dyn Disk>> {
        self.staging.is_none().then(|| {
            Arc::new(RehearsedDisk {
                node: node.to_owned(),
                said: self.said.clone(),
            }) as Arc<dyn Disk>
        })
    }

    fn clock(&self, _node: &str) -> Result<PathBuf, String> {
        if self.staging.is_some() {
            return Err("it is not ours".to_owned());
        }
        Faketime::find().map(|_| PathBuf::new())
    }

    async fn wall(&self, _node: &str) -> Option<Timestamp> {
        None
    }
}

impl RehearsedDisk {
    fn say(&self, what: &str) -> Result<(), TargetError> {
        self.said.lock().push(format!("{what} {}", self.node));
        Ok(())
    }
}

#[async_trait]
impl Disk for RehearsedDisk {
    async fn stall(&self) -> Result<(), TargetError> {
        self.say("stall the disk of")
    }

    async fn slow(&self, by: Duration) -> Result<(), TargetError> {
        self.say(&format!("slow, by {by:?}, the disk of"))
    }

    async fn fail(&self) -> Result<(), TargetError> {
        self.say("fail the disk of")
    }

    async fn fill(&self) -> Result<(), TargetError> {
        self.say("fill the disk of")
    }

    async fn heal(&self) -> Result<(), TargetError> {
        self.say("heal the disk of")
    }

    async fn cut_power(&self) -> Result<(), TargetError> {
        self.say("cut the power of")
    }

    async fn restore_power(&self) -> Result<(), TargetError> {
        self.say("restore the power of")
    }
}
