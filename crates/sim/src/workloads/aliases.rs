//! Clients that publish versions, shift aliases to them, and invoke by alias and by version: what is seen may be late, and
//! nothing else. One of the aliases draws between two versions by a weight.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};
use model::Version;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, NoAnswer},
    calls::Outcome as Invoked,
    history::{Act, Op, Outcome, Reading, freshness::Glimpse},
    seen::{Asked, Ended},
};

const FUNCTION: &str = "aliased";
/// Runs one version.
const LIVE: &str = "live";
/// Runs one of two versions.
const SPLIT: &str = "split";
/// How often a split alias is asked right after it was changed.
const DRAWS: usize = 16;
/// What is left of a pair's marker without this and what follows it is the name of the pair.
const HALF: char = '/';
/// What it is called in reports.
const CHECK: &str = "a weighted alias draws by its weight";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "aliases",
    clients: 2,
    work: |caller, n| {
        async move {
            match n {
                0 => change(caller).await,
                _ => look_on(caller).await,
            }
        }
        .boxed_local()
    },
    conclude: |_| std::future::ready(()).boxed_local(),
};

/// Invokes by alias while another client shifts them.
async fn look_on(caller: Arc<Caller>) {
    while !caller.is_quiet() {
        let alias = match caller.entropy.below(3) {
            0 => SPLIT,
            _ => LIVE,
        };
        look(&caller, &caller.frontend(), alias).await;
        caller.rest(Duration::from_millis(300)).await;
    }
}

/// Invokes what a qualifier names, and takes down what ran. Answers its marker.
async fn look(caller: &Caller, frontend: &str, qualifier: &str) -> Option<String> {
    let target = (FUNCTION, Some(qualifier));
    let call = api::invoke_qualified(caller, frontend, target, "echo", 0).await;
    let marker = match &call.outcome {
        Invoked::Answered { marker } => Some(marker.clone()),
        Invoked::Refused { status: 404, .. } => None,
        _ => return None,
    };
    let value = match qualifier {
        // Either half of a pair shows the pair.
        SPLIT => marker
            .as_ref()
            .map(|m| m.split(HALF).next().unwrap_or_default().to_owned()),
        _ => marker.clone(),
    };
    let glimpse = Glimpse {
        value,
        begun: call.sent,
        ended: call.ended,
        session: call.frontend,
    };
    caller.world.seen.shown(&named(qualifier), glimpse);
    marker
}

fn named(qualifier: &str) -> String {
    format!("{FUNCTION}:{qualifier}")
}

/// The client that changes things.
struct Author {
    caller: Arc<Caller>,
    turns: u64,
    /// Versions that nobody was asked to delete, with what their code answers.
    versions: BTreeMap<u64, String>,
    has_live: bool,
    has_split: bool,
    /// How many draws of the weighted alias there were, how many should have given the canary, how many did, and the
    /// variance of that.
    draws: u32,
    expected: f64,
    drawn: f64,
    variance: f64,
}

async fn change(caller: Arc<Caller>) {
    let mut author = Author {
        caller,
        turns: 0,
        versions: BTreeMap::new(),
        has_live: false,
        has_split: false,
        draws: 0,
        expected: 0.0,
        drawn: 0.0,
        variance: 0.0,
    };
    author.create().await;
    while !author.caller.is_quiet() {
        // Whether it comes to pass or not, the next turn does not depend on it.
        let _done = match author.caller.entropy.below(10) {
            0..3 => author.shift().await,
            3 | 4 => author.split().await,
            5 => author.forget().await,
            _ => author.look_at_a_version().await,
        };
        author.caller.rest(Duration::from_millis(400)).await;
    }
    author.judge_draws();
}

impl Author {
    async fn create(&self) {
        while !self.caller.is_quiet() {
            let marker = "a0".to_owned();
            let code = self.caller.code(&marker);
            match self.act(Act::Create { marker, code }).await {
                Reading::Done(Outcome::Version(_) | Outcome::Conflict) => return,
                _ => self.caller.rest(Duration::from_millis(400)).await,
            }
        }
    }

