//! What a node says of itself, as a few small texts.
//!
//! `identity` changes with the process, `load` many times a second, `warm` in between; so that a change of load does not
//! send the rest again. Each stays within 1 KB and all together within 4 KB, whatever a node has to say: runtimes that do not
//! fit into `identity` are in `runtimes`, and what does not fit at all is cut, the rarest warmth and the last runtimes. The
//! longest addresses there can be and every runtime that there is do fit.
//! Unknown fields are ignored and missing ones have defaults, so nodes of two versions understand each other.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use model::{
    ByteCount, Capacity, Incarnation, NodeName, Role,
    capacity::{Member, WarmKey},
};
use serde::{Deserialize, Serialize};

pub(super) const IDENTITY: &str = "identity";
pub(super) const LOAD: &str = "load";
pub(super) const WARM: &str = "warm";
pub(super) const RUNTIMES: &str = "runtimes";

/// The longest text in bytes: a change of it travels in one datagram.
const TEXT_MAX: usize = 1024;
/// Entries of a warmth digest: 6 bytes each, [`TEXT_MAX`] in base64.
const WARM_MAX: usize = 128;

/// The texts of a member by key.
pub(super) type Texts = BTreeMap<&'static str, String>;

#[derive(Clone, Serialize, Deserialize)]
struct Identity {
    #[serde(default)]
    incarnation: u64,
    #[serde(default)]
    generation: u64,
    #[serde(default)]
    roles: Vec<String>,
    zone: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    public_address: String,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    runtimes: Vec<String>,
    /// Builds that know of no formats say nothing: they read the first.
    #[serde(default = "first_format")]
    newest_format: u32,
}

