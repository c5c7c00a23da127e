//! What holds of Node.js functions whatever the driver is.

use bytes::Bytes;
use model::{
    MemoryMib,
    function::{FunctionVersion, LogFormat},
};
use serde_json::{Value, json};

use super::{harness::*, seconds};

/// The newest version with callbacks that is certain to be known; the nearest that is installed runs it.
const WITH_CALLBACKS: &str = "nodejs20.x";
const WITHOUT_CALLBACKS: &str = "nodejs24.x";

type Function = std::sync::Arc<FunctionVersion>;

fn function(harness: &Harness, name: &str, handler: &str, files: &[(&str, &str)]) -> Function {
    of_runtime(harness, WITH_CALLBACKS, name, handler, files)
}

fn of_runtime(
    harness: &Harness,
    runtime: &str,
    name: &str,
    handler: &str,
    files: &[(&str, &str)],
) -> Function {
    harness.function(name, runtime, files, |v| {
        v.config.handler = Some(handler.into());
        seconds(5)(v);
    })
}

/// The line of the log that ends like this, cut at its tabs.
fn line<'a>(got: &'a Got, what: &str) -> Vec<&'a str> {
    let found = got.log.lines().find(|l| l.ends_with(what));
    let found = found.unwrap_or_else(|| panic!("{what} in {}", got.log));
    found.split('\t').collect()
}

/// The line about an error, as it is logged in text: its label and its document.
fn logged_error(got: &Got, label: &str) -> Value {
    let begin = format!("\tERROR\t{label} \t");
    let found = got.log.lines().find_map(|l| l.split_once(&begin));
    let (_, document) = found.unwrap_or_else(|| panic!("{label} in {}", got.log));
    serde_json::from_str(document).unwrap()
}

