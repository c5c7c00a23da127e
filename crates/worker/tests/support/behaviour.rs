//! What holds whatever the driver is.

use std::time::Duration;

use bytes::Bytes;
use model::function::FunctionVersion;
use proto::internal::refused::Reason;

use super::{HELLO, harness::*, seconds};

pub fn python(harness: &Harness, name: &str, app: &str) -> std::sync::Arc<FunctionVersion> {
    harness.function(name, "python3.11", &[("app.py", app)], |_| {})
}

pub fn check_hello(got: &Got, cold: bool) {
    assert_eq!(got.refused, None);
    assert_eq!(got.json(), serde_json::json!({"got": {"a": 1}}));
    assert_eq!((got.error.as_str(), got.cold), ("", cold));
    let finished = got.finished.as_ref().unwrap();
    assert_eq!(finished.content_type, "application/json");
    assert_eq!(finished.init_us > 0, cold);
    assert!(finished.duration_us > 0 && finished.billed_ms > 0 && finished.memory_used_mib > 0);
    let lines: Vec<&str> = got.log.lines().collect();
    let from = lines.iter().position(|l| l.starts_with("START")).unwrap();
    assert_eq!(
        lines[from],
        format!("START RequestId: {} Version: $LATEST", got.id)
    );
    assert_eq!(lines[from + 1], "saw {'a': 1}");
    assert_eq!(lines[from + 2], format!("END RequestId: {}", got.id));
    let report = lines[from + 3];
    assert!(
        report.starts_with(&format!("REPORT RequestId: {}\tDuration: ", got.id)),
        "{report}"
    );
    let billed = format!(
        "Billed Duration: {} ms\tMemory Size: 128 MB\tMax Memory Used: ",
        finished.billed_ms
    );
    assert!(report.contains(&billed), "{report}");
    assert_eq!(report.contains("Init Duration"), cold, "{report}");
    assert_eq!(
        from > 0,
        cold,
        "INIT_START belongs to the first one: {:?}",
        got.log
    );
}

pub async fn errors_of_the_handler(harness: &Harness) {
    let app = "def handler(event, context):\n    return inner(event)\n\ndef inner(event):\n    raise ValueError('bad ' + str(event))\n";
    let raises = python(harness, "raises", app);
    let got = harness.invoke(&raises, "7").await;
    assert_eq!(got.error, "Unhandled");
    let error = got.json();
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&"ValueError".into(), &"bad 7".into())
    );
    assert_eq!(error["requestId"], got.id);
    let trace: Vec<String> = error["stackTrace"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(trace.len(), 2, "{trace:?}");
    assert!(
        trace[0].starts_with("  File \"")
            && trace[0].ends_with("app.py\", line 2, in handler\n    return inner(event)\n")
    );
    assert!(trace[1].ends_with("line 5, in inner\n    raise ValueError('bad ' + str(event))\n"));
    assert!(
        got.log.contains(
            "[ERROR] ValueError: bad 7\rTraceback (most recent call last):\r\u{a0}\u{a0}File \""
        ),
        "{}",
        got.log
    );
    let again = harness.invoke(&raises, "8").await;
    assert_eq!(
        (again.cold, again.environment),
        (false, got.environment),
        "an error is no crash"
    );

    let marshal = python(
        harness,
        "marshal",
        "def handler(e, c):\n    return object()\n",
    );
    let error = harness.invoke(&marshal, "1").await.json();
    assert_eq!(error["errorType"], "Runtime.MarshalError");
    assert_eq!(
        error["errorMessage"],
        "Unable to marshal response: Object of type object is not JSON serializable"
    );
    let event = python(harness, "event", "def handler(e, c):\n    return e\n");
    let error = harness.invoke(&event, "{nonsense").await.json();
    assert_eq!(error["errorType"], "Runtime.UnmarshalError");
}

