//! The section `network`: what functions may reach.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use model::NetworkPolicyName;
use sandbox::{
    Networks,
    network::{Cidr, Egress, POLICIES_MAX, RANGE_PREFIXES},
};
use worker::Choices;

use super::scope::{Scope, Sheet};

/// What functions may reach.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Network {
    /// Which policy a function has.
    pub choices: Choices,
    /// What the policies are made of.
    pub networks: Networks,
}

impl Network {
    /// Only the built-in policies, `open` being the default and what functions may choose besides `none`.
    #[must_use]
    pub fn open() -> Self {
        let open = NetworkPolicyName::open();
        let all = BTreeSet::from([NetworkPolicyName::none(), open.clone()]);
        Self {
            choices: Choices {
                default: open.clone(),
                allowed: all.clone(),
                defined: all,
            },
            networks: Networks {
                policies: BTreeMap::from([(open, Egress::Open)]),
                ..Networks::default()
            },
        }
    }
}

/// A name server: an address, with a port if it is not 53.
struct NameServer(SocketAddr);

impl FromStr for NameServer {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let plain = s.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        let server = s.parse().or(plain).map(Self);
        server.map_err(|_| {
            format!("expected the address of a name server such as \"10.0.0.2\" or \"10.0.0.2:5353\", got {s:?}")
        })
    }
}

pub(super) fn network(sheet: &Sheet) -> Option<Network> {
    let scope = sheet.section("network");
    let default = scope.parse::<NetworkPolicyName>("default");
    let allowed = scope.list::<NetworkPolicyName>("allowed");
    let range = scope.parse::<Cidr>("range");
    let forbidden = scope.list::<Cidr>("forbidden");
    let name_servers = scope.list::<NameServer>("name_servers");
    if range.is_some_and(|r| !RANGE_PREFIXES.contains(&r.length())) {
        let (first, last) = (RANGE_PREFIXES.start(), RANGE_PREFIXES.end());
        scope.refuse(
            "range",
            format!("expected a block of length {first} to {last}"),
        );
    }
    let mut policies = policies(sheet, &scope);
    let (default, allowed) = (default?, allowed?);
    let mut defined: BTreeSet<NetworkPolicyName> = policies.keys().cloned().collect();
    let built_in = [NetworkPolicyName::none(), NetworkPolicyName::open()];
    defined.insert(NetworkPolicyName::none());
    let is_known = |name: &NetworkPolicyName| defined.contains(name) || built_in.contains(name);
    let named = allowed
        .iter()
        .map(|n| ("allowed", n))
        .chain([("default", &default)]);
    for (key, name) in named {
        if !is_known(name) {
            scope.refuse(
                key,
                format!("expected `none`, `open` or the name of one of [[network.policies]], got `{name}`"),
            );
        }
    }
    let allowed = if allowed.is_empty() {
        defined.clone()
    } else {
        allowed.into_iter().collect()
    };
    if default.is_open() || allowed.iter().any(NetworkPolicyName::is_open) {
        policies.insert(NetworkPolicyName::open(), Egress::Open);
        defined.insert(NetworkPolicyName::open());
    }
    Some(Network {
        choices: Choices {
            default,
            allowed,
            defined,
        },
        networks: Networks {
            policies,
            range: range?,
            forbidden: forbidden?,
            name_servers: name_servers?.into_iter().map(|s| s.0).collect(),
        },
    })
}

fn policies(sheet: &Sheet, scope: &Scope<'_>) -> BTreeMap<NetworkPolicyName, Egress> {
    let mut policies = BTreeMap::new();
    for row in sheet.rows("network.policies") {
        let name = row.parse::<NetworkPolicyName>("name");
        let egress = row.list::<String>("egress");
        let (Some(name), Some(egress)) = (name, egress) else {
            continue;
        };
        if name.is_none() || name.is_open() {
            row.refuse("name", format!("`{name}` is built in"));
            continue;
        }
        match Egress::parse(&egress) {
            Err(error) => row.refuse("egress", error.to_string()),
            Ok(egress) => {
                if policies.insert(name.clone(), egress).is_some() {
                    row.refuse("name", format!("{name} is given twice"));
                }
            }
        }
    }
    // `open` may come to them.
    if policies.len() >= POLICIES_MAX {
        scope.refuse(
            "default",
            format!(
                "expected at most {} of [[network.policies]], got {}",
                POLICIES_MAX - 1,
                policies.len()
            ),
        );
    }
    policies
}
