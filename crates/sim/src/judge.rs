//! Whether the cluster serves: at the beginning, and again once everything is mended.

use std::{sync::Arc, time::Duration};

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
    tokio::time::sleep(SETTLE).await;
    for entry in workloads::all() {
        (entry.conclude)(caller.clone()).await;
    }
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
