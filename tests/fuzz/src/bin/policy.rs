//! Policies: a document that was read prints as one that is read as the same; deciding by it is deciding by its statements one
//! at a time, and nothing outdoes a deny; wildcards, numbers and networks match what a slow and plain matcher matches; and an
//! operator and its negation never agree.
//!
//! Before an empty line stand `KIND PRINCIPAL ACTION RESOURCE`, and condition keys with a value each; behind it the document.

#![no_main]

use std::{net::IpAddr, sync::Arc};

use libfuzzer_sys::fuzz_target;
use model::AccountId;
use policy::{
    Context, Decision, Document, InvalidDocument, Kind, Permission, Policies, Principal, Request,
    Version, evaluate,
};
use serde_json::json;

/// Longest document, in bytes; longer ones are refused.
const SIZE_MAX: usize = 2048;

/// The most that a refusal shows: names of members, each escaped, and what was expected.
const REFUSAL_MAX: usize = 10 * SIZE_MAX;

const ACCOUNT: &str = "123456789012";

struct Asked<'a> {
    kind: Kind,
    principal: Principal,
    action: &'a str,
    resource: &'a str,
    context: Context,
}

fuzz_target!(|text: &str| {
    let Some((head, document)) = text.split_once("\n\n") else {
        return;
    };
    let Some(asked) = asked(head) else { return };
    if let Some(document) = read(asked.kind, document) {
        one_by_one(&document, &asked);
        nothing_outdoes_a_deny(&document, &asked);
        granted(document, &asked);
    }
    conditions(&asked);
});

fn asked(head: &str) -> Option<Asked<'_>> {
    let mut lines = head.lines();
    let [kind, principal, action, resource] = lines
        .next()?
        .split(' ')
        .collect::<Vec<_>>()
        .try_into()
        .ok()?;
    Some(Asked {
        kind: match kind {
            "identity" => Kind::Identity,
            "resource" => Kind::Resource,
            "trust" => Kind::Trust,
            _ => return None,
        },
        principal: match principal {
            "" => Principal::anonymous(),
            text => Principal::service(text)
                .or_else(|_| match text.split_once('|') {
                    Some((role, session)) => Principal::session(role, session),
                    None => Principal::from_arn(text),
                })
                .ok()?,
        },
        action,
        resource,
        context: lines.filter_map(|line| line.split_once('=')).collect(),
    })
}

/// A document that was read, printed and read again; `None` for a refusal, which says where and what.
fn read(kind: Kind, text: &str) -> Option<Document> {
    let document = match Document::parse(kind, text, SIZE_MAX) {
        Ok(document) => document,
        Err(refusal) => {
            let too_large = matches!(refusal, InvalidDocument::TooLarge { .. });
            assert_eq!(too_large, text.len() > SIZE_MAX, "{refusal}");
            assert!(refusal.to_string().len() <= REFUSAL_MAX, "{refusal}");
            return None;
        }
    };
    let printed = document.to_string();
    // A statement that came without brackets got some, and an escape may have been the shorter form.
    let again = Document::parse(kind, &printed, 2 * SIZE_MAX).expect("what a document prints");
    assert_eq!(again, document, "{printed}");
    assert_eq!(again.to_string(), printed);
    let mut copy = Document::new(kind, document.version(), document.id());
    for statement in document.statements() {
        copy.add(statement).expect("a statement of such a document");
    }
    assert_eq!(copy.statements(), document.statements());
    Some(document)
}

/// An answer that stands on its own.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Allowed,
    Denied {
        statement: usize,
        sid: Option<String>,
    },
    NotAllowed,
}

fn decide(document: &Document, asked: &Asked<'_>) -> Said {
    let held = [Arc::new(document.clone())];
    let mut policies = Policies::default();
    match document.kind() {
        Kind::Identity => policies.identity = &held,
        Kind::Resource | Kind::Trust => policies.resource = Some(document),
    }
    let request = Request {
        principal: &asked.principal,
        action: asked.action,
        resource: asked.resource,
        account: account(),
        context: &asked.context,
    };
    match evaluate(&request, &policies) {
        Decision::Allowed => Said::Allowed,
        Decision::Denied(denial) => Said::Denied {
            statement: denial.statement,
            sid: denial.sid.map(str::to_owned),
        },
        Decision::NotAllowed(_) => Said::NotAllowed,
    }
}

fn account() -> AccountId {
    ACCOUNT.parse().expect("an account")
}

