//! Deaths of node and spawner, and what is left after them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may"
)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sandbox::{
    CreateError, Driver as _, Exit, LinuxDriver, Piece,
    contract::{Fixture, Inside},
    linux::{DriverError, Options, SpawnerCommand},
};

/// Polls until something holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{what} did not come true");
}

/// The directories of a node below every cgroup mount.
fn cgroup_dirs(node: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1).filter(|_| line.contains(" cgroup")))
        .map(|mount| Path::new(mount).join("dunlin").join(node))
        .filter(|dir| dir.is_dir())
        .collect()
}

/// The groups of a node's sandboxes in all hierarchies.
fn groups(node: &str) -> BTreeSet<PathBuf> {
    let entries = cgroup_dirs(node)
        .into_iter()
        .flat_map(|dir| fs::read_dir(dir).unwrap());
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn is_running(pid: u32) -> bool {
    // A zombie waits for a parent that has better things to do.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn kill(pid: u32) {
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
}

/// A sandbox that says that it runs, and does so for ever.
async fn busy(fixture: &Fixture<'_>) -> Inside {
    let mut inside = fixture.make(fixture.spec()).await.unwrap();
    inside
        .shell("while :; do echo tick; sleep 0.01; done")
        .await
        .unwrap();
    inside.logged("tick").await.unwrap();
    inside
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_spawner_dies_its_sandboxes_die_and_the_next_one_comes_from_another() {
    let state = support::directory();
    let options = support::options(state.path());
    let node = options.node.to_string();
    let driver = LinuxDriver::start(options).await.unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    let running = busy(&fixture).await;
    let frozen = busy(&fixture).await;
    frozen.sandbox.freeze().await.unwrap();

    let spawner = driver.spawner_pid().await.unwrap();
    kill(spawner);
    assert_eq!(running.exit().await.unwrap(), Exit::SandboxLost);
    running.sandbox.kill().await;

    let fresh = busy(&fixture).await;
    assert_ne!(driver.spawner_pid().await.unwrap(), spawner);
    assert_eq!(frozen.exit().await.unwrap(), Exit::SandboxLost);
    frozen.sandbox.kill().await;
    fresh.sandbox.kill().await;
    driver.shutdown().await;
    assert_eq!(groups(&node), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_shutdown_nothing_is_left_and_nothing_is_made() {
    let state = support::directory();
    let options = support::options(state.path());
    let node = options.node.to_string();
    let driver = LinuxDriver::start(options).await.unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    let inside = busy(&fixture).await;
    let spawner = driver.spawner_pid().await.unwrap();
    driver.shutdown().await;
    driver.shutdown().await;
    assert_eq!(inside.exit().await.unwrap(), Exit::SandboxLost);
    assert!(!is_running(spawner));
    assert_eq!(cgroup_dirs(&node), Vec::<PathBuf>::new());
    assert!(matches!(
        driver.create(fixture.spec()).await,
        Err(CreateError::Stopped)
    ));
    assert_eq!(driver.sweep().await.unwrap(), 0);
    inside.sandbox.kill().await;
}

/// Runs one test of this binary as a node in a process of its own, until it says that it is ready.
fn run_node(test: &str, state: &Path, options: &Options) -> (Child, u32) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SANDBOX_TEST_NODE", options.node.to_string())
        .env("SANDBOX_TEST_STATE", state)
        .env("SANDBOX_TEST_SPAWNER", &options.spawner.program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let spawner = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("spawner ").map(str::to_owned));
    (child, spawner.expect("the node is ready").parse().unwrap())
}

fn is_the_node() -> bool {
    std::env::var_os("SANDBOX_TEST_NODE").is_some()
}

/// The node that [`run_node`] runs: two sandboxes, one of them frozen, and then it waits to be killed.
async fn be_the_node() {
    let state = PathBuf::from(std::env::var_os("SANDBOX_TEST_STATE").unwrap());
    let node = std::env::var("SANDBOX_TEST_NODE").unwrap().parse().unwrap();
    let driver = LinuxDriver::start(Options {
        node,
        ..support::options(&state)
    })
    .await
    .unwrap();
    let fixture = Fixture::new(&driver, &state).unwrap();
    let _running = busy(&fixture).await;
    let frozen = busy(&fixture).await;
    frozen.sandbox.freeze().await.unwrap();
    println!("spawner {}", driver.spawner_pid().await.unwrap());
    std::future::pending::<()>().await;
}

/// The spawners to try: as the host is, and with version 1 of cgroups alone, where what is frozen cannot be killed.
fn spawners(state: &Path) -> Vec<SpawnerCommand> {
    let mut all = vec![support::spawner()];
    if support::is_root() && support::has_both_versions() {
        all.push(support::spawner_after(state, support::ONLY_VERSION_1));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_node_dies_its_spawner_leaves_nothing() {
    if is_the_node() {
        return be_the_node().await;
    }
    let state = support::directory();
    for spawner in spawners(state.path()) {
        let options = Options {
            spawner,
            ..support::options(state.path())
        };
        let node = options.node.to_string();
        let (mut child, spawner) = run_node(
            "when_the_node_dies_its_spawner_leaves_nothing",
            state.path(),
            &options,
        );
        assert!(is_running(spawner));
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("the end of the spawner", || !is_running(spawner));
        assert_eq!(cgroup_dirs(&node), Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_removes_what_a_killed_node_and_spawner_left() {
    if is_the_node() {
        return be_the_node().await;
    }
    let state = support::directory();
    for spawner in spawners(state.path()) {
        let options = Options {
            spawner,
            pool: 0,
            ..support::options(state.path())
        };
        sweep_after_death(state.path(), options).await;
    }
}

async fn sweep_after_death(state: &Path, options: Options) {
    let node = options.node.to_string();
    let (mut child, spawner) = run_node(
        "a_sweep_removes_what_a_killed_node_and_spawner_left",
        state,
        &options,
    );
    // Stopped, it cannot clean up in the moment between the two deaths.
    kill_process(
        Pid::from_raw(i32::try_from(spawner).unwrap()).unwrap(),
        Signal::STOP,
    )
    .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    kill(spawner);
    eventually("the end of the spawner", || !is_running(spawner));
    let left = groups(&node);

    let driver = LinuxDriver::start(options).await.unwrap();
    let fixture = Fixture::new(&driver, state).unwrap();
    let mut alive = busy(&fixture).await;
    let swept = driver.sweep().await.unwrap();
    if support::is_root() {
        assert!(left.len() >= 2, "the dead node left groups: {left:?}");
        assert!(swept >= 2, "swept {swept} of {left:?}");
    }
    assert!(groups(&node).is_disjoint(&left));
    assert_eq!(driver.sweep().await.unwrap(), 0);
    alive.log_now().await;
    alive.logged("tick").await.unwrap();
    alive.sandbox.kill().await;
    driver.shutdown().await;
    assert_eq!(cgroup_dirs(&node), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sandboxes_at_once_do_not_get_mixed_up() {
    let state = support::directory();
    let options = support::options(state.path());
    let node = options.node.to_string();
    let driver = LinuxDriver::start(options).await.unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    let lives = (0..24).map(|number| {
        let fixture = &fixture;
        async move {
            let mut inside = fixture.make(fixture.spec()).await.unwrap();
            inside
                .shell(&format!(
                    "echo this is {number} > /tmp/x; cat /tmp/x; exit {number}"
                ))
                .await
                .unwrap();
            assert_eq!(inside.exit().await.unwrap(), Exit::Code(number));
            inside.logged(&format!("this is {number}\n")).await.unwrap();
            inside.sandbox.freeze().await.unwrap();
            inside.sandbox.kill().await;
        }
    });
    for_all(lives).await;
    driver.shutdown().await;
    assert_eq!(groups(&node), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_nobody_waits_for_leaves_nothing() {
    let state = support::directory();
    let options = Options {
        pool: 0,
        ..support::options(state.path())
    };
    let node = options.node.to_string();
    let driver = LinuxDriver::start(options).await.unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    let mut cut = 0;
    for patience in 0..40 {
        let create = driver.create(fixture.spec());
        match tokio::time::timeout(Duration::from_micros(patience * 100), create).await {
            Ok(made) => made.unwrap().kill().await,
            Err(_) => cut += 1,
        }
    }
    assert!(cut > 0, "no creation was cut short");
    let last = busy(&fixture).await;
    if support::is_root() {
        let names = || {
            groups(&node)
                .iter()
                .filter_map(|group| group.file_name().map(ToOwned::to_owned))
                .collect::<BTreeSet<_>>()
        };
        eventually("one group is left", || names().len() == 1);
    }
    last.sandbox.kill().await;
    driver.shutdown().await;
}

/// Drives all at once to their end.
async fn for_all(all: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_that_enforces_less_is_refused_and_named() {
    let state = support::directory();
    let mut options = Options {
        allow_missing: BTreeSet::new(),
        ..support::options(state.path())
    };
    if support::is_root() {
        // The spawner of an ordinary user, whom most hosts give no cgroup to write to.
        let (wrapper, spawner) = (state.path().join("wrapper"), state.path().join("spawner"));
        fs::copy(&options.spawner.program, &spawner).unwrap();
        let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec /usr/bin/{user} {}\n", spawner.display()),
        )
        .unwrap();
        fs::set_permissions(
            &wrapper,
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        options.spawner = SpawnerCommand {
            program: wrapper,
            args: Vec::new(),
        };
    }
    let Err(DriverError::Weak(missing)) = LinuxDriver::start(options.clone()).await else {
        panic!("not refused")
    };
    let pieces: BTreeSet<Piece> = missing.iter().map(|m| m.piece).collect();
    assert!(pieces.contains(&Piece::CgroupMemory), "{missing:?}");
    assert!(
        missing
            .iter()
            .all(|m| !m.why.is_empty() && !m.remedy.is_empty()),
        "{missing:?}"
    );

    options.allow_missing = pieces
        .into_iter()
        .filter(|piece| *piece != Piece::CgroupPids)
        .collect();
    let Err(DriverError::Weak(missing)) = LinuxDriver::start(options).await else {
        panic!("not refused")
    };
    assert_eq!(
        missing.iter().map(|m| m.piece).collect::<Vec<_>>(),
        [Piece::CgroupPids]
    );
}
