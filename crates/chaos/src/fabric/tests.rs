//! Real namespaces, real sockets. They need root and /dev/net/tun; elsewhere they say so and pass, unless
//! `DUNLIN_REQUIRE_NETNS` is set.

mod bad_links;
mod life;
mod speed;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use tokio::time::Instant;

use super::*;

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// `n1` to `n4`, two in zone a, one in b, one in c.
fn four() -> Vec<HostSpec> {
    [("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "c")]
        .into_iter()
        .zip(1..)
        .map(|((name, zone), last)| HostSpec::new(name, zone, Ipv4Addr::new(10, 77, 0, last)))
        .collect()
}

/// A fabric, once nobody else has one of this prefix; nothing where there cannot be one.
fn fabric(prefix: &str, hosts: &[HostSpec]) -> Option<Fabric> {
    if let Err(missing) = Fabric::possible() {
        let required = std::env::var_os("DUNLIN_REQUIRE_NETNS").is_some();
        assert!(!required, "DUNLIN_REQUIRE_NETNS is set, but: {missing}");
        eprintln!("NOT TESTED: a fabric cannot be built here: {missing}");
        return None;
    }
    let options = FabricOptions {
        seed: Some(11),
        ..FabricOptions::default()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Fabric::build_with(prefix, hosts, &options) {
            Ok(fabric) => return Some(fabric),
            Err(FabricError::InUse(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
    }
}

/// A UDP socket on a host that waits at most `wait` for what it gets.
fn udp(fabric: &Fabric, host: &str, wait: Duration) -> UdpSocket {
    let address = fabric.address(host).unwrap();
    let socket = fabric.enter(host, || UdpSocket::bind((address, 0)).unwrap());
    let socket = socket.unwrap();
    socket.set_read_timeout(Some(wait)).unwrap();
    socket
}

/// A listener on a host.
fn listen(fabric: &Fabric, host: &str) -> (TcpListener, SocketAddr) {
    let address = fabric.address(host).unwrap();
    let listener = fabric.enter(host, || TcpListener::bind((address, 0)).unwrap());
    let listener = listener.unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// A connection from a host.
fn connect(fabric: &Fabric, host: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let connected = fabric.enter(host, || TcpStream::connect_timeout(&to, PATIENCE));
    let stream = connected.unwrap()?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Whether a datagram gets from one host to another.
fn passes(fabric: &Fabric, from: &str, to: &str) -> bool {
    let (sender, receiver) = (
        udp(fabric, from, PATIENCE),
        udp(fabric, to, Duration::from_millis(300)),
    );
    sender
        .send_to(b"hello", receiver.local_addr().unwrap())
        .unwrap();
    let mut buffer = [0; 16];
    receiver.recv(&mut buffer).is_ok()
}

fn pair(fabric: &Fabric, from: &str, to: &str) -> PairCounts {
    let counts = fabric.links().counts();
    let mut of = counts.into_iter().filter(|c| c.from == from && c.to == to);
    of.next().unwrap()
}

fn host(name: &str) -> Select {
    Select::Host(name.to_owned())
}

/// Every direction between two hosts of `n1` to `n4` in which nothing passes, as `n1>n2`.
fn silent(fabric: &Fabric) -> Vec<String> {
    let names = ["n1", "n2", "n3", "n4"];
    let pairs = names
        .iter()
        .flat_map(|a| names.iter().map(move |b| (*a, *b)));
    std::thread::scope(|scope| {
        let asked: Vec<_> = pairs
            .filter(|(a, b)| a != b)
            .map(|(a, b)| (a, b, scope.spawn(move || passes(fabric, a, b))))
            .collect();
        asked
            .into_iter()
            .filter_map(|(a, b, passed)| (!passed.join().unwrap()).then(|| format!("{a}>{b}")))
            .collect()
    })
}

#[test]
fn hosts_reach_each_other_and_themselves() {
    let Some(fabric) = fabric("tlinks", &four()) else {
        return;
    };
    assert_eq!(silent(&fabric), Vec::<String>::new());
    assert!(passes(&fabric, "n1", "n1"), "by its own loopback");
    let (listener, at) = listen(&fabric, "n3");
    let mut caller = connect(&fabric, "n1", at).unwrap();
    let (mut answering, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), fabric.address("n1").unwrap());
    let sent = vec![7; 3_000_000];
    let writer = std::thread::spawn(move || caller.write_all(&sent).map(|()| caller));
    let mut got = vec![0; 3_000_000];
    answering.read_exact(&mut got).unwrap();
    writer.join().unwrap().unwrap();
    assert!(got.iter().all(|byte| *byte == 7));
    let there = pair(&fabric, "n1", "n3");
    assert!(
        there.delivered_bytes > 3_000_000 && there.delivered > 2000,
        "{there:?}"
    );
    assert_eq!((there.lost, there.cut, there.refused), (0, 0, 0));
    let nobody = udp(&fabric, "n1", PATIENCE);
    nobody.send_to(b"x", "8.8.8.8:53").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while fabric.links().strays() == 0 {
        assert!(Instant::now() < deadline, "what is for nobody is counted");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_is_asked_for_must_make_sense() {
    let problem = |prefix: &str, hosts: &[HostSpec]| {
        let error = Fabric::build(prefix, hosts).unwrap_err();
        error.to_string()
    };
    let spec = |name: &str, last| HostSpec::new(name, "a", Ipv4Addr::new(10, 77, 0, last));
    assert!(problem("a-b", &[]).starts_with("expected a prefix of 1 to 8"));
    assert!(problem("toolongfor", &[]).starts_with("expected a prefix of 1 to 8"));
    assert!(problem("x", &[spec("../n", 1)]).starts_with("expected a host name"));
    assert!(problem("x", &[spec("..", 1)]).starts_with("expected a host name"));
    assert!(problem("x", &[spec("n", 1), spec("n", 2)]).contains("host n at 10.77.0.2 again"));
    assert!(problem("x", &[spec("n", 1), spec("m", 1)]).contains("host m at 10.77.0.1 again"));
    let many: Vec<_> = (0..65).map(|i| spec(&format!("n{i}"), i)).collect();
    assert_eq!(problem("x", &many), "expected at most 64 hosts, got 65");
    let tiny = FabricOptions {
        mtu: 100,
        ..FabricOptions::default()
    };
    assert!(Fabric::build_with("x", &[], &tiny).is_err());
}

/// How long datagrams take from `n1` to `n2` and back.
fn round_trips(fabric: &Fabric, count: usize) -> Vec<Duration> {
    let (there, here) = (udp(fabric, "n2", PATIENCE), udp(fabric, "n1", PATIENCE));
    let to = there.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 16];
        for _ in 0..count {
            let (len, from) = there.recv_from(&mut buffer).unwrap();
            there.send_to(&buffer[..len], from).unwrap();
        }
    });
    let trips = (0..count)
        .map(|_| {
            let began = Instant::now();
            here.send_to(b"ping", to).unwrap();
            here.recv(&mut [0; 16]).unwrap();
            began.elapsed()
        })
        .collect();
    echo.join().unwrap();
    trips
}
