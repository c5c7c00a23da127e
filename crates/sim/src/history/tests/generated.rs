//! Histories of a catalog that works: of the state machine that ships, under clients whose calls overlap and get lost. The
//! specification must explain them all.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use model::{
    AliasName, Digest, FunctionId, Mutation, Revision, Timestamp, VersionId,
    function::{
        Code, Config, ConfigPatch, FunctionVersion, LastUpdate, Logging, Publication, State,
        TracingMode,
    },
    mutation::{Changed, Rejection},
};
use state::{Catalog, Command, IdempotencyKey, Stamp};

use super::*;

/// What is generated.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) calls: usize,
    pub(super) clients: u32,
    pub(super) functions: u64,
    /// Of a hundred calls, those whose outcome gets lost.
    pub(super) lost: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Start(u32),
    Effect(usize),
    End(usize),
    Settle(VersionId, RevisionId),
}

struct World {
    dice: Dice,
    plan: Plan,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    catalog: Catalog,
    applied: u64,
    told: Vec<Told>,
    outcomes: BTreeMap<usize, Outcome>,
    lost: BTreeSet<usize>,
    marks: u64,
    /// What clients have seen, for conditions and for what they name.
    latest: BTreeMap<String, RevisionId>,
    aliases: BTreeMap<(String, String), RevisionId>,
}

/// A history that nothing is wrong with.
pub(super) fn valid(plan: Plan) -> Vec<Told> {
    let mut world = World {
        dice: Dice(plan.seed),
        plan,
        now: 0,
        events: BinaryHeap::new(),
        order: 0,
        catalog: Catalog::default(),
        applied: 0,
        told: Vec::new(),
        outcomes: BTreeMap::new(),
        lost: BTreeSet::new(),
        marks: 0,
        latest: BTreeMap::new(),
        aliases: BTreeMap::new(),
    };
    for client in 0..plan.clients {
        world.after(5, Event::Start(client));
    }
    while let Some(Reverse((at, _, event))) = world.events.pop() {
        world.now = at.max(world.now + 1);
        match event {
            Event::Start(client) => world.start(client),
            Event::Effect(n) => world.effect(n),
            Event::End(n) => world.end(n),
            Event::Settle(version, revision) => {
                world
                    .apply(Mutation::Settle {
                        version,
                        revision,
                        failure: None,
                    })
                    .unwrap();
            }
        }
    }
    world.told
}

