//! A client that changes what a user may do, and looks as that user whether it holds: through the frontend that took the
//! change at once, through the others soon.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use lambda_api::sigv4::Secret;
use proto::v1::{self as pb, identity_client::IdentityClient};
use tonic::Status;

use super::WorkloadEntry;
use crate::{
    api,
    caller::{Caller, Credentials, package},
    history::registers::{Act, Answer, Fate},
    records::identity::{IdentityCaller, allowing, refusal},
};

/// Within what time every frontend of a whole cluster holds requests against changed policies.
const SOON: Duration = Duration::from_secs(2);
const FUNCTION: &str = "guarded";
/// What it is called in reports.
const CHECK: &str = "changed policies hold";
const ACTION: &str = "lambda:GetFunctionConfiguration";

pub(crate) const ENTRY: WorkloadEntry = WorkloadEntry {
    name: "policies",
    clients: 1,
    work: |caller, _| work(caller).boxed_local(),
    conclude: |_| std::future::ready(()).boxed_local(),
};

/// A user and what is known of its policy.
struct Guest {
    name: String,
    caller: Arc<Caller>,
    may: bool,
    /// When that was acknowledged, and by which process of which frontend.
    at: Duration,
    through: (String, u64),
}

async fn work(caller: Arc<Caller>) {
    let identity = IdentityCaller::new(caller.clone());
    let zip = package(FUNCTION, 5);
    api::create_until_there(&caller, FUNCTION, &zip, "guarded").await;
    let (mut number, mut guest) = (0_u64, None::<Guest>);
    while !caller.is_quiet() {
        caller.rest(Duration::from_millis(400)).await;
        let Some(known) = &mut guest else {
            number += 1;
            let made = arrive(&identity, &format!("guest-{number}")).await;
            caller.world.count("policies", made.is_ok());
            guest = made.ok();
            continue;
        };
        if caller.entropy.below(5) == 0 {
            let fate = change(&identity, known).await;
            caller
                .world
                .count("policies", matches!(fate, Fate::Known(_)));
            // A change of unknown outcome may come true at any time: that user is of no use any more.
            if fate == Fate::Unknown {
                guest = None;
            }
        } else {
            look(&caller, known).await;
        }
    }
}

/// Makes a user with a key, and without any policy.
async fn arrive(identity: &IdentityCaller, name: &str) -> Result<Guest, Status> {
    let world = identity.caller.world.clone();
    let frontend = identity.caller.frontend();
    let user = pb::CreateUserRequest {
        user_name: name.to_owned(),
        ..Default::default()
    };
    let create = async |mut c: IdentityClient<_>, r| c.create_user(r).await;
    identity.ask(&frontend, "CreateUser", user, create).await?;
    let key = pb::CreateAccessKeyRequest {
        user_name: name.to_owned(),
        ..Default::default()
    };
    let through = (frontend.clone(), identity.caller.starts(&frontend));
    let create = async |mut c: IdentityClient<_>, r| c.create_access_key(r).await;
    let made = identity
        .ask(&frontend, "CreateAccessKey", key, create)
        .await?;
    let credentials = Credentials {
        access_key_id: made.access_key.unwrap_or_default().access_key_id,
        secret: Secret::new(&made.secret_access_key),
    };
    Ok(Guest {
        caller: Caller::with(world.clone(), name, credentials),
        name: name.to_owned(),
        may: false,
        at: world.elapsed.now(),
        through,
    })
}

/// Allows what was not allowed, or the other way round.
async fn change(identity: &IdentityCaller, guest: &mut Guest) -> Fate {
    let may = !guest.may;
    let frontend = identity.caller.frontend();
    let through = (frontend.clone(), identity.caller.starts(&frontend));
    let allowed = if may { FUNCTION } else { "another" };
    let message = pb::PutUserPolicyRequest {
        user_name: guest.name.clone(),
        policy_name: "only".to_owned(),
        policy_document: allowing(ACTION, allowed),
        ..Default::default()
    };
    let put = async |mut c: IdentityClient<_>, r| c.put_user_policy(r).await;
    match identity.ask(&frontend, "PutUserPolicy", message, put).await {
        Ok(_) => {
            guest.may = may;
            guest.at = identity.caller.world.elapsed.now();
            guest.through = through;
            Fate::Known(Answer::Done)
        }
        Err(status) => refusal(&status, Act::Put(0)),
    }
}

async fn look(caller: &Caller, guest: &Guest) {
    let world = &caller.world;
    let frontend = caller.frontend();
    let session = (frontend.clone(), caller.starts(&frontend));
    let sent = world.elapsed.now();
    let Ok(answer) = api::get(&guest.caller, &frontend, FUNCTION).await else {
        return;
    };
    let could = match (answer.status, answer.error().as_str()) {
        (200, _) => true,
        (403, "AccessDeniedException") => false,
        // It did not come so far.
        _ => return,
    };
    let own = session == guest.through;
    let everywhere = world.was_calm(guest.at, world.elapsed.now()) && sent > guest.at + SOON;
    if could != guest.may && (own || everywhere) {
        let what = format!(
            "{} {} through {session:?} {} ms after {:?} had taken the opposite",
            guest.name,
            if could { "was let in" } else { "was kept out" },
            sent.saturating_sub(guest.at).as_millis(),
            guest.through,
        );
        world.violated(CHECK, what);
    }
}