/// The first statement that denies on its own denies; without one it is enough that one allows on its own.
fn one_by_one(document: &Document, asked: &Asked<'_>) {
    let alone: Vec<Document> = document
        .statements()
        .iter()
        .map(|statement| {
            let mut alone = Document::new(document.kind(), document.version(), None);
            alone
                .add(statement)
                .expect("a statement of such a document");
            alone
        })
        .collect();
    let alone: Vec<_> = alone.iter().map(|one| decide(one, asked)).collect();
    let denies = |one: &Said| matches!(one, Said::Denied { .. });
    match decide(document, asked) {
        Said::Denied { statement, sid } => {
            assert_eq!(alone.iter().position(denies), Some(statement));
            let denied = &document.statements()[statement];
            assert_eq!(sid.as_deref(), denied.sid());
        }
        Said::Allowed => {
            assert!(!alone.iter().any(denies));
            // The root of an account needs no statement in its own account.
            assert!(alone.contains(&Said::Allowed) || alone.is_empty());
        }
        Said::NotAllowed => {
            assert!(!alone.iter().any(denies) && !alone.contains(&Said::Allowed));
        }
    }
}

fn nothing_outdoes_a_deny(document: &Document, asked: &Asked<'_>) {
    let principal = match document.kind() {
        Kind::Identity => json!({}),
        Kind::Resource | Kind::Trust => json!({ "Principal": "*" }),
    };
    let mut statement = json!({ "Effect": "Deny", "Action": "*" });
    let members = statement.as_object_mut().expect("an object");
    members.extend(principal.as_object().expect("an object").clone());
    if document.kind() != Kind::Trust {
        members.insert("Resource".to_owned(), json!("*"));
    }
    let text = json!({ "Statement": statement }).to_string();
    let denying = Document::parse(document.kind(), &text, SIZE_MAX).expect("a document");
    let mut both = document.clone();
    both.add(&denying.statements()[0])
        .expect("one without an id");
    assert!(matches!(decide(&both, asked), Said::Denied { .. }));
}

/// What `AddPermission` makes of the words of the question can be kept beside what is there.
fn granted(mut document: Document, asked: &Asked<'_>) {
    if document.kind() != Kind::Resource {
        return;
    }
    let principal = asked.principal.arn().unwrap_or("s3.amazonaws.com");
    let permission = Permission {
        source_arn: asked.context.get("aws:SourceArn").first().map(|v| &**v),
        ..Permission::new(
            "granted by a target",
            asked.action,
            principal,
            asked.resource,
        )
    };
    let Ok(statement) = permission.statement() else {
        return;
    };
    if document.version() == Version::V2012 && document.add(&statement).is_ok() {
        let printed = document.to_string();
        let again = Document::parse(Kind::Resource, &printed, printed.len());
        assert_eq!(again.as_ref(), Ok(&document), "{printed}");
    }
}

/// Operators on the first two values of the question: the one as written in a policy, the other as it is of the request.
fn conditions(asked: &Asked<'_>) {
    let [Some(written), Some(given)] = ["written", "given"].map(|key| {
        let value = asked.context.get(key).first()?;
        Some(&**value)
    }) else {
        return;
    };
    let holds = |operator: &str| holds(operator, written, given, &asked.context);
    for (positive, negative) in [
        ("StringEquals", "StringNotEquals"),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        ("StringLike", "StringNotLike"),
        ("ArnLike", "ArnNotLike"),
        ("ArnEquals", "ArnNotEquals"),
        ("NumericEquals", "NumericNotEquals"),
        ("DateEquals", "DateNotEquals"),
        ("IpAddress", "NotIpAddress"),
    ] {
        let (yes, no) = (holds(positive), holds(negative));
        assert_eq!(yes, no.map(|no| !no), "{positive}: {written} {given}");
    }
    assert_eq!(holds("ArnLike"), holds("ArnEquals"));
    for kind in ["Numeric", "Date"] {
        let holds = |comparison: &str| holds(&format!("{kind}{comparison}"));
        let [Some(less), Some(equal), Some(greater)] =
            ["LessThan", "Equals", "GreaterThan"].map(holds)
        else {
            continue;
        };
        assert!(u8::from(less) + u8::from(equal) + u8::from(greater) <= 1);
        assert_eq!(holds("LessThanEquals"), Some(less || equal));
        assert_eq!(holds("GreaterThanEquals"), Some(greater || equal));
    }
    if !written.contains("${") {
        assert_eq!(holds("StringLike"), Some(like(written, given)));
        assert_eq!(holds("ArnLike"), Some(arn_like(written, given)));
        assert_eq!(holds("StringEquals"), Some(written == given));
    }
    let compared = |number: i64, limit: i64| {
        let holds = |operator| holds_for(operator, &limit.to_string(), &number.to_string());
        assert_eq!(holds("NumericLessThan"), Some(number < limit));
        assert_eq!(holds("NumericEquals"), Some(number == limit));
    };
    if let Ok(limit) = written.parse::<i32>().map(i64::from) {
        (-1..=1).for_each(|more| compared(limit + more, limit));
    }
    // The last address within, and the first without, are not found by chance.
    for address in [given.to_owned()].into_iter().chain(edges(written)) {
        if let Some(inside) = in_network(written, &address) {
            let holds = holds_for("IpAddress", written, &address);
            assert_eq!(holds, Some(inside), "{written} {address}");
        }
    }
}