impl World {
    /// Up to so many milliseconds from now.
    fn after(&mut self, most: u64, event: Event) {
        let at = self.now + 1 + self.dice.below(most * 1000);
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    /// Whether the client has gone on without an answer.
    fn is_lost(&self, n: usize) -> bool {
        self.lost.contains(&n)
    }

    fn start(&mut self, client: u32) {
        if self.told.len() >= self.plan.calls {
            return;
        }
        let n = self.told.len();
        let function = format!("f{}", self.dice.below(self.plan.functions));
        let op = self.op(&function);
        self.told.push(Told {
            client,
            op,
            begun: Duration::from_micros(self.now),
            end: None,
        });
        if self.dice.below(100) < self.plan.lost {
            self.lost.insert(n);
            match self.dice.below(3) {
                0 => {}
                1 => self.after(10, Event::Effect(n)),
                _ => self.after(2000, Event::Effect(n)),
            }
            if self.dice.below(4) > 0 {
                let how = Ended::Unknown;
                self.told[n].end = Some((Duration::from_micros(self.now + 20_000), how));
                self.order += 1;
                let next = Reverse((self.now + 20_001, self.order, Event::Start(client)));
                self.events.push(next);
            } else {
                self.after(30, Event::Start(client));
            }
        } else if self.dice.below(50) == 0 {
            self.told[n].end = Some((Duration::from_micros(self.now), Ended::Refused));
            self.after(5, Event::Start(client));
        } else {
            self.after(8, Event::Effect(n));
        }
    }

    fn mark(&mut self, what: &str) -> String {
        self.marks += 1;
        format!("{what}{}", self.marks)
    }

    fn op(&mut self, function: &str) -> Op {
        let roll = self.dice.below(100);
        if roll < 3 {
            return Op::ListFunctions;
        }
        let alias = ["live", "next"][usize::try_from(self.dice.below(2)).unwrap()].to_owned();
        let is_there = self.latest.contains_key(function);
        let sometimes = self.dice.below(3) == 0;
        let expected = self.latest.get(function).copied().filter(|_| sometimes);
        let version = match self.dice.below(5) {
            0 => Version::Latest,
            n => number(n),
        };
        let act = match roll {
            _ if !is_there && roll.is_multiple_of(2) => self.create(),
            3..33 => Act::Get {
                version: Version::Latest,
            },
            33..50 => Act::UpdateConfiguration {
                marker: self.mark("m"),
                expected,
            },
            50..55 => Act::UpdateCode {
                code: self.code(),
                expected,
            },
            55..60 => self.create(),
            60..62 => Act::Delete,
            62..70 => Act::Publish {
                marker: sometimes.then(|| self.mark("p")),
                expected,
            },
            70..74 => Act::Get { version },
            74..76 => Act::DeleteVersion {
                version: version.as_number().unwrap_or(1),
            },
            76..80 => Act::CreateAlias {
                alias,
                version,
                marker: self.mark("a"),
            },
            80..86 => Act::UpdateAlias {
                expected: self
                    .aliases
                    .get(&(function.to_owned(), alias.clone()))
                    .copied()
                    .filter(|_| sometimes),
                alias,
                version: (self.dice.below(2) == 0).then_some(version),
                marker: (self.dice.below(2) == 0).then(|| self.mark("a")),
            },
            86..92 => Act::GetAlias { alias },
            92..94 => Act::DeleteAlias { alias },
            94..97 => Act::ListVersions,
            _ => Act::ListAliases,
        };
        Op::on(function, act)
    }

    fn create(&mut self) -> Act {
        Act::Create {
            marker: self.mark("c"),
            code: self.code(),
        }
    }

    fn code(&mut self) -> String {
        self.marks += 1;
        format!("code{}", self.marks)
    }

    fn apply(&mut self, mutation: Mutation) -> Result<Changed, Rejection> {
        self.applied += 1;
        let command = Command {
            stamp: Stamp {
                at: Timestamp(self.applied),
                seed: (u128::from(self.dice.draw()) << 64) | u128::from(self.dice.draw()),
            },
            key: IdempotencyKey(0),
            mutation,
        };
        self.catalog.apply(Revision(self.applied), &command).result
    }

    fn effect(&mut self, n: usize) {
        let outcome = match self.told[n].op.clone() {
            Op::ListFunctions => {
                let (account, region) = (model::AccountId::DEFAULT, model::Region::default());
                let all = self.catalog.functions(account, &region, None);
                let shown = all
                    .filter_map(|(id, entry)| Some((id.name.to_string(), seen(entry.latest()?))));
                Outcome::Functions(Listed {
                    functions: shown.collect(),
                    complete: true,
                })
            }
            Op::On { function, act } => match mutation(&function, &act) {
                Some(mutation) => {
                    let result = self.apply(mutation);
                    self.open(&result);
                    outcome(result)
                }
                None => read(&self.catalog, &function, &act),
            },
        };
        self.outcomes.insert(n, outcome);
        if self.is_lost(n) {
            return;
        }
        self.after(8, Event::End(n));
    }

    /// What was begun ends some time.
    fn open(&mut self, result: &Result<Changed, Rejection>) {
        if let Ok(Changed::Version(version)) = result
            && !is_settled(version)
        {
            let event = Event::Settle(version.id.clone(), version.revision_id);
            let most = [1, 5, 40][usize::try_from(self.dice.below(3)).unwrap()];
            self.after(most, event);
        }
    }

    fn end(&mut self, n: usize) {
        let outcome = self.outcomes[&n].clone();
        if let Op::On { function, .. } = &self.told[n].op {
            match &outcome {
                Outcome::Version(seen) if seen.version == Version::Latest => {
                    self.latest.insert(function.clone(), seen.revision);
                }
                Outcome::Alias(seen) => {
                    let key = (function.clone(), seen.alias.clone());
                    self.aliases.insert(key, seen.revision);
                }
                Outcome::Nothing | Outcome::NotFound => {
                    self.latest.remove(function);
                }
                _ => {}
            }
        }
        self.told[n].end = Some((Duration::from_micros(self.now), Ended::Done(outcome)));
        let client = self.told[n].client;
        self.after(5, Event::Start(client));
    }
}

fn id(name: &str) -> FunctionId {
    FunctionId {
        account: model::AccountId::DEFAULT,
        region: model::Region::default(),
        name: name.parse().unwrap(),
    }
}

fn config(description: &str) -> Config {
    Config {
        runtime: "provided.al2023".parse().unwrap(),
        handler: Some("bootstrap".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        description: description.to_owned(),
        timeout: model::TimeoutSeconds::default(),
        memory: model::MemoryMib::default(),
        ephemeral: model::EphemeralMib::default(),
        architecture: model::Architecture::X86_64,
        environment: None,
        tracing: TracingMode::PassThrough,
        logging: Logging::default(),
        optional: None,
    }
}

fn mutation(function: &str, act: &Act) -> Option<Mutation> {
    let function = id(function);
    // A package is told from others by its size, too, which makes it easy to name.
    let code = |text: &str| {
        let size: u64 = text.trim_start_matches("code").parse().unwrap();
        Code {
            digest: Digest::of(&size.to_be_bytes()),
            size,
            unzipped: 0,
        }
    };
    let alias = |name: &str| name.parse::<AliasName>().unwrap();
    Some(match act.clone() {
        Act::Create { marker, code: text } => Mutation::CreateFunction {
            function,
            config: Box::new(config(&marker)),
            code: code(&text),
            publish: None,
            tags: BTreeMap::new(),
            code_signing: None,
        },
        Act::UpdateConfiguration { marker, expected } => Mutation::UpdateFunctionConfiguration {
            function,
            patch: Box::new(ConfigPatch {
                description: Some(marker),
                ..ConfigPatch::default()
            }),
            expected,
        },
        Act::UpdateCode {
            code: text,
            expected,
        } => Mutation::UpdateFunctionCode {
            function,
            code: code(&text),
            image: None,
            origin: None,
            architecture: None,
            publish: None,
            expected,
        },
        Act::Delete => Mutation::DeleteFunction {
            function,
            version: None,
        },
        Act::DeleteVersion { version } => Mutation::DeleteFunction {
            function,
            version: Some(number(version)),
        },
        Act::Publish { marker, expected } => Mutation::PublishVersion {
            function,
            to: Publication::Number,
            code_sha256: None,
            description: marker,
            expected,
        },
        Act::CreateAlias {
            alias: name,
            version,
            marker,
        } => Mutation::CreateAlias {
            function,
            name: alias(&name),
            version,
            canary: None,
            description: marker,
        },
        Act::UpdateAlias {
            alias: name,
            version,
            marker,
            expected,
        } => Mutation::UpdateAlias {
            function,
            name: alias(&name),
            version,
            canary: None,
            description: marker,
            expected,
        },
        Act::DeleteAlias { alias: name } => Mutation::DeleteAlias {
            function,
            name: alias(&name),
        },
        Act::Get { .. } | Act::ListVersions | Act::GetAlias { .. } | Act::ListAliases => {
            return None;
        }
    })
}

fn outcome(result: Result<Changed, Rejection>) -> Outcome {
    match result {
        Ok(Changed::Version(version)) => Outcome::Version(seen(&version)),
        Ok(Changed::Alias(alias)) => Outcome::Alias(seen_alias(&alias)),
        Ok(Changed::Nothing | Changed::DataKey(_)) => Outcome::Nothing,
        Ok(other) => panic!("expected an outcome that is generated, got {other:?}"),
        Err(Rejection::FunctionNotFound(_) | Rejection::AliasNotFound(_)) => Outcome::NotFound,
        Err(Rejection::RevisionMismatch { .. }) => Outcome::PreconditionFailed,
        Err(
            Rejection::FunctionExists(_)
            | Rejection::AliasExists(_)
            | Rejection::UpdateInProgress(_)
            | Rejection::Pending(_)
            | Rejection::VersionInUse { .. },
        ) => Outcome::Conflict,
        Err(other) => panic!("expected a refusal that is generated, got {other:?}"),
    }
}

fn read(catalog: &Catalog, function: &str, act: &Act) -> Outcome {
    let Some(entry) = catalog.function(&id(function)) else {
        return Outcome::NotFound;
    };
    match act {
        Act::Get { version } => entry
            .versions
            .get(version)
            .map_or(Outcome::NotFound, |v| Outcome::Version(seen(v))),
        // Lists do not show whether an update has ended.
        Act::ListVersions => {
            let versions = entry.versions.values().map(|v| SeenVersion {
                settled: None,
                ..seen(v)
            });
            Outcome::Versions(versions.collect())
        }
        Act::GetAlias { alias } => entry
            .aliases
            .get(&alias.parse::<AliasName>().unwrap())
            .map_or(Outcome::NotFound, |a| Outcome::Alias(seen_alias(a))),
        Act::ListAliases => {
            Outcome::Aliases(entry.aliases.values().map(|a| seen_alias(a)).collect())
        }
        other => panic!("expected a read, got {other:?}"),
    }
}

fn is_settled(version: &FunctionVersion) -> bool {
    version.state != State::Pending && version.last_update != Some(LastUpdate::InProgress)
}

fn seen(version: &FunctionVersion) -> SeenVersion {
    SeenVersion {
        version: version.id.version,
        marker: version.config.description.clone(),
        code: format!("code{}", version.code.size),
        revision: version.revision_id,
        settled: Some(is_settled(version)),
    }
}

fn seen_alias(alias: &model::Alias) -> SeenAlias {
    SeenAlias {
        alias: alias.name.to_string(),
        version: alias.version,
        marker: alias.description.clone(),
        revision: alias.revision_id,
    }
}

#[test]
fn what_the_state_machine_does_is_explained() {
    for seed in 0..150 {
        let plan = Plan {
            seed,
            calls: 300,
            clients: 2 + u32::try_from(seed % 7).unwrap(),
            functions: 2 + seed % 4,
            lost: [0, 5, 10, 15][usize::try_from(seed % 4).unwrap()],
        };
        let history = history(&valid(plan));
        match history.check() {
            Ok(Verdict::Linearizable(effort)) => assert!(effort.calls > 100, "{seed}: {effort:?}"),
            Ok(undecided) => panic!("seed {seed}: {undecided:?}"),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
}

/// What is promised to those who run it: a history as long as a run's, with lost calls, is checked in no time.
#[test]
fn a_long_history_costs_few_steps() {
    let plan = Plan {
        seed: 1,
        calls: 2000,
        clients: 8,
        functions: 20,
        lost: 10,
    };
    let history = history(&valid(plan));
    let counts = history.counts();
    assert_eq!(counts.invoked, 2000);
    assert!(counts.unknown + counts.pending > 150, "{counts:?}");
    let Ok(Verdict::Linearizable(effort)) = history.check() else {
        panic!("expected an order for {counts:?}");
    };
    assert_eq!(effort.functions, 20);
    assert!(effort.steps < 300_000, "{effort:?}");
}
