//! Ranks the workers for one invocation. Pure: the same wish, view and draw give the same ranking.
//!
//! A worker that cannot run the version (not a worker, draining, another architecture, no such runtime) or that was tried
//! already is left out. The others fall into tiers, best first:
//!
//! 1. in this zone and warm: it has an idle environment of the version, as far as gossip and our own latest calls tell;
//! 2. in this zone with room for another environment;
//! 3. the same two in other zones: this zone has no capacity left;
//! 4. full by what gossip says: it may have changed its mind, and its refusal is cheap;
//! 5. set aside after failures: better than nobody.
//!
//! The zone comes before the warmth: each zone keeps environments of its own, and the loss of one leaves the others warm.
//!
//! Within a warm tier two workers are drawn and the less loaded one goes first: good spreading, and no herd of frontends
//! on whoever gossip last praised. Where nobody is warm, rendezvous hashing by version makes every frontend prefer the same
//! worker, which is therefore warm for the next one; a bound on our own calls there, relative to the mean, keeps one busy
//! version from piling up on it.
//!
//! In a tier that is warm or has room, a worker whose CPU is promised away goes behind those that have the invocation's part
//! left: memory and slots say how many environments fit, not how many of them can run at a time, and a machine of few CPUs
//! would get as much as one of many. It never decides between tiers: to wait for a CPU is better than a cold start.

mod affinity;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use model::{
    Architecture, ByteCount, MemoryMib, NodeName, Role, Runtime, TenantId, Zone,
    capacity::{Member, WarmKey},
    function::FunctionVersion,
    size::MIB_PER_CPU,
};

use crate::outstanding::Load;

/// What the invocation needs.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The place of the version, or of its tenant, in warmth digests.
    pub key: WarmKey,
    /// The instruction set of its code.
    pub architecture: Architecture,
    /// Its runtime.
    pub runtime: Runtime,
    /// Memory of an environment.
    pub memory: MemoryMib,
}

/// What this frontend knows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The members by gossip.
    pub members: &'a BTreeMap<NodeName, Arc<Member>>,
    /// Our own calls under way, for the wanted version.
    pub loads: &'a BTreeMap<NodeName, Load>,
    /// Workers that failed lately.
    pub aside: &'a BTreeSet<NodeName>,
    /// Workers that must not be chosen: those that refused this invocation already.
    pub excluded: &'a BTreeSet<NodeName>,
    /// Where this frontend stands.
    pub zone: &'a Zone,
}

/// How good a worker is for an invocation, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// In this zone, with an idle environment of the version.
    LocalWarm,
    /// In this zone, with room for another environment.
    LocalFree,
    /// In another zone, with an idle environment of the version.
    RemoteWarm,
    /// In another zone, with room for another environment.
    RemoteFree,
    /// In this zone and full.
    LocalFull,
    /// In another zone and full.
    RemoteFull,
    /// Set aside after failures.
    Aside,
}

/// Why a worker was not ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftOut {
    /// It has no worker role.
    NotAWorker,
    /// It takes no new work.
    Draining,
    /// It runs another instruction set.
    Architecture,
    /// It cannot start the runtime.
    Runtime,
    /// It was tried already.
    Excluded,
}

/// One worker in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// The worker.
    pub member: Arc<Member>,
    /// Why it is there.
    pub tier: Tier,
    /// Idle environments of the version that we believe in.
    pub idle: u32,
    /// Environments that we believe it could still start.
    pub room: u32,
    /// Our own calls under way there.
    pub outstanding: u32,
    /// Whether these are more than its part.
    pub over_bound: bool,
    /// Whether it has less CPU left than the invocation is promised.
    pub short_of_cpu: bool,
}

/// The ranking, and its reasons: shown by `Display`, one line a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The workers to try, best first.
    pub ranked: Vec<Ranked>,
    /// Everybody else.
    pub left_out: Vec<(NodeName, LeftOut)>,
}

impl Wanted {
    /// What an invocation of this version, for this tenant if it has tenants, needs.
    #[must_use]
    pub fn of(version: &FunctionVersion, tenant: Option<&TenantId>) -> Self {
        Self {
            key: WarmKey::of(&version.id, tenant),
            architecture: version.config.architecture,
            runtime: version.config.runtime,
            memory: version.config.memory,
        }
    }
}

/// Ranks the workers for one invocation. `draw` is 64 random bits.
#[must_use]
pub fn choose(wanted: &Wanted, view: &View<'_>, draw: u64) -> Explanation {
    let mut explanation = Explanation::default();
    for (name, member) in view.members {
        match fits(wanted, view, name, member) {
            Ok(()) => explanation.ranked.push(rate(wanted, view, name, member)),
            Err(reason) => explanation.left_out.push((name.clone(), reason)),
        }
    }
    let ranked = &mut explanation.ranked;
    mark_over_bound(ranked);
    ranked.sort_by_cached_key(|r| order(wanted, r));
    draw_two(ranked, draw);
    explanation
}

fn fits(wanted: &Wanted, view: &View<'_>, name: &NodeName, member: &Member) -> Result<(), LeftOut> {
    if !member.roles.has(Role::Worker) {
        return Err(LeftOut::NotAWorker);
    }
    if view.excluded.contains(name) {
        return Err(LeftOut::Excluded);
    }
    if member.draining {
        return Err(LeftOut::Draining);
    }
    if member.architecture != Some(wanted.architecture) {
        return Err(LeftOut::Architecture);
    }
    let offered = |r: &String| r == wanted.runtime.offered_as();
    if !member.runtimes.iter().any(offered) {
        return Err(LeftOut::Runtime);
    }
    Ok(())
}

