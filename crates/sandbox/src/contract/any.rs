//! Cases that ask no more of the code inside than to say that it is up, and to stay: every driver runs them, also one that
//! starts neither shells nor interpreters.

use super::{Broken, Case, Fixture, Verdict, case, demand, until};
use crate::driver::{Command, ControlError, Exit, Sandbox, StartError};

pub(super) const CASES: &[Case] = &[
    case!(
        "there is one runtime process at a time, and its exit is told again",
        one_at_a_time,
        [],
        Stays
    ),
    case!(
        "waiting for the exit may begin before the start, and ends with the process",
        waits_before_start,
        [],
        Stays
    ),
    case!(
        "a program that is not there is a typed error, and another can be started",
        not_there,
        [],
        Stays
    ),
    case!(
        "freezing, thawing and limiting can be repeated, and a reset works on what is frozen",
        freezes_and_resets,
        [],
        Stays
    ),
    case!(
        "a killed sandbox is over, and does nothing it is told",
        kills,
        [],
        Stays
    ),
    case!(
        "a kill works on a frozen sandbox and ends its log",
        kills_frozen,
        [],
        Stays
    ),
    case!("a dropped sandbox ends its log", dropped, [], Stays),
    case!(
        "what is handed out is handed out once",
        handed_out,
        [],
        Stays
    ),
    case!("a sweep leaves this life alone", sweep, [], Stays),
    case!("the memory of what runs is told", memory, [], Stays),
];

async fn one_at_a_time(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    for _ in 0..2 {
        inside.stay(fixture).await?;
        let second = inside.sandbox.start(fixture.stays().clone()).await;
        demand(
            matches!(second, Err(StartError::AlreadyRunning)),
            format!("a second one is refused, got {second:?}"),
        )?;
        inside.sandbox.reset_processes().await?;
        inside.exits(Exit::Signal(9)).await?;
        inside.exits(Exit::Signal(9)).await?;
        inside.log_now().await;
    }
    Ok(())
}

async fn waits_before_start(fixture: &Fixture<'_>) -> Verdict {
    let inside = fixture.make(fixture.spec()).await?;
    let (exit, ended) = tokio::join!(inside.exit(), async {
        inside.sandbox.start(fixture.stays().clone()).await?;
        inside.sandbox.reset_processes().await?;
        Ok::<(), Broken>(())
    });
    ended?;
    let exit = exit?;
    demand(
        exit == Exit::Signal(9),
        format!("the exit of the process started later, got {exit:?}"),
    )
}

async fn not_there(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let command = |program: &str| Command {
        argv: vec![program.to_owned()],
        ..fixture.stays().clone()
    };
    for program in ["/var/runtime/absent", "/var/task/handler.txt"] {
        let error = inside.sandbox.start(command(program)).await;
        let Err(StartError::Exec { step, source }) = error else {
            return demand(
                false,
                format!("{program} cannot be executed, got {error:?}"),
            );
        };
        demand(
            step.contains(program) && source.raw_os_error().is_some(),
            format!("a step that names {program}, got {step}: {source}"),
        )?;
    }
    let relative = inside.sandbox.start(command("true")).await;
    demand(
        matches!(relative, Err(StartError::Invalid(_))),
        format!("a relative program is invalid, got {relative:?}"),
    )?;
    inside.stay(fixture).await
}

async fn freezes_and_resets(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.stay(fixture).await?;
    for _ in 0..2 {
        inside.sandbox.limit_cpu().await?;
        inside.sandbox.freeze().await?;
        inside.sandbox.freeze().await?;
        inside.sandbox.thaw().await?;
        inside.sandbox.thaw().await?;
    }
    inside.sandbox.freeze().await?;
    inside.sandbox.reset_processes().await?;
    inside.exits(Exit::Signal(9)).await?;
    inside.log_now().await;
    // What was frozen before does not hold what is started now.
    inside.stay(fixture).await
}

async fn kills(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.stay(fixture).await?;
    tokio::join!(inside.sandbox.kill(), inside.sandbox.kill());
    inside.sandbox.kill().await;
    inside.log_ends().await?;
    inside.exits(Exit::Signal(9)).await?;
    let start = inside.sandbox.start(fixture.stays().clone()).await;
    demand(
        matches!(start, Err(StartError::Gone)),
        format!("a killed sandbox starts nothing, got {start:?}"),
    )?;
    let refused = [
        ("frozen", inside.sandbox.freeze().await),
        ("thawed", inside.sandbox.thaw().await),
        ("reset", inside.sandbox.reset_processes().await),
        ("measured", inside.sandbox.stats().await.map(drop)),
    ];
    for (what, outcome) in refused {
        demand(
            matches!(outcome, Err(ControlError::Gone)),
            format!("a killed sandbox is not {what}, got {outcome:?}"),
        )?;
    }
    Ok(())
}

async fn kills_frozen(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.stay(fixture).await?;
    inside.sandbox.freeze().await?;
    inside.sandbox.kill().await;
    inside.log_ends().await?;
    inside.exits(Exit::Signal(9)).await
}

async fn dropped(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.stay(fixture).await?;
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

async fn handed_out(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let of = |sandbox: &mut dyn Sandbox| {
        (
            sandbox.take_listener().is_some(),
            sandbox.take_logs().is_some(),
        )
    };
    let (first, again) = (of(inside.sandbox.as_mut()), of(inside.sandbox.as_mut()));
    // The log was handed out when the sandbox was made.
    demand(
        first == (true, false) && again == (false, false),
        format!("listener and log once each, got {first:?} and {again:?}"),
    )?;
    let _first = inside.sandbox.take_gateway();
    demand(
        inside.sandbox.take_gateway().is_none(),
        "the gateway is handed out once, if there is one",
    )
}

async fn sweep(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.stay(fixture).await?;
    let swept = fixture.driver.sweep().await?;
    demand(
        swept == 0,
        format!("nothing is left of a previous life, got {swept}"),
    )?;
    inside.sandbox.freeze().await?;
    inside.sandbox.thaw().await?;
    inside.sandbox.stats().await.map(drop)?;
    inside.sandbox.reset_processes().await?;
    inside.exits(Exit::Signal(9)).await
}

async fn memory(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.stay(fixture).await?;
    let told = || {
        let sandbox = &inside.sandbox;
        [sandbox.memory_of_processes(), sandbox.memory_peak()]
    };
    // Counters of the kernel lag.
    let all = until(|| told().iter().all(|m| m.is_some_and(|bytes| bytes.0 > 0))).await;
    demand(all, format!("now and at most, got {:?}", told()))
}
