//! How the kinds of policies come together.

use policy::{Decision, Denial, Layer, Principal};

use crate::case::{
    ACCOUNT, ALLOW_ALL, ALLOW_OTHER, ANN, DENY_ALL, OTHER_ANN, OTHER_ROOT, ROLE, ROOT, SESSION,
    about, allow, by, deny, effect,
};

#[test]
fn nothing_is_allowed_by_itself() {
    for who in [ANN, ROLE, SESSION] {
        by(who).lacks(Layer::Identity);
    }
    by(OTHER_ANN).lacks(Layer::Identity);
    by(OTHER_ROOT).lacks(Layer::Resource);
    by("*").lacks(Layer::Resource);
    by("s3.amazonaws.com").lacks(Layer::Resource);
    by(ROOT).allowed();
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let all = || {
        by(SESSION)
            .identity(ALLOW_ALL)
            .boundary(ALLOW_ALL)
            .session(ALLOW_ALL)
            .resource(&allow(SESSION))
    };
    all().allowed();
    all().boundary(DENY_ALL).denied(Layer::Boundary);
    let ask = || by(SESSION).resource(&allow(SESSION));
    ask()
        .identity(DENY_ALL)
        .identity(ALLOW_ALL)
        .denied(Layer::Identity);
    ask()
        .identity(ALLOW_ALL)
        .session(DENY_ALL)
        .session(ALLOW_ALL)
        .denied(Layer::Session);
    for denied in [
        deny(SESSION),
        deny(ROLE),
        deny(ROOT),
        about("Deny", "\"*\""),
    ] {
        let policy = format!("{denied},{}", allow(SESSION));
        all().resource(&policy).denied(Layer::Resource);
    }
    let last = format!("{ALLOW_ALL},{DENY_ALL}");
    let place = Denial {
        layer: Layer::Identity,
        policy: 1,
        statement: 1,
        sid: Some("no"),
    };
    by(ANN)
        .identity(ALLOW_OTHER)
        .identity(&last)
        .is(Decision::Denied(place));
}

#[test]
fn within_an_account_either_side_is_enough() {
    by(ANN).identity(ALLOW_ALL).allowed();
    by(ANN).resource(&allow(ANN)).allowed();
    let ask = |identity| by(ANN).identity(identity);
    ask(ALLOW_OTHER).resource(&allow(ANN)).allowed();
    ask(ALLOW_ALL).resource(&allow(ROLE)).allowed();
    ask(ALLOW_OTHER)
        .resource(&allow(ROLE))
        .lacks(Layer::Identity);
}

#[test]
fn across_accounts_both_sides_are_needed() {
    let ask = || by(OTHER_ANN).identity(ALLOW_ALL);
    ask().lacks(Layer::Resource);
    ask().resource(&allow(ROOT)).lacks(Layer::Resource);
    for named in [OTHER_ANN, OTHER_ROOT, "222222222222"] {
        ask().resource(&allow(named)).allowed();
    }
    let named = || by(OTHER_ANN).resource(&allow(OTHER_ANN));
    named().lacks(Layer::Identity);
    by(OTHER_ANN)
        .resource(&about("Allow", "\"*\""))
        .lacks(Layer::Identity);
    named()
        .identity(ALLOW_ALL)
        .boundary(ALLOW_OTHER)
        .lacks(Layer::Boundary);
    named()
        .identity(ALLOW_ALL)
        .session(ALLOW_OTHER)
        .lacks(Layer::Session);
    by(OTHER_ROOT).resource(&allow(OTHER_ROOT)).allowed();
}

#[test]
fn a_deny_of_a_resource_holds_across_accounts() {
    let ask = || by(OTHER_ANN).identity(ALLOW_ALL);
    for named in [OTHER_ANN, OTHER_ROOT, "222222222222"] {
        let policy = format!("{},{}", deny(named), allow(OTHER_ANN));
        ask().resource(&policy).denied(Layer::Resource);
    }
    let elsewhere = format!("{},{}", deny(ROOT), allow(OTHER_ANN));
    ask().resource(&elsewhere).allowed();
    by(OTHER_ANN)
        .identity(DENY_ALL)
        .resource(&allow(OTHER_ANN))
        .denied(Layer::Identity);
}

#[test]
fn a_root_is_stopped_only_by_a_deny() {
    let ask = |policy: &str| by(ROOT).resource(policy);
    ask(&allow(ANN)).allowed();
    ask(&deny(ANN)).allowed();
    ask(&deny(ROOT)).denied(Layer::Resource);
    ask(&about("Deny", "\"*\"")).denied(Layer::Resource);
}