pub async fn every_node(harness: &Harness) {
    let all = harness
        .worker
        .runtimes()
        .iter()
        .filter(|r| r.starts_with("nodejs"));
    let mut installed = 0;
    for runtime in all {
        let app = "console.log('at import');\nexports.handler = async (event) => {\n  console.log('saw', event);\n  \
                   return { got: event, major: process.version.split('.')[0] };\n};\n";
        let name = runtime.replace('.', "-");
        let hello = of_runtime(harness, runtime, &name, "app.handler", &[("app.js", app)]);
        let first = harness.invoke(&hello, r#"{"a": 1}"#).await;
        let another = format!("{runtime} is not installed here: node ");
        if first.log.contains(&another) {
            continue;
        }
        installed += 1;
        let major = runtime.trim_start_matches("nodejs").trim_end_matches(".x");
        let started = format!("INIT_START Runtime Version: nodejs:{major}.v");
        assert!(first.log.starts_with(&started), "{}", first.log);
        assert_eq!(line(&first, "at import")[1..3], ["undefined", "INFO"]);
        for (cold, got) in [
            (true, first),
            (false, harness.invoke(&hello, r#"{"a": 1}"#).await),
        ] {
            assert_eq!((got.error.as_str(), got.cold), ("", cold), "{got:?}");
            let expected = json!({"got": {"a": 1}, "major": format!("v{major}")});
            assert_eq!(got.json(), expected);
            assert_eq!(
                got.finished.as_ref().unwrap().content_type,
                "application/json"
            );
            let fields = line(&got, "saw { a: 1 }");
            assert!(fields[0].len() == 24 && fields[0].ends_with('Z'));
            assert_eq!(fields[1..3], [got.id.as_str(), "INFO"]);
        }
    }
    assert!(
        installed > 0,
        "these tests need a Node.js of a version that functions know"
    );
}

/// What a handler may be, and what it may return.
pub async fn handlers(harness: &Harness) {
    let files = [
        ("index.js", HANDLERS),
        (
            "esm.mjs",
            "const ready = await Promise.resolve('awaited');\nexport const handler = async () => ready;\n",
        ),
        (
            "sub/dir/plain.cjs",
            "exports.handler = async () => __filename.split('/').pop();\n",
        ),
        ("typed/package.json", r#"{"type": "module"}"#),
        (
            "typed/app.js",
            "import path from 'node:path';\nexport const handler = async () => path.basename(import.meta.url);\n",
        ),
        ("typed/old/package.json", "{}"),
        (
            "typed/old/app.js",
            "exports.handler = async () => typeof require;\n",
        ),
    ];
    let check = async |runtime: &str, handler: &str, expected: Value| {
        let name: String = handler.replace(['.', '/'], "-") + &runtime[6..8];
        let got = harness
            .invoke(
                &of_runtime(harness, runtime, &name, handler, &files),
                r#"{"n": 7}"#,
            )
            .await;
        assert_eq!(
            (got.error.as_str(), got.json()),
            ("", expected),
            "{handler}: {got:?}"
        );
    };
    for (handler, expected) in [
        ("index.nothing", json!(null)),
        ("index.a.b.handler", json!("nested")),
        ("index.function", json!(null)),
        ("esm.handler", json!("awaited")),
        ("sub/dir/plain.handler", json!("plain.cjs")),
        ("typed/app.handler", json!("app.js")),
        ("typed/old/app.handler", json!("function")),
    ] {
        check(WITH_CALLBACKS, handler, expected).await;
    }
    // Callbacks, and what happens if nobody calls them.
    for (handler, expected) in [
        ("index.callback", json!({"called": {"n": 7}})),
        ("index.at_once", json!("at once")),
        ("index.done", json!("done")),
        ("index.succeed", json!("succeeded")),
        ("index.synchronous", json!(null)),
        ("index.members", json!(["done", "fail", "succeed"])),
    ] {
        check(WITH_CALLBACKS, handler, expected).await;
    }
    check(WITHOUT_CALLBACKS, "index.synchronous", json!({"n": 7})).await;
    check(WITHOUT_CALLBACKS, "index.members", json!([])).await;

    let waits = function(harness, "waits", "index.callback", &files);
    let got = harness.invoke(&waits, "1").await;
    line(&got, "after the callback");
    let callback = of_runtime(
        harness,
        WITHOUT_CALLBACKS,
        "refused",
        "index.callback",
        &files,
    );
    let error = harness.invoke(&callback, "1").await.json();
    assert_eq!(error["errorType"], "Runtime.CallbackHandlerDeprecated");
}

const HANDLERS: &str = r"
exports.nothing = async () => {};
exports.a = { b: { handler: async () => 'nested' } };
exports.function = async () => () => 1;
exports.callback = (event, context, callback) => {
  setTimeout(() => console.log('after the callback'), 50);
  callback(null, { called: event });
};
exports.at_once = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setInterval(() => {}, 1000);
  callback(null, 'at once');
};
exports.done = (event, context) => { context.done(null, 'done'); };
exports.succeed = (event, context) => { setImmediate(() => context.succeed('succeeded')); };
exports.synchronous = (event) => event;
exports.members = async (event, context) => ['done', 'fail', 'succeed'].filter((name) => name in context);
";

const FAILING: &str = r"
class OrderRefused extends Error {
  constructor(message) { super(message); this.name = 'OrderRefused'; this.code = 7; }
}
const inner = () => { throw new OrderRefused('no stock \u2603'); };
exports.handler = async (how) => {
  switch (how) {
    case 'throw': return inner();
    case 'text': throw 'only text';
    case 'circular': { const it = {}; it.it = it; return it; }
    case 'unsettled': return new Promise(() => {});
    case 'later': setTimeout(inner, 10); return new Promise((resolve) => setTimeout(resolve, 5000));
    case 'rejected': Promise.reject(new OrderRefused('lost')); return new Promise((resolve) => setTimeout(resolve, 5000));
    case 'exit': process.exit(5);
    default: return 'fine';
  }
};
exports.callback = (how, context, callback) => { callback(new OrderRefused('called back')); };
exports.fail = (how, context) => { context.fail('failed'); };
";

pub async fn errors(harness: &Harness) {
    let files = [("app.js", FAILING)];
    let fails = function(harness, "fails", "app.handler", &files);
    let fail = async |how: &str| {
        let got = harness.invoke(&fails, &format!("\"{how}\"")).await;
        assert_eq!(got.error, "Unhandled", "{got:?}");
        got
    };
    let thrown = fail("throw").await;
    let document = thrown.json();
    assert_eq!(
        (&document["errorType"], &document["errorMessage"]),
        (&json!("OrderRefused"), &json!("no stock \u{2603}"))
    );
    let trace = document["trace"].as_array().unwrap();
    assert_eq!(trace[0], "OrderRefused: no stock \u{2603}");
    let first = trace[1].as_str().unwrap();
    assert!(
        first.starts_with("    at inner (/") && first.ends_with("/app.js:5:29)"),
        "{first}"
    );
    assert_eq!(document.as_object().unwrap().len(), 3, "{document}");
    let logged = logged_error(&thrown, "Invoke Error");
    assert_eq!(
        (&logged["errorType"], &logged["code"]),
        (&json!("OrderRefused"), &json!(7))
    );
    assert_eq!(logged["stack"], document["trace"]);
    let text = fail("text").await;
    let expected = json!({"errorType": "string", "errorMessage": "only text", "trace": []});
    assert_eq!(text.json(), expected);
    assert_eq!(
        (text.cold, &text.environment),
        (false, &thrown.environment),
        "an error is no crash"
    );
    let circular = fail("circular").await.json();
    assert_eq!(
        circular["errorMessage"],
        "Unable to stringify response body"
    );
    let unsettled = fail("unsettled").await;
    assert_eq!(unsettled.json()["errorType"], "Runtime.NodeJsExit");
    assert_eq!(unsettled.environment, thrown.environment);

    // What nobody catches is told to the caller, and ends the process.
    for (how, kind, label, message) in [
        (
            "later",
            "OrderRefused",
            "Uncaught Exception",
            "no stock \u{2603}",
        ),
        (
            "rejected",
            "Runtime.UnhandledPromiseRejection",
            "Unhandled Promise Rejection",
            "OrderRefused: lost",
        ),
    ] {
        let got = fail(how).await;
        let document = got.json();
        assert_eq!(
            (&document["errorType"], &document["errorMessage"]),
            (&json!(kind), &json!(message))
        );
        assert_eq!(logged_error(&got, label)["errorType"], kind);
        if how == "rejected" {
            assert_eq!(logged_error(&got, label)["reason"]["errorMessage"], "lost");
        }
        assert_eq!(harness.invoke(&fails, "\"fine\"").await.text(), "\"fine\"");
    }
    let exit = fail("exit").await;
    let sentence = format!(
        "RequestId: {} Error: Runtime exited with error: exit status 5",
        exit.id
    );
    let expected = json!({"errorType": "Runtime.ExitError", "errorMessage": sentence});
    assert_eq!(exit.json(), expected);
    assert_eq!(harness.invoke(&fails, "\"fine\"").await.text(), "\"fine\"");

    let callback = function(harness, "callback", "app.callback", &files);
    let error = harness.invoke(&callback, "1").await.json();
    assert_eq!(error["errorMessage"], "called back");
    let failed = function(harness, "failed", "app.fail", &files);
    let error = harness.invoke(&failed, "1").await.json();
    assert_eq!(error["errorMessage"], "failed");
}

pub async fn init_failures(harness: &Harness) {
    let files = [
        (
            "app.js",
            "exports.handler = async () => 1;\nexports.number = 1;\n",
        ),
        ("imports.js", "require('nonsense');\n"),
        ("esm.mjs", "import 'nonsense';\n"),
        ("syntax.js", "exports.handler = (\n"),
        ("raises.js", "throw new RangeError('at import');\n"),
        (
            "rejects.mjs",
            "await Promise.reject(new RangeError('awaited'));\n",
        ),
        (
            "later.mjs",
            "setTimeout(() => { throw new RangeError('later'); }, 1);\nawait new Promise((r) => setTimeout(r, 3000));\n",
        ),
    ];
    for (handler, kind, message) in [
        (
            "nowhere.handler",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nowhere'\nRequire stack:\n- /",
        ),
        (
            "imports.handler",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nonsense'\nRequire stack:\n- /",
        ),
        (
            "esm.handler",
            "Error",
            "Cannot find package 'nonsense' imported from /",
        ),
        (
            "app.nothing",
            "Runtime.HandlerNotFound",
            "app.nothing is undefined or not exported",
        ),
        (
            "app.number",
            "Runtime.HandlerNotFound",
            "app.number is not a function",
        ),
        ("app", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "../app.handler",
            "Runtime.MalformedHandlerName",
            "'../app.handler' is not a valid handler name.",
        ),
        (
            "syntax.handler",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: ",
        ),
        ("raises.handler", "RangeError", "at import"),
        ("rejects.handler", "RangeError", "awaited"),
        ("later.handler", "RangeError", "later"),
    ] {
        let name = handler.replace(['.', '/'], "-") + "x";
        let version = function(harness, name.trim_matches('-'), handler, &files);
        for _ in 0..2 {
            let got = harness.invoke(&version, "1").await;
            assert_eq!(got.error, "Unhandled", "{got:?}");
            let error = got.json();
            assert_eq!(error["errorType"], kind, "{error}");
            let said = error["errorMessage"].as_str().unwrap();
            assert!(said.starts_with(message), "{said}");
            assert!(error["trace"].as_array().unwrap().len() > 1, "{error}");
            let told = if kind.starts_with("Runtime.") {
                kind
            } else {
                "Runtime.Unknown"
            };
            let status = format!("\tPhase: invoke\tStatus: error\tError Type: {told}\n");
            assert_eq!(got.log.matches(&status).count(), 1, "{}", got.log);
            assert_eq!(logged_error(&got, "Uncaught Exception")["errorType"], kind);
        }
    }
    let never = [("app.mjs", "await new Promise(() => {});\n")];
    let never = function(harness, "never", "app.handler", &never);
    let got = harness.invoke(&never, "1").await;
    let message = got.json()["errorMessage"].to_string();
    assert!(message.contains("exit status 13"), "{message}");
}

pub async fn context(harness: &Harness) {
    let app = r"
exports.handler = async (event, context) => ({
  ...context, left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, cwd: process.cwd(),
  root: process.env.LAMBDA_TASK_ROOT, path: process.env.NODE_PATH, nested: event.a[0].b, heap: process.execArgv,
});
";
    let version = function(harness, "context", "app.handler", &[("app.js", app)]);
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:context:live";
    let event = Bytes::from_static(br#" {"a": [{"b": "\u00e9"}]} "#);
    let got = harness
        .invoke_with(&version, event, |head| {
            head.client_context = r#"{"custom": {"k": "é"}}"#.into();
            head.trace_id = trace.into();
            head.invoked_arn = arn.into();
        })
        .await
        .unwrap();
    let mut json = got.json();
    let left = json["left"].take().as_i64().unwrap();
    assert!((1..=5000).contains(&left), "{left}");
    let stream = json["logStreamName"].take();
    let environment = format!("[$LATEST]{}", got.environment);
    assert!(stream.as_str().unwrap().ends_with(&environment));
    let cwd = json["cwd"].take();
    assert_eq!(cwd, json["root"].take());
    let path = json["path"].take();
    let layers = "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:";
    assert!(path.as_str().unwrap().starts_with(layers), "{path}");
    let expected = json!({
        "functionName": "context", "functionVersion": "$LATEST", "memoryLimitInMB": "128", "awsRequestId": got.id,
        "logGroupName": "/aws/lambda/context", "invokedFunctionArn": arn, "clientContext": {"custom": {"k": "é"}},
        "callbackWaitsForEmptyEventLoop": true, "trace": trace, "nested": "é",
        "heap": ["--max-old-space-size=102", "--max-semi-space-size=4"],
        "left": null, "logStreamName": null, "cwd": null, "root": null, "path": null,
    });
    assert_eq!(json, expected);
    let plain = Bytes::from_static(br#"{"a": [{}]}"#);
    let second = harness.invoke_with(&version, plain, |_| {}).await.unwrap();
    let second = second.json();
    assert!(
        second.get("trace").is_none() && second.get("clientContext").is_none(),
        "{second}"
    );
}

const LOGGING: &str = r"
exports.handler = async (event) => {
  console.trace('traced');
  console.debug('a', 1, { b: [2] });
  console.info('two\nlines');
  console.warn('%s is %d', 'it', 3);
  console.error('went wrong:', new TypeError('bad'));
  console.log({ order: 7, cause: new RangeError('far') });
  console.fatal('over');
  process.stdout.write('raw\n');
};
";

pub async fn logging(harness: &Harness) {
    let logs = function(harness, "logs", "app.handler", &[("app.js", LOGGING)]);
    let got = harness.invoke(&logs, "1").await;
    let check = |what: &str, level: &str| {
        let fields = line(&got, what);
        assert_eq!(fields[1..], [got.id.as_str(), level, what], "{}", got.log);
        assert!(
            fields[0].len() == 24 && fields[0].ends_with('Z'),
            "{fields:?}"
        );
    };
    check("traced", "TRACE");
    check("a 1 { b: [ 2 ] }", "DEBUG");
    check("two\rlines", "INFO");
    check("it is 3", "WARN");
    check("over", "FATAL");
    assert!(
        got.log
            .contains("\tERROR\twent wrong: TypeError: bad\r    at "),
        "{}",
        got.log
    );
    assert_eq!(line(&got, "raw"), ["raw"]);
}

pub async fn json_logging(harness: &Harness) {
    let of_level = |name: &str, level: &str| {
        let level = Some(level.to_owned());
        harness.function(name, WITH_CALLBACKS, &[("app.js", LOGGING)], |v| {
            v.config.logging.format = LogFormat::Json;
            v.config.logging.application_level = level;
            seconds(5)(v);
        })
    };
    let records = |got: &Got| -> Vec<Value> {
        let lines = got.log.lines().filter_map(|l| serde_json::from_str(l).ok());
        lines.filter(|l: &Value| l.get("level").is_some()).collect()
    };
    let all = harness.invoke(&of_level("all", "TRACE"), "1").await;
    let all_records = records(&all);
    let levels: Vec<&str> = all_records
        .iter()
        .map(|r| r["level"].as_str().unwrap())
        .collect();
    assert_eq!(
        levels,
        ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "INFO", "FATAL"]
    );
    for record in &all_records {
        assert_eq!(record["requestId"], all.id, "{record}");
        let timestamp = record["timestamp"].as_str().unwrap();
        assert!(
            timestamp.len() == 24 && timestamp.ends_with('Z'),
            "{timestamp}"
        );
    }
    assert_eq!(all_records[1]["message"], "a 1 { b: [ 2 ] }");
    assert_eq!(all_records[2]["message"], "two\nlines");
    let error = &all_records[4];
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!("TypeError"), &json!("bad"))
    );
    assert_eq!(error["stackTrace"][0], "TypeError: bad");
    let object = &all_records[5]["message"];
    assert_eq!(
        (&object["order"], &object["cause"]["errorType"]),
        (&json!(7), &json!("RangeError"))
    );
    let some = harness.invoke(&of_level("some", "ERROR"), "1").await;
    let some: Vec<Value> = records(&some).iter().map(|r| r["level"].clone()).collect();
    assert_eq!(some, ["ERROR", "FATAL"]);

    let fails = harness.function("fails", WITH_CALLBACKS, &[("app.js", FAILING)], |v| {
        v.config.logging.format = LogFormat::Json;
    });
    let got = harness.invoke(&fails, "\"throw\"").await;
    let record = &records(&got)[0];
    assert_eq!(
        (&record["level"], &record["requestId"]),
        (&json!("ERROR"), &json!(got.id))
    );
    assert_eq!(record["message"]["errorType"], "OrderRefused", "{record}");
    assert_eq!(record["message"]["stackTrace"], got.json()["trace"]);
}

const STREAMING: &str = r"
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
exports.chunks = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.setContentType('text/plain');
  stream.write('hel');
  await pause();
  stream.end(`lo ${context.functionName}`);
});
exports.prelude = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'X-A': 'b' } });
  await pipeline(Readable.from(['one', ' two']), stream);
});
exports.large = awslambda.streamifyResponse(async (event, stream) => {
  await pipeline(Readable.from(Array.from({ length: 50 }, () => 'x'.repeat(100000))), stream);
});
exports.broken = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('part');
  await pause();
  throw new RangeError('in the middle');
});
exports.early = awslambda.streamifyResponse(async () => { throw new RangeError('before'); });
exports.unended = awslambda.streamifyResponse(async (event, stream) => { stream.write('part'); });
";