pub async fn init_failures(harness: &Harness) {
    let check = async |name: &str, handler: &str, app: &str, kind: &str, message: &str| {
        let version = harness.function(name, "python3.11", &[("app.py", app)], |v| {
            v.config.handler = Some(handler.into())
        });
        for _ in 0..2 {
            let got = harness.invoke(&version, "1").await;
            assert_eq!(got.error, "Unhandled", "{got:?}");
            let error = got.json();
            assert_eq!(error["errorType"], kind, "{error}");
            assert!(
                error["errorMessage"].as_str().unwrap().starts_with(message),
                "{error}"
            );
            assert_eq!(error["requestId"], "");
            let told = if kind.starts_with("Runtime.") {
                kind
            } else {
                "Runtime.Unknown"
            };
            let status = format!("Status: error\tError Type: {told}");
            assert!(got.log.contains(&status), "{}", got.log);
            let retried = format!("\tPhase: invoke\t{status}\n");
            assert_eq!(got.log.matches(&retried).count(), 1, "{}", got.log);
        }
    };
    check(
        "import",
        "app.handler",
        "import nonsense\n",
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'nonsense'",
    )
    .await;
    check(
        "module",
        "other.handler",
        "",
        "Runtime.ImportModuleError",
        "Unable to import module 'other': No module named 'other'",
    )
    .await;
    check(
        "missing",
        "app.nothing",
        "x = 1\n",
        "Runtime.HandlerNotFound",
        "Handler 'nothing' missing on module 'app'",
    )
    .await;
    check(
        "name",
        "handler",
        "x = 1\n",
        "Runtime.MalformedHandlerName",
        "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
    )
    .await;
    check(
        "syntax",
        "app.handler",
        "def :\n",
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'app': ",
    )
    .await;
    check(
        "raise",
        "app.handler",
        "raise KeyError('k')\n",
        "KeyError",
        "'k'",
    )
    .await;
}

pub async fn crashes(harness: &Harness) {
    let check = async |name: &str, app: &str, sentence: &str| {
        let version = python(harness, name, app);
        let first = harness.invoke(&version, "\"crash\"").await;
        let expected = serde_json::json!({
            "errorType": "Runtime.ExitError", "errorMessage": format!("RequestId: {} Error: {sentence}", first.id),
        });
        assert_eq!(
            (first.error.as_str(), first.json()),
            ("Unhandled", expected)
        );
        let line = format!(
            "RequestId: {} Error: {sentence}\nRuntime.ExitError\nEND RequestId: {}\n",
            first.id, first.id
        );
        assert!(first.log.contains(&line), "{}", first.log);
        let second = harness.invoke(&version, "\"fine\"").await;
        assert_eq!(second.text(), "\"fine\"", "{second:?}");
    };
    let app = |how: &str| {
        format!(
            "import os, sys, signal\ndef handler(e, c):\n    if e == 'crash':\n        {how}\n    return e\n"
        )
    };
    check(
        "exit1",
        &app("os._exit(1)"),
        "Runtime exited with error: exit status 1",
    )
    .await;
    check(
        "exit0",
        &app("sys.exit(0)"),
        "Runtime exited without providing a reason",
    )
    .await;
    check(
        "segv",
        &app("signal.signal(11, signal.SIG_DFL); os.kill(os.getpid(), 11)"),
        "Runtime exited with error: signal: segmentation fault",
    )
    .await;

    let at_import = python(harness, "atimport", "import os\nos._exit(5)\n");
    let got = harness.invoke(&at_import, "1").await;
    assert_eq!(
        got.json()["errorMessage"],
        format!(
            "RequestId: {} Error: Runtime exited with error: exit status 5",
            got.id
        )
    );
    assert!(
        got.log
            .contains("Phase: init\tStatus: error\tError Type: Runtime.ExitError"),
        "{}",
        got.log
    );
}

