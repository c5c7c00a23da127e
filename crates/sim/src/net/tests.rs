//! The contract of the network, over turmoil's TCP. Both nodes are on one host of it, as the suite speaks for both.

use std::time::Duration;

use host::net::{Io, contract};

use super::*;

fn identity(name: &str, role: Role) -> PeerIdentity {
    PeerIdentity {
        node: name.parse().unwrap(),
        roles: Roles::default().with(role),
    }
}

fn caller(address: String) -> BoxFuture<'static, io::Result<Box<dyn Io>>> {
    async move { Ok(ClientNetwork.connect(&address).await?.io) }.boxed()
}

#[test]
fn the_network_keeps_its_contract() {
    for seed in 0..4 {
        let mut sim = turmoil::Builder::new()
            .simulation_duration(Duration::from_secs(120))
            .rng_seed(seed)
            .build();
        sim.client("node", async {
            let server = identity("c1", Role::Controller);
            let client = identity("w1", Role::Worker);
            let pair = contract::Pair {
                server: Arc::new(SimNetwork::new(server.clone())),
                server_identity: server,
                client: Arc::new(SimNetwork::new(client.clone())),
                client_identity: client,
                any: ([127, 0, 0, 1], 0).into(),
                caller,
            };
            contract::all(&pair).await;
            Ok(())
        });
        sim.run().unwrap();
    }
}
