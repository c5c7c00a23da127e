use proptest::prelude::*;

use super::*;
use model::{
    Incarnation, Roles,
    capacity::{Capacity, Member},
};

fn worker(name: &str, zone: &str) -> Member {
    Member {
        name: name.parse().unwrap(),
        incarnation: Incarnation(1),
        generation: 1,
        roles: Roles::default().with(Role::Worker),
        zone: zone.parse().unwrap(),
        address: format!("{name}:1"),
        public_address: String::new(),
        architecture: Some(Architecture::X86_64),
        draining: false,
        capacity: Capacity {
            slots_free: 10,
            slots: 10,
            memory_free: ByteCount::mib(10_240),
            cpu_free_millis: 4000,
        },
        warm: BTreeMap::new(),
        runtimes: vec!["python3.13".to_owned()],
        newest_format: 2,
    }
}

fn wanted(key: u32) -> Wanted {
    Wanted {
        key: WarmKey(key),
        architecture: Architecture::X86_64,
        runtime: "python3.13".parse().unwrap(),
        memory: MemoryMib::default(),
    }
}

#[derive(Debug, Clone)]
struct World {
    members: BTreeMap<NodeName, Arc<Member>>,
    loads: BTreeMap<NodeName, Load>,
    aside: BTreeSet<NodeName>,
    excluded: BTreeSet<NodeName>,
}

impl World {
    fn choose(&self, key: u32, draw: u64) -> Explanation {
        self.choose_for(&wanted(key), draw)
    }

    fn choose_for(&self, wanted: &Wanted, draw: u64) -> Explanation {
        let zone = "a".parse().unwrap();
        let view = View {
            members: &self.members,
            loads: &self.loads,
            aside: &self.aside,
            excluded: &self.excluded,
            zone: &zone,
        };
        choose(wanted, &view, draw)
    }
}

prop_compose! {
    fn any_member(i: usize)(
        zone in "[abc]",
        is_worker in any::<bool>(),
        draining in prop::bool::weighted(0.2),
        arm in prop::bool::weighted(0.2),
        runtime in prop::bool::weighted(0.9),
        slots_free in 0..5u32,
        cpu_free_millis in prop_oneof![Just(0), 0..300u32, Just(4000)],
        warm in prop::option::of(0..4u16),
    ) -> Arc<Member> {
        let mut m = worker(&format!("w{i}"), &zone);
        if !is_worker {
            m.roles = Roles::default().with(Role::Frontend);
        }
        m.draining = draining;
        if arm {
            m.architecture = Some(Architecture::Arm64);
        }
        if !runtime {
            m.runtimes.clear();
        }
        m.capacity.slots_free = slots_free;
        m.capacity.cpu_free_millis = cpu_free_millis;
        m.warm.extend(warm.map(|n| (WarmKey(7), n)));
        Arc::new(m)
    }
}

prop_compose! {
    fn any_world()(
        members in prop::collection::vec(0..12usize, 0..12)
            .prop_flat_map(|v| (0..v.len()).map(any_member).collect::<Vec<_>>()),
        loads in prop::collection::vec((0..20u32, 0..4u32, 0..4u32), 12),
        aside in prop::collection::vec(prop::bool::weighted(0.2), 12),
        excluded in prop::collection::vec(prop::bool::weighted(0.2), 12),
    ) -> World {
        let name = |i: usize| format!("w{i}").parse::<NodeName>().unwrap();
        let named = |flags: Vec<bool>| flags.into_iter().enumerate().filter(|(_, f)| *f).map(|(i, _)| name(i)).collect();
        World {
            members: members.into_iter().map(|m| (m.name.clone(), m)).collect(),
            loads: loads.into_iter().enumerate().map(|(i, (outstanding, started, returned))| {
                (name(i), Load { outstanding, started, returned })
            }).collect(),
            aside: named(aside),
            excluded: named(excluded),
        }
    }
}

