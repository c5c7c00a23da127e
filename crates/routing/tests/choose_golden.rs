//! Scripts in, rankings out: `golden/NAME.txt` is what happens, `golden/NAME.out` is what is chosen and why.
//! `UPDATE_EXPECT=1` writes the outputs anew; the difference is for review.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a test stops at what it did not expect"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    sync::Arc,
};

use expect_test::expect_file;
use model::{
    Architecture, ByteCount, Incarnation, MemoryMib, NodeName, Role, Roles, Zone,
    capacity::{Capacity, Member, WarmKey},
};
use routing::{
    choose::{View, Wanted, choose},
    outstanding::Load,
};

#[test]
fn scripts_give_their_rankings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    for script in scripts {
        let output = run(&std::fs::read_to_string(&script).unwrap());
        expect_file![script.with_extension("out")].assert_eq(&output);
    }
}

struct World {
    zone: Zone,
    members: BTreeMap<NodeName, Arc<Member>>,
    loads: BTreeMap<NodeName, Load>,
    aside: BTreeSet<NodeName>,
    excluded: BTreeSet<NodeName>,
}

/// Runs a script: `zone Z`, `worker NAME key=value…`, `gone NAME`, `load NAME outstanding started returned`, `aside NAME`,
/// `exclude NAME`, and `call FUNCTION key=value…`, which prints a ranking. `#` begins a comment, which is printed too.
fn run(script: &str) -> String {
    let mut world = World {
        zone: "a".parse().unwrap(),
        members: BTreeMap::new(),
        loads: BTreeMap::new(),
        aside: BTreeSet::new(),
        excluded: BTreeSet::new(),
    };
    let mut output = String::new();
    for line in script.lines().filter(|l| !l.trim().is_empty()) {
        if line.starts_with('#') {
            writeln!(output, "{line}").unwrap();
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let settings: BTreeMap<&str, &str> =
            words.iter().filter_map(|w| w.split_once('=')).collect();
        match words.as_slice() {
            ["zone", zone] => world.zone = zone.parse().unwrap(),
            ["worker", name, ..] => {
                let member = member(name, &settings);
                world.members.insert(member.name.clone(), Arc::new(member));
            }
            ["gone", name] => {
                world.members.remove(&name.parse::<NodeName>().unwrap());
            }
            ["load", name, outstanding, started, returned] => {
                let load = Load {
                    outstanding: outstanding.parse().unwrap(),
                    started: started.parse().unwrap(),
                    returned: returned.parse().unwrap(),
                };
                world.loads.insert(name.parse().unwrap(), load);
            }
            ["aside", name] => drop(world.aside.insert(name.parse().unwrap())),
            ["exclude", name] => drop(world.excluded.insert(name.parse().unwrap())),
            ["call", function, ..] => {
                writeln!(output, "> {line}").unwrap();
                write!(output, "{}", call(&world, function, &settings)).unwrap();
            }
            _ => panic!("expected a command, got {line:?}"),
        }
    }
    output
}

fn call(world: &World, function: &str, settings: &BTreeMap<&str, &str>) -> String {
    let memory = settings
        .get("memory")
        .map_or(128, |m| m.parse::<u64>().unwrap());
    let wanted = Wanted {
        key: key(function),
        architecture: architecture(settings),
        runtime: settings
            .get("runtime")
            .unwrap_or(&"python3.13")
            .parse()
            .unwrap(),
        memory: MemoryMib::new(memory).unwrap(),
    };
    let view = View {
        members: &world.members,
        loads: &world.loads,
        aside: &world.aside,
        excluded: &world.excluded,
        zone: &world.zone,
    };
    let draw = settings
        .get("draw")
        .map_or(0, |d| u64::from_str_radix(d, 16).unwrap());
    choose(&wanted, &view, draw).to_string()
}

fn key(function: &str) -> WarmKey {
    WarmKey(
        function
            .bytes()
            .fold(0, |h, b| (h << 8 | u32::from(b)).wrapping_mul(31)),
    )
}

fn architecture(settings: &BTreeMap<&str, &str>) -> Architecture {
    settings
        .get("architecture")
        .unwrap_or(&"x86_64")
        .parse()
        .unwrap()
}

fn member(name: &str, settings: &BTreeMap<&str, &str>) -> Member {
    let number =
        |key: &str, default: u64| settings.get(key).map_or(default, |n| n.parse().unwrap());
    let role = settings
        .get("role")
        .map_or(Role::Worker, |r| r.parse().unwrap());
    let warm = settings.get("warm").into_iter().flat_map(|w| w.split(','));
    let warm = warm.map(|w| {
        let (function, idle) = w.split_once(':').unwrap();
        (key(function), idle.parse().unwrap())
    });
    let slots = u32::try_from(number("slots", 10)).unwrap();
    Member {
        name: name.parse().unwrap(),
        incarnation: Incarnation(1),
        generation: 1,
        roles: Roles::default().with(role),
        zone: settings.get("zone").unwrap_or(&"a").parse().unwrap(),
        address: format!("{name}:7000"),
        public_address: String::new(),
        architecture: Some(architecture(settings)),
        draining: settings.get("draining") == Some(&"yes"),
        capacity: Capacity {
            slots_free: u32::try_from(number("free", u64::from(slots))).unwrap(),
            slots,
            memory_free: ByteCount::mib(number("memory", 10_240)),
            cpu_free_millis: u32::try_from(number("cpu", 4000)).unwrap(),
        },
        warm: warm.collect(),
        runtimes: vec![(*settings.get("runtime").unwrap_or(&"python3.13")).to_owned()],
        newest_format: 2,
    }
}
