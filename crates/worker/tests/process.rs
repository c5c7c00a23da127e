//! The whole worker over its own gRPC, with ordinary processes in place of sandboxes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may"
)]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use model::{
    ByteCount, MemoryMib,
    function::{Environment, OptionalConfig},
};
use proto::internal::refused::Reason;

mod support;

use support::{HELLO, WAIT, behaviour, calling, harness::*, node, process_driver::*, seconds};

async fn harness(tune: impl FnOnce(&mut worker::Options)) -> (Harness, Arc<ProcessDriver>) {
    let driver = Arc::new(ProcessDriver::default());
    (Harness::start(driver.clone(), tune).await, driver)
}

#[tokio::test]
async fn hello_python_cold_then_warm() {
    let (harness, driver) = harness(|_| {}).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    let first = harness.invoke(&hello, r#"{"a": 1}"#).await;
    behaviour::check_hello(&first, true);
    let second = harness.invoke(&hello, r#"{"a": 1}"#).await;
    behaviour::check_hello(&second, false);
    assert_eq!(first.environment, second.environment);
    assert_eq!(driver.alive.lock().len(), 1);
    let figures = harness.worker.figures();
    assert_eq!((figures.invocations, figures.environments_started), (2, 1));
    assert_eq!((figures.environments, figures.environments_warm), (1, 1));
    assert_eq!((figures.function_errors, figures.refused), (0, 0));
    assert!(figures.billed_ms >= 2 && figures.init_us > 0);
}

#[tokio::test]
async fn every_failure_of_a_function() {
    let (harness, _driver) = harness(|_| {}).await;
    behaviour::errors_of_the_handler(&harness).await;
    behaviour::init_failures(&harness).await;
    behaviour::crashes(&harness).await;
    behaviour::timeout_then_recovers(&harness).await;
}

#[tokio::test]
async fn sizes() {
    let (harness, _driver) = harness(|_| {}).await;
    behaviour::responses_at_and_over_the_limit(&harness).await;
    behaviour::large_payloads(&harness).await;
}

#[tokio::test]
async fn every_python_of_this_machine() {
    let (harness, _driver) = harness(|_| {}).await;
    behaviour::every_python(&harness).await;
}

#[tokio::test]
async fn a_runtime_that_asks_for_no_more_is_replaced() {
    let (harness, driver) = harness(|_| {}).await;
    let script = "#!/bin/sh\nexec /usr/bin/python3 -S -c '\
        import os, socket, time\n\
        s = socket.create_connection(os.environ[\"AWS_LAMBDA_RUNTIME_API\"].split(\":\"))\n\
        s.sendall(b\"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\")\n\
        id = s.recv(65536).split(b\"Request-Id: \")[1][:36]\n\
        s.sendall(b\"POST /2018-06-01/runtime/invocation/\" + id + b\"/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\nok\")\n\
        time.sleep(60)'\n";
    let once = harness.function(
        "once",
        "provided.al2023",
        &[("bootstrap", script)],
        seconds(2),
    );
    let first = harness.invoke(&once, "{}").await;
    assert_eq!(
        (first.text().as_str(), first.cold),
        ("ok", true),
        "{first:?}"
    );
    let second = harness.invoke(&once, "{}").await;
    assert_eq!(
        (second.text().as_str(), second.cold),
        ("ok", true),
        "{second:?}"
    );
    assert_ne!(first.environment, second.environment);
    harness
        .eventually("both are removed", || driver.alive.lock().is_empty())
        .await;
}

#[tokio::test]
async fn freezing_and_invoking_meet() {
    let (harness, _driver) = harness(|o| o.freeze_after = Duration::from_millis(1)).await;
    behaviour::hammer(&harness).await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_no_environment() {
    let (harness, _driver) = harness(|o| o.slots = 1).await;
    let big = harness.function(
        "big",
        "python3.11",
        &[("app.py", "def handler(e, c):\n    return b'x' * e\n")],
        |_| {},
    );
    let id = model::RequestId::from_random(77);
    let payload = Bytes::from_static(b"6000000");
    let unread = harness
        .caller()
        .open(id, &big, payload, |_| {})
        .await
        .unwrap();
    harness
        .eventually("invoked", || harness.worker.figures().invocations == 1)
        .await;
    let second = harness.invoke(&big, "2").await;
    assert_eq!((second.text().as_str(), second.cold), ("xx", false));
    drop(unread);
}

#[tokio::test]
async fn provided_runtimes() {
    let (harness, _driver) = harness(|_| {}).await;
    behaviour::provided(&harness).await;
    behaviour::wrapper(&harness).await;
    behaviour::sealed_variables(&harness).await;
    calling::credentials(&harness).await;
    calling::credentials_on_demand(&harness).await;
    calling::calls_back(&harness).await;
}

#[tokio::test]
async fn two_functions_two_revisions_never_share() {
    let (harness, _driver) = harness(|_| {}).await;
    behaviour::nothing_is_shared(&harness).await;
}

#[tokio::test]
async fn a_burst_over_the_slots_is_refused_cheaply() {
    let (harness, driver) = harness(|_| {}).await;
    behaviour::burst(&harness, 4).await;
    assert!(driver.alive.lock().len() <= 4);
}

#[tokio::test]
async fn a_python_process_sees_what_it_should() {
    let (harness, _driver) = harness(|_| {}).await;
    behaviour::python_context(&harness).await;
    behaviour::python_logging(&harness).await;
}

#[tokio::test]
async fn node_functions() {
    let (harness, _driver) = harness(|_| {}).await;
    node::every_node(&harness).await;
    node::handlers(&harness).await;
    node::errors(&harness).await;
    node::init_failures(&harness).await;
}

#[tokio::test]
async fn a_node_process_sees_what_it_should() {
    let (harness, _driver) = harness(|_| {}).await;
    node::context(&harness).await;
    node::logging(&harness).await;
    node::json_logging(&harness).await;
    node::streaming(&harness).await;
    node::sizes(&harness).await;
}

#[tokio::test]
async fn an_idle_environment_is_frozen_and_thawed() {
    let (harness, driver) = harness(|o| o.freeze_after = Duration::from_millis(1)).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    let first = harness.invoke(&hello, "1").await;
    let count = |what: &str| {
        let wanted = format!("{what} {}", first.environment);
        driver
            .events
            .lock()
            .iter()
            .filter(|e| **e == wanted)
            .count()
    };
    harness.eventually("frozen", || count("freeze") == 1).await;
    let second = harness.invoke(&hello, "2").await;
    assert_eq!(second.environment, first.environment);
    assert_eq!(count("thaw"), 1);
    harness
        .eventually("frozen again", || count("freeze") == 2)
        .await;
}

#[tokio::test]
async fn an_environment_whose_runtime_dies_while_idle_is_removed() {
    let hour = Duration::from_secs(3600);
    let (harness, driver) = harness(|o| o.freeze_after = hour).await;
    let app = "import os, threading, time\n\ndef die(mark):\n    \
               while not os.path.exists(mark):\n        time.sleep(0.001)\n    os._exit(3)\n\n\
               def handler(mark, context):\n    \
               threading.Thread(target=die, args=(mark,)).start()\n    return 1\n";
    let dies = harness.function("dies", "python3.11", &[("app.py", app)], |_| {});
    let mark = harness.dir.path().join("die");
    let event = serde_json::json!(mark).to_string();
    let first = harness.invoke(&dies, &event).await;
    assert_eq!(first.text(), "1");
    std::fs::write(&mark, "").unwrap();
    harness
        .eventually("removed", || driver.alive.lock().is_empty())
        .await;
    std::fs::remove_file(&mark).unwrap();
    let second = harness.invoke(&dies, &event).await;
    assert_eq!((second.text().as_str(), second.cold), ("1", true));
}

#[tokio::test]
async fn idle_environments_expire_and_old_versions_retire() {
    let (harness, driver) = harness(|o| o.idle_expiry = Duration::from_millis(200)).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    harness.invoke(&hello, "1").await;
    harness
        .eventually("expired", || driver.alive.lock().is_empty())
        .await;

    let (harness, driver) = self::harness(|_| {}).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    harness.invoke(&hello, "1").await;
    assert_eq!(driver.alive.lock().len(), 1);
    harness.forget(&hello);
    harness
        .eventually("retired", || driver.alive.lock().is_empty())
        .await;
    assert_eq!(
        harness.invoke(&hello, "1").await.refused,
        Some(Reason::UnknownVersion)
    );
}

#[tokio::test]
async fn an_idle_environment_of_another_makes_room() {
    let (harness, driver) = harness(|o| o.memory = ByteCount::mib(300)).await;
    let names = ["a", "b", "c"];
    for name in names {
        let f = harness.function(name, "python3.11", &[("app.py", HELLO)], |_| {});
        assert_eq!(harness.invoke(&f, "1").await.refused, None, "{name}");
    }
    assert_eq!(driver.alive.lock().len(), 2);
    let big = harness.function("big", "python3.11", &[("app.py", HELLO)], |v| {
        v.config.memory = MemoryMib::new(512).unwrap();
    });
    assert_eq!(
        harness.invoke(&big, "1").await.refused,
        Some(Reason::NoCapacity)
    );
    assert_eq!(driver.alive.lock().len(), 2, "nobody had to go for nothing");
}

#[tokio::test]
async fn what_cannot_run_here_is_refused_with_its_reason() {
    let (harness, driver) = harness(|o| o.nearest_runtime = false).await;
    let check = async |version: &model::function::FunctionVersion, expected: Reason| {
        assert_eq!(harness.invoke(version, "1").await.refused, Some(expected));
    };
    let ruby = harness.function("ruby", "ruby3.4", &[("app.rb", "")], |_| {});
    check(&ruby, Reason::RuntimeMissing).await;
    let arm = harness.function("arm", "python3.11", &[("app.py", HELLO)], |v| {
        v.config.architecture = match v.config.architecture {
            model::Architecture::X86_64 => model::Architecture::Arm64,
            model::Architecture::Arm64 => model::Architecture::X86_64,
        };
    });
    check(&arm, Reason::RuntimeMissing).await;
    let lost = harness.function("lost", "python3.11", &[("app.py", HELLO)], |v| {
        v.code.digest = model::Digest::of(b"nowhere");
    });
    harness.world_forgets(&lost);
    check(&lost, Reason::CodeUnavailable).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    *driver.broken.lock() = true;
    check(&hello, Reason::SandboxFailed).await;
    *driver.broken.lock() = false;
    assert_eq!(harness.invoke(&hello, "1").await.refused, None);
    assert_eq!(harness.worker.load().borrow().0.slots, 4);
}

#[tokio::test]
async fn only_frontends_and_controllers_may_invoke() {
    let (harness, _driver) = harness(|_| {}).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    let address = serve(
        &harness.worker,
        &harness.tasks,
        model::Roles::default().with(model::Role::Worker),
    )
    .await;
    let status = harness
        .via(address)
        .await
        .invoke_with(&hello, Bytes::from_static(b"1"), |_| {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
}

#[tokio::test]
async fn tenants_never_meet() {
    const REMEMBERING: &str = "seen = []\ndef handler(event, context):\n    seen.append(context.tenant_id)\n    return seen\n";
    let (harness, driver) = harness(|_| {}).await;
    let isolated = harness.function(
        "isolated",
        "python3.11",
        &[("app.py", REMEMBERING)],
        |version| {
            version.config.optional = OptionalConfig {
                tenant_isolation: true,
                ..OptionalConfig::default()
            }
            .boxed();
        },
    );
    let shared = harness.function("shared", "python3.11", &[("app.py", REMEMBERING)], |_| {});
    let call = async |version, tenant: &str| {
        let name = |head: &mut proto::internal::InvokeHead| tenant.clone_into(&mut head.tenant_id);
        let payload = Bytes::from_static(b"{}");
        harness.invoke_with(version, payload, name).await
    };
    let seen = |got: &Got| String::from_utf8_lossy(&got.body).into_owned();
    let blue = call(&isolated, "blue").await.unwrap();
    let red = call(&isolated, "red").await.unwrap();
    assert_ne!(blue.environment, red.environment);
    assert_eq!(seen(&blue), r#"["blue"]"#);
    assert_eq!(seen(&red), r#"["red"]"#);
    let again = call(&isolated, "blue").await.unwrap();
    assert_eq!(
        (again.environment.as_str(), again.cold),
        (blue.environment.as_str(), false)
    );
    assert_eq!(seen(&again), r#"["blue", "blue"]"#);
    assert_eq!(driver.alive.lock().len(), 2);
    // A caller that is wrong about it is not believed.
    let refused = |got: Result<Got, tonic::Status>| got.unwrap().refused;
    assert_eq!(refused(call(&isolated, "").await), Some(Reason::Tenant));
    assert_eq!(refused(call(&shared, "blue").await), Some(Reason::Tenant));
    let invalid = call(&isolated, "a%b").await.unwrap_err();
    assert_eq!(invalid.code(), tonic::Code::InvalidArgument);
    assert_eq!(seen(&harness.invoke(&shared, "{}").await), "[null]");
}

#[tokio::test]
async fn the_load_is_told() {
    let (harness, _driver) = harness(|_| {}).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    let load = harness.worker.load();
    assert_eq!((load.borrow().0.slots_free, load.borrow().1.len()), (4, 0));
    harness.invoke(&hello, "1").await;
    let key = model::capacity::WarmKey::of(&hello.id, None);
    harness
        .eventually("warm", || load.borrow().1.get(&key) == Some(&1))
        .await;
    assert_eq!(load.borrow().0.slots_free, 4, "an idle one makes room");
    let warm = harness
        .worker
        .runtimes()
        .iter()
        .any(|r| r == "provided.al2023");
    assert!(warm);
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let (harness, driver) = harness(|_| {}).await;
    let slow = harness.function(
        "slow",
        "python3.11",
        &[(
            "app.py",
            "import time\ndef handler(e, c):\n    time.sleep(0.3)\n    return 'done'\n",
        )],
        |_| {},
    );
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    harness.invoke(&hello, "1").await;
    let (got, drained, refused) = tokio::join!(
        harness.invoke(&slow, "1"),
        async {
            harness
                .eventually("running", || driver.alive.lock().len() == 2)
                .await;
            harness.worker.drain(WAIT).await
        },
        async {
            harness
                .eventually("draining", || {
                    harness.worker.load().borrow().0.slots_free == 0
                })
                .await;
            harness.invoke(&hello, "1").await.refused
        }
    );
    assert_eq!(got.text(), "\"done\"");
    assert!(drained);
    assert_eq!(refused, Some(Reason::Draining));
    assert!(driver.alive.lock().is_empty());
    assert!(harness.tasks.drain(WAIT).await, "no task is left");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_good_environment() {
    let (harness, driver) = harness(|_| {}).await;
    let app = "import time\ndef handler(e, c):\n    time.sleep(2 if e == 2 else 0)\n    return e\n";
    let slow = harness.function("slow", "python3.11", &[("app.py", app)], |v| {
        v.config.environment = Some(Environment::default().into());
    });
    harness.invoke(&slow, "1").await;
    let key = model::capacity::WarmKey::of(&slow.id, None);
    let load = harness.worker.load();
    harness
        .eventually("idle", || load.borrow().1.get(&key) == Some(&1))
        .await;
    tokio::select! {
        _ = harness.invoke(&slow, "2") => panic!("it takes longer"),
        () = harness.eventually("busy", || !load.borrow().1.contains_key(&key)) => {}
    }
    harness
        .eventually("given back", || load.borrow().1.get(&key) == Some(&1))
        .await;
    let third = harness.invoke(&slow, "3").await;
    assert_eq!((third.text().as_str(), third.cold), ("3", false));
    assert_eq!(driver.alive.lock().len(), 1);
}

#[tokio::test]
async fn logs_are_kept_in_files() {
    let (harness, _driver) = harness(|_| {}).await;
    let hello = harness.function("hello", "python3.11", &[("app.py", HELLO)], |_| {});
    let got = harness.invoke(&hello, r#"{"a": 1}"#).await;
    harness.worker.drain(WAIT).await;
    let dir = harness
        .dir
        .path()
        .join("worker/logs/000000000000/us-east-1/hello");
    let file = std::fs::read_dir(dir).unwrap().next().unwrap().unwrap();
    assert!(
        file.file_name()
            .to_str()
            .unwrap()
            .ends_with(&format!("-LATEST-{}.log", got.environment))
    );
    let text = std::fs::read_to_string(file.path()).unwrap();
    for line in got.log.lines() {
        assert!(
            text.lines().any(|l| l.ends_with(&format!("Z\t{line}"))),
            "{line:?} is not in {text}"
        );
    }
}

#[tokio::test]
async fn json_logs() {
    let (harness, _driver) = harness(|_| {}).await;
    let app =
        "import logging\ndef handler(e, c):\n    logging.warning('careful %s', e)\n    return e\n";
    let hello = harness.function("hello", "python3.11", &[("app.py", app)], |v| {
        v.config.logging.format = model::function::LogFormat::Json;
    });
    let got = harness.invoke(&hello, "1").await;
    let kinds: Vec<String> = got
        .log
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).unwrap_or_else(|e| panic!("{e} in {l}"))
        })
        .map(|v| {
            v["type"]
                .as_str()
                .or(v["message"].as_str())
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "platform.initStart",
            "platform.start",
            "careful 1",
            "platform.report"
        ]
    );
}
