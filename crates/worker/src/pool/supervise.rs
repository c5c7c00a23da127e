//! Looks after one environment between its invocations.

use std::sync::Arc;

use tokio::{sync::Notify, time::Instant};

use super::{Number, Pool, table::Stay};
use crate::environment::Environment;

/// Runs until the environment has left the pool.
///
/// It sleeps through invocations, and through all but one in a `freeze_after`: a busy pool does not wake it each time.
pub(super) async fn run(
    pool: Pool,
    number: Number,
    environment: Arc<Environment>,
    bell: Arc<Notify>,
) {
    loop {
        bell.notified().await;
        if !pool.is_resident(number) {
            return;
        }
        while let Some(stay) = pool.stay(number) {
            // Without a runtime there is nothing to stop and nothing that can die.
            if !environment.is_up() {
                break;
            }
            match look_after(&pool, number, &environment, stay, &bell).await {
                Next::LookAgain => {}
                Next::Over => return,
            }
        }
        if !pool.is_resident(number) {
            return;
        }
    }
}

enum Next {
    LookAgain,
    Over,
}

/// One stay among the idle ones, or a part of it.
async fn look_after(
    pool: &Pool,
    number: Number,
    environment: &Environment,
    stay: Stay,
    bell: &Notify,
) -> Next {
    let at = stay.since + pool.shared.idle.freeze_after;
    tokio::select! {
        biased;
        why = environment.wait_end() => return end(pool, number, environment, stay, &why),
        () = tokio::time::sleep_until(at) => {}
    }
    if pool.stay(number) != Some(stay) {
        return Next::LookAgain;
    }
    if !environment.is_waiting() {
        // It has answered and is not done yet. Not for ever, though.
        let limit = environment.settle_by().max(at);
        tokio::select! {
            biased;
            why = environment.wait_end() => return end(pool, number, environment, stay, &why),
            () = bell.notified() => return Next::LookAgain,
            () = environment.wait_waiting() => return Next::LookAgain,
            () = tokio::time::sleep_until(limit) => {}
        }
        if Instant::now() >= limit && !environment.is_waiting() {
            return end(
                pool,
                number,
                environment,
                stay,
                "it asked for no invocation",
            );
        }
        return Next::LookAgain;
    }
    let still_idle = || pool.stay(number) == Some(stay) && environment.is_waiting();
    if let Err(error) = environment.freeze(still_idle).await {
        tracing::warn!(environment = environment.id(), %error, "an idle environment could not be frozen");
        return end(pool, number, environment, stay, "it could not be frozen");
    }
    tokio::select! {
        biased;
        why = environment.wait_end() => end(pool, number, environment, stay, &why),
        () = bell.notified() => Next::LookAgain,
    }
}

/// Removes an environment whose stay this is; somebody who uses it by now sees for himself.
fn end(pool: &Pool, number: Number, environment: &Environment, stay: Stay, why: &str) -> Next {
    let mut taken = false;
    pool.end_all(|table| {
        taken = table.take_idle(number, stay);
        taken.then_some(number).into_iter().collect()
    });
    if taken {
        tracing::info!(
            environment = environment.id(),
            why,
            "an idle environment ended"
        );
        Next::Over
    } else {
        Next::LookAgain
    }
}
