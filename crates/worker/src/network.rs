//! What functions reach over the network: each names a policy by a tag, and the operator says which there are.
//!
//! [`Choices::choose`] decides, without IO. What a policy lets through is the driver's business; a name that this worker does
//! not have is refused, and never read as another.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use host::{Entropy, Membership, Tasks, membership::Members, task::Kind};
use model::{InvalidNetworkPolicyName, NETWORK_TAG, NetworkPolicyName};
use sandbox::{Driver, NetworkPolicy, Resolver};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often the addresses of nodes are looked at again: names may stand for others, machines get new ones.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How long it may take to find out what the name of a node stands for.
const LOOKUP_MAX: Duration = Duration::from_secs(2);

/// The network policies of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// The one of functions that name none.
    pub default: NetworkPolicyName,
    /// Those that functions may name.
    pub allowed: BTreeSet<NetworkPolicyName>,
    /// Those that there are.
    pub defined: BTreeSet<NetworkPolicyName>,
}

impl Default for Choices {
    /// Nobody reaches anything.
    fn default() -> Self {
        let none = BTreeSet::from([NetworkPolicyName::none()]);
        Self {
            default: NetworkPolicyName::none(),
            allowed: none.clone(),
            defined: none,
        }
    }
}

/// Why a function cannot have the network that it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("tag {NETWORK_TAG}: {0}")]
    Name(#[from] InvalidNetworkPolicyName),
    #[error(
        "network policy `{0}` is not defined on this worker: define it in [[network.policies]] of its configuration, \
         or change the function's tag {NETWORK_TAG}"
    )]
    Unknown(NetworkPolicyName),
    #[error(
        "functions may not choose network policy `{0}` on this worker: name it in network.allowed of its configuration, \
         or change the function's tag {NETWORK_TAG}"
    )]
    Forbidden(NetworkPolicyName),
}

impl Choices {
    /// The policy of a function with this tag, or with none.
    pub(crate) fn choose(&self, tag: Option<&str>) -> Result<NetworkPolicy, Unfit> {
        let name = match tag {
            None => self.default.clone(),
            Some(tag) => tag.parse::<NetworkPolicyName>()?,
        };
        if tag.is_some() && !self.allowed.contains(&name) {
            return Err(if self.defined.contains(&name) || name.is_open() {
                Unfit::Forbidden(name)
            } else {
                Unfit::Unknown(name)
            });
        }
        Ok(if name.is_none() {
            NetworkPolicy::None
        } else {
            NetworkPolicy::Named(name)
        })
    }

    /// Whether any function can reach anything.
    pub(crate) fn reach_something(&self) -> bool {
        let mut all = self.allowed.iter().chain([&self.default]);
        all.any(|name| !name.is_none())
    }
}

/// Keeps the addresses of all nodes out of reach: those that this worker knows when it starts, and every one that turns up.
///
/// Waits until the first are.
pub(crate) async fn guard(
    driver: Arc<dyn Driver>,
    membership: &Arc<dyn Membership>,
    known: Vec<String>,
    tasks: &Tasks,
) {
    let mut members = membership.watch();
    let now = members.borrow_and_update().clone();
    forbid(&*driver, &known, &now).await;
    tasks.spawn(Kind::Background, "network-guard", async move {
        loop {
            let changed = tokio::time::timeout(LOOK_AGAIN, members.changed()).await;
            if matches!(changed, Ok(Err(_))) {
                return;
            }
            let now = members.borrow_and_update().clone();
            forbid(&*driver, &known, &now).await;
        }
    });
}

async fn forbid(driver: &dyn Driver, known: &[String], members: &Members) {
    let told = members
        .values()
        .flat_map(|member| [&member.address, &member.public_address]);
    let told: BTreeSet<&String> = told.chain(known).filter(|a| !a.is_empty()).collect();
    let mut addresses = BTreeSet::new();
    for address in told {
        addresses.extend(meant_by(address).await);
    }
    if let Err(error) = driver.forbid(&addresses) {
        tracing::error!(%error, "sandboxes with a network policy may reach a node of the cluster; it is tried again");
    }
}

/// The addresses that `host:port` stands for.
async fn meant_by(address: &str) -> Vec<Ipv4Addr> {
    let plain = |a: SocketAddr| match a.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    };
    if let Ok(address) = address.parse::<SocketAddr>() {
        return plain(address).into_iter().collect();
    }
    match tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host(address)).await {
        Ok(Ok(found)) => found.filter_map(plain).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

/// Answers the questions about names of one sandbox, until what it answers is dropped.
pub(crate) fn answer_names(
    resolver: Resolver,
    entropy: &Arc<dyn Entropy>,
    tasks: &Tasks,
) -> DropGuard {
    let over = CancellationToken::new();
    let guard = over.clone().drop_guard();
    let entropy = entropy.clone();
    let draw = move || {
        let [a, b, ..] = entropy.next_u64().to_ne_bytes();
        u16::from_ne_bytes([a, b])
    };
    tasks.spawn(Kind::Environment, "names", async move {
        // Bounded by the life of the environment.
        over.run_until_cancelled(resolver.serve(draw)).await;
    });
    guard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NetworkPolicyName {
        text.parse().unwrap()
    }

    #[test]
    fn a_function_has_what_it_names_and_nothing_else() {
        let choices = Choices {
            default: name("api"),
            allowed: ["none", "api"].map(name).into(),
            defined: ["none", "api", "kept"].map(name).into(),
        };
        let named = |text| Ok(NetworkPolicy::Named(name(text)));
        assert_eq!(choices.choose(None), named("api"));
        assert_eq!(choices.choose(Some("api")), named("api"));
        assert_eq!(choices.choose(Some("none")), Ok(NetworkPolicy::None));
        assert_eq!(
            choices.choose(Some("kept")),
            Err(Unfit::Forbidden(name("kept")))
        );
        assert_eq!(
            choices.choose(Some("open")),
            Err(Unfit::Forbidden(name("open")))
        );
        assert_eq!(
            choices.choose(Some("apis")),
            Err(Unfit::Unknown(name("apis")))
        );
        assert!(matches!(choices.choose(Some("Open ")), Err(Unfit::Name(_))));
        assert!(choices.reach_something());
        let nothing = Choices::default();
        assert_eq!(nothing.choose(None), Ok(NetworkPolicy::None));
        assert!(!nothing.reach_something());
    }

    #[tokio::test]
    async fn addresses_of_nodes_are_found() {
        let expected = vec![Ipv4Addr::new(10, 0, 0, 1)];
        assert_eq!(meant_by("10.0.0.1:9010").await, expected);
        assert_eq!(meant_by("[::ffff:10.0.0.1]:9010").await, expected);
        assert!(meant_by("[fd00::1]:9010").await.is_empty());
        assert_eq!(meant_by("localhost:1").await, [Ipv4Addr::LOCALHOST]);
    }
}
