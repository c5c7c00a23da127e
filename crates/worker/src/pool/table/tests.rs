use std::collections::BTreeSet;

use model::{FunctionId, Version};
use proptest::prelude::*;

use super::*;

fn key(n: u8, revision: u8) -> Arc<Key> {
    Arc::new(Key {
        version: VersionId {
            function: FunctionId {
                account: model::AccountId::DEFAULT,
                region: model::Region::default(),
                name: format!("f{n}").parse().unwrap(),
            },
            version: Version::Latest,
        },
        revision: RevisionId::from_random(u128::from(revision)),
        tenant: None,
        network: NetworkPolicy::None,
    })
}

fn tenant(n: u8, tenant: &str) -> Arc<Key> {
    Arc::new(Key {
        tenant: Some(tenant.parse().unwrap()),
        ..(*key(n, 0)).clone()
    })
}

fn table(slots: u32, memory: u64) -> Table {
    Table::new(Bounds {
        slots,
        memory: ByteCount(memory),
    })
}

fn started(checkout: Checkout) -> Number {
    match checkout {
        Checkout::Start { number, .. } => number,
        other => panic!("expected a start, got {other:?}"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Checkout {
        function: u8,
        revision: u8,
        memory: u64,
        /// How long a new one is good for.
        good_ms: Option<u64>,
    },
    Release {
        pick: usize,
        warm: bool,
    },
    Discard {
        pick: usize,
    },
    Removed {
        pick: usize,
    },
    Retire {
        older_ms: u64,
        gone: u8,
    },
    Pass {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..3, 0u8..2, 1u64..40, proptest::option::of(1u64..60))
            .prop_map(|(function, revision, memory, good_ms)| Step::Checkout { function, revision, memory, good_ms }),
        4 => (0usize..8, any::<bool>()).prop_map(|(pick, warm)| Step::Release { pick, warm }),
        1 => (0usize..8).prop_map(|pick| Step::Discard { pick }),
        2 => (0usize..8).prop_map(|pick| Step::Removed { pick }),
        1 => (0u64..50, 0u8..3).prop_map(|(older_ms, gone)| Step::Retire { older_ms, gone }),
        2 => (1u64..20).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// What an observer outside knows of each environment.
#[derive(Clone, Debug)]
struct Seen {
    key: Arc<Key>,
    memory: u64,
    until: Option<Timestamp>,
    state: SeenState,
}

impl Seen {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum SeenState {
    Busy,
    Idle { since: Instant, warm: bool },
    Leaving,
}

const SLOTS: u32 = 4;
const MEMORY: u64 = 100;

struct Observer {
    table: Table,
    seen: BTreeMap<Number, Seen>,
    now: Instant,
    wall: Timestamp,
}

impl Observer {
    fn pick(&self, pick: usize, state: impl Fn(SeenState) -> bool) -> Option<Number> {
        let of: Vec<Number> = self
            .seen
            .iter()
            .filter(|(_, s)| state(s.state))
            .map(|(n, _)| *n)
            .collect();
        (!of.is_empty()).then(|| of[pick % of.len()])
    }

    fn checkout(&mut self, key: &Arc<Key>, memory: u64, good_ms: Option<u64>) {
        let wall = self.wall;
        let idle_of = |seen: &BTreeMap<Number, Seen>| -> Vec<(Number, SeenState)> {
            seen.iter()
                .filter(|(_, s)| s.key == *key && matches!(s.state, SeenState::Idle { .. }))
                .filter(|(_, s)| !s.is_over(wall))
                .map(|(n, s)| (*n, s.state))
                .collect()
        };
        let announced = self.table.refusal(key, ByteCount(memory), wall);
        match self.table.checkout(key, ByteCount(memory), wall) {
            Checkout::Reuse(number) => {
                let same = idle_of(&self.seen);
                let got = same
                    .iter()
                    .find(|(n, _)| *n == number)
                    .expect("idle, good, of this very key")
                    .1;
                let any_warm = same
                    .iter()
                    .any(|(_, s)| matches!(s, SeenState::Idle { warm: true, .. }));
                assert_eq!(
                    any_warm,
                    matches!(got, SeenState::Idle { warm: true, .. }),
                    "warm ones first"
                );
                self.seen.get_mut(&number).unwrap().state = SeenState::Busy;
            }
            Checkout::Start { number, victims } => {
                assert!(
                    idle_of(&self.seen).is_empty(),
                    "an idle one would have done"
                );
                for victim in victims {
                    let gone = self.seen.remove(&victim).unwrap();
                    assert!(
                        matches!(gone.state, SeenState::Idle { .. }),
                        "only idle ones make room"
                    );
                }
                let until = good_ms.map(|ms| Timestamp(wall.0 + ms));
                self.table.bound(number, until);
                let new = Seen {
                    key: key.clone(),
                    memory,
                    until,
                    state: SeenState::Busy,
                };
                assert!(self.seen.insert(number, new).is_none(), "numbers are new");
            }
            Checkout::Refuse(Refusal::NoCapacity) => {
                let stuck: Vec<&Seen> = self
                    .seen
                    .values()
                    .filter(|s| !matches!(s.state, SeenState::Idle { .. }))
                    .collect();
                let used: u64 = stuck.iter().map(|s| s.memory).sum();
                assert!(
                    stuck.len() >= SLOTS as usize || used + memory > MEMORY,
                    "there was room"
                );
                assert_eq!(announced, Some(Refusal::NoCapacity));
                return;
            }
            Checkout::Refuse(Refusal::Draining) => panic!("not draining"),
        }
        assert_eq!(announced, None);
    }

    fn moment(&self) -> Now {
        Now {
            monotonic: self.now,
            wall: self.wall,
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Checkout {
                function,
                revision,
                memory,
                good_ms,
            } => self.checkout(&key(function, revision), memory, good_ms),
            Step::Release { pick, warm } => {
                if let Some(number) = self.pick(pick, |s| s == SeenState::Busy) {
                    assert!(self.table.release(number, warm, self.now));
                    self.seen.get_mut(&number).unwrap().state = SeenState::Idle {
                        since: self.now,
                        warm,
                    };
                }
            }
            Step::Discard { pick } => {
                if let Some(number) = self.pick(pick, |s| s != SeenState::Leaving) {
                    assert!(self.table.discard(number));
                    assert!(!self.table.discard(number), "once");
                    self.seen.get_mut(&number).unwrap().state = SeenState::Leaving;
                }
            }
            Step::Removed { pick } => {
                if let Some(number) = self.pick(pick, |s| s == SeenState::Leaving) {
                    self.table.removed(number);
                    self.seen.remove(&number);
                }
            }
            Step::Retire { older_ms, gone } => {
                let expiry = Duration::from_millis(older_ms);
                let gone_name = format!("f{gone}");
                let is_current = |k: &Key| k.version.function.name.as_str() != gone_name;
                let over: BTreeSet<Number> = self
                    .table
                    .retire(self.moment(), expiry, is_current)
                    .into_iter()
                    .collect();
                for (number, seen) in &mut self.seen {
                    if let SeenState::Idle { since, .. } = seen.state {
                        let expected = self.now - since >= expiry
                            || seen.is_over(self.wall)
                            || !is_current(&seen.key);
                        assert_eq!(over.contains(number), expected);
                        if expected {
                            seen.state = SeenState::Leaving;
                        }
                    } else {
                        assert!(!over.contains(number), "only idle ones retire");
                    }
                }
            }
            Step::Pass { ms } => {
                self.now += Duration::from_millis(ms);
                self.wall.0 += ms;
            }
        }
        let used: u64 = self.seen.values().map(|s| s.memory).sum();
        assert!(
            self.seen.len() <= SLOTS as usize && used <= MEMORY,
            "within bounds"
        );
        assert_eq!(self.table.counted() as usize, self.seen.len());
        let warm: u32 = self.table.warm().values().map(|n| u32::from(*n)).sum();
        let seen_warm = self
            .seen
            .values()
            .filter(|s| matches!(s.state, SeenState::Idle { warm: true, .. }))
            .count();
        assert_eq!(warm as usize, seen_warm);
    }
}

proptest! {
    #[test]
    fn nothing_is_shared_and_bounds_hold(steps in prop::collection::vec(step(), 0..150)) {
        let mut observer = Observer {
            table: table(SLOTS, MEMORY),
            seen: BTreeMap::new(),
            now: Instant::now(),
            wall: Timestamp(1_764_000_000_000),
        };
        for step in &steps {
            observer.apply(step);
        }
    }
}

const WALL: Timestamp = Timestamp(1_764_000_000_000);

#[test]
fn the_last_one_used_goes_first_and_the_first_one_used_makes_room() {
    let mut table = table(2, 100);
    let now = Instant::now();
    let (a, b, c) = (key(1, 0), key(2, 0), key(3, 0));
    let first = started(table.checkout(&a, ByteCount(10), WALL));
    let second = started(table.checkout(&a, ByteCount(10), WALL));
    assert_eq!(
        table.checkout(&b, ByteCount(10), WALL),
        Checkout::Refuse(Refusal::NoCapacity)
    );
    assert!(table.release(second, true, now));
    assert!(table.release(first, true, now + Duration::from_millis(1)));
    assert_eq!(
        table.checkout(&a, ByteCount(10), WALL),
        Checkout::Reuse(first)
    );
    assert!(table.release(first, true, now + Duration::from_millis(2)));
    match table.checkout(&c, ByteCount(10), WALL) {
        Checkout::Start { victims, .. } => assert_eq!(victims, vec![second]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_idle_stay_is_taken_once() {
    let mut table = table(2, 100);
    let now = Instant::now();
    let number = started(table.checkout(&key(1, 0), ByteCount(10), WALL));
    assert!(table.release(number, true, now));
    let stay = table.stay(number).unwrap();
    assert_eq!(
        table.checkout(&key(1, 0), ByteCount(10), WALL),
        Checkout::Reuse(number)
    );
    assert!(!table.take_idle(number, stay), "it is busy");
    assert!(table.release(number, true, now));
    assert!(
        !table.take_idle(number, stay),
        "another stay, though it began at the same instant"
    );
    assert!(table.take_idle(number, table.stay(number).unwrap()));
}

#[test]
fn a_drain_lets_the_busy_finish_and_takes_nothing_new() {
    let mut table = table(3, 100);
    let now = Instant::now();
    let idle = started(table.checkout(&key(1, 0), ByteCount(10), WALL));
    let busy = started(table.checkout(&key(1, 0), ByteCount(10), WALL));
    assert!(table.release(idle, true, now));
    assert_eq!(table.drain(), vec![idle]);
    assert_eq!(
        table.checkout(&key(1, 0), ByteCount(10), WALL),
        Checkout::Refuse(Refusal::Draining)
    );
    assert!(!table.release(busy, true, now), "it leaves instead");
    table.removed(idle);
    table.removed(busy);
    assert_eq!(table.counted(), 0);
}

#[test]
fn tenants_of_a_version_never_share_an_environment() {
    let (mut table, now) = (table(2, 100), Instant::now());
    let each = ByteCount(10);
    let (blue, red) = (tenant(1, "blue"), tenant(1, "red"));
    let of_blue = started(table.checkout(&blue, each, WALL));
    assert!(table.release(of_blue, true, now));
    let of_red = started(table.checkout(&red, each, WALL));
    assert_ne!(of_red, of_blue);
    assert!(table.release(of_red, true, now));
    assert_eq!(table.checkout(&blue, each, WALL), Checkout::Reuse(of_blue));
    // What is idle for one tenant is no better for another than an environment of another function.
    assert_eq!(
        table.checkout(&tenant(1, "green"), each, WALL),
        Checkout::Start {
            number: Number(table.next),
            victims: vec![of_red]
        }
    );
    assert_eq!(table.refusal(&red, each, WALL), Some(Refusal::NoCapacity));
    assert!(table.release(of_blue, true, now));
    let warm = table.warm();
    let of = |tenant: Option<&str>| {
        let tenant = tenant.map(|t| t.parse().unwrap());
        warm.get(&WarmKey::of(&blue.version, tenant.as_ref()))
            .copied()
    };
    assert_eq!(of(Some("blue")), Some(1));
    assert_eq!((of(Some("red")), of(None)), (None, None));
}

#[test]
fn an_environment_is_not_handed_out_after_its_end_and_leaves() {
    let mut table = table(3, 100);
    let key = key(1, 0);
    let (before, end) = (Timestamp(WALL.0 + 999), Timestamp(WALL.0 + 1000));
    let bounded = started(table.checkout(&key, ByteCount(10), WALL));
    let other = started(table.checkout(&key, ByteCount(10), WALL));
    table.bound(bounded, Some(end));
    let now = Instant::now();
    assert!(table.release(other, true, now));
    assert!(table.release(bounded, true, now));
    let got = table.checkout(&key, ByteCount(10), before);
    assert_eq!(got, Checkout::Reuse(bounded));
    assert!(table.release(bounded, true, now));
    let got = table.checkout(&key, ByteCount(10), end);
    assert_eq!(got, Checkout::Reuse(other), "the one that is good");
    started(table.checkout(&key, ByteCount(10), end));
    let retired = |table: &mut Table, wall| {
        let now = Now {
            monotonic: now,
            wall,
        };
        table.retire(now, Duration::MAX, |_| true)
    };
    assert_eq!(retired(&mut table, before), vec![]);
    assert_eq!(retired(&mut table, end), vec![bounded]);
}
