use proptest::prelude::*;

use super::*;

const BOTH: Events = Events {
    invoke: true,
    shutdown: true,
};
const INVOKE: Events = Events {
    invoke: true,
    shutdown: false,
};

fn id(n: u8) -> ExtensionId {
    ExtensionId::from_random(u128::from(n))
}

/// An external extension that is ready, and an internal one that is.
fn ready() -> Extensions {
    let mut all = Extensions::default();
    all.launch("out").unwrap();
    all.register("out", BOTH, id(1)).unwrap();
    all.register("in", INVOKE, id(2)).unwrap();
    assert_eq!(all.poll(id(1)), Ok(Poll::Hold));
    assert_eq!(all.poll(id(2)), Ok(Poll::Hold));
    all
}

#[test]
fn a_round() {
    let mut all = Extensions::default();
    assert_eq!(all.progress(), Progress::default());
    all.launch("out").unwrap();
    assert!(!all.progress().registered);
    all.register("out", BOTH, id(1)).unwrap();
    assert!(all.progress().registered && !all.progress().ready);
    assert_eq!(all.poll(id(1)), Ok(Poll::Hold));
    assert!(all.progress().ready && all.progress().idle);
    assert_eq!(all.invoke(), [id(1)]);
    assert!(!all.progress().idle, "it is told");
    assert_eq!(all.poll(id(1)), Ok(Poll::Hold));
    assert!(all.progress().idle, "it asks again");
    assert_eq!(all.shut_down(), [id(1)]);
    assert!(!all.progress().over);
    all.exited("out", "exit status 0");
    assert!(all.progress().over);
    assert_eq!(all.progress().fault, None, "it was told to");
}

#[test]
fn what_happens_before_the_poll_waits_for_it() {
    let mut all = ready();
    all.poll_lost(id(1));
    assert_eq!(all.invoke(), [id(2)]);
    assert!(!all.progress().idle, "it has yet to hear of it");
    assert_eq!(all.poll(id(1)), Ok(Poll::Deliver(Event::Invoke)));
    assert_eq!(all.poll(id(1)), Ok(Poll::Hold));
    all.poll_lost(id(1));
    assert_eq!(all.shut_down(), []);
    assert_eq!(all.poll(id(1)), Ok(Poll::Deliver(Event::Shutdown)));
    let mut all = ready();
    assert_eq!(all.invoke(), [id(1), id(2)]);
    assert!(!all.undelivered(id(2), Event::Invoke));
    assert_eq!(all.poll(id(2)), Ok(Poll::Deliver(Event::Invoke)));
    // A poll that came before the loss of the other was noticed.
    assert_eq!(all.poll(id(1)), Ok(Poll::Hold));
    assert!(all.undelivered(id(1), Event::Invoke));
    assert!(!all.progress().idle);
}

#[test]
fn registrations_are_refused() {
    let mut all = Extensions::default();
    all.launch("out").unwrap();
    assert_eq!(all.register("", INVOKE, id(1)), Err(Refusal::InvalidName));
    let long = "x".repeat(NAME_MAX + 1);
    assert_eq!(
        all.register(&long, INVOKE, id(1)),
        Err(Refusal::InvalidName)
    );
    let refused = all.register("in", BOTH, id(1)).unwrap_err();
    assert!(matches!(refused, Refusal::InvalidEventType(_)), "{refused}");
    all.register("out", BOTH, id(1)).unwrap();
    let refused = all.register("out", BOTH, id(2)).unwrap_err();
    assert!(matches!(refused, Refusal::InvalidState { .. }), "{refused}");
    for n in 1..EXTENSIONS_MAX {
        let n = u8::try_from(n).unwrap();
        all.register(&format!("in-{n}"), INVOKE, id(10 + n))
            .unwrap();
    }
    let refused = all.register("more", INVOKE, id(99)).unwrap_err();
    assert_eq!(refused.to_string(), "Extension limit (10) reached");
    assert_eq!(all.launch("more"), Err(Refusal::TooMany));
    all.close();
    assert_eq!(
        all.register("late", INVOKE, id(98)),
        Err(Refusal::RegistrationClosed)
    );
    assert_eq!(all.poll(id(98)), Err(Refusal::UnknownIdentifier));
}

