//! Keys that are missing, lists that are empty, and variables.

use std::sync::Arc;

use policy::{Document, Kind, Layer};

use crate::case::{ALLOW_ALL, ANN, FUNCTION, by, effect};

/// `what` with everything, if this condition holds.
fn if_holds(what: &str, condition: &str) -> String {
    let effect = effect(what);
    format!(r#"{{{effect},"Action":"*","Resource":"*","Condition":{condition}}}"#)
}

/// Operator and value for `aws:RequestedRegion`; whether it holds without the key, and with `eu-west-1`.
#[test]
fn a_missing_key_makes_negated_and_lenient_operators_hold() {
    for (operator, value, without, with) in [
        ("StringEquals", r#""eu-west-1""#, false, true),
        ("StringNotEquals", r#""eu-west-1""#, true, false),
        ("StringEqualsIfExists", r#""eu-west-1""#, true, true),
        ("StringNotEqualsIfExists", r#""eu-west-1""#, true, false),
        ("StringEquals", "[]", false, false),
        ("StringNotEquals", "[]", true, true),
        ("StringEqualsIfExists", "[]", true, false),
        ("Null", r#""true""#, true, false),
        ("ForAllValues:StringEquals", r#""us-east-1""#, true, false),
        ("ForAllValues:StringEquals", "[]", true, false),
        (
            "ForAllValues:StringNotEquals",
            r#""eu-west-1""#,
            true,
            false,
        ),
        ("ForAnyValue:StringEquals", r#""eu-west-1""#, false, true),
        ("ForAnyValue:StringEquals", "[]", false, false),
        ("ForAnyValue:StringNotEquals", r#""us-east-1""#, false, true),
    ] {
        let condition = format!(r#"{{"{operator}":{{"AWS:requestedREGION":{value}}}}}"#);
        for (known, expected) in [(&[][..], without), (&["eu-west-1"], with)] {
            let ask = || by(ANN).knowing("aws:RequestedRegion", known);
            let allowing = if_holds("Allow", &condition);
            ask().identity(&allowing).allowed_if(expected);
            let denying = ask().identity(&if_holds("Deny", &condition));
            let denying = denying.identity(ALLOW_ALL);
            match expected {
                true => denying.denied(Layer::Identity),
                false => denying.allowed(),
            }
        }
    }
}

/// The guide's advice against keys that are missing.
#[test]
fn null_closes_the_gap_of_for_all_values() {
    let policy = if_holds(
        "Allow",
        r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"Null":{"aws:TagKeys":"false"}}"#,
    );
    let ask = |tags: &[&str]| by(ANN).knowing("aws:TagKeys", tags).identity(&policy);
    ask(&["a"]).allowed();
    ask(&["b", "a"]).allowed();
    ask(&["a", "c"]).lacks(Layer::Identity);
    ask(&[]).lacks(Layer::Identity);
    ask(&[""]).lacks(Layer::Identity);
    by(ANN).identity(&policy).lacks(Layer::Identity);
}

#[test]
fn variables_need_the_version_that_has_them() {
    const RESOURCE: &str = "arn:aws:lambda:eu-west-1:111111111111:function:${aws:username}";
    let statement = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{RESOURCE}"}}"#);
    let ask = |resource| by(ANN).knowing("aws:username", &["f"]).on(resource);
    ask(FUNCTION).identity(&statement).allowed();
    ask(RESOURCE).identity(&statement).lacks(Layer::Identity);
    for version in ["", r#""Version":"2008-10-17","#] {
        let old = format!(r#"{{{version}"Statement":{statement}}}"#);
        let old = Document::parse(Kind::Identity, &old, 4096).unwrap();
        for (resource, expected) in [(FUNCTION, false), (RESOURCE, true)] {
            let mut case = ask(resource);
            case.identity.push(Arc::new(old.clone()));
            case.allowed_if(expected);
        }
    }
}

#[test]
fn variables_stand_for_a_text_or_for_nothing() {
    let policy = |element: &str| {
        let resource = "arn:aws:lambda:eu-west-1:111111111111:function:${aws:username}";
        format!(r#"{{"Effect":"Allow","Action":"*","{element}":"{resource}"}}"#)
    };
    // Whoever is called `*` is not everybody.
    let star = by(ANN).knowing("aws:username", &["*"]);
    star.identity(&policy("Resource")).lacks(Layer::Identity);
    // Without a value: no resource, and with `Not` every one.
    by(ANN).identity(&policy("Resource")).lacks(Layer::Identity);
    by(ANN).identity(&policy("NotResource")).allowed();
}
