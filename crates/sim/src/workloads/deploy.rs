//! A client that changes the code of a function and looks which code answers: through the frontend that took the change
//! the new one at once, through the others soon.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, package},
    calls::Outcome,
};

/// Within what time every frontend of a whole cluster runs changed code.
const SOON: Duration = Duration::from_secs(2);
const FUNCTION: &str = "deployed";
/// What it is called in reports.
const CHECK: &str = "changed code runs";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "deploy",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

/// The newest code that is known to be there, and the newest that may be.
#[derive(Default)]
struct Deployed {
    known: u64,
    perhaps: u64,
    /// When it became known, and through which process of which frontend.
    at: Duration,
    through: (String, u64),
}

async fn work(caller: Arc<Caller>) {
    let mut deployed = Deployed::default();
    while !caller.is_quiet() {
        if deployed.known == 0 || caller.entropy.below(8) == 0 {
            deploy(&caller, &mut deployed).await;
        } else {
            look(&caller, &deployed).await;
        }
        caller.rest(Duration::from_millis(250)).await;
    }
}

async fn deploy(caller: &Caller, deployed: &mut Deployed) {
    let turn = deployed.perhaps + 1;
    let zip = package(&format!("code-{turn}"), 10);
    let frontend = caller.frontend();
    let through = (frontend.clone(), caller.starts(&frontend));
    let answer = match deployed.known {
        0 => api::create(caller, &frontend, FUNCTION, &zip, "deployed").await,
        _ => api::update_code(caller, &frontend, FUNCTION, &zip).await,
    };
    let exists = answer.as_ref().is_ok_and(|a| a.status == 409);
    let done = answer.is_ok_and(|a| a.is_success());
    caller.world.count("deploy", done || exists);
    if done && settled(caller, &frontend).await {
        *deployed = Deployed {
            known: turn,
            perhaps: turn,
            at: caller.world.elapsed.now(),
            through,
        };
    } else {
        deployed.perhaps = turn;
        // An earlier attempt to create it has come through after all.
        if exists && deployed.known == 0 {
            deployed.known = 1;
            deployed.at = caller.world.elapsed.now();
        }
    }
}

/// Waits until the change is said to be done; the code before it runs until then.
async fn settled(caller: &Caller, frontend: &str) -> bool {
    for _ in 0..20 {
        let answer = api::get(caller, frontend, FUNCTION).await;
        if answer.is_ok_and(|a| {
            a.is_success()
                && a.text("State") == "Active"
                && a.text("LastUpdateStatus") == "Successful"
        }) {
            return true;
        }
        caller.rest(Duration::from_millis(200)).await;
    }
    false
}

async fn look(caller: &Caller, deployed: &Deployed) {
    let frontend = caller.frontend();
    let invocation = api::invoke(caller, &frontend, FUNCTION, "echo", 0).await;
    let Outcome::Answered { marker } = &invocation.outcome else {
        return;
    };
    let turn: u64 = marker
        .strip_prefix("code-")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    if turn == 0 || turn > deployed.perhaps {
        let what = format!("{marker} answered, which nobody deployed: {invocation:?}");
        caller.world.violated(CHECK, what);
    }
    let own = invocation.frontend == deployed.through;
    let everywhere = caller.world.was_calm(deployed.at, invocation.ended)
        && invocation.sent > deployed.at + SOON;
    if turn < deployed.known && (own || everywhere) {
        let what = format!(
            "{marker} answered {} ms after code-{} was deployed through {:?}: {invocation:?}",
            (invocation.sent.saturating_sub(deployed.at)).as_millis(),
            deployed.known,
            deployed.through
        );
        caller.world.violated(CHECK, what);
    }
}
