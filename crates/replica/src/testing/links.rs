//! A network whose links can be cut: a cut link swallows everything, as a real one does.

use std::{collections::HashSet, io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use host::{
    Network,
    net::{Connection, Listener, PeerIdentity, PlainNetwork},
};
use model::{NodeName, Roles};
use tokio::sync::watch;

/// Which nodes are cut off from all others, by their addresses.
#[derive(Clone)]
pub(crate) struct Links(watch::Sender<HashSet<String>>);

impl Links {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(HashSet::new()))
    }

    pub(crate) fn cut(&self, address: &str) {
        self.0.send_modify(|cut| cut.extend([address.to_owned()]));
    }

    pub(crate) fn heal(&self) {
        self.0.send_modify(HashSet::clear);
    }

    /// The network as the node at this address sees it.
    pub(crate) fn network(&self, name: &NodeName, roles: Roles, address: &str) -> Arc<dyn Network> {
        Arc::new(Cuttable {
            plain: PlainNetwork::new(PeerIdentity {
                node: name.clone(),
                roles,
            }),
            own: address.to_owned(),
            links: self.clone(),
        })
    }
}

struct Cuttable {
    plain: PlainNetwork,
    own: String,
    links: Links,
}

#[async_trait]
impl Network for Cuttable {
    async fn bind_internal(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        self.plain.bind_internal(address).await
    }

    async fn bind_public(&self, address: SocketAddr) -> io::Result<Arc<dyn Listener>> {
        self.plain.bind_public(address).await
    }

    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let (from, to) = (self.own.clone(), address.to_owned());
        let mut watch = self.links.0.subscribe();
        let is_cut = move |cut: &HashSet<String>| cut.contains(&from) || cut.contains(&to);
        if is_cut(&watch.borrow()) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut connection = self.plain.connect(address).await?;
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let mut io = std::mem::replace(&mut connection.io, Box::new(near));
        tokio::runtime::Handle::current().spawn(async move {
            tokio::select! {
                biased;
                cut = watch.wait_for(&is_cut) => drop(cut),
                done = tokio::io::copy_bidirectional(&mut far, &mut io) => { let _ = done; return }
            }
            // Both ends see silence, not an end, until the link is whole again.
            let _ = watch.wait_for(|cut| !is_cut(cut)).await;
        });
        Ok(connection)
    }
}
