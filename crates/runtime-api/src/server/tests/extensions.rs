//! Extensions over HTTP.

use super::*;
use crate::{
    ShutdownReason,
    extensions::{Fault, State},
    subscription::{Closed, Destination, Subscription, Subscriptions},
};

const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";

impl Runtime {
    async fn register(&mut self, name: &str, events: &str) -> Got {
        let headers = [("lambda-extension-name", name)];
        let body = format!("{{\"events\":{events}}}");
        self.call("POST", REGISTER, &headers, body.into())
            .await
            .unwrap()
    }

    async fn with_id(&mut self, method: &str, path: &str, id: &str, body: &str) -> Got {
        let headers = [
            ("lambda-extension-identifier", id),
            ("lambda-extension-function-error-type", "Mine.Error"),
        ];
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.call(method, path, &headers, body).await.unwrap()
    }

    async fn event(&mut self, id: &str) -> Got {
        self.with_id("GET", NEXT, id, "").await
    }
}

fn id_of(got: &Got) -> String {
    assert_eq!(got.status, 200, "{}", got.text());
    let id = &got.headers["lambda-extension-identifier"];
    id.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_extension_hears_of_invocations_and_of_the_end() {
    let (api, port, tasks) = start(Limits::default());
    let mut runtime = Runtime::connect(port, &tasks).await;
    let mut watcher = Runtime::connect(port, &tasks).await;
    let launched = api.launch_extension("watcher").unwrap();
    let got = watcher
        .register("watcher", r#"["INVOKE","SHUTDOWN"]"#)
        .await;
    assert_eq!(
        got.text(),
        r#"{"functionName":"f","functionVersion":"$LATEST","handler":"app.handler"}"#
    );
    let id = id_of(&got);
    within(api.extensions_registered()).await.unwrap();
    let serve = async {
        let first = watcher.event(&id).await;
        let second = watcher.event(&id).await;
        (first, second)
    };
    let drive = async {
        api.extensions_ready().await.unwrap();
        let mut call = api.invoke(invocation(1)).unwrap();
        let event = runtime.next().await;
        assert_eq!(event.status, 200);
        let path = format!("/runtime/invocation/{}/response", RequestId::from_random(1));
        assert_eq!(runtime.post(&path, "1").await.status, 202);
        whole(&mut call).await;
        api.extensions_idle().await.unwrap();
        api.shut_down(Shutdown {
            reason: ShutdownReason::Spindown,
            deadline_ms: 7,
        });
    };
    let ((first, second), ()) = within(async { tokio::join!(serve, drive) }).await;
    assert_eq!(first.status, 200);
    assert!(
        first
            .headers
            .contains_key("lambda-extension-event-identifier")
    );
    let told: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
    let expected = serde_json::json!({
        "eventType": "INVOKE", "deadlineMs": 1_700_000_003_000_u64,
        "requestId": RequestId::from_random(1).to_string(),
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:live",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-00000000-000000000000000000000000"},
    });
    assert_eq!(told, expected);
    let told: serde_json::Value = serde_json::from_slice(&second.body).unwrap();
    let expected = serde_json::json!({
        "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 7,
    });
    assert_eq!(told, expected);
    api.extension_exited(&launched, "exit status 0");
    within(api.extensions_over()).await;
    api.reset();
    api.launch_extension("watcher").unwrap();
    api.extension_exited(&launched, "exit status 0");
    let late = within(api.extensions_over());
    let of_another_life = tokio::time::timeout(Duration::from_millis(20), late).await;
    assert!(of_another_life.is_err(), "the new one runs");
}

#[tokio::test]
async fn calls_of_extensions_are_refused_by_name() {
    let (api, port, tasks) = start(Limits::default());
    let mut code = Runtime::connect(port, &tasks).await;
    let refused = |got: &Got, kind: &str| {
        assert_eq!(got.status, 403, "{}", got.text());
        let expected = format!("\"errorType\":\"{kind}\"");
        assert!(got.text().contains(&expected), "{kind}: {}", got.text());
    };
    let got = code.register("in", r#"["SHUTDOWN"]"#).await;
    refused(&got, "Extension.InvalidEventType");
    let got = code.register("", "[]").await;
    refused(&got, "Extension.InvalidExtensionName");
    let got = code.register("in", "{").await;
    refused(&got, "InvalidRequestFormat");
    let id = id_of(&code.register("in", r#"["INVOKE"]"#).await);
    let got = code.call("GET", NEXT, &[], Bytes::new()).await.unwrap();
    refused(&got, "Extension.MissingExtensionIdentifier");
    refused(
        &code.event("nonsense").await,
        "Extension.InvalidExtensionIdentifier",
    );
    let stranger = ExtensionId::from_random(77).to_string();
    refused(
        &code.event(&stranger).await,
        "Extension.UnknownExtensionIdentifier",
    );
    let path = "/2020-01-01/extension/init/error";
    let headers = [("lambda-extension-identifier", &*id)];
    let got = code
        .call("POST", path, &headers, Bytes::new())
        .await
        .unwrap();
    refused(&got, "Extension.MissingHeader");
    let got = code.with_id("POST", path, &id, "{}").await;
    assert_eq!((got.status, got.text()), (202, r#"{"status":"OK"}"#));
    refused(&code.event(&id).await, "Extension.InvalidExtensionState");
    let fault = within(api.extension_fault()).await;
    assert_eq!(
        fault,
        Fault {
            name: "in".into(),
            kind: "Extension.InitError",
            detail: "Mine.Error".into()
        }
    );
    assert_eq!(api.extensions()[0].state, State::InitError);

    api.reset();
    assert!(!api.has_extensions());
    assert_eq!(within(api.extensions_ready()).await, Ok(()));
    let mut code = Runtime::connect(port, &tasks).await;
    let mut runtime = Runtime::connect(port, &tasks).await;
    let _event = api.invoke(invocation(1)).unwrap();
    assert_eq!(runtime.next().await.status, 200);
    let got = code.register("late", "[]").await;
    refused(&got, "Extension.RegistrationClosed");
}

#[tokio::test]
async fn an_event_waits_for_a_poll() {
    let (api, port, tasks) = start(Limits::default());
    let mut first = Runtime::connect(port, &tasks).await;
    let id = id_of(&first.register("in", r#"["INVOKE"]"#).await);
    {
        let polling = first.event(&id);
        tokio::pin!(polling);
        tokio::select! {
            _ = &mut polling => panic!("nothing to get"),
            ready = api.extensions_ready() => ready.unwrap(),
        }
    }
    drop(first);
    within(api.quiet()).await;
    let _call = api.invoke(invocation(1)).unwrap();
    let mut second = Runtime::connect(port, &tasks).await;
    let got = within(second.event(&id)).await;
    assert!(got.text().contains("INVOKE"), "{}", got.text());
}

#[derive(Default)]
struct Kept(parking_lot::Mutex<Vec<(String, Subscription)>>);

impl Subscriptions for Kept {
    fn subscribe(&self, extension: &str, subscription: Subscription) -> Result<(), Closed> {
        let mut all = self.0.lock();
        if all.len() == 2 {
            return Err(Closed);
        }
        all.push((extension.to_owned(), subscription));
        Ok(())
    }
}

#[tokio::test]
async fn telemetry_is_subscribed_to_until_it_is_closed() {
    const TELEMETRY: &str = "/2022-07-01/telemetry";
    let kept = Arc::new(Kept::default());
    let (api, port, tasks) = start_as(Setting {
        subscriptions: Some(kept.clone()),
        ..setting(Limits::default(), None)
    });
    let mut code = Runtime::connect(port, &tasks).await;
    let id = id_of(&code.register("in", r#"["INVOKE"]"#).await);
    let good = r#"{"schemaVersion":"2022-07-01","types":["platform"],"destination":{"protocol":"TCP","port":77}}"#;
    let got = code.with_id("PUT", TELEMETRY, &id, good).await;
    assert_eq!((got.status, got.text()), (200, "\"OK\""));
    assert_eq!(kept.0.lock()[0].0, "in");
    assert_eq!(
        kept.0.lock()[0].1.destination,
        Destination::Tcp { port: 77 }
    );
    let got = code.with_id("PUT", TELEMETRY, &id, "{}").await;
    assert_eq!(got.status, 400);
    assert!(got.text().contains("ValidationError"), "{}", got.text());
    let got = code.with_id("PUT", "/2020-08-15/logs", &id, good).await;
    assert!(got.text().contains("schemaVersion"), "{}", got.text());
    let _call = api.invoke(invocation(1)).unwrap();
    assert_eq!(code.next().await.status, 200);
    let got = code.with_id("PUT", TELEMETRY, &id, good).await;
    assert_eq!(got.status, 200, "the worker decides");
    let got = code.with_id("PUT", TELEMETRY, &id, good).await;
    assert_eq!(got.status, 403);
    assert!(got.text().contains("SubscriptionClosed"), "{}", got.text());

    let (_api, port, tasks) = start(Limits::default());
    let mut code = Runtime::connect(port, &tasks).await;
    let id = id_of(&code.register("in", "[]").await);
    let got = code.with_id("PUT", TELEMETRY, &id, good).await;
    assert_eq!(got.status, 202);
    assert!(
        got.text().contains("Telemetry.NotSupported"),
        "{}",
        got.text()
    );
}