pub async fn streaming(harness: &Harness) {
    let files = [("app.js", STREAMING)];
    let call = async |name: &str| {
        let handler = format!("app.{name}");
        let version = function(harness, name, &handler, &files);
        let first = harness.invoke(&version, "{}").await;
        let second = harness.invoke(&version, "{}").await;
        assert_eq!(first.environment, second.environment, "{second:?}");
        assert_eq!((&first.body, &first.error), (&second.body, &second.error));
        first
    };
    let content_type = |got: &Got| got.finished.clone().unwrap().content_type;
    let chunks = call("chunks").await;
    assert_eq!(
        (chunks.text().as_str(), chunks.error.as_str()),
        ("hello chunks", "")
    );
    assert_eq!(content_type(&chunks), "text/plain");
    let prelude = call("prelude").await;
    let expected = "{\"statusCode\":201,\"headers\":{\"X-A\":\"b\"}}\0\0\0\0\0\0\0\0one two";
    assert_eq!(prelude.text(), expected);
    let with_prelude = "application/vnd.awslambda.http-integration-response";
    assert_eq!(content_type(&prelude), with_prelude);
    assert_eq!(call("large").await.body.len(), 5_000_000);
    for (name, kind, message) in [
        ("broken", "RangeError", "in the middle"),
        ("early", "RangeError", "before"),
        ("unended", "Runtime.NodeJsExit", ""),
    ] {
        let got = call(name).await;
        assert_eq!(got.error, "Unhandled", "{got:?}");
        let error = got.json();
        assert_eq!(error["errorType"], kind);
        assert!(
            error["errorMessage"].as_str().unwrap().ends_with(message),
            "{error}"
        );
    }
}