    async fn act(&self, act: Act) -> Reading {
        let frontend = self.caller.frontend();
        let reading = api::act(&self.caller, &frontend, &Op::on(FUNCTION, act)).await;
        let done = matches!(reading, Reading::Done(_));
        self.caller.world.count("aliases", done);
        reading
    }

    /// A new version whose code answers this marker, once it can run.
    async fn publish(&mut self, marker: &str) -> Option<u64> {
        let (code, expected) = (self.caller.code(marker), None);
        let update = Act::UpdateCode {
            code: code.clone(),
            expected,
        };
        let Reading::Done(Outcome::Version(_)) = self.act(update).await else {
            return None;
        };
        self.runs(Version::Latest).await?;
        let (frontend, begun) = (self.caller.frontend(), self.caller.world.elapsed.now());
        let session = (frontend.clone(), self.caller.starts(&frontend));
        let publish = Op::on(
            FUNCTION,
            Act::Publish {
                marker: None,
                expected,
            },
        );
        let published = api::act(&self.caller, &frontend, &publish).await;
        let now = self.caller.world.elapsed.now();
        let Reading::Done(Outcome::Version(seen)) = published else {
            return None;
        };
        let number = seen.version.as_number()?;
        if seen.code != code {
            return None;
        }
        let asked = Asked {
            value: Some(marker.to_owned()),
            begun,
            session,
        };
        let name = named(&number.to_string());
        self.caller
            .world
            .seen
            .changed(&name, asked, Ended::Done, now);
        self.versions.insert(number, marker.to_owned());
        self.runs(seen.version).await?;
        Some(number)
    }

    /// Waits until a version can run.
    async fn runs(&self, version: Version) -> Option<()> {
        for _ in 0..10 {
            if let Reading::Done(Outcome::Version(seen)) = self.act(Act::Get { version }).await
                && seen.settled == Some(true)
            {
                return Some(());
            }
            self.caller.rest(Duration::from_millis(200)).await;
        }
        None
    }

    /// Lets the plain alias run a new version.
    async fn shift(&mut self) -> Option<()> {
        self.turns += 1;
        let (alias, marker) = (LIVE.to_owned(), format!("a{}", self.turns));
        let version = Version::number(self.publish(&marker).await?)?;
        let act = match self.has_live {
            false => Act::CreateAlias {
                alias,
                version,
                marker: marker.clone(),
            },
            true => Act::UpdateAlias {
                alias,
                version: Some(version),
                marker: Some(marker.clone()),
                expected: None,
            },
        };
        let (frontend, begun) = (self.caller.frontend(), self.caller.world.elapsed.now());
        let session = (frontend.clone(), self.caller.starts(&frontend));
        let reading = api::act(&self.caller, &frontend, &Op::on(FUNCTION, act)).await;
        let ended = match &reading {
            Reading::Done(Outcome::Alias(_)) => Ended::Done,
            Reading::Unknown => Ended::Unknown,
            Reading::Done(_) | Reading::Refused => Ended::Refused,
        };
        self.has_live |= matches!(
            reading,
            Reading::Done(Outcome::Alias(_) | Outcome::Conflict)
        );
        self.took(LIVE, marker, begun, session, ended);
        look(&self.caller, &frontend, LIVE).await;
        Some(())
    }