fn rate(wanted: &Wanted, view: &View<'_>, name: &NodeName, member: &Arc<Member>) -> Ranked {
    let load = view.loads.get(name).copied().unwrap_or_default();
    let gossiped = member
        .warm
        .get(&wanted.key)
        .map_or(0, |idle| u32::from(*idle));
    // What returned lately may be in the gossip already: the greater of the two, not the sum.
    let idle = gossiped.max(load.returned).saturating_sub(load.started);
    let into_new = load.started.saturating_sub(gossiped.max(load.returned));
    let room = room(wanted, member).saturating_sub(into_new);
    let local = member.zone == *view.zone;
    let tier = match (view.aside.contains(name), idle > 0, room > 0, local) {
        (true, ..) => Tier::Aside,
        (_, true, _, true) => Tier::LocalWarm,
        (_, true, _, false) => Tier::RemoteWarm,
        (_, _, true, true) => Tier::LocalFree,
        (_, _, true, false) => Tier::RemoteFree,
        (.., true) => Tier::LocalFull,
        (.., false) => Tier::RemoteFull,
    };
    Ranked {
        member: member.clone(),
        tier,
        idle,
        room,
        outstanding: load.outstanding,
        over_bound: false,
        short_of_cpu: is_short_of_cpu(wanted, member, load),
    }
}

/// Whether what the worker says it has left, less what our own latest calls took, is not one more call's part.
fn is_short_of_cpu(wanted: &Wanted, member: &Member, load: Load) -> bool {
    let part = u64::from(wanted.memory.get()) * 1000 / MIB_PER_CPU;
    let parts = u64::from(load.started) + 1;
    u64::from(member.capacity.cpu_free_millis) < parts.saturating_mul(part)
}

/// Environments of the wanted size that fit into what the worker says it has free.
fn room(wanted: &Wanted, member: &Member) -> u32 {
    let ByteCount(each) = wanted.memory.bytes();
    let by_memory = member
        .capacity
        .memory_free
        .0
        .checked_div(each)
        .unwrap_or(u64::MAX);
    let by_memory = u32::try_from(by_memory).unwrap_or(u32::MAX);
    member.capacity.slots_free.min(by_memory)
}

/// Marks the workers that have more than 1.25 times their part of our calls, a part being relative to their slots.
fn mark_over_bound(ranked: &mut [Ranked]) {
    let slots = |r: &Ranked| u64::from(r.member.capacity.slots.max(1));
    let calls: u64 = ranked.iter().map(|r| u64::from(r.outstanding)).sum();
    let all_slots: u64 = ranked.iter().map(slots).sum();
    for r in ranked {
        let bound = (5 * (calls + 1) * slots(r)).div_ceil(4 * all_slots.max(1));
        r.over_bound = u64::from(r.outstanding) + 1 > bound.max(1);
    }
}

/// Smaller is better. Warm tiers go by load, those with room by affinity within the bound; in both, who has CPU left comes
/// first.
fn order(wanted: &Wanted, r: &Ranked) -> impl Ord + use<> {
    let by_load = match r.tier {
        Tier::LocalWarm | Tier::RemoteWarm => load_per_mille(r),
        Tier::LocalFree | Tier::RemoteFree => u64::from(r.over_bound),
        Tier::LocalFull | Tier::RemoteFull | Tier::Aside => u64::from(r.outstanding),
    };
    let short_of_cpu = match r.tier {
        Tier::LocalWarm | Tier::RemoteWarm | Tier::LocalFree | Tier::RemoteFree => r.short_of_cpu,
        Tier::LocalFull | Tier::RemoteFull | Tier::Aside => false,
    };
    let affinity = affinity::weight(wanted.key, &r.member.name);
    (r.tier, short_of_cpu, by_load, std::cmp::Reverse(affinity))
}

fn load_per_mille(r: &Ranked) -> u64 {
    u64::from(r.outstanding) * 1000 / u64::from(r.member.capacity.slots.max(1))
}

/// Power of two choices within the best tier, if that is a warm one: of two drawn workers the better one goes first. The
/// slice is in order of CPU left and load, so the better one is the earlier one.
fn draw_two(ranked: &mut [Ranked], draw: u64) {
    let Some(best) = ranked.first().map(|r| r.tier) else {
        return;
    };
    if !matches!(best, Tier::LocalWarm | Tier::RemoteWarm) {
        return;
    }
    let equals = ranked.iter().take_while(|r| r.tier == best).count();
    let (Some(tier), true) = (ranked.get_mut(..equals), equals > 1) else {
        return;
    };
    let first = affinity::below(draw >> 32, equals);
    let second = affinity::below(draw & 0xffff_ffff, equals - 1);
    let second = if second >= first { second + 1 } else { second };
    if let Some(head) = tier.get_mut(..=first.min(second)) {
        head.rotate_right(1);
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, r) in self.ranked.iter().enumerate() {
            let over = if r.over_bound { ", over its bound" } else { "" };
            let short = if r.short_of_cpu { ", short of CPU" } else { "" };
            writeln!(
                f,
                "{}. {} {} ({} idle, room for {}, {} under way{over}{short})",
                place + 1,
                r.member.name,
                r.tier,
                r.idle,
                r.room,
                r.outstanding,
            )?;
        }
        for (name, reason) in &self.left_out {
            writeln!(f, "-  {name} {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalWarm => "warm in this zone",
            Self::LocalFree => "free in this zone",
            Self::RemoteWarm => "warm in another zone",
            Self::RemoteFree => "free in another zone",
            Self::LocalFull => "full in this zone",
            Self::RemoteFull => "full in another zone",
            Self::Aside => "set aside",
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAWorker => "is not a worker",
            Self::Draining => "is draining",
            Self::Architecture => "runs another architecture",
            Self::Runtime => "has no such runtime",
            Self::Excluded => "was tried already",
        })
    }
}
