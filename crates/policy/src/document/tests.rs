use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const SIZE_MAX: usize = 4096;

fn parse(kind: Kind, text: &str) -> Result<Document, InvalidDocument> {
    Document::parse(kind, text, SIZE_MAX)
}

#[track_caller]
fn check_error(kind: Kind, text: &str, expected: &Expect) {
    expected.assert_eq(&parse(kind, text).unwrap_err().to_string());
}

/// A statement of an identity policy with these members besides.
fn identity(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{{members}}}}}"#)
}

#[test]
fn members_are_written_in_the_order_of_aws() {
    let text = r#" {
        "Statement": {
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
            "Resource": ["arn:aws:lambda:eu-west-1:123456789012:function:f"],
            "Action": "lambda:InvokeFunction",
            "Principal": {"Service": "s3.amazonaws.com", "AWS": ["123456789012", "*"]},
            "Effect": "Allow",
            "Sid": "a \"b\" ü"
        },
        "Id": "default",
        "Version": "2012-10-17"
    }"#;
    let document = parse(Kind::Resource, text).unwrap();
    expect![[r#"{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"a \"b\" ü","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com","AWS":["123456789012","*"]},"Action":"lambda:InvokeFunction","Resource":["arn:aws:lambda:eu-west-1:123456789012:function:f"],"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}]}"#]]
        .assert_eq(&document.to_string());
    assert_eq!(
        parse(Kind::Resource, &document.to_string()).unwrap(),
        document
    );
    assert_eq!(document.id(), Some("default"));
    assert_eq!(document.version(), Version::V2012);
}

#[test]
fn every_element_prints_as_it_was() {
    for (kind, text) in [
        (Kind::Identity, r#"{"Statement":[]}"#),
        (
            Kind::Identity,
            r#"{"Version":"2008-10-17","Statement":[{"Effect":"Deny","NotAction":["a:b","*"],"NotResource":"arn:aws:s3:::${aws:x}"}]}"#,
        ),
        (
            Kind::Resource,
            r#"{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":[]},"Action":[],"Resource":"*"}]}"#,
        ),
        (
            Kind::Resource,
            r#"{"Statement":[{"Effect":"Allow","Principal":{"CanonicalUser":"79a5","Federated":"cognito-identity.amazonaws.com"},"Action":"*","NotResource":[]}]}"#,
        ),
        (
            Kind::Trust,
            r#"{"Version":"2012-10-17","Id":"","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"Bool":{"x":true}}}]}"#,
        ),
    ] {
        assert_eq!(parse(kind, text).unwrap().to_string(), text);
    }
}

#[test]
fn a_document_without_a_version_is_an_old_one() {
    let text = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${"}}"#;
    assert_eq!(
        parse(Kind::Identity, text).unwrap().version(),
        Version::V2008
    );
}

#[test]
fn kinds_differ_in_principals_and_resources() {
    let all = [Kind::Identity, Kind::Resource, Kind::Trust];
    for (members, kinds) in [
        (r#""Action":"*","Resource":"*""#, &[Kind::Identity][..]),
        (
            r#""Principal":"*","Action":"*","Resource":"*""#,
            &[Kind::Resource],
        ),
        (
            r#""Principal":"*","Action":"*","NotResource":"*""#,
            &[Kind::Resource],
        ),
        (r#""Principal":"*","Action":"*""#, &[Kind::Trust]),
        (r#""Action":"*""#, &[]),
        (r#""Principal":"*","Resource":"*""#, &[]),
    ] {
        for kind in all {
            let text = identity(&format!(r#""Effect":"Allow",{members}"#));
            assert_eq!(
                parse(kind, &text).is_ok(),
                kinds.contains(&kind),
                "{kind:?} {text}"
            );
        }
    }
    let with_id = r#"{"Id":"x","Statement":[]}"#;
    assert!(parse(Kind::Identity, with_id).is_err());
    assert!(parse(Kind::Resource, with_id).is_ok());
}

#[test]
fn errors_say_where_and_what() {
    let at = |kind, text: &str, expected: Expect| check_error(kind, text, &expected);
    at(
        Kind::Identity,
        "[]",
        expect!["at $: expected an object of Version, Id and Statement, got a list"],
    );
    at(
        Kind::Identity,
        "{}",
        expect!["at $.Statement: expected a statement or a list of them, got nothing"],
    );
    at(
        Kind::Identity,
        r#"{"Statement":[],"statement":[]}"#,
        expect![[r#"at $: expected an object of Version, Id and Statement, got "statement""#]],
    );
    at(
        Kind::Identity,
        r#"{"Version":"2012-10-18","Statement":[]}"#,
        expect![[r#"at $.Version: expected 2012-10-17 or 2008-10-17, got "2012-10-18""#]],
    );
    at(
        Kind::Identity,
        r#"{"Statement":[],"Statement":[]}"#,
        expect![[r#"at $: expected every member once, got "Statement" again"#]],
    );
    at(
        Kind::Identity,
        r#"{"Statement":[{"Effect":"Allow","Effect":"Deny"}]}"#,
        expect![[r#"at $.Statement[0]: expected every member once, got "Effect" again"#]],
    );
    at(
        Kind::Identity,
        r#"{"Statement":["x"]}"#,
        expect![
            "at $.Statement[0]: expected an object of Sid, Effect, Principal or NotPrincipal, Action or NotAction, Resource or NotResource, and Condition, got a string"
        ],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"allow""#),
        expect![[r#"at $.Statement.Effect: expected Allow or Deny, got "allow""#]],
    );
    at(
        Kind::Identity,
        &identity(r#""Action":"*""#),
        expect!["at $.Statement.Effect: expected Allow or Deny, got nothing"],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Action":["a:b",7],"Resource":"*""#),
        expect!["at $.Statement.Action[1]: expected a string or a list of strings, got a number"],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Action":"Invoke","Resource":"*""#),
        expect![[
            r#"at $.Statement.Action: expected an action such as lambda:InvokeFunction, or *, got "Invoke""#
        ]],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Action":"*","NotAction":"*","Resource":"*""#),
        expect!["at $.Statement.Action: expected one of an element and its negation, got both"],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Action":"*","Resource":"function:f""#),
        expect![[r#"at $.Statement.Resource: expected an ARN or *, got "function:f""#]],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Action":"*","Resource":"arn:aws:s3:${a}::b""#),
        expect![[
            r#"at $.Statement.Resource: expected variables only after the fifth colon of an ARN, got "arn:aws:s3:${a}::b""#
        ]],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Boolean":{}}"#),
        expect![[
            r#"at $.Statement.Condition.Boolean: expected a condition operator, got "Boolean""#
        ]],
    );
    at(
        Kind::Identity,
        &identity(r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"*""#),
        expect!["at $.Statement: expected no principal in an identity-based policy, got one"],
    );
    at(
        Kind::Resource,
        &identity(r#""Effect":"Allow","NotPrincipal":"*","Action":"*","Resource":"*""#),
        expect!["at $.Statement: expected Principal in a statement that allows, got NotPrincipal"],
    );
    at(
        Kind::Resource,
        &identity(
            r#""Effect":"Deny","NotPrincipal":"*","Principal":"*","Action":"*","Resource":"*""#,
        ),
        expect!["at $.Statement: expected either Principal or NotPrincipal, got both"],
    );
    at(
        Kind::Resource,
        &identity(
            r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/*"},"Action":"*","Resource":"*""#,
        ),
        expect![[
            r#"at $.Statement.Principal.AWS: expected "*", an account of 12 digits, or the ARN of a principal, got "arn:aws:iam::123456789012:user/*""#
        ]],
    );
    at(
        Kind::Resource,
        &identity(r#""Effect":"Allow","Principal":{"aws":"*"},"Action":"*","Resource":"*""#),
        expect![[
            r#"at $.Statement.Principal: expected "*" or an object of AWS, Service, Federated and CanonicalUser, got "aws""#
        ]],
    );
    at(
        Kind::Resource,
        &identity(r#""Effect":"Allow","Principal":{"Service":["s3"]},"Action":"*","Resource":"*""#),
        expect![[
            r#"at $.Statement.Principal.Service[0]: expected the name of a service, such as s3.amazonaws.com, got "s3""#
        ]],
    );
    at(
        Kind::Trust,
        &identity(r#""Effect":"Deny","NotPrincipal":"*","Action":"*""#),
        expect!["at $.Statement: expected Principal in a trust policy, got NotPrincipal"],
    );
}

#[test]
fn size_is_bounded() {
    let text = r#"{"Statement":[]}"#;
    assert!(Document::parse(Kind::Identity, text, text.len()).is_ok());
    assert_eq!(
        Document::parse(Kind::Identity, text, text.len() - 1),
        Err(InvalidDocument::TooLarge {
            limit: 15,
            size: 16
        })
    );
}

#[test]
fn ids_of_statements_are_unique() {
    let statement =
        |sid: &str| format!(r#"{{"Sid":"{sid}","Effect":"Allow","Action":"*","Resource":"*"}}"#);
    let two = |a, b| format!(r#"{{"Statement":[{},{}]}}"#, statement(a), statement(b));
    assert!(parse(Kind::Identity, &two("a", "b")).is_ok());
    assert!(parse(Kind::Identity, &two("", "")).is_ok());
    let error = parse(Kind::Identity, &two("a", "a")).unwrap_err();
    assert_eq!(
        error,
        InvalidDocument::DuplicateSid(DuplicateSid("a".to_owned()))
    );
}

#[test]
fn statements_come_and_go() {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}"}]}"#;
    let mut document = parse(Kind::Identity, text).unwrap();
    let a = document.statement("a").unwrap().clone();
    assert!(matches!(
        document.add(&a),
        Err(InvalidDocument::DuplicateSid(_))
    ));
    assert_eq!(document.remove("a"), Some(a.clone()));
    assert_eq!(document.remove("a"), None);
    document.add(&a).unwrap();
    assert_eq!(document.to_string(), text);

    // In an old document the same text has no variables in it.
    let mut old = Document::new(Kind::Identity, Version::V2008, None);
    old.add(&a).unwrap();
    assert_ne!(old.statements(), document.statements());
    assert_eq!(parse(Kind::Identity, &old.to_string()).unwrap(), old);

    let mut other = Document::new(Kind::Resource, Version::V2012, Some("default"));
    assert!(other.add(&a).is_err());
    assert!(other.statements().is_empty());
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "[{}\\[\\]\",:a$*]{0,60}") {
        let _ = parse(Kind::Resource, &text);
    }
}
