//! Code inside a sandbox of the Linux driver tries to get out.

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
    net::{TcpListener, UdpSocket},
    os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr, unix::net::UnixListener},
};

use sandbox::{
    Command, Driver as _, Exit, LinuxDriver, Spec,
    contract::{Fixture, Inside},
};

const ATTACKS: &str = include_str!("attack.py");

/// Runs the attack script; answers what it achieved.
async fn achieved(inside: &mut Inside, bait: &serde_json::Value) -> Vec<String> {
    let command = Command {
        argv: [
            "/usr/bin/python3",
            "-I",
            "-u",
            "/var/task/attack.py",
            &bait.to_string(),
        ]
        .map(str::to_owned)
        .to_vec(),
        env: vec![("PATH".into(), "/usr/bin".into())],
        cwd: "/".into(),
    };
    inside.sandbox.start(command).await.unwrap();
    let exit = inside.exit().await.unwrap();
    let log = inside.log_now().await;
    assert_eq!(exit, Exit::Code(0), "the script runs to its end: {log}");
    let (last, achieved) = log
        .lines()
        .collect::<Vec<_>>()
        .split_last()
        .map(|(l, a)| (l.to_string(), a.to_vec()))
        .unwrap();
    let attempts = serde_json::from_str::<serde_json::Value>(&last).unwrap()["attempts"]
        .as_u64()
        .unwrap();
    assert!(attempts > 250, "only {attempts} attempts");
    achieved.into_iter().map(str::to_owned).collect()
}

/// The address by which this host would reach another network, if it has one.
fn own_addresses() -> Vec<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing: it only asks for the route.
    match socket.connect("192.0.2.1:9") {
        Ok(()) => vec![socket.local_addr().unwrap().ip().to_string()],
        Err(_) => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_out() {
    let state = support::directory();
    let driver = LinuxDriver::start(support::options(state.path()))
        .await
        .unwrap();
    let fixture = Fixture::new(&driver, state.path()).unwrap();
    std::fs::write(state.path().join("code/attack.py"), ATTACKS).unwrap();
    std::fs::write(state.path().join("code/code.txt"), "code").unwrap();
    let secret = state.path().join("secret");
    std::fs::write(&secret, "of the node").unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("sandbox-test-{}", std::process::id());
    let _bait = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let other = fixture.make(fixture.spec()).await.unwrap();
    other
        .shell("echo of another function > /tmp/of-another; sleep 1000")
        .await
        .unwrap();

    let layers = vec![state.path().join("layer-1"), state.path().join("layer-2")];
    let mut inside = fixture
        .make(Spec {
            layers,
            ..fixture.spec()
        })
        .await
        .unwrap();
    let bait = serde_json::json!({
        "paths": [secret, state.path(), "/tmp/of-another"],
        "dirs": ["/code", "/layer", "sandbox-test"],
        "port": listener.local_addr().unwrap().port(),
        "addresses": own_addresses(),
        "abstract": name,
        "memory_kib": 128 << 10,
    });
    assert_eq!(achieved(&mut inside, &bait).await, Vec::<String>::new());

    // The same again in the processes after a reset.
    inside.sandbox.reset_processes().await.unwrap();
    let again = achieved(&mut inside, &bait).await;
    assert_eq!(again, Vec::<String>::new());
    driver.shutdown().await;
}
