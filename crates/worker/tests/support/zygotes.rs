//! Pythons that are forks of one that has started already.

use std::{fs, time::Duration};

use model::function::{Environment, FunctionVersion, StoredEnvironment};
use serde_json::{Value, json};

use super::{WAIT, harness::*};

/// Tells everything about its own process that walls and habits show in.
const MIRROR: &str = r#"
import os, resource, signal, sys

def lines(path):
    with open(path) as file:
        return file.read().splitlines()

def walls(place, kind, options):
    return [place, kind, [o for o in options.split(",") if o in ("ro", "rw", "nosuid", "nodev", "noexec")]]

KEPT = ("Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Sig", "Shd", "NSpid", "PPid", "Umask")

def handler(event, context):
    with open("/tmp/own", "w") as file:
        file.write("x")
    try:
        open("/var/own", "w")
        written = True
    except OSError:
        written = False
    try:
        os.kill(1, 0)
        init = "reached"
    except OSError as error:
        init = error.strerror
    status = dict(line.split(":\t", 1) for line in lines("/proc/self/status"))
    threads = {name: value for name, value in status.items() if name.startswith(KEPT)}
    threads.pop("NSpid")
    threads.pop("SigQ")
    return {
        "forked": "--zygote" in lines("/proc/self/cmdline")[0],
        "status": threads,
        "limits": [resource.getrlimit(number) for number in range(16)],
        "fds": sorted(os.listdir("/proc/self/fd")),
        "streams": [os.readlink("/proc/self/fd/%d" % fd).split(":")[0] for fd in range(3)],
        "modes": [(s.name, s.mode, s.encoding, s.errors, s.line_buffering) for s in (sys.stdin, sys.stdout, sys.stderr)],
        "cgroups": lines("/proc/self/cgroup"),
        "mounts": sorted(walls(*line.split(" ")[1:4]) for line in lines("/proc/self/mounts")),
        "signals": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "leads": os.getsid(0) == os.getpid(),
        "cwd": os.getcwd(),
        "argv": sys.argv,
        "orig_argv": sys.orig_argv,
        "path": sys.path,
        "main": sys.modules["__main__"].__file__,
        "hosts": sorted(lines("/etc/hosts")),
        "environ": {n: v for n, v in os.environ.items() if "LOG_STREAM" not in n and "NAME" not in n and n != "PYTHONSTARTUP"},
        "written": written,
        "init": init,
        "random": __import__("random").random() == __import__("random").Random(1).random(),
    }
"#;

/// Has a variable that an interpreter reads only when it starts, and that changes nothing for a program: it is not forked.
fn never_forked(version: &mut FunctionVersion) {
    let variables = Environment([("PYTHONSTARTUP".to_owned(), String::new())].into());
    version.config.environment = Some(StoredEnvironment::Clear(variables));
}

async fn mirror(harness: &Harness, name: &str, set: impl FnOnce(&mut FunctionVersion)) -> Value {
    let files = [("app.py", MIRROR)];
    let function = harness.function(name, "python3.11", &files, |version| {
        version.config.handler = Some("app.handler".to_owned());
        set(version);
    });
    harness.invoke(&function, "{}").await.json()
}

/// Invokes new functions until one is a fork.
pub async fn wait_for_one(harness: &Harness) -> Value {
    let until = tokio::time::Instant::now() + WAIT;
    for number in 0.. {
        let seen = mirror(harness, &format!("first-{number}"), |_| {}).await;
        if seen["forked"] == json!(true) {
            return seen;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "no fork after {number}: {seen}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unreachable!("the loop has no end")
}

pub async fn a_fork_is_what_a_start_is(harness: &Harness) {
    let fork = wait_for_one(harness).await;
    let mut plain = mirror(harness, "plain", never_forked).await;
    assert_eq!(plain["forked"], json!(false), "{plain}");
    plain["forked"] = json!(true);
    for (name, expected) in plain.as_object().unwrap() {
        assert_eq!(&fork[name], expected, "{name}");
    }
    assert_eq!(fork["written"], json!(false));
    // One that waited inside and one that is made on demand are the same: more at once than are prepared.
    let names: Vec<String> = (0..6).map(|n| format!("many-{n}")).collect();
    let many = futures::future::join_all(names.iter().map(|name| mirror(harness, name, |_| {})));
    for seen in many.await {
        for (name, expected) in fork.as_object().unwrap() {
            assert_eq!(&seen[name], expected, "{name}");
        }
    }
}

pub async fn one_that_dies(harness: &Harness) {
    wait_for_one(harness).await;
    let zygote = zygote();
    signal(zygote, rustix::process::Signal::KILL);
    // Whatever has started goes on, and what starts now does.
    for number in 0..3 {
        let seen = mirror(harness, &format!("meanwhile-{number}"), |_| {}).await;
        assert_eq!(seen["cwd"], "/var/task", "{seen}");
    }
    wait_for_one(harness).await;
    let next = self::zygote();
    assert_ne!(next, zygote);
    // One that hangs is not waited for, and not kept.
    signal(next, rustix::process::Signal::STOP);
    let names: Vec<String> = (0..6).map(|n| format!("hanging-{n}")).collect();
    let many = futures::future::join_all(names.iter().map(|name| mirror(harness, name, |_| {})));
    for seen in many.await {
        assert_eq!(seen["cwd"], "/var/task", "{seen}");
    }
    wait_for_one(harness).await;
    assert_ne!(self::zygote(), next);
}

fn signal(process: rustix::process::Pid, signal: rustix::process::Signal) {
    rustix::process::kill_process(process, signal).unwrap();
}

/// The zygote of this test's own spawner: those of its forks that run have a sandbox's init between.
fn zygote() -> rustix::process::Pid {
    let own = std::process::id();
    let parent = |process: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found = processes.find(|process: &u32| {
        let text = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        text.contains("--zygote") && parent(*process).and_then(parent) == Some(own)
    });
    let found = found.unwrap_or_else(|| panic!("no zygote below {own}"));
    rustix::process::Pid::from_raw(found.cast_signed()).unwrap()
}
