//! A client that sets everything there is for a function, deletes it, and creates it again: nothing is left of the first.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Answer, Caller, NoAnswer, package},
    history::registers::{self, Act, Fate},
    records::{Verb, lambda},
};

/// What it is called in reports.
const CHECK: &str = "nothing is left of a deleted function";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "reborn",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

async fn work(caller: Arc<Caller>) {
    let mut number = 0_u64;
    while !caller.is_quiet() {
        number += 1;
        // A name whose calls may come true late is not used again.
        let _lost = lives(&caller, &format!("reborn-{number}")).await;
        caller.rest(Duration::from_secs(3)).await;
    }
}

/// Two lives of one name; `None` as soon as an outcome is not known.
async fn lives(caller: &Caller, name: &str) -> Option<()> {
    let zip = package(name, 5);
    let mine = |verb: Verb| {
        let of_function = lambda::KINDS.iter().filter(|k| k.is_of_function);
        of_function.filter(move |k| k.verbs.contains(&verb))
    };
    done(
        caller,
        api::create(caller, &caller.frontend(), name, &zip, "first").await,
    )?;
    api::publish_until_there(caller, name).await;
    for (verb, act) in [(Verb::Create, Act::Create(1)), (Verb::Put, Act::Put(1))] {
        for kind in mine(verb) {
            caller.rest(Duration::from_millis(60)).await;
            let fate = kind.call(caller, &caller.frontend(), name, act).await;
            known(caller, fate)?;
        }
    }
    done(caller, api::delete(caller, &caller.frontend(), name).await)?;
    done(
        caller,
        api::create(caller, &caller.frontend(), name, &zip, "second").await,
    )?;
    api::publish_until_there(caller, name).await;
    for kind in mine(Verb::Read) {
        let frontend = caller.frontend();
        let fate = kind.call(caller, &frontend, name, Act::Read).await;
        if let Fate::Known(registers::Answer::Shown(Some(value))) = fate {
            let what = format!(
                "{frontend} shows the {} {value} of {name} before its second creation",
                kind.name
            );
            caller.world.violated(CHECK, what);
        }
    }
    Some(())
}

fn done(caller: &Caller, answer: Result<Answer, NoAnswer>) -> Option<()> {
    let done = answer.is_ok_and(|a| a.is_success());
    caller.world.count("reborn", done);
    done.then_some(())
}

fn known(caller: &Caller, fate: Fate) -> Option<()> {
    let known = matches!(fate, Fate::Known(_));
    caller.world.count("reborn", known);
    known.then_some(())
}
