//! Clients that create, change, read and delete a few records of every kind that is not a function, a version or an alias,
//! through all frontends, and take down what they saw.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::FutureExt;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, package},
    history::registers::{Act, Answer, Fate},
    records::{
        Verb,
        identity::{self, IdentityCaller},
        lambda::{self, Minted},
    },
};

/// Few enough that clients meet.
const PLACES: [&str; 2] = ["recorded-0", "recorded-1"];

/// Turns of a client until its values come again.
const TURNS: u64 = 200;

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "records",
    clients: 2,
    work: |caller, n| work(caller, n).boxed_local(),
    conclude: |caller| conclude(caller).boxed_local(),
};

/// A kind of either API.
#[derive(Clone, Copy)]
enum Kind {
    Lambda(&'static lambda::Kind),
    Identity(identity::Kind),
}

struct Client {
    caller: Arc<Caller>,
    identity: IdentityCaller,
    number: u64,
    turns: u64,
    /// The newest name that the catalog gave, of the kind at this place.
    given: BTreeMap<usize, String>,
}

async fn work(caller: Arc<Caller>, number: u32) {
    let zip = package("recorded", 5);
    for name in PLACES {
        api::create_until_there(&caller, name, &zip, "recorded").await;
        api::publish_until_there(&caller, name).await;
        lambda::make_layer(&caller, name).await;
    }
    let mut client = Client::new(caller, u64::from(number));
    let kinds = kinds();
    while !client.caller.is_quiet() {
        let chosen = client.below(kinds.len());
        if let Some(kind) = kinds.get(chosen) {
            client.turn(chosen, *kind).await;
        }
        client.caller.rest(Duration::from_millis(250)).await;
    }
}

/// Reads every record that has a fixed name through every frontend.
async fn conclude(caller: Arc<Caller>) {
    let client = Client::new(caller, 1000);
    for frontend in client.caller.frontends() {
        for kind in kinds().into_iter().filter(|kind| kind.minted().is_none()) {
            for place in PLACES {
                client.call(kind, &frontend, place, Act::Read).await;
            }
        }
    }
}

fn kinds() -> Vec<Kind> {
    let lambda = lambda::KINDS.iter().map(Kind::Lambda);
    lambda
        .chain(identity::KINDS.iter().copied().map(Kind::Identity))
        .collect()
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Lambda(kind) => kind.name,
            Self::Identity(kind) => kind.name(),
        }
    }

    fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Lambda(kind) => kind.verbs,
            Self::Identity(kind) => kind.verbs(),
        }
    }

    fn minted(self) -> Option<&'static Minted> {
        match self {
            Self::Lambda(kind) => kind.minted.as_ref(),
            Self::Identity(_) => None,
        }
    }
}

impl Client {
    fn new(caller: Arc<Caller>, number: u64) -> Self {
        Self {
            identity: IdentityCaller::new(caller.clone()),
            caller,
            number,
            turns: 0,
            given: BTreeMap::new(),
        }
    }

    fn below(&self, n: usize) -> usize {
        usize::try_from(self.caller.entropy.below(n as u64)).unwrap_or(0)
    }

    /// A value that no other client writes, and this one only long ago. The account keeps a hundred of its thousand for
    /// functions without reserved concurrency, so that both places together may take nine hundred.
    fn value(&mut self) -> u64 {
        self.turns += 1;
        1 + 2 * (self.turns % TURNS) + self.number
    }

    async fn turn(&mut self, nth: usize, kind: Kind) {
        let value = self.value();
        let frontend = self.caller.frontend();
        let place = PLACES.get(self.below(PLACES.len())).copied();
        let place = place.unwrap_or_default();
        let verb = kind.verbs().get(self.below(kind.verbs().len())).copied();
        let act = verb.unwrap_or(Verb::Read).with(value);
        let Some(minted) = kind.minted() else {
            self.call(kind, &frontend, place, act).await;
            return;
        };
        let known = self.given.get(&nth).cloned();
        match known.filter(|_| self.caller.entropy.below(4) != 0) {
            Some(name) => self.call(kind, &frontend, &name, act).await,
            None => self.make(nth, kind, minted, &frontend, place, value).await,
        }
    }

    async fn call(&self, kind: Kind, frontend: &str, place: &str, act: Act) {
        let (world, name) = (&self.caller.world, format!("{} of {place}", kind.name()));
        let call = world.registers.begin(Some(&name), act, world.elapsed.now());
        let fate = match kind {
            Kind::Lambda(kind) => kind.call(&self.caller, frontend, place, act).await,
            Kind::Identity(kind) => kind.call(&self.identity, frontend, place, act).await,
        };
        world.count("records", matches!(fate, Fate::Known(_)));
        tracing::debug!(name, ?act, frontend, ?fate, "record");
        world.registers.end(call, fate, world.elapsed.now());
    }

    async fn make(
        &mut self,
        nth: usize,
        kind: Kind,
        minted: &Minted,
        frontend: &str,
        place: &str,
        value: u64,
    ) {
        let world = &self.caller.world;
        let call = world
            .registers
            .begin(None, Act::Create(value), world.elapsed.now());
        let (name, fate) = minted.make(&self.caller, frontend, place, value).await;
        world.count("records", fate == Fate::Known(Answer::Done));
        if let Some(name) = name {
            let named = format!("{} of {name}", kind.name());
            world.registers.named(call, &named);
            self.given.insert(nth, name);
        }
        tracing::debug!(kind = kind.name(), value, frontend, ?fate, "record is made");
        world.registers.end(call, fate, world.elapsed.now());
    }
}
