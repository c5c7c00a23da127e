//! The rules that the kernel is given, as `nft` reads them.
//!
//! Two tables. The one in the router says what each policy lets through, and what none does. The one in the host's own
//! namespace lets what comes out of the router through to others and gives it the host's address, and keeps it from the
//! host itself; it repeats nothing that needs to be known about policies. Both are put in place whole or not at all.

use std::{fmt::Write as _, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{
    Networks,
    address::Cidr,
    egress::{Destination, Egress},
    plan::{Plan, Uplink},
};

/// The router's device that leads to the host.
pub(crate) const UP: &str = "up";

/// The table of the router.
pub(crate) const TABLE: &str = "dunlin";

/// The set of addresses that nobody reaches, for what is not known from the start: `ipv4_addr`.
pub(crate) const NODES: &str = "nodes";

/// The set of what names stood for: `ipv4_addr . ipv4_addr . inet_service`, from where to where.
pub(crate) const RESOLVED: &str = "resolved";

/// How many elements these two take.
pub(crate) const NODES_MAX: usize = 4096;
const RESOLVED_MAX: usize = 65_536;

/// Connections that one sandbox may have at a time: the host tracks each.
const FLOWS_MAX: usize = 1024;

/// What is never reached, whatever a policy says: this network, loopback, link-local with the metadata services of clouds,
/// and everything from multicast on.
pub(crate) const NEVER: [Cidr; 4] = [
    Cidr::of([0, 0, 0, 0], 8),
    Cidr::of([127, 0, 0, 0], 8),
    Cidr::of([169, 254, 0, 0], 16),
    Cidr::of([224, 0, 0, 0], 3),
];

/// Metadata services that are not link-local: of Alibaba Cloud and Oracle Cloud.
pub(crate) const METADATA: [Cidr; 2] = [
    Cidr::of([100, 100, 100, 200], 32),
    Cidr::of([192, 0, 0, 192], 32),
];

/// What the spawner needs for a router.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Router {
    pub(crate) plan: Plan,
    /// The rules of its namespace.
    pub(crate) rules: String,
}

/// Every block that nobody reaches.
pub(crate) fn forbidden(networks: &Networks) -> Vec<Cidr> {
    let mut all: Vec<Cidr> = NEVER.into_iter().chain(METADATA).collect();
    all.push(networks.range);
    all.extend(&networks.forbidden);
    // Intervals of a set do not overlap.
    let covered = |block: &Cidr| {
        let wider =
            |other: &&Cidr| other.length() < block.length() && other.contains(block.first());
        all.iter().find(wider).is_some()
    };
    let mut kept: Vec<Cidr> = all.iter().copied().filter(|b| !covered(b)).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// What the router is made of.
pub(crate) fn router(networks: &Networks) -> Router {
    let plan = Plan::new(networks.range);
    let (mut choice, mut chains) = (String::new(), String::new());
    for (number, egress) in (1_u8..).zip(networks.policies.values()) {
        let block = plan.block(number);
        let _ = writeln!(choice, "    ip saddr {block} goto policy_{number}");
        let _ = writeln!(chains, "  chain policy_{number} {{");
        match egress {
            Egress::Open => {
                let _ = writeln!(chains, "    accept");
            }
            Egress::Listed(rules) => {
                listed(rules, &mut chains);
            }
        }
        let _ = writeln!(chains, "  }}");
    }
    let forbidden: Vec<String> = forbidden(networks).iter().map(Cidr::to_string).collect();
    let rules = format!(
        "table inet {TABLE} {{
  set {NODES} {{ type ipv4_addr; size {NODES_MAX}; }}
  set {RESOLVED} {{ type ipv4_addr . ipv4_addr . inet_service; size {RESOLVED_MAX}; flags timeout; }}
  set flows {{ type ipv4_addr; size 65535; flags dynamic; }}
  chain refuse {{
    counter reject with icmpx admin-prohibited
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    meta nfproto ipv4 iifname != \"{UP}\" jump refuse
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    meta nfproto ipv6 drop
    iifname != \"{UP}\" jump outward
    ct state established,related accept
    iifname \"{UP}\" drop
    ct state invalid drop
    meta l4proto != {{ tcp, udp, icmp }} jump refuse
    ct state new add @flows {{ ip saddr ct count over {FLOWS_MAX} }} jump refuse
{choice}    jump refuse
  }}
  chain outward {{
    fib saddr . iif oif missing drop
    oifname != \"{UP}\" jump refuse
    ip daddr {{ {forbidden} }} jump refuse
    ip daddr @{NODES} jump refuse
  }}
{chains}  chain nat {{
    type nat hook postrouting priority srcnat;
    oifname \"{UP}\" masquerade
  }}
}}
",
        forbidden = forbidden.join(", "),
    );
    Router { plan, rules }
}

