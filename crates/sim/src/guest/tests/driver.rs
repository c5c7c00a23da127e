//! What the port demands of any driver, asked of this one.

use std::{path::Path, sync::Arc, time::Duration};

use host::SeededEntropy;
use sandbox::{
    Accept, Command, ControlError, CreateError, Driver, Exit, Output, Sandbox, Spec, StartError,
    contract,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::harness;
use crate::guest::{Guests, Ledger, printer::Printer};

struct Fixture {
    dir: tempfile::TempDir,
    ledger: Ledger,
    guests: Arc<Guests>,
}

impl Fixture {
    fn new(bootstrap: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bootstrap");
        std::fs::write(&path, bootstrap).unwrap();
        set_mode(&path, 0o755);
        let ledger = harness::ledger();
        Self {
            guests: Guests::new("w1", Arc::new(SeededEntropy::new(1)), ledger.clone()),
            ledger,
            dir,
        }
    }

    fn script(init_ms: u64) -> Self {
        Self::new(&format!(r#"{{"marker":"m","init_ms":{init_ms}}}"#))
    }

    async fn make(&self, id: &str) -> Box<dyn Sandbox> {
        let spec = Spec::new(id, self.dir.path(), self.dir.path());
        self.guests.create(spec).await.unwrap()
    }

    fn alive(&self) -> usize {
        self.ledger.alive().values().map(Vec::len).sum()
    }
}

fn set_mode(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).unwrap();
}

fn bootstrap() -> Command {
    Command {
        argv: vec!["/var/task/bootstrap".to_owned()],
        env: vec![("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "f".to_owned())],
        cwd: "/var/task".into(),
    }
}

/// The head of the first request that comes.
async fn hear(listener: &dyn Accept) -> (Box<dyn sandbox::Connection>, String) {
    let mut connection = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(connection.read_u8().await.unwrap());
    }
    (connection, String::from_utf8(heard).unwrap())
}

async fn is_pending<T>(future: impl Future<Output = T>) -> bool {
    timeout(Duration::from_secs(3600), future).await.is_err()
}

/// The suite of the port itself, as far as it asks for no program: a guest is a script, so nothing that a shell or an
/// interpreter would have to do inside can be asked here, nor what walls hold it in: there are none.
#[tokio::test(start_paused = true)]
async fn the_contract_is_kept_by_code_that_stays() {
    for seed in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let guests = Guests::new("w1", Arc::new(SeededEntropy::new(seed)), harness::ledger());
        let fixture = contract::Fixture::with_code(&*guests, dir.path(), bootstrap()).unwrap();
        let script = dir.path().join("code/bootstrap");
        std::fs::write(&script, r#"{"marker":"this"}"#).unwrap();
        set_mode(&script, 0o755);
        let mut asked = 0;
        for case in contract::cases() {
            let verdict = case.run(&fixture).await;
            assert_eq!(
                verdict.is_some(),
                case.code == contract::Code::Stays && case.needs.is_empty(),
                "{case:?}"
            );
            if let Some(verdict) = verdict {
                asked += 1;
                assert_eq!(verdict, Ok(()), "seed {seed}: {}", case.name);
            }
        }
        assert!(asked >= 10, "only {asked} cases");
    }
}

#[tokio::test(start_paused = true)]
async fn code_inside_reaches_its_own_listener_only() {
    let fixture = Fixture::script(100);
    let mut one = fixture.make("one").await;
    let mut other = fixture.make("other").await;
    let listener = one.take_listener().unwrap();
    let elsewhere = other.take_listener().unwrap();
    assert!(one.take_listener().is_none(), "it is handed out once");
    let begin = Instant::now();
    one.start(bootstrap()).await.unwrap();
    let (_connection, head) = hear(&*listener).await;
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert!(head.starts_with("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"));
    assert!(is_pending(elsewhere.accept()).await);
}

#[tokio::test(start_paused = true)]
async fn there_is_one_process_at_a_time_and_its_exit_is_told_again() {
    let fixture = Fixture::script(10);
    let mut sandbox = fixture.make("one").await;
    let listener = sandbox.take_listener().unwrap();
    assert!(is_pending(sandbox.wait_exit()).await, "nothing was started");
    sandbox.start(bootstrap()).await.unwrap();
    let again = sandbox.start(bootstrap()).await;
    assert!(
        matches!(again, Err(StartError::AlreadyRunning)),
        "{again:?}"
    );
    let (mut connection, _) = hear(&*listener).await;
    connection.write_all(b"nonsense").await.unwrap();
    drop(connection);
    assert_eq!(sandbox.wait_exit().await, Exit::Code(1));
    assert_eq!(sandbox.wait_exit().await, Exit::Code(1));
    sandbox.start(bootstrap()).await.unwrap();
    assert!(is_pending(sandbox.wait_exit()).await, "a new process lives");
    sandbox.reset_processes().await.unwrap();
    assert_eq!(sandbox.wait_exit().await, Exit::Signal(9));
    let (mut connection, _) = hear(&*listener).await;
    assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0, "it is dead");
    listener.discard_waiting();
    sandbox.start(bootstrap()).await.unwrap();
    hear(&*listener).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_executed_is_said_as_the_kernel_would() {
    let fixture = Fixture::new("#!/bin/sh");
    let sandbox = fixture.make("one").await;
    let code = async |command| match sandbox.start(command).await {
        Err(StartError::Exec { source, .. }) => source.raw_os_error(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(bootstrap()).await, Some(8));
    let path = fixture.dir.path().join("bootstrap");
    set_mode(&path, 0o644);
    assert_eq!(code(bootstrap()).await, Some(13));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(code(bootstrap()).await, Some(2));
    let mut python = bootstrap();
    python.argv = vec!["/usr/bin/python3".to_owned()];
    assert_eq!(code(python).await, Some(2));
    let mut relative = bootstrap();
    relative.argv = vec!["bootstrap".to_owned()];
    let refused = sandbox.start(relative).await;
    assert!(
        matches!(refused, Err(StartError::Invalid(_))),
        "{refused:?}"
    );
    assert!(is_pending(sandbox.wait_exit()).await);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_guest_makes_no_step() {
    let fixture = Fixture::script(100);
    let mut sandbox = fixture.make("one").await;
    let listener = sandbox.take_listener().unwrap();
    sandbox.start(bootstrap()).await.unwrap();
    sandbox.freeze().await.unwrap();
    sandbox.freeze().await.unwrap();
    assert!(is_pending(listener.accept()).await);
    sandbox.thaw().await.unwrap();
    sandbox.thaw().await.unwrap();
    let (_connection, _) = hear(&*listener).await;
    // A reset lets it run again.
    sandbox.freeze().await.unwrap();
    sandbox.reset_processes().await.unwrap();
    assert_eq!(sandbox.wait_exit().await, Exit::Signal(9));
    sandbox.start(bootstrap()).await.unwrap();
    hear(&*listener).await;
    assert_eq!(fixture.ledger.fired()["frozen"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_killed_sandbox_is_over_and_says_so() {
    let fixture = Fixture::script(10);
    let mut sandbox = fixture.make("one").await;
    let listener = sandbox.take_listener().unwrap();
    let mut logs = sandbox.take_logs().unwrap();
    assert!(sandbox.take_logs().is_none(), "it is handed out once");
    let nothing = logs.read_now(&mut [0; 8]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    sandbox.start(bootstrap()).await.unwrap();
    let (mut connection, _) = hear(&*listener).await;
    sandbox.freeze().await.unwrap();
    assert_eq!(fixture.alive(), 1);
    sandbox.kill().await;
    sandbox.kill().await;
    assert_eq!(fixture.alive(), 0);
    assert_eq!(sandbox.wait_exit().await, Exit::Signal(9));
    assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0);
    let mut text = String::new();
    logs.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "m is up\n");
    for refused in [
        sandbox.freeze().await,
        sandbox.thaw().await,
        sandbox.limit_cpu().await,
        sandbox.reset_processes().await,
        sandbox.stats().await.map(drop),
    ] {
        assert!(matches!(refused, Err(ControlError::Gone)), "{refused:?}");
    }
    let refused = sandbox.start(bootstrap()).await;
    assert!(matches!(refused, Err(StartError::Gone)), "{refused:?}");
    assert_eq!(fixture.ledger.fired()["ended"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_sandbox_and_a_dropped_driver_leave_nothing() {
    let fixture = Fixture::script(10);
    let mut dropped = fixture.make("dropped").await;
    let listener = dropped.take_listener().unwrap();
    dropped.start(bootstrap()).await.unwrap();
    let (mut connection, _) = hear(&*listener).await;
    drop(dropped);
    assert_eq!(fixture.alive(), 0);
    assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0);

    let mut orphan = fixture.make("orphan").await;
    let listener = orphan.take_listener().unwrap();
    orphan.start(bootstrap()).await.unwrap();
    let (mut connection, _) = hear(&*listener).await;
    drop(fixture);
    assert_eq!(orphan.wait_exit().await, Exit::Signal(9));
    assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_shut_down_has_no_sandboxes_and_makes_none() {
    let fixture = Fixture::script(10);
    let sandbox = fixture.make("one").await;
    sandbox.start(bootstrap()).await.unwrap();
    let spec = Spec::new("one", fixture.dir.path(), fixture.dir.path());
    let taken = fixture.guests.create(spec.clone()).await.err();
    assert!(
        matches!(taken, Some(CreateError::Invalid { field: "id", .. })),
        "{taken:?}"
    );
    assert_eq!(fixture.guests.sweep().await.unwrap(), 0);
    assert_eq!(fixture.alive(), 1, "a sweep does not touch this life");
    fixture.guests.shutdown().await;
    fixture.guests.shutdown().await;
    assert_eq!(fixture.alive(), 0);
    assert_eq!(sandbox.wait_exit().await, Exit::Signal(9));
    let stopped = fixture.guests.create(spec).await.err();
    assert!(matches!(stopped, Some(CreateError::Stopped)), "{stopped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_not_read_makes_the_writer_wait() {
    let printer = Printer::default();
    let mut paper = printer.paper();
    let line = "x".repeat((64 << 10) + 10);
    assert!(is_pending(printer.line(&line)).await);
    let mut first = vec![0; 1 << 20];
    assert_eq!(paper.read_now(&mut first).unwrap(), 64 << 10);
    let (written, read) = tokio::join!(printer.line(&line), paper.read(&mut first));
    let () = written;
    assert_eq!(read.unwrap(), 64 << 10);
    assert_eq!(paper.read_now(&mut first).unwrap(), 11);
    drop(paper);
    printer.line(&line).await;
}