#[test]
fn failures_are_told_by_the_first() {
    let fault = |all: &Extensions| all.progress().fault.map(|f| (f.kind, f.detail));
    let mut all = ready();
    all.exited("out", "signal: killed");
    assert_eq!(
        fault(&all),
        Some(("Extension.Crash", "signal: killed".to_owned()))
    );
    assert!(matches!(all.poll(id(1)), Err(Refusal::InvalidState { .. })));
    all.exit_error(id(2), "Mine.Error").unwrap();
    assert_eq!(fault(&all).unwrap().0, "Extension.Crash", "the first");
    let mut all = ready();
    assert!(all.init_error(id(1), "X").is_err(), "too late for that");
    all.exit_error(id(1), "Mine.Error").unwrap();
    assert_eq!(
        fault(&all),
        Some(("Extension.ExitError", "Mine.Error".to_owned()))
    );
    let mut all = Extensions::default();
    all.launch("out").unwrap();
    all.register("out", BOTH, id(1)).unwrap();
    all.init_error(id(1), "No.Config").unwrap();
    assert_eq!(
        fault(&all),
        Some(("Extension.InitError", "No.Config".to_owned()))
    );
    let mut all = Extensions::default();
    all.launch("out").unwrap();
    all.not_launched("out", "PermissionDenied", "permission denied");
    assert_eq!(fault(&all).unwrap().0, "Extension.LaunchError");
    assert!(all.progress().registered, "nobody is waited for");
}

#[test]
fn identifiers_are_uuids_of_version_4() {
    let id = ExtensionId::from_random(u128::MAX);
    assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(id.to_string().parse(), Ok(id));
    assert!(
        "ffffffff-ffff-4fff-bfff-fffffffffff"
            .parse::<ExtensionId>()
            .is_err()
    );
    assert!(
        "ffffffffffff-4fff-bfff-fffffffffffff"
            .parse::<ExtensionId>()
            .is_err()
    );
}

#[derive(Clone, Debug)]
enum Step {
    Register(u8),
    Poll(u8),
    PollLost(u8),
    Invoke,
    Exited,
    ExitError(u8),
    ShutDown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u8..4).prop_map(Step::Register),
        8 => (0u8..4).prop_map(Step::Poll),
        1 => (0u8..4).prop_map(Step::PollLost),
        4 => Just(Step::Invoke),
        1 => Just(Step::Exited),
        1 => (0u8..4).prop_map(Step::ExitError),
        1 => Just(Step::ShutDown),
    ]
}

proptest! {
    /// Each invocation reaches each subscriber at most once, and whoever goes on to ask gets it.
    #[test]
    fn no_order_of_calls_loses_or_doubles_an_event(steps in prop::collection::vec(step(), 0..100)) {
        let mut all = Extensions::default();
        all.launch("0").unwrap();
        let mut ending = false;
        // What each has not heard of yet.
        let mut owed = [false; 4];
        for step in steps {
            match step {
                Step::Register(n) => {
                    let events = if n == 0 { BOTH } else { INVOKE };
                    let _refused = all.register(&n.to_string(), events, id(n));
                }
                Step::Poll(n) => match all.poll(id(n)) {
                    Ok(Poll::Deliver(Event::Invoke)) => {
                        prop_assert!(std::mem::take(&mut owed[usize::from(n)]));
                        prop_assert!(!ending);
                    }
                    Ok(Poll::Deliver(Event::Shutdown)) => prop_assert!(ending && n == 0),
                    Ok(Poll::Hold) => prop_assert!(ending || !owed[usize::from(n)]),
                    Err(_) => {}
                },
                Step::PollLost(n) => all.poll_lost(id(n)),
                Step::Invoke if !ending && all.progress().idle => {
                    let live: Vec<usize> = all.all().iter()
                        .filter(|m| m.events.invoke && !m.state.is_over())
                        .map(|m| m.name.parse().unwrap())
                        .collect();
                    let told = all.invoke();
                    for n in live {
                        let was_told = told.contains(&id(u8::try_from(n).unwrap()));
                        owed[n] = !was_told;
                    }
                }
                Step::Invoke => {}
                Step::Exited => all.exited("0", "exit status 1"),
                Step::ExitError(n) => drop(all.exit_error(id(n), "E")),
                Step::ShutDown => {
                    ending = true;
                    all.shut_down();
                }
            }
            let progress = all.progress();
            prop_assert!(!progress.ready || progress.registered);
            prop_assert!(all.all().len() <= EXTENSIONS_MAX);
        }
    }
}