    /// Lets the weighted alias draw between two new versions, and has it draw.
    async fn split(&mut self) -> Option<()> {
        self.turns += 1;
        let pair = format!("p{}", self.turns);
        let first = self.publish(&format!("{pair}{HALF}1")).await?;
        let second = self.publish(&format!("{pair}{HALF}2")).await?;
        let percent = u32::try_from(20 + self.caller.entropy.below(61)).unwrap_or(50);
        let weight = f64::from(percent) / 100.0;
        let (frontend, begun) = (self.caller.frontend(), self.caller.world.elapsed.now());
        let session = (frontend.clone(), self.caller.starts(&frontend));
        let alias = (FUNCTION, SPLIT);
        let answer = api::split(
            &self.caller,
            &frontend,
            alias,
            self.has_split,
            first,
            (second, weight),
        )
        .await;
        let ended = match &answer {
            Ok(answer) if answer.is_success() => Ended::Done,
            Ok(answer) if answer.status < 500 => Ended::Refused,
            Err(NoAnswer::NotSent(_)) => Ended::Refused,
            Ok(_) | Err(NoAnswer::Lost(_)) => Ended::Unknown,
        };
        self.has_split |= answer.is_ok_and(|a| a.is_success() || a.status == 409);
        self.took(SPLIT, pair.clone(), begun, session, ended);
        let caller = &self.caller;
        let looks = (0..DRAWS).map(|_| look(caller, &frontend, SPLIT));
        let canary = format!("{pair}{HALF}2");
        let markers = join_all(looks).await;
        for marker in markers.into_iter().flatten() {
            if marker.starts_with(&format!("{pair}{HALF}")) {
                self.draws += 1;
                self.expected += weight;
                self.variance += weight * (1.0 - weight);
                self.drawn += f64::from(u8::from(marker == canary));
            }
        }
        Some(())
    }

    fn took(
        &self,
        alias: &str,
        value: String,
        begun: Duration,
        session: (String, u64),
        ended: Ended,
    ) {
        let world = &self.caller.world;
        world.count("aliases", ended == Ended::Done);
        let asked = Asked {
            value: Some(value),
            begun,
            session,
        };
        world
            .seen
            .changed(&named(alias), asked, ended, world.elapsed.now());
    }

    /// Deletes a version. Those that an alias runs are refused.
    async fn forget(&mut self) -> Option<()> {
        let version = self.any_version()?;
        let (frontend, begun) = (self.caller.frontend(), self.caller.world.elapsed.now());
        let session = (frontend.clone(), self.caller.starts(&frontend));
        let delete = Op::on(FUNCTION, Act::DeleteVersion { version });
        let reading = api::act(&self.caller, &frontend, &delete).await;
        let ended = match reading {
            Reading::Done(Outcome::Nothing) => Ended::Done,
            Reading::Unknown => Ended::Unknown,
            Reading::Done(_) | Reading::Refused => Ended::Refused,
        };
        let world = &self.caller.world;
        world.count("aliases", ended != Ended::Unknown);
        let asked = Asked {
            value: None,
            begun,
            session,
        };
        let name = version.to_string();
        world
            .seen
            .changed(&named(&name), asked, ended, world.elapsed.now());
        if ended != Ended::Refused {
            self.versions.remove(&version);
            look(&self.caller, &frontend, &name).await;
        }
        Some(())
    }

    async fn look_at_a_version(&self) -> Option<()> {
        let version = self.any_version()?.to_string();
        look(&self.caller, &self.caller.frontend(), &version).await;
        Some(())
    }

    fn any_version(&self) -> Option<u64> {
        let many = u64::try_from(self.versions.len()).ok()?;
        let chosen = usize::try_from(self.caller.entropy.below(many.max(1))).ok()?;
        self.versions.keys().nth(chosen).copied()
    }

    /// Compares what was drawn with the weights: beyond five standard deviations and two draws is no chance.
    fn judge_draws(&self) {
        let off = (self.drawn - self.expected).abs();
        if off > 5.0 * self.variance.sqrt() + 2.0 {
            let (drawn, draws, expected) = (self.drawn, self.draws, self.expected);
            let what = format!("{drawn} of {draws} draws gave the canary instead of {expected:.1}");
            self.caller.world.violated(CHECK, what);
        }
    }
}
