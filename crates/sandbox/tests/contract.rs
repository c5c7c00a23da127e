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
    linux::{DriverError, Options, probe},
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

/// Runs the test above once more as `nobody`, from a directory that `nobody` can read.
#[tokio::test]
async fn it_does_so_as_an_ordinary_user() {
    if !support::is_root() {
        // Then the test above was the ordinary user's.
        return;
    }
    let dir = support::directory();
    let program = |name: &str| dir.path().join(name);
    std::fs::copy(std::env::current_exe().unwrap(), program("test")).unwrap();
    std::fs::copy(support::spawner().program, program("spawner")).unwrap();
    let scratch = program("scratch");
    std::fs::create_dir(&scratch).unwrap();
    std::fs::set_permissions(&scratch, PermissionsExt::from_mode(0o777)).unwrap();

    let as_nobody = |program: &std::path::Path| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program);
        command
            .env("SANDBOX_TEST_DIR", &scratch)
            .env("SANDBOX_TEST_SPAWNER", dir.path().join("spawner"));
        command
    };
    let output = as_nobody(&program("test"))
        .args(["--exact", "the_driver_keeps_the_contract", "--nocapture"])
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if !output.status.success() && text.contains("user-namespace is missing") {
        eprintln!("SKIPPED: this host gives an ordinary user no user namespaces:\n{text}");
        return;
    }
    assert!(output.status.success(), "{text}");
    assert!(text.contains("kept: a process runs"), "{text}");
}

#[tokio::test]
async fn the_probe_reports_every_piece_and_leaves_nothing() {
    let scratch = support::directory();
    let report = probe(&support::spawner(), scratch.path()).await.unwrap();
    assert_eq!(report.iter().count(), Piece::ALL.len());
    assert!(report.enforces(Piece::PidNamespace));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}
