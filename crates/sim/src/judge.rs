//! Whether the cluster serves: at the beginning, and again once everything is mended.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::join_all;

use crate::{
    api,
    caller::{Caller, package},
    workloads,
};

/// The function that shows that the cluster serves.
const PROBE: &str = "probe";
/// Within what time a healed cluster serves through every frontend.
const RECOVERY_MAX: Duration = Duration::from_secs(10);
/// What a healed cluster has besides, to bring everybody up to date and to end what nobody needs.
const SETTLE: Duration = Duration::from_secs(8);
/// Functions that are never taken away once they were served, and whatever their names begin with.
const LASTING: [&str; 3] = [PROBE, "steady-", "deployed"];
/// A pause between attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// Returns once the cluster has taken a function and run it through every frontend.
pub(crate) async fn set_up(caller: Arc<Caller>) {
    let zip = package(PROBE, 20);
    loop {
        let frontend = caller.frontend();
        let created = api::create(&caller, &frontend, PROBE, &zip, "the probe").await;
        // One that was lost may have been taken.
        if created.is_ok_and(|a| a.is_success() || a.status == 409) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for frontend in caller.frontends() {
        while !invoke(&caller, &frontend).await {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Demands that every frontend serves writes and invocations again soon, then lets the workloads look at the end.
pub(crate) async fn judge(caller: Arc<Caller>) {
    for frontend in caller.frontends() {
        let served = tokio::time::timeout(RECOVERY_MAX, async {
            while !write(&caller, &frontend).await {
                tokio::time::sleep(PAUSE).await;
            }
            while !invoke(&caller, &frontend).await {
                tokio::time::sleep(PAUSE).await;
            }
        });
        if served.await.is_err() {
            let what = format!("{frontend} has not within {RECOVERY_MAX:?} of healing");
            caller.world.violated("frontends serve again", what);
        }
    }
    whole(&caller).await;
    tokio::time::sleep(SETTLE).await;
    for entry in workloads::all() {
        (entry.conclude)(caller.clone()).await;
    }
}

/// Asks every frontend for every function that lasts, once nothing is felt any more of what was broken: whether each call was
/// served is judged with all others.
async fn whole(caller: &Arc<Caller>) {
    let world = &caller.world;
    let calm = world
        .troubles
        .calm_from()
        .saturating_sub(world.elapsed.now());
    tokio::time::sleep(calm + PAUSE).await;
    let served = world.calls.all().into_iter().filter(|c| c.was_served());
    let functions: BTreeSet<String> = served
        .filter(|c| LASTING.iter().any(|name| c.function.starts_with(name)))
        .map(|c| c.function)
        .collect();
    let frontends = caller.frontends();
    let calls = frontends.iter().flat_map(|frontend| {
        let each = functions.iter();
        each.map(move |function| api::invoke(caller, frontend, function, "echo", 0))
    });
    join_all(calls).await;
}

async fn write(caller: &Caller, frontend: &str) -> bool {
    let text = format!("judged through {frontend}");
    let answer = api::describe(caller, frontend, PROBE, &text, None).await;
    answer.is_ok_and(|a| a.is_success())
}

async fn invoke(caller: &Caller, frontend: &str) -> bool {
    api::invoke(caller, frontend, PROBE, "echo", 0)
        .await
        .was_served()
}