pub async fn sizes(harness: &Harness) {
    let limit = 6_291_556;
    let app = "exports.handler = async (n) => 'x'.repeat(n - 2);\nexports.count = async (text) => text.length;\n";
    let files = [("app.js", app)];
    // With a processor of its own: what is asked here is how large, and not how fast.
    let large = |name: &str, handler: &str| {
        harness.function(name, WITH_CALLBACKS, &files, |v| {
            v.config.handler = Some(handler.into());
            v.config.memory = MemoryMib::new(1769).unwrap();
            seconds(60)(v);
        })
    };
    let sized = large("sized", "app.handler");
    for size in [2, limit] {
        let got = harness.invoke(&sized, &size.to_string()).await;
        assert_eq!((got.body.len(), got.error.as_str()), (size, ""), "{size}");
    }
    let over = harness.invoke(&sized, &(limit + 1).to_string()).await;
    assert_eq!(over.json()["errorType"], "Function.ResponseSizeTooLarge");
    let after = harness.invoke(&sized, "3").await;
    assert_eq!(
        (after.text().as_str(), after.cold),
        ("\"x\"", false),
        "the runtime went on"
    );
    let count = large("count", "app.count");
    let payload = Bytes::from(format!("\"{}\"", "x".repeat(6_291_454)));
    let got = harness.invoke_with(&count, payload, |_| {}).await.unwrap();
    assert_eq!(got.text(), "6291454");
}