pub async fn timeout_then_recovers(harness: &Harness) {
    let app = "import os, time\nmark = os.environ.get('MARK', '/tmp/mark')\ndef handler(e, c):\n    \
               if e == 'hang':\n        open(mark, 'w').write('kept')\n        time.sleep(60)\n    \
               return open(mark).read() + ' ' + str(c.get_remaining_time_in_millis() > 500)\n";
    let mark = harness.dir.path().join("mark").to_str().unwrap().to_owned();
    let hang = harness.function("hang", "python3.11", &[("app.py", app)], |v| {
        seconds(1)(v);
        // With a driver without walls, /tmp is the host's.
        let own = std::collections::BTreeMap::from([("MARK".to_owned(), mark)]);
        super::secrets::seal(v, own);
    });
    let hang = if harness.has_walls() {
        harness.function("hang", "python3.11", &[("app.py", app)], seconds(1))
    } else {
        hang
    };
    let before = tokio::time::Instant::now();
    let first = harness.invoke(&hang, "\"hang\"").await;
    let took = before.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(10),
        "{took:?}"
    );
    let expected = serde_json::json!({
        "errorType": "Sandbox.Timedout",
        "errorMessage": format!("RequestId: {} Error: Task timed out after 1.00 seconds", first.id),
    });
    assert_eq!(
        (first.error.as_str(), first.json()),
        ("Unhandled", expected)
    );
    assert!(
        first.log.contains(&format!(
            "Z {} Task timed out after 1.00 seconds\n\nEND",
            first.id
        )),
        "{}",
        first.log
    );
    assert!(
        first.log.trim_end().ends_with("Status: timeout"),
        "{}",
        first.log
    );
    let second = harness.invoke(&hang, "\"fine\"").await;
    assert_eq!(second.text(), "\"kept True\"", "{second:?}");
    assert_eq!(
        (second.cold, second.environment),
        (false, first.environment),
        "the same environment, reset"
    );
    assert!(!second.log.contains("Init Duration"), "{}", second.log);
}

pub async fn responses_at_and_over_the_limit(harness: &Harness) {
    let limit = 6_291_556;
    let app = "def handler(e, c):\n    return b'x' * e\n";
    let sized = python(harness, "sized", app);
    for size in [0, 1, limit] {
        let got = harness.invoke(&sized, &size.to_string()).await;
        assert_eq!((got.body.len(), got.error.as_str()), (size, ""), "{size}");
        assert_eq!(got.finished.unwrap().content_type, "application/unknown");
    }
    let over = harness.invoke(&sized, &(limit + 1).to_string()).await;
    assert_eq!(over.error, "Unhandled");
    assert_eq!(
        over.text(),
        r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#
    );
    let after = harness.invoke(&sized, "3").await;
    assert_eq!(
        (after.text().as_str(), after.cold),
        ("xxx", false),
        "the runtime went on"
    );
}