/// Whether a condition holds that asks for nothing else of the request.
fn holds_for(operator: &str, written: &str, given: &str) -> Option<bool> {
    holds(operator, written, given, &Context::default())
}

/// Addresses that differ from a network's own in the last bit that counts, and in the first that does not.
fn edges(network: &str) -> Vec<String> {
    let (base, length) = network.split_once('/').unwrap_or((network, "32"));
    let (Ok(base), Ok(length)) = (base.parse::<IpAddr>(), length.parse::<u32>()) else {
        return Vec::new();
    };
    let flipped = |place: u32| match base {
        IpAddr::V4(address) => {
            let bit = (1_u32 << 31).checked_shr(place)?;
            Some(IpAddr::from((u32::from(address) ^ bit).to_be_bytes()).to_string())
        }
        IpAddr::V6(address) => {
            let bit = (1_u128 << 127).checked_shr(place)?;
            Some(IpAddr::from((u128::from(address) ^ bit).to_be_bytes()).to_string())
        }
    };
    let places = [length.checked_sub(1), Some(length)];
    places.into_iter().flatten().filter_map(flipped).collect()
}

/// Whether the first bits of an address are those of a network, one character each. `None` for what is no network, and for
/// those of different families.
fn in_network(network: &str, address: &str) -> Option<bool> {
    let bits = |text: &str| {
        Some(match text.parse().ok()? {
            IpAddr::V4(address) => format!("{:032b}", u32::from(address)),
            IpAddr::V6(address) => format!("{:0128b}", u128::from(address)),
        })
    };
    let (base, length) = match network.split_once('/') {
        Some((_, length)) if length.starts_with('+') => return None,
        Some((base, length)) => (bits(base)?, Some(length.parse::<u8>().ok()?)),
        None => (bits(network)?, None),
    };
    let address = bits(address)?;
    let length = length.map_or(base.len(), usize::from);
    (base.len() == address.len() && length <= base.len())
        .then(|| base[..length] == address[..length])
}

/// Whether a condition holds; `None` if the value cannot be compared so.
fn holds(operator: &str, written: &str, given: &str, context: &Context) -> Option<bool> {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "*",
            "Resource": "*",
            "Condition": { operator: { "the value": written } },
        },
    });
    let document = Document::parse(Kind::Identity, &document.to_string(), usize::MAX).ok()?;
    let mut context = context.clone();
    context.set("the value", given);
    let user = format!("arn:aws:iam::{ACCOUNT}:user/u");
    let request = Request {
        principal: &Principal::from_arn(&user).expect("a user"),
        action: "lambda:InvokeFunction",
        resource: "arn:aws:lambda:eu-west-1:123456789012:function:f",
        account: account(),
        context: &context,
    };
    let policies = Policies {
        identity: &[Arc::new(document)],
        ..Policies::default()
    };
    Some(evaluate(&request, &policies) == Decision::Allowed)
}

/// Character by character, a row of all prefixes of the text for each of the pattern.
fn like(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for p in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        next[0] = p == '*' && row[0];
        for (i, t) in text.iter().enumerate() {
            next[i + 1] = match p {
                '*' => next[i] || row[i + 1],
                '?' => row[i],
                c => row[i] && c == *t,
            };
        }
        row = next;
    }
    row[text.len()]
}

fn arn_like(pattern: &str, text: &str) -> bool {
    let parts = |of: &str| of.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (patterns, texts) = (parts(pattern), parts(text));
    let each = || patterns.iter().zip(&texts);
    patterns.len() == 6 && texts.len() == 6 && each().all(|(p, t)| like(p, t))
}
