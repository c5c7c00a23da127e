//! Which frontends a connection is offered to, and in which order.

use std::sync::Arc;

use host::membership::Members;
use model::{NodeName, Role, Zone, capacity::Member};

/// How many frontends are tried for one connection.
pub(super) const TRIED_MAX: usize = 3;
const OTHER_ZONE: u8 = 2;

/// The frontends that a connection is offered to: this node's own, then those of its zone, then the others; within these in
/// an order that `draws` decides, so that none of them gets all. The last one is of another zone, if there is any: a zone
/// may be dead as a whole and gossip not know it yet.
pub(super) fn order(
    members: &Members,
    own: &NodeName,
    zone: &Zone,
    mut draws: impl FnMut() -> u64,
) -> Vec<Arc<Member>> {
    let mut frontends: Vec<(u8, u64, Arc<Member>)> = members
        .values()
        .filter(|m| m.roles.has(Role::Frontend) && !m.draining)
        .map(|member| {
            let distance = match member {
                m if m.name == *own => 0,
                m if m.zone == *zone => 1,
                _ => OTHER_ZONE,
            };
            (distance, draws(), member.clone())
        })
        .collect();
    frontends.sort_by_key(|(distance, drawn, _)| (*distance, *drawn));
    let far = frontends.iter().position(|(d, ..)| *d == OTHER_ZONE);
    if let Some(far) = far.filter(|far| *far >= TRIED_MAX) {
        frontends.swap(TRIED_MAX - 1, far);
    }
    frontends.truncate(TRIED_MAX);
    frontends.into_iter().map(|(.., member)| member).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{
        Incarnation, Roles,
        capacity::{Capacity, Member},
    };

    use super::*;

    fn member(name: &str, zone: &str, roles: &[Role]) -> Member {
        Member {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
            generation: 1,
            roles: roles.iter().fold(Roles::default(), |all, r| all.with(*r)),
            zone: zone.parse().unwrap(),
            address: format!("{name}:7000"),
            public_address: String::new(),
            architecture: None,
            draining: false,
            capacity: Capacity::default(),
            warm: BTreeMap::new(),
            runtimes: Vec::new(),
            newest_format: 2,
        }
    }

    fn check(members: Vec<Member>, draws: &[u64], expected: &[&str]) {
        let members: BTreeMap<_, _> = members
            .into_iter()
            .map(|m| (m.name.clone(), Arc::new(m)))
            .collect();
        let (own, zone) = ("w".parse().unwrap(), "a".parse().unwrap());
        let mut draws = draws.iter().copied().cycle();
        let got = order(&Arc::new(members), &own, &zone, || draws.next().unwrap());
        let got: Vec<&str> = got.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn the_nearest_frontends_go_first_and_those_alike_by_lot() {
        const FRONT: &[Role] = &[Role::Frontend];
        let all = || {
            vec![
                member("f1", "b", FRONT),
                member("f2", "a", FRONT),
                member("f3", "a", FRONT),
                member("f4", "b", FRONT),
                member("w", "a", &[Role::Worker]),
            ]
        };
        check(all(), &[1, 2, 3, 4], &["f2", "f3", "f1"]);
        check(all(), &[4, 3, 2, 1], &["f3", "f2", "f4"]);
        let mut with_own = all();
        with_own.push(member("w", "a", &[Role::Worker, Role::Frontend]));
        check(with_own.clone(), &[1], &["w", "f2", "f1"]);
        with_own.retain(|m| m.zone.as_str() == "a");
        check(with_own, &[1], &["w", "f2", "f3"]);
        let mut drained = all();
        drained.iter_mut().for_each(|m| m.draining = true);
        check(drained, &[1], &[]);
    }
}
