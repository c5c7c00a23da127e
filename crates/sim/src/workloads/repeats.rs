//! A client that repeats its calls as an SDK does that has lost the answer: the second attempt is answered what the first
//! one did, and does nothing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::FutureExt;
use http::Method;
use model::RequestId;
use serde_json::json;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Answer, Caller, NoAnswer, package},
};

const FUNCTION: &str = "repeated";
/// What it is called in reports.
const CHECK: &str = "a repeated call is done once";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "repeats",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>) {
    let zip = package(FUNCTION, 5);
    api::create_until_there(&caller, FUNCTION, &zip, "new").await;
    while !caller.is_quiet() {
        caller.rest(Duration::from_millis(1200)).await;
        let call = RequestId::from_random(caller.entropy.next_u128()).to_string();
        let first = attempt(&caller, &call).await;
        caller.world.count("repeats", first.is_ok());
        let Some(first) = first.ok().filter(Answer::is_success) else {
            continue;
        };
        let Ok(second) = attempt(&caller, &call).await else {
            continue;
        };
        let same = first.text("RevisionId") == second.text("RevisionId");
        if second.status == 409 || (second.is_success() && !same) {
            let status = second.status;
            let what = format!("the second attempt of {call} got {status} and another revision");
            caller.world.violated(CHECK, what);
        }
    }
}

async fn attempt(caller: &Caller, call: &str) -> Result<Answer, NoAnswer> {
    let body = Bytes::from(json!({ "Description": call }).to_string());
    let path = format!("/2015-03-31/functions/{FUNCTION}/configuration");
    let headers = [("amz-sdk-invocation-id", call)];
    let frontend = caller.frontend();
    caller
        .call(&frontend, Method::PUT, &path, &headers, body)
        .await
}