proptest! {
    #[test]
    fn only_what_can_run_it_is_ranked_and_everybody_is_accounted_for(world in any_world(), draw in any::<u64>()) {
        let explanation = world.choose(7, draw);
        for r in &explanation.ranked {
            prop_assert!(r.member.roles.has(Role::Worker));
            prop_assert!(!r.member.draining);
            prop_assert!(!world.excluded.contains(&r.member.name));
            prop_assert_eq!(r.member.architecture, Some(Architecture::X86_64));
            prop_assert!(!r.member.runtimes.is_empty());
        }
        let names: BTreeSet<_> = explanation.ranked.iter().map(|r| &r.member.name)
            .chain(explanation.left_out.iter().map(|(n, _)| n)).collect();
        prop_assert_eq!(names.len(), world.members.len());
        prop_assert_eq!(explanation.ranked.len() + explanation.left_out.len(), world.members.len());
    }

    #[test]
    fn tiers_are_in_order_and_the_draw_decides_only_who_is_first(world in any_world(), draw in any::<u64>()) {
        let explanation = world.choose(7, draw);
        prop_assert!(explanation.ranked.is_sorted_by_key(|r| r.tier));
        prop_assert_eq!(&explanation, &world.choose(7, draw));
        let other = world.choose(7, draw.wrapping_mul(3).wrapping_add(1));
        let tier = |e: &Explanation| e.ranked.first().map(|r| r.tier);
        prop_assert_eq!(tier(&explanation), tier(&other));
    }

    /// But for the one that was drawn to the front, which is better than one other at least.
    #[test]
    fn within_a_tier_those_with_cpu_left_come_first(world in any_world(), draw in any::<u64>()) {
        let ranked = world.choose(7, draw).ranked;
        let asked = |r: &Ranked| !matches!(r.tier, Tier::LocalFull | Tier::RemoteFull | Tier::Aside);
        let order = |r: &Ranked| (r.tier, asked(r) && r.short_of_cpu);
        prop_assert!(ranked.get(1..).unwrap_or_default().is_sorted_by_key(order));
        if let [first, second, rest @ ..] = ranked.as_slice() {
            let alone = rest.first().is_none_or(|third| third.tier != first.tier);
            prop_assert!(!alone || second.tier != first.tier || order(first) <= order(second));
        }
    }

    #[test]
    fn more_cpu_never_makes_a_worker_a_later_choice(world in any_world(), which in 0..12usize, more in 0..5000u32) {
        let name: NodeName = format!("w{which}").parse().unwrap();
        // A draw of zeros leaves the order as it is.
        let place = |world: &World| world.choose(7, 0).ranked.iter().position(|r| r.member.name == name);
        let mut richer = world.clone();
        if let Some(member) = richer.members.get_mut(&name) {
            let capacity = &mut Arc::make_mut(member).capacity;
            capacity.cpu_free_millis = capacity.cpu_free_millis.saturating_add(more);
        }
        prop_assert!(place(&richer) <= place(&world));
    }

    #[test]
    fn a_worker_set_aside_is_the_last_resort(world in any_world(), draw in any::<u64>()) {
        let explanation = world.choose(7, draw);
        let first_aside = explanation.ranked.iter().position(|r| world.aside.contains(&r.member.name));
        if let Some(at) = first_aside {
            prop_assert!(explanation.ranked[at..].iter().all(|r| world.aside.contains(&r.member.name)));
        }
    }
}

fn cold_world(workers: usize) -> World {
    World {
        members: (0..workers)
            .map(|i| worker(&format!("w{i}"), "a"))
            .map(|m| (m.name.clone(), Arc::new(m)))
            .collect(),
        loads: BTreeMap::new(),
        aside: BTreeSet::new(),
        excluded: BTreeSet::new(),
    }
}

#[test]
fn a_cold_version_prefers_one_worker_whatever_the_draw() {
    let world = cold_world(5);
    for key in 0..50 {
        let first = |draw| world.choose(key, draw).ranked[0].member.name.clone();
        assert_eq!(first(0), first(u64::MAX));
    }
}

#[test]
fn a_departed_worker_moves_only_its_own_versions() {
    let world = cold_world(5);
    let mut without = world.clone();
    without.members.remove(&"w3".parse::<NodeName>().unwrap());
    for key in 0..200 {
        let first = |w: &World| w.choose(key, 0).ranked[0].member.name.clone();
        if first(&world).as_str() != "w3" {
            assert_eq!(first(&world), first(&without));
        }
    }
}

#[test]
fn two_draws_spread_calls_over_warm_workers() {
    let mut world = cold_world(4);
    for member in world.members.values_mut() {
        Arc::make_mut(member).warm.insert(WarmKey(7), 100);
        Arc::make_mut(member).capacity.slots = 100;
    }
    let mut draw = 1_u64;
    for _ in 0..200 {
        draw = draw
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let first = world.choose(7, draw).ranked[0].member.name.clone();
        let load = world.loads.entry(first).or_default();
        load.outstanding += 1;
        load.started += 1;
    }
    let counts: Vec<_> = world.loads.values().map(|l| l.outstanding).collect();
    assert!(
        counts.iter().all(|n| (45..=55).contains(n)) && counts.len() == 4,
        "{counts:?}"
    );
}

#[test]
fn a_busy_cold_version_does_not_pile_up_on_its_favourite() {
    let mut world = cold_world(4);
    for _ in 0..40 {
        let first = world.choose(7, 0).ranked[0].member.name.clone();
        let load = world.loads.entry(first).or_default();
        load.outstanding += 1;
    }
    let most = world.loads.values().map(|l| l.outstanding).max().unwrap();
    assert!(most <= 14, "{:?}", world.loads);
}

#[test]
fn a_machine_of_few_cpus_gets_no_more_than_it_can_run() {
    for warm in [0, 50] {
        let mut world = cold_world(2);
        for (member, cpus) in world.members.values_mut().zip([2, 16]) {
            let member = Arc::make_mut(member);
            member.warm.insert(WarmKey(7), warm);
            member.capacity = Capacity {
                slots_free: 50,
                slots: 50,
                memory_free: ByteCount::mib(50 * 1769),
                cpu_free_millis: cpus * 1000,
            };
        }
        let wanted = Wanted {
            memory: MemoryMib::new(1769).unwrap(),
            ..wanted(7)
        };
        for _ in 0..18 {
            let first = world.choose_for(&wanted, 0).ranked[0].member.name.clone();
            let load = world.loads.entry(first).or_default();
            load.outstanding += 1;
            load.started += 1;
        }
        let counts: Vec<_> = world.loads.values().map(|l| l.outstanding).collect();
        assert_eq!(counts, [2, 16], "{warm} warm");
    }
}