pub async fn large_payloads(harness: &Harness) {
    let count = python(harness, "count", "def handler(e, c):\n    return len(e)\n");
    let limit = 6_291_456;
    let payload = |n: usize| Bytes::from(format!("\"{}\"", "x".repeat(n - 2)));
    let got = harness
        .invoke_with(&count, payload(limit), |_| {})
        .await
        .unwrap();
    assert_eq!(got.text(), (limit - 2).to_string());
    let status = harness
        .invoke_with(&count, payload(limit + 1), |_| {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let status = harness
        .invoke_with(&count, payload(10), |h| h.payload_size = 9)
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let status = harness
        .invoke_with(&count, payload(10), |h| h.request_id = "x".into())
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}

/// A runtime of its own, in the language that is there anyway, through the shell.
const OWN_RUNTIME: &str = r#"#!/bin/sh
exec PYTHON -S - <<'END'
import os, socket
def call(head, body=b""):
    s = socket.create_connection(os.environ["AWS_LAMBDA_RUNTIME_API"].split(":"))
    s.sendall((head + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)).encode() + body)
    data = b""
    while True:
        part = s.recv(65536)
        if not part:
            return data.split(b"\r\n\r\n", 1)
        data += part
while True:
    head, event = call("GET /2018-06-01/runtime/invocation/next")
    id = [l.split(b": ")[1] for l in head.split(b"\r\n") if l.startswith(b"Lambda-Runtime-Aws-Request-Id")][0].decode()
    call("POST /2018-06-01/runtime/invocation/%s/response" % id, os.environ["_HANDLER"].encode() + b":" + event)
END
"#;

pub async fn provided(harness: &Harness) {
    let script = OWN_RUNTIME.replace("PYTHON", "/usr/bin/python3");
    let own = harness.function(
        "own",
        "provided.al2023",
        &[("bootstrap", script.as_str())],
        |_| {},
    );
    for cold in [true, false] {
        let got = harness.invoke(&own, "{}").await;
        assert_eq!(
            (got.text().as_str(), got.cold),
            ("app.handler:{}", cold),
            "{got:?}"
        );
    }
    let none = harness.function("none", "provided.al2023", &[("readme", "x")], |_| {});
    let got = harness.invoke(&none, "{}").await;
    let expected = serde_json::json!({
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": format!("RequestId: {} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]", got.id),
    });
    assert_eq!(got.json(), expected);
    let plain = harness.function("plain", "provided.al2023", &[("bootstrap", "echo")], |_| {});
    let got = harness.invoke(&plain, "{}").await;
    assert_eq!(
        got.json()["errorType"],
        "Runtime.InvalidEntrypoint",
        "{got:?}"
    );
    assert!(
        got.json()["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with("permission denied"),
        "{got:?}"
    );
}

/// A runtime that answers and takes its time before it asks for more: an invocation in between runs elsewhere, and nothing
/// is thrown away.
pub async fn slow_to_ask(harness: &Harness) {
    let script = OWN_RUNTIME
        .replace("PYTHON", "/usr/bin/python3")
        .replace("\nEND", "\n    import time; time.sleep(1.5)\nEND");
    let files = [("bootstrap", script.as_str())];
    let own = harness.function("slow-to-ask", "provided.al2023", &files, seconds(60));
    let first = harness.invoke(&own, "1").await;
    let second = harness.invoke(&own, "2").await;
    assert!(
        second.cold && second.text() == "app.handler:2",
        "{second:?}"
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (third, fourth) = tokio::join!(harness.invoke(&own, "3"), harness.invoke(&own, "4"));
    let mut used = [third.environment, fourth.environment];
    used.sort();
    let mut known = [first.environment, second.environment];
    known.sort();
    assert_eq!(used, known, "both went on");
}

pub async fn nothing_is_shared(harness: &Harness) {
    let app = "seen = []\ndef handler(e, c):\n    seen.append(e)\n    return seen\n";
    let a = python(harness, "a", app);
    let b = python(harness, "b", app);
    assert_eq!(harness.invoke(&a, "1").await.text(), "[1]");
    assert_eq!(harness.invoke(&b, "2").await.text(), "[2]");
    assert_eq!(harness.invoke(&a, "3").await.text(), "[1, 3]");
    // The same package, another revision.
    let newer = python(harness, "a", app);
    assert_ne!(newer.revision_id, a.revision_id);
    assert_eq!(harness.invoke(&newer, "4").await.text(), "[4]");
    let refused = harness.invoke(&a, "5").await;
    assert_eq!(refused.refused, Some(Reason::UnknownVersion));
    assert_eq!(refused.newer, Some(newer.revision_id.to_string()));
}

pub async fn burst(harness: &Harness, slots: usize) {
    let slow = python(
        harness,
        "slow",
        "import time\ndef handler(e, c):\n    time.sleep(1)\n    return e\n",
    );
    let ended = std::sync::atomic::AtomicUsize::new(0);
    let all = futures::future::join_all((0..slots * 3).map(|_| async {
        let got = harness.invoke(&slow, "1").await;
        (got, ended.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
    }));
    let all = all.await;
    let (ran, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(|(g, _)| g.refused.is_none());
    assert_eq!((ran.len(), refused.len()), (slots, slots * 2));
    for (got, place) in refused {
        assert_eq!(got.refused, Some(Reason::NoCapacity));
        assert!(place < slots * 2, "it waited for one that ran");
    }
    let environments: std::collections::BTreeSet<String> =
        ran.iter().map(|(g, _)| g.environment.clone()).collect();
    assert_eq!(environments.len(), slots, "one invocation at a time each");
}

pub async fn python_context(harness: &Harness) {
    let app = r#"
import os, sys
from decimal import Decimal

def handler(event, context):
    return {
        "name": context.function_name, "version": context.function_version, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "id": context.aws_request_id, "group": context.log_group_name,
        "stream": context.log_stream_name, "custom": context.client_context.custom, "app": context.client_context.client.app_title,
        "identity": repr(context.identity), "left": context.get_remaining_time_in_millis(),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"), "path0": sys.path[0], "decimal": Decimal("1.10"),
        "uni": "é", "float": float("nan"), "cwd": os.getcwd(), "site": [p for p in sys.path if "site-packages" in p or "dist-packages" in p],
        "exit": callable(exit), "nested": event["a"][0]["b"],
    }
"#;
    let context = python(harness, "context", app);
    let got = harness
        .invoke_with(
            &context,
            Bytes::from_static(br#" {"a": [{"b": null}]} "#),
            |head| {
                head.client_context =
                    r#"{"custom": {"k": "é"}, "client": {"app_title": "t"}}"#.into();
                head.trace_id =
                    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
                        .into();
                head.invoked_arn =
                    "arn:aws:lambda:us-east-1:000000000000:function:context:live".into();
            },
        )
        .await
        .unwrap();
    let text = got.text();
    assert!(
        text.contains("\"decimal\": 1.10,")
            && text.contains("\"uni\": \"\\u00e9\"")
            && text.contains("\"float\": NaN"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&text.replace("NaN", "0")).unwrap();
    let check =
        |name: &str, expected: serde_json::Value| assert_eq!(json[name], expected, "{name}");
    check("name", "context".into());
    check("version", "$LATEST".into());
    check(
        "arn",
        "arn:aws:lambda:us-east-1:000000000000:function:context:live".into(),
    );
    check("memory", "128".into());
    check("id", got.id.as_str().into());
    check("group", "/aws/lambda/context".into());
    check("custom", serde_json::json!({"k": "é"}));
    check("app", "t".into());
    check(
        "identity",
        "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])".into(),
    );
    check(
        "trace",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".into(),
    );
    check("nested", serde_json::Value::Null);
    check("exit", true.into());
    let only_layers = json["site"]
        .as_array()
        .unwrap()
        .iter()
        .all(|p| p.as_str().unwrap().starts_with("/opt/python"));
    assert!(
        only_layers,
        "nothing of the host's packages: {}",
        json["site"]
    );
    let left = json["left"].as_i64().unwrap();
    assert!((1..=3000).contains(&left), "{left}");
    assert!(
        json["stream"]
            .as_str()
            .unwrap()
            .ends_with(&format!("[$LATEST]{}", got.environment))
    );
    assert_eq!(json["path0"], json["cwd"]);
    assert!(
        got.log
            .contains("XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\t"),
        "{}",
        got.log
    );
}

pub async fn python_logging(harness: &Harness) {
    let app = "import logging\nlogging.warning('at import')\nlog = logging.getLogger('x')\nlog.setLevel('INFO')\n\
               def handler(e, c):\n    log.info('hello %s', 1)\n    c.log('raw\\n')\n    print('part', end='')\n    return 1\n";
    let logs = python(harness, "logs", app);
    let got = harness.invoke(&logs, "1").await;
    let find = |what: &str| {
        got.log
            .lines()
            .find(|l| l.ends_with(what))
            .unwrap_or_else(|| panic!("{what} in {}", got.log))
            .to_owned()
    };
    let fields: Vec<String> = find("hello 1").split('\t').map(str::to_owned).collect();
    assert_eq!(
        (fields[0].as_str(), fields[2].as_str(), fields[3].as_str()),
        ("[INFO]", got.id.as_str(), "hello 1")
    );
    assert!(
        fields[1].len() == 24 && fields[1].ends_with('Z'),
        "{fields:?}"
    );
    assert!(
        find("at import").starts_with("[WARNING]\t") && find("at import").contains("\t\tat import")
    );
    assert_eq!(find("raw"), "raw");
    assert_eq!(find("part"), "part", "ended by the platform's line");
}

pub async fn every_python(harness: &Harness) {
    let all = harness
        .worker
        .runtimes()
        .iter()
        .filter(|r| r.starts_with("python"));
    let mut installed = 0;
    for runtime in all {
        let name = runtime.replace('.', "-");
        let hello = harness.function(&name, runtime, &[("app.py", HELLO)], |_| {});
        let first = harness.invoke(&hello, r#"{"a": 1}"#).await;
        if first
            .log
            .contains(&format!("{runtime} is not installed here"))
        {
            continue;
        }
        installed += 1;
        check_hello(&first, true);
        check_hello(&harness.invoke(&hello, r#"{"a": 1}"#).await, false);
        let app = "import logging, sys\nfrom decimal import Decimal\ndef handler(e, c):\n    logging.error('é')\n    \
                   if e:\n        raise ValueError(e)\n    return ['%d.%d' % sys.version_info[:2], Decimal('1.0'), 'é']\n";
        let more = harness.function(&format!("{name}-more"), runtime, &[("app.py", app)], |_| {});
        let got = harness.invoke(&more, "0").await;
        let version = runtime.trim_start_matches("python");
        let minor: u8 = version.trim_start_matches("3.").parse().unwrap();
        let text = if minor < 12 { "\\u00e9" } else { "é" };
        assert_eq!(
            got.text(),
            format!("[\"{version}\", 1.0, \"{text}\"]"),
            "{runtime}"
        );
        assert!(
            got.log.contains(&format!("\t{}\té\n", got.id)),
            "{}",
            got.log
        );
        assert_eq!(
            harness.invoke(&more, "7").await.json()["errorMessage"],
            "7",
            "{runtime}"
        );
    }
    assert!(
        installed > 0,
        "these tests need a python3 of a version that functions know"
    );
}

/// Many short stays among the idle ones, so that freezing and invoking meet.
pub async fn hammer(harness: &Harness) {
    let echo = python(harness, "echo", "def handler(e, c):\n    return e\n");
    let callers = (0..4u64).map(|caller| {
        let echo = echo.clone();
        async move {
            for n in 0..60u64 {
                let event = format!("{}", caller * 1000 + n);
                let got = harness.invoke(&echo, &event).await;
                assert_eq!(got.text(), event, "{got:?}");
                // The pauses fall before, into and after the moment of freezing.
                tokio::time::sleep(Duration::from_micros((caller + 1) * n * 37 % 3000)).await;
            }
        }
    });
    futures::future::join_all(callers).await;
    assert_eq!(harness.worker.figures().environments_lost, 0);
}

pub async fn sealed_variables(harness: &Harness) {
    let app = "import os\ndef handler(e, c):\n    return os.environ['SECRET']\n";
    let sealed = harness.function("sealed", "python3.11", &[("app.py", app)], |v| {
        super::secrets::seal(v, [("SECRET".to_owned(), "s3cret ä".to_owned())].into());
    });
    let without = |head: &mut proto::internal::InvokeHead| head.environment_key.clear();
    let got = harness.invoke_with(&sealed, "1".into(), without).await;
    assert_eq!(got.unwrap().refused, Some(Reason::Sealed));
    let other = |head: &mut proto::internal::InvokeHead| {
        head.environment_key = vec![1; 32].into();
    };
    let got = harness.invoke_with(&sealed, "1".into(), other).await;
    assert_eq!(got.unwrap().refused, Some(Reason::Sealed));
    let short = |head: &mut proto::internal::InvokeHead| head.environment_key = vec![1; 31].into();
    let refused = harness.invoke_with(&sealed, "1".into(), short).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);

    let got = harness.invoke(&sealed, "1").await;
    assert_eq!(got.json(), "s3cret ä", "{got:?}");
    // A warm environment has what it was started with, and asks for nothing again.
    let got = harness.invoke_with(&sealed, "1".into(), without).await;
    assert_eq!(got.unwrap().json(), "s3cret ä");
}

pub async fn wrapper(harness: &Harness) {
    let app = "import os\ndef handler(e, c):\n    return os.environ.get('WRAPPED')\n";
    let files = [
        ("app.py", app),
        ("wrap", "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n"),
    ];
    let wrapped = |name: &str, script: &str| {
        let own = [("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), script.to_owned())];
        harness.function(name, "python3.11", &files, |v| {
            super::secrets::seal(v, own.into());
        })
    };
    let got = harness
        .invoke(&wrapped("wrapped", "/var/task/wrap"), "1")
        .await;
    assert_eq!(got.text(), "\"yes\"", "{got:?}");
    let got = harness
        .invoke(&wrapped("astray", "/var/task/nothing"), "1")
        .await;
    let message = format!(
        "RequestId: {} Error: Runtime exited with error: exit status 127",
        got.id
    );
    assert_eq!(got.json()["errorMessage"], message);
}
