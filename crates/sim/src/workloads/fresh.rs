//! A client that changes a function through one frontend and at once looks at it through all: every change that was
//! acknowledged is seen.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Answer, Caller, package},
};

const FUNCTION: &str = "fresh";
/// What it is called in reports.
const CHECK: &str = "a read sees the writes before it";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "fresh",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>) {
    let zip = package(FUNCTION, 5);
    api::create_until_there(&caller, FUNCTION, &zip, "0").await;
    let (mut turn, mut known) = (0_u64, 0_u64);
    // Changes that may come through at any time from now on, or never.
    let mut open = BTreeSet::new();
    while !caller.is_quiet() {
        turn += 1;
        let text = turn.to_string();
        let changed = api::describe(&caller, &caller.frontend(), FUNCTION, &text, None).await;
        caller.world.count("fresh", changed.is_ok());
        match changed {
            Ok(answer) if answer.is_success() => known = turn,
            // The change before is under way.
            Ok(answer) if answer.status == 409 => {}
            _ => drop(open.insert(turn)),
        }
        let frontends = caller.frontends();
        let looks = frontends.iter().map(|f| api::get(&caller, f, FUNCTION));
        for (frontend, answer) in frontends.iter().zip(join_all(looks).await) {
            let seen = answer.ok().filter(Answer::is_success);
            let seen = seen.and_then(|a| a.text("Description").parse::<u64>().ok());
            if let Some(seen) = seen.filter(|seen| *seen < known && !open.contains(seen)) {
                let what = format!("{frontend} showed {seen} after {known} was acknowledged");
                caller.world.violated(CHECK, what);
            }
        }
        caller.rest(Duration::from_millis(700)).await;
    }
}
