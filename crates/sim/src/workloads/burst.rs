//! A client that asks for many environments at once: cold starts, and more than the workers can take.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, package},
};

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "burst",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>) {
    let mut turn = 0;
    while !caller.is_quiet() {
        let name = format!("burst-{turn}");
        let zip = package(&name, 5 + caller.entropy.below(60));
        let frontend = caller.frontend();
        let created = api::create(&caller, &frontend, &name, &zip, "burst").await;
        caller.rest(Duration::from_millis(300)).await;
        if created.is_ok_and(|a| a.is_success()) {
            let all = (0..4 + caller.entropy.below(12)).map(|_| {
                let (caller, name) = (caller.clone(), name.clone());
                async move {
                    let frontend = caller.frontend();
                    let millis = caller.entropy.below(300);
                    api::invoke(&caller, &frontend, &name, "sleep", millis).await;
                }
            });
            join_all(all).await;
        }
        // Gone again, so that the cluster has something to clean up.
        let _maybe = api::delete(&caller, &caller.frontend(), &name).await;
        turn += 1;
        caller.rest(Duration::from_millis(3000)).await;
    }
}
