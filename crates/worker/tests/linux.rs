//! The whole worker over its own gRPC, with the Linux sandbox driver. Where the host does not allow sandboxes it says so and
//! passes; with `DUNLIN_REQUIRE_SANDBOX` set, it fails.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may"
)]

mod support;

use std::{pin::Pin, process::ExitCode, sync::Arc, time::Duration};

use model::{ByteCount, MemoryMib};
use sandbox::{Driver, LinuxDriver, Piece, linux};
use support::{HELLO, behaviour, calling, harness::*, node, zygotes};

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
type Case = (&'static str, for<'a> fn(&'a Harness) -> Running<'a>);

const CASES: &[Case] = &[
    ("hello", |h| Box::pin(hello(h))),
    ("pythons", |h| Box::pin(behaviour::every_python(h))),
    ("errors", |h| Box::pin(behaviour::errors_of_the_handler(h))),
    ("init_failures", |h| Box::pin(behaviour::init_failures(h))),
    ("crashes", |h| Box::pin(behaviour::crashes(h))),
    ("timeout", |h| Box::pin(behaviour::timeout_then_recovers(h))),
    ("out_of_memory", |h| Box::pin(out_of_memory(h))),
    ("response_sizes", |h| {
        Box::pin(behaviour::responses_at_and_over_the_limit(h))
    }),
    ("payload_sizes", |h| Box::pin(behaviour::large_payloads(h))),
    ("provided", |h| Box::pin(behaviour::provided(h))),
    ("slow_to_ask", |h| Box::pin(behaviour::slow_to_ask(h))),
    ("sharing", |h| Box::pin(behaviour::nothing_is_shared(h))),
    ("burst", |h| Box::pin(behaviour::burst(h, 4))),
    ("context", |h| Box::pin(behaviour::python_context(h))),
    ("logging", |h| Box::pin(behaviour::python_logging(h))),
    ("every_node", |h| Box::pin(node::every_node(h))),
    ("node_handlers", |h| Box::pin(node::handlers(h))),
    ("node_errors", |h| Box::pin(node::errors(h))),
    ("node_init_failures", |h| Box::pin(node::init_failures(h))),
    ("node_context", |h| Box::pin(node::context(h))),
    ("node_logging", |h| Box::pin(node::logging(h))),
    ("node_json_logging", |h| Box::pin(node::json_logging(h))),
    ("node_streaming", |h| Box::pin(node::streaming(h))),
    ("node_sizes", |h| Box::pin(node::sizes(h))),
    ("sealed_variables", |h| {
        Box::pin(behaviour::sealed_variables(h))
    }),
    ("credentials", |h| Box::pin(calling::credentials(h))),
    ("credentials_on_demand", |h| {
        Box::pin(calling::credentials_on_demand(h))
    }),
    ("calls_back", |h| Box::pin(calling::calls_back(h))),
    ("wrapper", |h| Box::pin(behaviour::wrapper(h))),
    ("hammer", |h| Box::pin(behaviour::hammer(h))),
    ("forks", |h| Box::pin(zygotes::a_fork_is_what_a_start_is(h))),
    ("zygote_dies", |h| Box::pin(zygotes::one_that_dies(h))),
    ("frozen", |h| Box::pin(frozen_between_invocations(h))),
    ("drain", |h| Box::pin(drain(h))),
];

/// Cases that are run again on a worker whose zygote is up.
const FORKED: &[&str] = &[
    "errors",
    "init_failures",
    "crashes",
    "timeout",
    "out_of_memory",
    "sharing",
    "context",
    "logging",
    "sealed_variables",
    "credentials_on_demand",
    "wrapper",
    "hammer",
];

/// Cases that fork many at a time.
const FORKS: [&str; 2] = ["forks", "zygote_dies"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|a| a == "__spawner") {
        return sandbox::spawner::main();
    }
    let wanted = args.iter().skip(1).find(|a| !a.starts_with('-'));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let state = tempfile::tempdir_in("/var/tmp").unwrap();
        // Only root may enter the namespaces of others.
        let forks = rustix::process::geteuid().is_root();
        let again = CASES
            .iter()
            .filter(|(name, _)| forks && FORKED.contains(name));
        let all = CASES.iter().map(|case| (case, false));
        let all = all.chain(again.map(|case| (case, true)));
        for ((name, run), forked) in
            all.filter(|((n, _), _)| wanted.is_none_or(|w| n.contains(w.as_str())))
        {
            let driver = match driver(state.path(), name).await {
                Ok(driver) => driver,
                Err(error) => {
                    eprintln!("SKIPPED: no sandbox can be made here: {error}");
                    let required = std::env::var_os("DUNLIN_REQUIRE_SANDBOX").is_some();
                    return if required {
                        ExitCode::FAILURE
                    } else {
                        ExitCode::SUCCESS
                    };
                }
            };
            let harness = Harness::start(driver, |o| {
                if forked || FORKS.contains(name) {
                    o.slots = 16;
                }
                if *name == "hammer" {
                    o.freeze_after = Duration::from_millis(1);
                }
            })
            .await;
            if forked {
                zygotes::wait_for_one(&harness).await;
            }
            let before = tokio::time::Instant::now();
            run(&harness).await;
            harness.worker.drain(Duration::from_secs(5)).await;
            let how = if forked { ", forked" } else { "" };
            println!("linux::{name} ... ok ({:?}{how})", before.elapsed());
        }
        as_ordinary_user(wanted)
    })
}

