//! What is made and what is left.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::*;

/// Set in a process that builds a fabric only to be killed.
const VICTIM: &str = "DUNLIN_TEST_FABRIC_VICTIM";

fn namespaces(prefix: &str) -> Vec<String> {
    let listed = Command::new("ip").args(["netns", "list"]).output().unwrap();
    String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with(&format!("{prefix}-")))
        .map(str::to_owned)
        .collect()
}

fn devices() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/sys/class/net").unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.starts_with("tlife")).collect()
}

fn sleeper(fabric: &Fabric, host: &str) -> Child {
    let mut command = fabric.command(host, Path::new("sleep")).unwrap();
    let child = command.arg("120").spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let comm = format!("/proc/{}/comm", child.id());
    while std::fs::read_to_string(&comm).unwrap() != "sleep\n" {
        assert!(Instant::now() < deadline, "the process becomes the program");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn nothing_is_left_of_it() {
    let mut hosts = four();
    hosts[3] = HostSpec::new("n4", "c", Ipv4Addr::new(10, 77, 0, 4)).on_the_machine();
    let Some(fabric) = fabric("tlife", &hosts) else {
        return;
    };
    assert_eq!(namespaces("tlife").len(), 3);
    assert_eq!(devices().len(), 1);
    assert!(
        silent(&fabric).is_empty(),
        "the machine is a host like the others"
    );
    let plain = UdpSocket::bind("0.0.0.0:0").unwrap();
    let receiver = udp(&fabric, "n1", PATIENCE);
    plain.send_to(b"x", receiver.local_addr().unwrap()).unwrap();
    let (_, from) = receiver.recv_from(&mut [0; 4]).unwrap();
    assert_eq!(
        from.ip(),
        fabric.address("n4").unwrap(),
        "from the machine's new address"
    );

    let mut left = sleeper(&fabric, "n1");
    drop(fabric);
    let ended = left.wait().unwrap();
    assert!(!ended.success(), "{ended:?}");
    assert!(namespaces("tlife").is_empty());
    // The device goes with the last descriptor of it, and whatever was being forked at that moment has one until it is a
    // program of its own.
    let deadline = Instant::now() + PATIENCE;
    while !devices().is_empty() {
        assert!(Instant::now() < deadline, "{:?} are left", devices());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn two_stand_side_by_side() {
    let (Some(one), Some(other)) = (fabric("tside1", &four()), fabric("tside2", &four())) else {
        return;
    };
    one.links()
        .set(&Select::All, &Select::All, Rule::cut())
        .unwrap();
    assert_eq!(silent(&one).len(), 12);
    assert!(silent(&other).is_empty());
    let again = Fabric::build("tside1", &four());
    assert!(matches!(again, Err(FabricError::InUse(_))), "{again:?}");
    drop(one);
    assert!(silent(&other).is_empty());
    assert_eq!(namespaces("tside2").len(), 4);
}

#[test]
fn what_a_killed_run_left_is_swept() {
    if Fabric::possible().is_err() {
        assert!(fabric("tswept", &four()).is_none());
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fabric::tests::life::a_victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let left = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, pid)) = line.split_once("left behind: ") {
            break Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        }
    };
    kill_process(Pid::from_child(&victim), Signal::KILL).unwrap();
    victim.wait().unwrap();
    assert_eq!(namespaces("tswept").len(), 4, "they outlive who made them");
    assert!(test_kill_process(left).is_ok());

    let fabric = fabric("tswept", &four()).unwrap();
    assert!(silent(&fabric).is_empty());
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", left.as_raw_nonzero()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    assert!(gone(), "the process that was left is killed");
    drop(fabric);
    assert!(namespaces("tswept").is_empty());
}

/// Not a test of its own: what [`what_a_killed_run_left_is_swept`] kills.
#[test]
fn a_victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let fabric = fabric("tswept", &four()).unwrap();
    let mut left = sleeper(&fabric, "n2");
    println!("\nleft behind: {}", left.id());
    left.wait().unwrap();
}
