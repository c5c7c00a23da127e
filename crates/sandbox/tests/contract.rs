//! The Linux driver keeps the contract: with all the rights of root, and as an ordinary user with user namespaces.

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

use std::{os::unix::fs::PermissionsExt, process::Command};

use sandbox::{
    Driver as _, LinuxDriver, Piece,
    contract::{Fixture, cases},
    linux::{Allotment, DriverError, Options, probe},
};

/// Runs every case and answers which were broken.
async fn broken_cases(options: Options) -> Vec<String> {
    let state = options.state_dir.clone();
    let driver = LinuxDriver::start(options).await.unwrap();
    println!("{}", driver.report());
    let fixture = Fixture::new(&driver, &state).unwrap();
    let mut broken = Vec::new();
    for case in cases() {
        match case.run(&fixture).await {
            Some(Ok(())) => println!("kept: {}", case.name),
            Some(Err(error)) => broken.push(format!("{}: {error}", case.name)),
            None => println!("NOT APPLICABLE without {:?}: {}", case.needs, case.name),
        }
    }
    driver.shutdown().await;
    broken
}

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_keeps_the_contract() {
    let state = support::directory();
    assert_eq!(
        broken_cases(support::options(state.path())).await,
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_so_with_version_1_of_cgroups_alone() {
    if !support::is_root() || !support::has_both_versions() {
        eprintln!("SKIPPED: needs root and a host with both versions of cgroups");
        return;
    }
    let state = support::directory();
    let spawner = support::spawner_after(state.path(), support::ONLY_VERSION_1);
    let options = Options {
        spawner,
        ..support::options(state.path())
    };
    assert_eq!(broken_cases(options).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_so_without_a_proc_of_its_own() {
    if !support::is_root() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    let state = support::directory();
    // As container runtimes hide parts of it: then the kernel gives nobody a new one.
    let spawner = support::spawner_after(state.path(), "mount -t tmpfs none /proc/bus");
    let options = Options {
        spawner,
        ..support::options(state.path())
    };
    let Err(DriverError::Weak(missing)) = LinuxDriver::start(options.clone()).await else {
        panic!("not refused")
    };
    assert_eq!(
        missing.iter().map(|m| m.piece).collect::<Vec<_>>(),
        [Piece::FreshProc]
    );
    let options = Options {
        allow_missing: [Piece::FreshProc].into(),
        ..options
    };
    assert_eq!(broken_cases(options).await, Vec::<String>::new());
}

/// An ordinary user's copy of this program and of the spawner, where `nobody` can run them.
struct Ordinary {
    dir: tempfile::TempDir,
}

impl Ordinary {
    fn new() -> Self {
        let dir = support::directory();
        std::fs::copy(std::env::current_exe().unwrap(), dir.path().join("test")).unwrap();
        std::fs::copy(support::spawner().program, dir.path().join("spawner")).unwrap();
        let scratch = dir.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        std::fs::set_permissions(&scratch, PermissionsExt::from_mode(0o777)).unwrap();
        Self { dir }
    }

    /// Runs the first test of this file as `nobody`, after this shell as root; answers whether it passed, and what it said.
    fn run(&self, prelude: &str, variables: &[(&str, &str)]) -> (bool, String) {
        let script = format!(
            "{prelude}\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {}/test --exact \
             the_driver_keeps_the_contract --nocapture",
            self.dir.path().display()
        );
        let output = Command::new("/bin/sh")
            .args(["-e", "-c", &script])
            .env("SANDBOX_TEST_DIR", self.dir.path().join("scratch"))
            .env("SANDBOX_TEST_SPAWNER", self.dir.path().join("spawner"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.success(), text)
    }
}

const NOBODY: u32 = 65_534;

/// Whether this host gives an ordinary user what no sandbox goes without.
fn is_refused(said: &str) -> bool {
    let refused = said.contains("user-namespace is missing");
    if refused {
        eprintln!("SKIPPED: this host gives an ordinary user no user namespaces:\n{said}");
    }
    refused
}

#[test]
fn it_does_so_as_an_ordinary_user() {
    if !support::is_root() {
        // Then the test above was the ordinary user's.
        return;
    }
    let (passed, said) = Ordinary::new().run("", &[]);
    if is_refused(&said) {
        return;
    }
    assert!(passed, "{said}");
    for kept in ["a process runs", "the memory of processes is told"] {
        assert!(said.contains(&format!("kept: {kept}")), "{kept}: {said}");
    }
}

/// As under a service manager that delegates.
#[test]
fn it_does_so_as_an_ordinary_user_with_cgroups_of_its_own() {
    if !support::is_root() {
        eprintln!("SKIPPED: needs root, who gives them");
        return;
    }
    let name = format!("test-delegated-{}", std::process::id());
    let given = support::delegation::Delegation::to(NOBODY, &name).unwrap();
    let parent = given.name();
    let (passed, said) = Ordinary::new().run(&given.enter(), &[("SANDBOX_TEST_CGROUP", parent)]);
    if is_refused(&said) {
        return;
    }
    assert!(passed, "{said}");
    for kept in [
        "a process that takes too much memory is killed",
        "the CPU quota holds",
        "the meters tell what is used",
    ] {
        assert!(said.contains(&format!("kept: {kept}")), "{kept}: {said}");
    }

    // In version 2 a right to write there is not enough: whoever was started elsewhere is told so.
    let (passed, said) = Ordinary::new().run("", &[("SANDBOX_TEST_CGROUP", parent)]);
    let has_version_2 = std::fs::read_to_string("/proc/self/mountinfo")
        .unwrap()
        .contains(" - cgroup2 ");
    assert_eq!(passed, !has_version_2, "{said}");
    if has_version_2 {
        assert!(
            said.contains("no process of this node gets into a group there"),
            "{said}"
        );
        assert!(
            said.contains("name that one in sandbox.cgroup_parent"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_probe_reports_every_piece_and_leaves_nothing() {
    let scratch = support::directory();
    let report = probe(&support::spawner(), scratch.path(), &Allotment::default())
        .await
        .unwrap();
    assert_eq!(report.iter().count(), Piece::ALL.len());
    assert!(report.enforces(Piece::PidNamespace));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}
