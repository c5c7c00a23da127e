//! Clients that change and read a few functions, versions and aliases through all frontends, and take down what they saw.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use model::{RevisionId, Version};
use parking_lot::Mutex;

use super::WorkloadEntry;
use crate::{
    api,
    caller::Caller,
    history::{Act, Op, Outcome, Reading},
};

/// Few enough that clients meet.
const FUNCTIONS: u64 = 3;
/// What their names begin with.
const OWN: &str = "churn-";
const ALIASES: [&str; 2] = ["blue", "green"];

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "churn",
    clients: 4,
    work: |caller, n| work(caller, n).boxed_local(),
    conclude: |caller| conclude(caller).boxed_local(),
};

/// What one client does and remembers.
struct Client {
    caller: Arc<Caller>,
    number: u32,
    turns: u64,
    /// Revisions and versions that it has seen last, to refer to.
    revision: Mutex<Option<RevisionId>>,
    version: Mutex<Version>,
}

async fn work(caller: Arc<Caller>, number: u32) {
    let mut client = Client {
        caller,
        number,
        turns: 0,
        revision: Mutex::default(),
        version: Mutex::new(Version::Latest),
    };
    while !client.caller.is_quiet() {
        let function = format!("{OWN}{}", client.caller.entropy.below(FUNCTIONS));
        let op = match client.caller.entropy.below(40) {
            0 => Op::ListFunctions,
            _ => Op::on(&function, client.next()),
        };
        let frontend = client.caller.frontend();
        client.call(&frontend, op).await;
        client.caller.rest(Duration::from_millis(350)).await;
    }
}

/// Reads everything through every frontend.
async fn conclude(caller: Arc<Caller>) {
    let client = Client {
        number: 1000,
        turns: 0,
        revision: Mutex::default(),
        version: Mutex::new(Version::Latest),
        caller,
    };
    for frontend in client.caller.frontends() {
        client.call(&frontend, Op::ListFunctions).await;
        for n in 0..FUNCTIONS {
            let function = format!("{OWN}{n}");
            let version = Version::Latest;
            for act in [Act::Get { version }, Act::ListVersions, Act::ListAliases] {
                client.call(&frontend, Op::on(&function, act)).await;
            }
        }
    }
}

impl Client {
    fn next(&mut self) -> Act {
        self.turns += 1;
        let marker = format!("c{}-{}", self.number, self.turns);
        let below = |n| self.caller.entropy.below(n);
        let alias = || {
            let chosen = usize::try_from(below(2)).unwrap_or(0);
            ALIASES.get(chosen).copied().unwrap_or("blue").to_owned()
        };
        let version = match below(3) {
            0 => Version::Latest,
            _ => *self.version.lock(),
        };
        // A condition now and then, on what was seen last of whichever function.
        let expected = (*self.revision.lock()).filter(|_| below(4) == 0);
        match below(100) {
            0..14 => Act::Create {
                code: self.caller.code(&marker),
                marker,
            },
            14..30 => Act::UpdateConfiguration { marker, expected },
            30..38 => Act::UpdateCode {
                code: self.caller.code(&marker),
                expected,
            },
            38..43 => Act::Delete,
            43..53 => Act::Publish {
                marker: Some(marker),
                expected,
            },
            53..60 => Act::CreateAlias {
                alias: alias(),
                version,
                marker,
            },
            60..68 => Act::UpdateAlias {
                alias: alias(),
                version: Some(version),
                marker: Some(marker),
                expected: None,
            },
            68..71 => Act::DeleteAlias { alias: alias() },
            71..79 => Act::GetAlias { alias: alias() },
            79..82 => Act::ListAliases,
            82..86 => Act::ListVersions,
            _ => Act::Get { version },
        }
    }

    async fn call(&self, frontend: &str, op: Op) {
        let world = &self.caller.world;
        let call = world
            .history
            .invoke(self.number, op.clone(), world.elapsed.now());
        let mut reading = api::act(&self.caller, frontend, &op).await;
        // Of what others made, the history knows nothing.
        if let Reading::Done(Outcome::Functions(listed)) = &mut reading {
            listed.functions.retain(|(name, _)| name.starts_with(OWN));
        }
        if let Reading::Done(Outcome::Version(seen)) = &reading {
            *self.revision.lock() = Some(seen.revision);
            if seen.version != Version::Latest {
                *self.version.lock() = seen.version;
            }
        }
        world.count("control", matches!(reading, Reading::Done(_)));
        world.history.ended(call, reading, world.elapsed.now());
    }
}