/// The table "Resource-based policies and implicit denies in other policy types (same account)".
#[test]
fn how_a_resource_names_somebody_decides_what_else_is_asked() {
    let limited = |who, policy: &str| {
        by(who)
            .identity(ALLOW_OTHER)
            .boundary(ALLOW_OTHER)
            .session(ALLOW_OTHER)
            .resource(policy)
    };
    limited(SESSION, &allow(SESSION)).allowed();
    limited(SESSION, &about("Allow", "\"*\"")).allowed();
    limited(SESSION, &allow(ROLE)).lacks(Layer::Boundary);
    limited(SESSION, &allow(ROOT)).lacks(Layer::Identity);
    limited(ANN, &allow(ANN)).allowed();
    let role = |who| by(who).resource(&allow(ROLE));
    role(SESSION).allowed();
    role(SESSION)
        .boundary(ALLOW_ALL)
        .session(ALLOW_OTHER)
        .lacks(Layer::Session);
    role(SESSION)
        .boundary(ALLOW_ALL)
        .session(ALLOW_ALL)
        .allowed();
    role(ROLE).allowed();
    role(ROLE).boundary(ALLOW_OTHER).lacks(Layer::Boundary);
    // The strongest naming counts, wherever it stands.
    let both = format!("{},{}", allow(ROLE), allow(SESSION));
    limited(SESSION, &both).allowed();
    let one = about("Allow", &format!(r#"{{"AWS":["{ROLE}","{SESSION}"]}}"#));
    limited(SESSION, &one).allowed();
}

#[test]
fn an_account_is_trusted_to_pass_permissions_on() {
    for named in [ROOT, ACCOUNT] {
        let ask = || by(ANN).resource(&allow(named));
        ask().lacks(Layer::Identity);
        ask().identity(ALLOW_ALL).allowed();
        ask()
            .identity(ALLOW_ALL)
            .boundary(ALLOW_OTHER)
            .lacks(Layer::Boundary);
        by(ANN)
            .identity(ALLOW_ALL)
            .resource(&deny(named))
            .denied(Layer::Resource);
    }
}

#[test]
fn any_policy_of_a_session_may_allow() {
    let ask = || by(SESSION).identity(ALLOW_ALL);
    ask().session(ALLOW_OTHER).lacks(Layer::Session);
    ask().session(ALLOW_OTHER).session(ALLOW_ALL).allowed();
    by(SESSION).session(ALLOW_ALL).lacks(Layer::Identity);
    by(SESSION).boundary(ALLOW_ALL).lacks(Layer::Identity);
}

#[test]
fn a_trust_policy_must_allow() {
    let assume = |what, principal: &str| {
        let effect = effect(what);
        format!(r#"{{{effect},"Principal":{principal},"Action":"sts:AssumeRole"}}"#)
    };
    let lambda = assume("Allow", r#"{"Service":"lambda.amazonaws.com"}"#);
    by("lambda.amazonaws.com").trust(&lambda).allowed();
    by("s3.amazonaws.com").trust(&lambda).lacks(Layer::Trust);
    by(ROOT).trust(&lambda).lacks(Layer::Trust);
    let ask = |who| by(who).identity(ALLOW_ALL);
    ask(ANN).trust(&lambda).lacks(Layer::Trust);
    ask(OTHER_ANN).trust(&lambda).lacks(Layer::Trust);

    let ann = assume("Allow", &format!(r#"{{"AWS":"{ANN}"}}"#));
    by(ANN).trust(&ann).allowed();
    let account = assume("Allow", &format!(r#"{{"AWS":"{ROOT}"}}"#));
    by(ANN).trust(&account).lacks(Layer::Identity);
    by(ROOT).trust(&account).allowed();
    ask(ANN).trust(&account).allowed();
    ask(ANN)
        .boundary(ALLOW_OTHER)
        .trust(&account)
        .lacks(Layer::Boundary);
    let denied = format!("{},{ann}", assume("Deny", "\"*\""));
    ask(ANN).trust(&denied).denied(Layer::Trust);

    let web = assume("Allow", r#"{"Federated":"accounts.google.com"}"#);
    let mut case = by("*").trust(&web);
    case.lacks(Layer::Trust);
    case.principal = Principal::federated("accounts.google.com");
    case.allowed();
    case.principal = Principal::federated("www.amazon.com");
    case.lacks(Layer::Trust);
}
