//! Cases about the life of a sandbox and of what runs in it.

use std::time::Duration;

use model::ErrorKind;
use model::Failure as _;

use super::{Broken, Case, Fixture, LIMIT, Verdict, case, demand};
use crate::driver::{Command, ControlError, CreateError, Exit, Spec, StartError};

pub(super) const CASES: &[Case] = &[
    case!(
        "a process runs with its arguments, environment and directory, and is logged",
        runs
    ),
    case!("exit codes and signals are told, and told again", exits),
    case!(
        "waiting for the exit may begin before the start",
        waits_before_start
    ),
    case!(
        "a program that cannot be executed is a typed error, and another can be started",
        not_executable
    ),
    case!(
        "a frozen sandbox makes no progress, a thawed one does",
        freezes
    ),
    case!(
        "a reset kills every process but keeps /tmp, log and listener",
        resets
    ),
    case!("a reset works on a frozen sandbox", resets_frozen),
    case!("a reset takes daemons with it", reset_takes_daemons),
    case!("a kill ends everything, and can be repeated", kills),
    case!("a kill works on a frozen sandbox", kills_frozen),
    case!("a dropped sandbox is killed", dropped),
    case!("a spec that can never work is refused as invalid", refuses),
];

const TICK: &str = "while :; do echo tick; sleep 0.005; done";

async fn runs(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let command = Command {
        argv: [
            "/bin/sh",
            "-c",
            "echo \"arg=$1 x=$X y=$Y dir=$(pwd)\"; echo on-stderr >&2; cat; env | sort",
            "sh",
            "one two",
        ]
        .map(str::to_owned)
        .to_vec(),
        env: vec![("X".into(), "a b".into()), ("Y".into(), String::new())],
        cwd: "/var/task".into(),
    };
    inside.sandbox.start(command).await?;
    inside.exits(Exit::Code(0)).await?;
    let log = inside.log_now().await;
    demand(
        log.contains("arg=one two x=a b y= dir=/var/task\n"),
        format!("arguments and directory, got: {log}"),
    )?;
    demand(log.contains("on-stderr\n"), "stderr goes to the log")?;
    let own = ["_=", "OLDPWD=", "PWD=", "SHLVL=", "X=", "Y="];
    let foreign = log
        .lines()
        .skip(2)
        .find(|line| !own.iter().any(|name| line.starts_with(name)));
    demand(
        foreign.is_none(),
        format!("no variable but those given, got {foreign:?}"),
    )?;
    inside.sandbox.kill().await;
    Ok(())
}

async fn exits(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    for (script, exit) in [
        ("exit 0", Exit::Code(0)),
        ("exit 7", Exit::Code(7)),
        ("kill -TERM $$", Exit::Signal(15)),
    ] {
        inside.shell(script).await?;
        inside.exits(exit).await?;
        inside.exits(exit).await?;
    }
    inside.sandbox.kill().await;
    inside.exits(Exit::Signal(15)).await
}

async fn waits_before_start(fixture: &Fixture<'_>) -> Verdict {
    let inside = fixture.make(fixture.spec()).await?;
    let (exit, started) = tokio::join!(inside.exit(), inside.shell("exit 3"));
    started?;
    demand(
        exit? == Exit::Code(3),
        "the exit of the process started later",
    )
}

async fn not_executable(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let command = |program: &str, cwd: &str| Command {
        argv: vec![program.to_owned()],
        env: vec![],
        cwd: cwd.into(),
    };
    for (program, cwd) in [
        ("/var/runtime/absent", "/"),
        ("/var/task/handler.txt", "/"),
        ("/bin/true", "/absent"),
    ] {
        let error = inside.sandbox.start(command(program, cwd)).await;
        let Err(StartError::Exec { step, source }) = error else {
            return demand(
                false,
                format!("{program} in {cwd} cannot be executed, got {error:?}"),
            );
        };
        let named = step.contains(program) || step.contains(cwd);
        demand(
            named && source.raw_os_error().is_some(),
            format!("a step that names the path, got {step}: {source}"),
        )?;
    }
    let relative = inside.sandbox.start(command("true", "/")).await;
    demand(
        matches!(relative, Err(StartError::Invalid(_))),
        "a relative program is invalid",
    )?;
    inside
        .sandbox
        .start(command("/var/runtime/bootstrap", "/"))
        .await?;
    inside.exits(Exit::Code(0)).await?;
    inside.logged("booted").await.map(drop)
}

async fn freezes(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.shell(TICK).await?;
    inside.logged("tick").await?;
    for _ in 0..2 {
        inside.sandbox.freeze().await?;
        inside.sandbox.freeze().await?;
        inside.log_now().await;
        demand(
            inside.is_silent_for(Duration::from_millis(60)).await,
            "a frozen process says nothing",
        )?;
        inside.sandbox.thaw().await?;
        inside.sandbox.thaw().await?;
        inside.logged("tick").await?;
    }
    Ok(())
}

