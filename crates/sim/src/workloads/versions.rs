//! A client that publishes versions and deletes the newest now and then: a number is never given out again.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, package},
    history::{Act, Op, Outcome, Reading},
};

const FUNCTION: &str = "numbered";
/// What it is called in reports.
const CHECK: &str = "version numbers are used once";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "versions",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>) {
    let zip = package(FUNCTION, 5);
    let (mut turn, mut highest) = (0_u64, 0_u64);
    while !caller.is_quiet() {
        let frontend = caller.frontend();
        if turn == 0 {
            let created = api::create(&caller, &frontend, FUNCTION, &zip, "numbered").await;
            turn += u64::from(created.is_ok_and(|a| a.is_success() || a.status == 409));
        } else {
            turn += 1;
            if let Some(number) = publish(&caller, &frontend, turn).await {
                if number <= highest {
                    let what = format!("{number} was given out after {highest}");
                    caller.world.violated(CHECK, what);
                }
                highest = highest.max(number);
                if caller.entropy.below(2) == 0 {
                    let delete = Op::on(FUNCTION, Act::DeleteVersion { version: number });
                    let deleted = api::act(&caller, &frontend, &delete).await;
                    count(&caller, &deleted);
                }
            }
        }
        caller.rest(Duration::from_millis(900)).await;
    }
}

/// Changes the function, so that there is something to publish, and publishes it. What it cannot know the number of is
/// none.
async fn publish(caller: &Caller, frontend: &str, turn: u64) -> Option<u64> {
    let marker = format!("n{turn}");
    let expected = None;
    let change = Act::UpdateConfiguration { marker, expected };
    let changed = api::act(caller, frontend, &Op::on(FUNCTION, change)).await;
    count(caller, &changed);
    let Reading::Done(Outcome::Version(_)) = changed else {
        return None;
    };
    // The change is under way for a moment.
    for _ in 0..3 {
        let marker = None;
        let publish = Op::on(FUNCTION, Act::Publish { marker, expected });
        match api::act(caller, frontend, &publish).await {
            Reading::Done(Outcome::Version(seen)) => {
                caller.world.count("versions", true);
                return seen.version.as_number();
            }
            Reading::Unknown => {
                caller.world.count("versions", false);
                return None;
            }
            Reading::Done(_) | Reading::Refused => caller.rest(Duration::from_millis(200)).await,
        }
    }
    None
}

fn count(caller: &Caller, reading: &Reading) {
    let done = matches!(reading, Reading::Done(_));
    caller.world.count("versions", done);
}
