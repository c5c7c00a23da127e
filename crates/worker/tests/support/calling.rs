//! What code has to call the cluster with: credentials of its role, and a way.

use std::{slice, sync::Arc};

use bytes::Bytes;
use model::function::{FunctionVersion, OptionalConfig};
use proto::internal as pb;

use super::{
    behaviour::python,
    frontend::Frontend,
    harness::*,
    seconds,
    secrets::{hour_now, proven, role_key},
};

pub async fn credentials(harness: &Harness) {
    const NAMES: &str = "'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'";
    let app = format!(
        "import os\ndef handler(e, c):\n    return [os.environ.get(n) for n in ({NAMES})]\n"
    );
    let with = |hour: u32| move |head: &mut pb::InvokeHead| head.role_key = Some(role_key(hour));
    let call = async |version: &FunctionVersion, hour| {
        let got = harness.invoke_with(version, "1".into(), with(hour)).await;
        got.unwrap().json()
    };

    let own = python(harness, "own", &app);
    let now = hour_now();
    let first = call(&own, now).await;
    let text = |at: usize| first[at].as_str().unwrap().to_owned();
    let (session, secret) = proven(&text(2), now);
    assert_eq!((text(0), text(1)), (session.access_key.to_string(), secret));
    assert_eq!(session.name.as_str(), "own");
    assert!(first[3].is_null());
    assert_eq!(harness.invoke(&own, "1").await.json(), first, "warm");

    let other = python(harness, "other", &app);
    let second = call(&other, now).await;
    assert!(first[0] != second[0] && first[1] != second[1] && first[2] != second[2]);

    let without = python(harness, "without", &app);
    let none = serde_json::json!([null, null, null, null]);
    assert_eq!(harness.invoke(&without, "1").await.json(), none);

    let short = |head: &mut pb::InvokeHead| {
        let key = vec![1; 31].into();
        head.role_key = Some(pb::RoleKey { key, ..role_key(1) });
    };
    let refused = harness.invoke_with(&own, "1".into(), short).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
}

/// A published version with `SnapStart` asks for its credentials.
pub async fn credentials_on_demand(harness: &Harness) {
    let app = "import json, os, urllib.request\n\
        def handler(event, context):\n    \
            if 'AWS_ACCESS_KEY_ID' in os.environ:\n        return 'variables'\n    \
            url = os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI']\n    \
            token = event or os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']\n    \
            request = urllib.request.Request(url, headers={'Authorization': token})\n    \
            try:\n        \
                with urllib.request.urlopen(request) as answer:\n            \
                    return json.load(answer)\n    \
            except urllib.error.HTTPError as error:\n        return error.code\n";
    let version = harness.function("snapped", "python3.13", &[("app.py", app)], |v| {
        v.id.version = "1".parse().unwrap();
        v.config.optional = Some(Box::new(OptionalConfig {
            snap_start: true,
            ..Default::default()
        }));
    });
    let call = async |payload: &str, hour| {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let with = |head: &mut pb::InvokeHead| head.role_key = Some(role_key(hour));
        let got = harness.invoke_with(&version, payload, with).await.unwrap();
        got.json()
    };
    // An hour that is long over: what was issued in it is renewed with the key of the next invocation.
    let first = call("null", 400_000).await;
    proven(first["Token"].as_str().unwrap(), 400_000);
    let second = call("null", 400_001).await;
    let (session, secret) = proven(second["Token"].as_str().unwrap(), 400_001);
    assert_eq!(second["AccessKeyId"], session.access_key.as_str());
    assert_eq!(second["SecretAccessKey"], secret.as_str());
    assert_eq!(call("\"wrong\"", 400_001).await, 404);
}

pub async fn calls_back(harness: &Harness) {
    let app = "import os, socket, urllib.parse\n\
        def handler(event, context):\n    \
            url = urllib.parse.urlsplit(os.environ['AWS_ENDPOINT_URL_LAMBDA'])\n    \
            data = b'say' * event\n    \
            try:\n        \
                with socket.create_connection((url.hostname, url.port), 5) as s:\n            \
                    s.settimeout(10)\n            \
                    s.sendall(data)\n            \
                    s.shutdown(socket.SHUT_WR)\n            \
                    got = b''.join(iter(lambda: s.recv(65536), b''))\n    \
            except OSError:\n        return 'hung up'\n    \
            return 'same' if got == data.upper() else got.decode()\n";
    let talker = harness.function("talker", "python3.11", &[("app.py", app)], seconds(20));
    let call = async |times: &str| harness.invoke(&talker, times).await;
    // Nobody is there who would take it.
    let alone = call("1").await;
    assert!(
        ["hung up", ""].contains(&alone.json().as_str().unwrap()),
        "{alone:?}"
    );

    let frontend = Arc::new(Frontend::default());
    let address = frontend.serve(&harness.tasks).await;
    // One that cannot be reached, and perhaps is tried first.
    harness.neighbours.add("f0", "127.0.0.1:1".to_owned());
    harness.neighbours.add("f1", address);
    let got = call("1").await;
    assert_eq!(got.json(), "same", "{got:?}");
    assert_eq!(
        *frontend.environments.lock(),
        slice::from_ref(&got.environment)
    );
    // More than all buffers on the way hold together.
    let much = call("2000000").await;
    assert_eq!(much.json(), "same", "{much:?}");
    assert_eq!(frontend.environments.lock().len(), 2);
}