fn listed(rules: &[super::Rule], chain: &mut String) {
    let mut has_names = false;
    for rule in rules {
        match &rule.destination {
            // Not a set: blocks of one list may overlap, which its intervals may not.
            Destination::Block(block) => {
                let _ = writeln!(
                    chain,
                    "    ip daddr {block} meta l4proto {{ tcp, udp }} th dport {} accept",
                    rule.ports
                );
            }
            Destination::Name(_) => has_names = true,
        }
    }
    if has_names {
        let _ = writeln!(
            chain,
            "    meta l4proto {{ tcp, udp }} ip saddr . ip daddr . th dport @{RESOLVED} accept"
        );
    }
    let _ = writeln!(chain, "    jump refuse");
}

/// The rules of the host's namespace for one node; they replace those that a previous node with the same link left.
pub(crate) fn host(uplink: Uplink) -> String {
    let (table, device, router) = (uplink.table(), uplink.device(), uplink.router);
    format!(
        "table inet {table}
delete table inet {table}
table inet {table} {{
  chain early {{
    type filter hook prerouting priority raw; policy accept;
    iifname != \"{device}\" return
    meta nfproto ipv6 drop
    ip saddr != {router} drop
    fib daddr type != unicast drop
  }}
  chain input {{
    type filter hook input priority filter - 10; policy accept;
    iifname \"{device}\" drop
  }}
  chain forward {{
    type filter hook forward priority filter - 10; policy accept;
    oifname \"{device}\" ct state != {{ established, related }} drop
  }}
  chain nat {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {router} oifname != \"{device}\" masquerade
  }}
}}
"
    )
}

/// Takes the rules of [`host`] away.
pub(crate) fn no_host(uplink: Uplink) -> String {
    format!("delete table inet {}\n", uplink.table())
}

/// Whether an answer about a name may be given to code inside.
pub(crate) fn is_forbidden(forbidden: &[Cidr], address: Ipv4Addr) -> bool {
    forbidden.iter().any(|block| block.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(lists: &[(&str, &[&str])]) -> Networks {
        let policy = |(name, list): &(&str, &[&str])| {
            let list: Vec<String> = list.iter().map(|e| (*e).to_owned()).collect();
            (name.parse().unwrap(), Egress::parse(&list).unwrap())
        };
        Networks {
            policies: lists.iter().map(policy).collect(),
            ..Networks::default()
        }
    }

    #[test]
    fn each_policy_has_a_chain_for_its_block_of_addresses() {
        let networks = networks(&[
            ("open", &["open"]),
            (
                "api",
                &["10.1.0.0/16:443", "10.1.2.0/24:8000-8100", "a.example:443"],
            ),
        ]);
        let rules = router(&networks).rules;
        let api = networks.number(&"api".parse().unwrap()).unwrap().0;
        assert_eq!(api, 1);
        for expected in [
            "ip saddr 198.18.16.0/20 goto policy_1",
            "ip saddr 198.18.32.0/20 goto policy_2",
            "ip daddr 10.1.0.0/16 meta l4proto { tcp, udp } th dport 443 accept",
            "ip daddr 10.1.2.0/24 meta l4proto { tcp, udp } th dport 8000-8100 accept",
            "ip saddr . ip daddr . th dport @resolved accept",
        ] {
            assert!(rules.contains(expected), "{rules}\n-- lacks --\n{expected}");
        }
    }

    #[test]
    fn what_is_forbidden_is_refused_before_anything_is_let_through() {
        let mut networks = networks(&[("open", &["open"])]);
        networks.forbidden = vec![
            "10.0.0.0/8".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
            "169.254.169.254".parse().unwrap(),
        ];
        let all = forbidden(&networks);
        for address in [
            "169.254.169.254",
            "127.0.0.1",
            "10.1.2.3",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
        ] {
            assert!(is_forbidden(&all, address.parse().unwrap()), "{address}");
        }
        assert!(!is_forbidden(&all, Ipv4Addr::new(93, 184, 216, 34)));
        // Intervals of a set do not overlap.
        for (at, block) in all.iter().enumerate() {
            let others = all.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(
                others.clone().all(|(_, o)| !o.contains(block.first())),
                "{all:?}"
            );
        }
        let rules = router(&networks).rules;
        let outward = rules.find("jump outward").unwrap();
        assert!(outward < rules.find("established,related accept").unwrap());
        assert!(outward < rules.find("goto policy_1").unwrap());
    }
}
