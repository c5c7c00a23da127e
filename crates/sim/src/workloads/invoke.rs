//! Clients that invoke functions which do not change: warm ones mostly, with errors, crashes and time-outs among them.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, package},
};

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "invoke",
    clients: 3,
    work: |caller, n| work(caller, n).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>, n: u32) {
    let name = format!("steady-{n}");
    let zip = package(&name, 10 + caller.entropy.below(150));
    api::create_until_there(&caller, &name, &zip, "steady").await;
    while !caller.is_quiet() {
        let (told, millis) = match caller.entropy.below(100) {
            0..80 => ("echo", 0),
            80..91 => ("sleep", caller.entropy.below(600)),
            91..95 => ("error", 0),
            95..97 => ("crash", 0),
            97..99 => ("exit", 0),
            _ => ("hang", 0),
        };
        api::invoke(&caller, &caller.frontend(), &name, told, millis).await;
        caller.rest(Duration::from_millis(200)).await;
    }
}