const fn first_format() -> u32 {
    1
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Load {
    slots_free: u32,
    slots: u32,
    memory_free: u64,
    cpu_free_millis: u32,
    draining: bool,
    left: bool,
}

/// The texts that say this of a node; `left` if it goes for good.
pub(super) fn encode(member: &Member, left: bool) -> Texts {
    let load = Load {
        slots_free: member.capacity.slots_free,
        slots: member.capacity.slots,
        memory_free: member.capacity.memory_free.0,
        cpu_free_millis: member.capacity.cpu_free_millis,
        draining: member.draining,
        left,
    };
    let (identity, more) = encode_identity(member);
    BTreeMap::from([
        (IDENTITY, identity),
        (RUNTIMES, encode_runtimes(more)),
        (LOAD, json(&load)),
        (WARM, encode_warm(&member.warm)),
    ])
}

/// The member that these texts say; `None` if it has left or they make no sense.
pub(super) fn decode<'a>(
    name: &str,
    get: impl Fn(&'static str) -> Option<&'a str>,
) -> Option<Member> {
    let name: NodeName = name.parse().ok()?;
    let mut identity: Identity = serde_json::from_str(get(IDENTITY)?).ok()?;
    let more = get(RUNTIMES).and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    identity.runtimes.extend(more.unwrap_or_default());
    let load: Load = match get(LOAD) {
        Some(text) => serde_json::from_str(text).ok()?,
        None => Load::default(),
    };
    if load.left {
        return None;
    }
    let roles = identity.roles.iter().filter_map(|r| r.parse::<Role>().ok());
    Some(Member {
        name,
        incarnation: Incarnation(identity.incarnation),
        generation: identity.generation,
        roles: roles.collect(),
        zone: identity.zone.parse().ok()?,
        address: identity.address,
        public_address: identity.public_address,
        architecture: identity.architecture.and_then(|a| a.parse().ok()),
        draining: load.draining,
        capacity: Capacity {
            slots_free: load.slots_free,
            slots: load.slots,
            memory_free: ByteCount(load.memory_free),
            cpu_free_millis: load.cpu_free_millis,
        },
        warm: get(WARM).map(decode_warm).unwrap_or_default(),
        runtimes: identity.runtimes,
        newest_format: identity.newest_format,
    })
}

/// The identity, and the runtimes that have no room in it.
fn encode_identity(member: &Member) -> (String, Vec<String>) {
    let mut identity = Identity {
        incarnation: member.incarnation.0,
        generation: member.generation,
        roles: member.roles.iter().map(|r| r.to_string()).collect(),
        zone: member.zone.to_string(),
        address: member.address.clone(),
        public_address: member.public_address.clone(),
        architecture: member.architecture.map(|a| a.to_string()),
        runtimes: member.runtimes.clone(),
        newest_format: member.newest_format,
    };
    let mut more = Vec::new();
    loop {
        let text = json(&identity);
        if text.len() <= TEXT_MAX {
            more.reverse();
            return (text, more);
        }
        match identity.runtimes.pop() {
            Some(runtime) => more.push(runtime),
            None => {
                // No real address is this long.
                identity.address.clear();
                identity.public_address.clear();
            }
        }
    }
}

fn encode_runtimes(mut runtimes: Vec<String>) -> String {
    loop {
        let text = json(&runtimes);
        if text.len() <= TEXT_MAX || runtimes.pop().is_none() {
            return text;
        }
    }
}

/// Keeps the versions with the most warm environments.
fn encode_warm(warm: &BTreeMap<WarmKey, u16>) -> String {
    let mut most: Vec<_> = warm.iter().filter(|(_, count)| **count > 0).collect();
    most.sort_by_key(|(key, count)| (std::cmp::Reverse(**count), **key));
    most.truncate(WARM_MAX);
    most.sort_unstable();
    let mut packed = Vec::with_capacity(most.len() * 6);
    for (key, count) in most {
        packed.extend_from_slice(&key.0.to_be_bytes());
        packed.extend_from_slice(&count.to_be_bytes());
    }
    STANDARD_NO_PAD.encode(packed)
}

fn decode_warm(text: &str) -> BTreeMap<WarmKey, u16> {
    let packed = STANDARD_NO_PAD.decode(text).unwrap_or_default();
    let entries = packed.as_chunks::<6>().0.iter().take(WARM_MAX);
    entries
        .map(|[a, b, c, d, e, f]| {
            let key = u32::from_be_bytes([*a, *b, *c, *d]);
            (WarmKey(key), u16::from_be_bytes([*e, *f]))
        })
        .collect()
}

/// Plain structs of numbers and texts always have a JSON form.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use model::{Architecture, Roles, Runtime};

    use super::*;

    fn member() -> Member {
        Member {
            name: "w1".parse().unwrap(),
            incarnation: Incarnation(3),
            generation: 1_800_000_000_000,
            roles: Roles::default().with(Role::Worker).with(Role::Frontend),
            zone: "zone-a".parse().unwrap(),
            address: "10.0.0.1:7000".to_owned(),
            public_address: "10.0.0.1:9000".to_owned(),
            architecture: Some(Architecture::Arm64),
            draining: true,
            capacity: Capacity {
                slots_free: 7,
                slots: 10,
                memory_free: ByteCount::mib(4096),
                cpu_free_millis: 1500,
            },
            warm: BTreeMap::from([(WarmKey(5), 2), (WarmKey(u32::MAX), u16::MAX)]),
            runtimes: vec!["python3.13".to_owned(), "provided.al2023".to_owned()],
            newest_format: 3,
        }
    }

    fn round_trip(member: &Member) -> Option<Member> {
        let texts = encode(member, false);
        let size: usize = texts.iter().map(|(k, v)| k.len() + v.len()).sum();
        assert!(size <= 4096, "{size} bytes");
        for (key, text) in &texts {
            assert!(text.len() <= TEXT_MAX, "{key}: {} bytes", text.len());
        }
        decode(member.name.as_str(), |key| {
            texts.get(key).map(String::as_str)
        })
    }

    #[test]
    fn a_member_round_trips() {
        assert_eq!(round_trip(&member()), Some(member()));
        let plain = Member {
            architecture: None,
            draining: false,
            warm: BTreeMap::new(),
            runtimes: Vec::new(),
            public_address: String::new(),
            ..member()
        };
        assert_eq!(round_trip(&plain), Some(plain));
    }

    #[test]
    fn one_that_left_is_no_member() {
        let texts = encode(&member(), true);
        assert_eq!(decode("w1", |key| texts.get(key).map(String::as_str)), None);
    }

    #[test]
    fn warmth_is_cut_and_the_warmest_stay() {
        let warm: BTreeMap<_, _> = (0..10_000_u16).map(|n| (WarmKey(n.into()), n)).collect();
        let texts = encode(&Member { warm, ..member() }, false);
        assert_eq!(texts[WARM].len(), 1024);
        let kept = decode_warm(&texts[WARM]);
        assert_eq!(kept.len(), WARM_MAX);
        assert_eq!(kept.values().min(), Some(&(10_000 - 128)));
    }

    #[test]
    fn whatever_is_too_long_is_cut() {
        let many = Member {
            runtimes: (0..1000).map(|n| format!("runtime-{n}")).collect(),
            warm: (0..5000).map(|n| (WarmKey(n), 1)).collect(),
            ..member()
        };
        let cut = round_trip(&many).unwrap();
        assert!(!cut.runtimes.is_empty());
        assert_eq!(cut.address, many.address);
        let absurd = Member {
            address: "x".repeat(100_000),
            ..member()
        };
        assert_eq!(round_trip(&absurd).unwrap().address, "");
    }

    #[test]
    fn the_longest_names_and_all_runtimes_fit() {
        let host = format!("{0}.{0}.{0}.{1}", "x".repeat(63), "y".repeat(61));
        assert_eq!(host.len(), 253, "no host name is longer");
        let long = Member {
            incarnation: Incarnation(u64::MAX),
            roles: Roles::ALL,
            zone: "z".repeat(63).parse().unwrap(),
            address: format!("{host}:65535"),
            public_address: format!("{host}:65535"),
            runtimes: Runtime::all().map(|r| r.as_str().to_owned()).collect(),
            ..member()
        };
        assert_eq!(round_trip(&long), Some(long));
    }

    #[test]
    fn texts_of_other_versions_are_understood_or_refused() {
        let of = |identity: &'static str, load: Option<&'static str>| {
            decode("w1", |key| match key {
                IDENTITY => Some(identity),
                LOAD => load,
                _ => None,
            })
        };
        let newer = of(
            r#"{"zone":"a","roles":["worker","archivist"],"colour":"red"}"#,
            Some(r#"{"slots":3,"mood":"good"}"#),
        );
        let newer = newer.unwrap();
        assert_eq!(newer.roles, Roles::default().with(Role::Worker));
        assert_eq!(newer.capacity.slots, 3);
        assert_eq!(newer.newest_format, 1, "who says nothing reads the first");
        assert!(of(r#"{"zone":"a"}"#, None).is_some());
        assert!(of("", None).is_none());
        assert!(of(r#"{"zone":"A B"}"#, None).is_none());
        assert!(of(r#"{"zone":"a"}"#, Some("7")).is_none());
        assert!(decode("W1", |_| Some("{}")).is_none());
        assert!(decode_warm("!").is_empty());
    }
}