/// Runs what depends on the walls that only root has everywhere once more as `nobody`.
fn as_ordinary_user(wanted: Option<&String>) -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        return ExitCode::SUCCESS;
    }
    let place = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in("/var/tmp")
        .unwrap();
    let program = place.path().join("linux");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for case in ["hello", "out_of_memory"] {
        if wanted.is_some_and(|w| !case.contains(w.as_str())) {
            continue;
        }
        let done = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .arg(case)
            .env_remove("DUNLIN_REQUIRE_SANDBOX")
            .current_dir("/")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let complained = String::from_utf8_lossy(&done.stderr);
        if done.status.success() && complained.contains("SKIPPED") {
            eprintln!("linux::{case} as an ordinary user: {complained}");
            continue;
        }
        let kept = done.status.success() && said.contains(&format!("linux::{case} ... ok"));
        assert!(kept, "{case} as an ordinary user: {said}{complained}");
        println!("linux::{case} ... ok as an ordinary user");
    }
    ExitCode::SUCCESS
}

/// A driver with as many walls as this host gives.
async fn driver(
    state: &std::path::Path,
    name: &str,
) -> Result<Arc<dyn Driver>, linux::DriverError> {
    let node = format!(
        "worker-test-{}-{}",
        std::process::id(),
        name.replace('_', "-")
    );
    let mut options = linux::Options::new(state, node.parse().unwrap());
    options.allow_missing = Piece::ALL
        .into_iter()
        .filter(|p| !p.is_essential())
        .collect();
    let driver = LinuxDriver::start(options).await?;
    Ok(Arc::new(driver))
}

async fn hello(harness: &Harness) {
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    let first = harness.invoke(&hello, r#"{"a": 1}"#).await;
    behaviour::check_hello(&first, true);
    let second = harness.invoke(&hello, r#"{"a": 1}"#).await;
    behaviour::check_hello(&second, false);
    assert_eq!(first.environment, second.environment);
}

async fn out_of_memory(harness: &Harness) {
    let app = "keep = []\ndef handler(e, c):\n    while e == 'eat':\n        keep.append(bytearray(1 << 20))\n    return e\n";
    let eats = harness.function(
        "eats",
        "python3.11",
        &[("app.py", app)],
        support::seconds(20),
    );
    let first = harness.invoke(&eats, "\"eat\"").await;
    let expected = serde_json::json!({
        "errorType": "Runtime.ExitError",
        "errorMessage": format!("RequestId: {} Error: Runtime exited with error: signal: killed", first.id),
    });
    assert_eq!(
        (first.error.as_str(), first.json()),
        ("Unhandled", expected)
    );
    assert!(
        first.log.contains("Max Memory Used: 128 MB"),
        "{}",
        first.log
    );
    assert!(
        first
            .log
            .trim_end()
            .ends_with("Status: error\tError Type: Runtime.OutOfMemory"),
        "{}",
        first.log
    );
    let second = harness.invoke(&eats, "\"fine\"").await;
    assert_eq!(second.text(), "\"fine\"", "{second:?}");
    let roomy = harness.function(
        "roomy",
        "python3.11",
        &[(
            "app.py",
            "def handler(e, c):\n    return len(bytearray(200 << 20))\n",
        )],
        |v| {
            v.config.memory = MemoryMib::new(512).unwrap();
        },
    );
    assert_eq!(
        harness.invoke(&roomy, "1").await.text(),
        (200 << 20).to_string()
    );
    // The report of the last invocation, and with it the booking, may outlast its answer by a moment.
    let mut load = harness.worker.load();
    let all_free = load.wait_for(|l| l.0.memory_free == ByteCount::mib(4096));
    let free = tokio::time::timeout(Duration::from_secs(30), all_free).await;
    assert!(
        matches!(free, Ok(Ok(_))),
        "memory stays booked: {:?}",
        harness.worker.load().borrow().0
    );
}

/// A thread of the function counts all the time; while nobody invokes, it must not.
async fn frozen_between_invocations(harness: &Harness) {
    let app = "import threading, time\ncount = 0\ndef tick():\n    global count\n    while True:\n        count += 1\n        \
               time.sleep(0.005)\nthreading.Thread(target=tick, daemon=True).start()\n\
               def handler(e, c):\n    time.sleep(0.03)\n    return count\n";
    let ticks = harness.function("ticks", "python3.11", &[("app.py", app)], |_| {});
    let count = async || {
        harness
            .invoke(&ticks, "1")
            .await
            .text()
            .parse::<i64>()
            .unwrap()
    };
    let first = count().await;
    // Long enough for some 400 ticks: nothing but the passing of time can show that there were none.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = count().await;
    assert!(second - first < 200, "{first} then {second}");
    assert!(second > first, "it runs while it is invoked");
}

async fn drain(harness: &Harness) {
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    assert_eq!(harness.invoke(&hello, "1").await.refused, None);
    assert!(harness.worker.drain(Duration::from_secs(5)).await);
    let refused = harness.invoke(&hello, "1").await.refused;
    assert_eq!(refused, Some(proto::internal::refused::Reason::Draining));
}