async fn resets(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside
        .shell("echo kept > /tmp/file; echo ready; sleep 1000")
        .await?;
    inside.logged("ready").await?;
    let mut times = 0;
    while times < 3 {
        inside.sandbox.reset_processes().await?;
        inside.exits(Exit::Signal(9)).await?;
        inside
            .shell("cat /tmp/file && echo again; sleep 1000")
            .await?;
        inside.logged("again").await?;
        demand(
            inside.log_now().await.contains("kept"),
            "/tmp survives a reset",
        )?;
        times += 1;
    }
    let listener = inside.sandbox.take_listener();
    let listener = listener.ok_or_else(|| Broken::new("a sandbox has a listener"))?;
    inside.sandbox.reset_processes().await?;
    inside
        .python("import socket; socket.create_connection(('127.0.0.1', 9001), 5).recv(1)")
        .await?;
    let came = tokio::time::timeout(LIMIT, listener.accept()).await;
    demand(
        came.is_ok_and(|c| c.is_ok()),
        "the listener survives a reset",
    )
}

async fn resets_frozen(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.shell(TICK).await?;
    inside.logged("tick").await?;
    inside.sandbox.freeze().await?;
    inside.sandbox.reset_processes().await?;
    inside.exits(Exit::Signal(9)).await?;
    inside.shell("echo thawed").await?;
    inside.exits(Exit::Code(0)).await?;
    inside.logged("thawed").await.map(drop)
}

/// A daemon in the classic way: forked twice, in a session of its own, deaf to what can be ignored.
const DAEMON: &str = "
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            print('daemon', flush=True)
            time.sleep(0.005)
    os._exit(0)
os.wait()
print('done', flush=True)
";

async fn reset_takes_daemons(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.python(DAEMON).await?;
    inside.exits(Exit::Code(0)).await?;
    inside.logged("daemon").await?;
    inside.sandbox.reset_processes().await?;
    inside.log_now().await;
    demand(
        inside.is_silent_for(Duration::from_millis(60)).await,
        "the daemon is dead",
    )?;
    Ok(())
}

async fn kills(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside
        .python(&DAEMON.replace("print('done', flush=True)", "time.sleep(1000)"))
        .await?;
    inside.logged("daemon").await?;
    tokio::join!(inside.sandbox.kill(), inside.sandbox.kill());
    inside.sandbox.kill().await;
    inside.log_ends().await?;
    inside.exits(Exit::Signal(9)).await?;
    let command = Command {
        argv: vec!["/bin/true".into()],
        env: vec![],
        cwd: "/".into(),
    };
    let start = inside.sandbox.start(command).await;
    demand(
        matches!(start, Err(StartError::Gone)),
        format!("a killed sandbox starts nothing, got {start:?}"),
    )?;
    let freeze = inside.sandbox.freeze().await;
    demand(
        matches!(freeze, Err(ControlError::Gone)),
        format!("a killed sandbox is not frozen, got {freeze:?}"),
    )?;
    demand(
        matches!(inside.sandbox.stats().await, Err(ControlError::Gone)),
        "a killed sandbox has no stats",
    )
}

async fn kills_frozen(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.shell(TICK).await?;
    inside.logged("tick").await?;
    inside.sandbox.freeze().await?;
    inside.sandbox.kill().await;
    inside.log_ends().await?;
    inside.exits(Exit::Signal(9)).await
}

async fn dropped(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.shell(TICK).await?;
    inside.logged("tick").await?;
    let super::Inside {
        sandbox, log, text, ..
    } = inside;
    drop(sandbox);
    let mut left = super::Inside {
        sandbox: fixture.make(fixture.spec()).await?.sandbox,
        resolver: None,
        log,
        text,
    };
    left.log_ends().await
}

async fn refuses(fixture: &Fixture<'_>) -> Verdict {
    let specs = [
        Spec {
            id: String::new(),
            ..fixture.spec()
        },
        Spec {
            code_dir: "relative".into(),
            ..fixture.spec()
        },
        Spec {
            extra_binds: vec!["/proc".into()],
            ..fixture.spec()
        },
    ];
    for spec in specs {
        match fixture.driver.create(spec.clone()).await {
            Err(error @ CreateError::Invalid { .. }) => {
                demand(error.kind() == ErrorKind::Invalid, "its kind")?
            }
            Err(error) => return demand(false, format!("{spec:?} is invalid, got {error}")),
            Ok(_) => return demand(false, format!("{spec:?} is invalid, got a sandbox")),
        }
    }
    let absent = fixture
        .driver
        .create(Spec {
            code_dir: "/does/not/exist".into(),
            ..fixture.spec()
        })
        .await;
    demand(
        matches!(absent, Err(CreateError::Setup { .. })),
        "a directory that is not there is a failed set-up",
    )
}
