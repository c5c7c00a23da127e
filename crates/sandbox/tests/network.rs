//! Sandboxes with a network policy, against real listeners in a world of network namespaces.

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
#[path = "support/world.rs"]
mod world;

use std::{process::Command, time::Duration};

use sandbox::{
    Driver as _, LinuxDriver, NetworkPolicy, Piece,
    contract::{Fixture, cases},
    linux::{DriverError, Options},
};
use world::World;

fn may_not() -> bool {
    if !support::is_root() {
        eprintln!("SKIPPED: needs root, who makes networks");
    }
    !support::is_root()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_with_networks_keeps_the_contract() {
    if may_not() {
        return;
    }
    let (state, world) = (support::directory(), World::new());
    let options = world.options(state.path(), support::options(state.path()));
    let driver = LinuxDriver::start(options).await.unwrap();
    assert!(
        driver.report().enforces(Piece::Egress),
        "{}",
        driver.report()
    );
    driver.forbid(&[World::node()].into()).unwrap();
    let fixture = Fixture::new(&driver, state.path())
        .unwrap()
        .with_targets(World::targets());
    let mut broken = Vec::new();
    let mut kept = 0;
    for case in
        cases().filter(|case| case.needs.contains(&Piece::Egress) || case.name.contains("policy"))
    {
        match case.run(&fixture).await {
            Some(Ok(())) => kept += 1,
            Some(Err(error)) => broken.push(format!("{}: {error}", case.name)),
            None => broken.push(format!("{}: does not apply", case.name)),
        }
    }
    driver.shutdown().await;
    assert_eq!(broken, Vec::<String>::new());
    assert!(kept >= 8, "{kept}");
    assert_eq!(
        world
            .at_host("ip -o link | grep -c dunlin || true; nft list tables")
            .trim(),
        "0"
    );
}

/// The devices of the router, which is the network that the spawner is in.
async fn devices(driver: &LinuxDriver) -> usize {
    let spawner = driver.spawner_pid().await.unwrap();
    let listed = Command::new("nsenter")
        .args([
            "--net",
            "--target",
            &spawner.to_string(),
            "ip",
            "-o",
            "link",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().filter(|line| line.contains(": s")).count()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_sandbox_nor_of_a_driver_that_died() {
    if may_not() {
        return;
    }
    let (state, other, world) = (support::directory(), support::directory(), World::new());
    let options = world.options(state.path(), support::options(state.path()));
    let driver = LinuxDriver::start(options.clone()).await.unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    let spec = || {
        let mut spec = fixture.spec();
        spec.network = NetworkPolicy::Named("open".parse().unwrap());
        spec
    };
    // A sandbox without a policy costs no device.
    let plain = fixture.make(fixture.spec()).await.unwrap();
    assert_eq!(devices(&driver).await, 0);
    let first = fixture.make(spec()).await.unwrap();
    let second = fixture.make(spec()).await.unwrap();
    assert_eq!(devices(&driver).await, 2);
    first.sandbox.kill().await;
    assert_eq!(devices(&driver).await, 1);
    // Whoever holds on to a sandbox holds on to the network that its sockets were made in.
    drop(first);
    drop(second);
    until("the device of a dropped sandbox goes", async || {
        devices(&driver).await == 0
    })
    .await;
    drop(plain);

    // A second node of the machine has a link of its own.
    let theirs = world.options(other.path(), support::options(other.path()));
    let neighbour = LinuxDriver::start(theirs).await.unwrap();
    let links = || {
        world
            .at_host("ip -o link | grep -o 'dunlin[0-9]*' | sort -u")
            .replace('\n', " ")
    };
    assert_eq!(links(), "dunlin0 dunlin1 ");
    let spawner = driver.spawner_pid().await.unwrap();
    assert!(
        Command::new("kill")
            .args(["-9", &spawner.to_string()])
            .status()
            .unwrap()
            .success()
    );
    // Another spawner takes its place, and its sandboxes are connected.
    until("a sandbox is made again", async || {
        fixture.make(spec()).await.is_ok()
    })
    .await;
    driver.shutdown().await;
    drop(driver);
    until("the links of the dead one go", async || {
        links() == "dunlin1 "
    })
    .await;
    neighbour.shutdown().await;
    assert_eq!(links(), "");
}

#[tokio::test]
async fn where_packets_are_not_forwarded_policies_are_refused_with_the_remedy() {
    if may_not() {
        return;
    }
    let (state, world) = (support::directory(), World::new());
    world.at_host("echo 0 > /proc/sys/net/ipv4/ip_forward");
    let options = world.options(state.path(), support::options(state.path()));
    let Err(DriverError::Weak(missing)) = LinuxDriver::start(options.clone()).await else {
        panic!("not refused");
    };
    assert_eq!(missing[0].piece, Piece::Egress);
    assert!(
        missing[0].remedy.contains("net.ipv4.ip_forward=1"),
        "{missing:?}"
    );
    // Waived, the node runs, and what needs a network is refused one by one.
    let mut allow_missing = options.allow_missing.clone();
    allow_missing.insert(Piece::Egress);
    let options = Options {
        allow_missing,
        ..options
    };
    let driver = LinuxDriver::start(options).await.unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    let mut spec = fixture.spec();
    spec.network = NetworkPolicy::Named("open".parse().unwrap());
    let error = driver.create(spec).await.err().unwrap().to_string();
    assert!(
        error.contains("`open`") && error.contains("ip_forward=1"),
        "{error}"
    );
    assert!(fixture.make(fixture.spec()).await.is_ok());
    driver.shutdown().await;
}
