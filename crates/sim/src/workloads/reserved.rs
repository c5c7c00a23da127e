//! Clients that change what is reserved for a function, to nothing at all as well, and then ask for more at once than may
//! run, through one frontend or through all.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, NoAnswer, package},
    reserved::Reservation,
    seen::is_in_own_copy,
};

/// The most that is reserved.
const LIMIT_MAX: u64 = 3;
/// How long a change takes to reach every frontend of a whole cluster, and a little more.
const SETTLES: Duration = Duration::from_millis(2_100);

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "reserved",
    clients: 2,
    work: |caller, n| work(caller, n).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>, number: u32) {
    let mut life = 0_u32;
    while !caller.is_quiet() {
        life += 1;
        let name = format!("reserved-{number}-{life}");
        let zip = package(&name, 5 + caller.entropy.below(40));
        api::create_until_there(&caller, &name, &zip, "reserved").await;
        // A change of unknown outcome may come true at any time: that function is of no use any more.
        while !caller.is_quiet() && turn(&caller, &name).await.is_some() {}
    }
}

/// One reservation, and calls while it is in force. `None` if its outcome is not known.
async fn turn(caller: &Caller, name: &str) -> Option<()> {
    let limit = match caller.entropy.below(6) {
        0 => None,
        1 | 2 => Some(0),
        _ => Some(1 + u32::try_from(caller.entropy.below(LIMIT_MAX)).unwrap_or(0)),
    };
    let frontend = caller.frontend();
    let session = (frontend.clone(), caller.starts(&frontend));
    let world = &caller.world;
    let begun = world.elapsed.now();
    let changed = api::reserve(caller, &frontend, name, limit).await;
    let since = world.elapsed.now();
    world.count("reserved", changed.as_ref().is_ok_and(|a| a.is_success()));
    match changed {
        Ok(answer) if answer.is_success() => {}
        Ok(answer) if answer.status < 500 => return Some(()),
        Err(NoAnswer::NotSent(_)) => {
            caller.rest(Duration::from_millis(400)).await;
            return Some(());
        }
        Ok(_) | Err(NoAnswer::Lost(_)) => return None,
    }
    let of_one = caller.entropy.below(2) == 0;
    if !of_one {
        tokio::time::sleep(SETTLES).await;
    }
    let many = limit.unwrap_or(2) + 2 + u32::try_from(caller.entropy.below(3)).unwrap_or(0);
    let calls = (0..many).map(|_| {
        let through = if of_one {
            frontend.clone()
        } else {
            caller.frontend()
        };
        let millis = 40 + caller.entropy.below(160);
        async move { api::invoke(caller, &through, name, "sleep", millis).await }
    });
    join_all(calls).await;
    world.reservations.add(Reservation {
        function: name.to_owned(),
        limit,
        since,
        until: world.elapsed.now(),
        through: is_in_own_copy(begun, since).then_some(session),
    });
    caller.rest(Duration::from_millis(600)).await;
    Some(())
}
