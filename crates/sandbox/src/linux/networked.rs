//! What the driver does about network policies: finds them, forbids addresses, gives sandboxes their name servers.

use std::{collections::BTreeSet, io, net::Ipv4Addr, sync::Arc};

use super::{
    LinuxDriver,
    link::{Link, Names},
    shell::take_over,
};
use crate::{
    driver::{CreateError, NetworkPolicy, Spec},
    network::{
        Resolver,
        resolver::{Setting, servers},
        rules,
    },
    report::{Finding, Piece},
};

/// Where this machine says who answers about names.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where the kernel lists its routes, those to the machine itself among them.
const ROUTES: &str = "/proc/net/fib_trie";

impl LinuxDriver {
    /// The number and the make-up of the policy that a sandbox asks for.
    pub(super) fn network_of(&self, spec: &Spec) -> Result<Option<(u8, Setting)>, CreateError> {
        let policy = match &spec.network {
            NetworkPolicy::None => return Ok(None),
            NetworkPolicy::Named(policy) => policy,
        };
        let refused = |reason: String, remedy: String| CreateError::Network {
            policy: policy.clone(),
            reason,
            remedy,
        };
        let networks = &self.options.networks;
        let Some((number, egress)) = networks.number(policy) else {
            return Err(refused(
                "this node has none of that name".to_owned(),
                "define it in [[network.policies]] of the node's configuration".to_owned(),
            ));
        };
        if let Some(Finding::Missing { why, remedy }) = self.report.get(Piece::Egress) {
            return Err(refused(
                format!("this node cannot connect sandboxes ({why})"),
                remedy.clone(),
            ));
        }
        let servers = if networks.name_servers.is_empty() {
            // Read again for each sandbox: machines that move have others.
            servers(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default())
        } else {
            networks.name_servers.clone()
        };
        let setting = Setting {
            policy: policy.clone(),
            egress: egress.clone(),
            forbidden: rules::forbidden(networks).into(),
            servers,
        };
        Ok(Some((number, setting)))
    }

    /// Forbids addresses, those of this machine among them, to all sandboxes.
    pub(super) fn forbid_more(&self, addresses: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
        self.forbidden.lock().extend(addresses);
        // If another task is about to replace the spawner, it forbids them to the next one's sandboxes.
        match self.link.try_lock() {
            Ok(link) => link.as_ref().map_or(Ok(()), |link| self.forbid_at(link)),
            Err(_) => Ok(()),
        }
    }

    /// Tells a spawner's router all that is forbidden.
    pub(super) fn forbid_at(&self, link: &Link) -> io::Result<()> {
        let Some(gate) = &link.gate else {
            return Ok(());
        };
        let mut all = own_addresses(&std::fs::read_to_string(ROUTES)?);
        all.extend(self.forbidden.lock().iter());
        gate.forbid(&all)
    }
}

/// The name server of one sandbox.
pub(super) fn resolver(
    sandbox: &str,
    link: &Link,
    names: Option<Names>,
    setting: Setting,
) -> io::Result<Resolver> {
    let missing = || io::Error::new(io::ErrorKind::NotConnected, "the spawner gave no sockets");
    let (names, gate) = names.zip(link.gate.as_ref()).ok_or_else(missing)?;
    let datagrams = std::net::UdpSocket::from(names.datagrams);
    datagrams.set_nonblocking(true)?;
    let datagrams = tokio::net::UdpSocket::from_std(datagrams)?;
    let sockets = (datagrams, take_over(names.connections)?);
    let who = (sandbox.to_owned(), names.address);
    Ok(Resolver::new(who, sockets, Arc::clone(gate), setting))
}

/// The addresses of this machine, in the text of the kernel's routes: each is a line, and the next one says what it is.
fn own_addresses(routes: &str) -> BTreeSet<Ipv4Addr> {
    let mut all = BTreeSet::new();
    let mut last = None;
    for line in routes.lines() {
        let words = line.trim_start_matches([' ', '|', '+', '-']);
        if words.starts_with("/32 host LOCAL") {
            all.extend(last);
        } else if let Ok(address) = words.parse::<Ipv4Addr>() {
            last = Some(address);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_machine_are_told_from_its_routes() {
        let routes = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                      \x20    +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.1\n              /32 host LOCAL\n\
                      \x20          |-- 127.255.255.255\n              /32 link BROADCAST\n\
                      \x20       |-- 192.0.2.2\n           /32 host LOCAL\nLocal:\n        |-- 192.0.2.2\n           /32 host LOCAL\n";
        let expected = ["127.0.0.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        assert_eq!(own_addresses(routes), BTreeSet::from(expected));
    }
}
