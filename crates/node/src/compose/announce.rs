//! What a node says of itself to the others.

use std::collections::BTreeMap;

use host::{Host, task::Kind};
use model::{Architecture, Capacity, Incarnation, Role, capacity::Member};
use worker::Worker;

use crate::config::NodeConfig;

/// What a node says before its roles run: who it is, and that it has nothing to offer yet.
#[must_use]
pub fn own(config: &NodeConfig, incarnation: Incarnation) -> Member {
    let roles = config.node.roles;
    let public = roles.has(Role::Frontend);
    Member {
        name: config.node.name.clone(),
        incarnation,
        // Gossip takes the start of the process.
        generation: 0,
        roles,
        zone: config.node.zone.clone(),
        address: config.listen.advertise_internal.clone(),
        public_address: if public {
            config.listen.advertise_public.clone()
        } else {
            String::new()
        },
        architecture: Architecture::of_this_binary().filter(|_| roles.has(Role::Worker)),
        draining: false,
        capacity: Capacity::default(),
        warm: BTreeMap::new(),
        runtimes: Vec::new(),
        newest_format: config.cluster.newest_format,
    }
}

/// Tells the others how this node's load changes, and that it drains. Lasts to the end of the drain.
pub(super) fn spawn(
    config: &NodeConfig,
    incarnation: Incarnation,
    worker: Option<&Worker>,
    host: &Host,
) {
    let mut member = own(config, incarnation);
    member.runtimes = worker.map_or_else(Vec::new, |w| w.runtimes().to_vec());
    let mut load = worker.map(Worker::load);
    let draining = host.tasks.draining();
    let membership = host.membership.clone();
    host.tasks.spawn(Kind::Lasting, "announce", async move {
        loop {
            if let Some(load) = &mut load {
                (member.capacity, member.warm) = load.borrow_and_update().clone();
            }
            member.draining = draining.is_cancelled();
            membership.publish(member.clone());
            let changed = async {
                match &mut load {
                    Some(load) => load.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                goes_on = changed => if !goes_on { load = None },
                () = draining.cancelled(), if !member.draining => {}
            }
        }
    });
}
