//! Names, ids and ARNs: whatever is taken for one prints as a text that is taken for the same, and for most of them as the
//! text that came; whatever is not is refused with a text that is short however long it was; and which is which, a grammar
//! says that shares no code with the parsers.

#![no_main]

use std::{
    any::type_name,
    fmt::{Debug, Display},
    str::FromStr,
};

use fuzz::grammar;
use libfuzzer_sys::fuzz_target;
use model::{
    AccountId, AliasName, Architecture, CapacityProviderId, CapacityProviderName, CodeSigningId,
    CodeSigningName, Digest, FunctionArn, FunctionName, FunctionReference, LayerId, LayerName,
    LayerVersionId, MasterKeyId, NodeName, Qualifier, Region, RequestId, RevisionId, Role, Runtime,
    SettingKind, TenantId, Timestamp, Version, Zone,
    iam::{AccessKeyId, EntityId, EntityName, EntityPath, RoleArn, SessionName},
    mapping::{MappingState, MappingUuid, SourceKind},
    setting::{Destination, UrlId},
};

/// The longest refusal, in bytes: 350 characters of the text, each escaped, and what was expected.
const REFUSAL_MAX: usize = 350 * 10 + 200;

fuzz_target!(|text: &str| {
    by_the_grammar(text);
    if arns(text) {
        near(text);
    }
    as_it_came::<Architecture>(text);
    as_it_came::<Destination>(text);
    as_it_came::<EntityId>(text);
    as_it_came::<EntityPath>(text);
    as_it_came::<MappingState>(text);
    as_it_came::<MappingUuid>(text);
    as_it_came::<MasterKeyId>(text);
    as_it_came::<NodeName>(text);
    as_it_came::<RequestId>(text);
    as_it_came::<RevisionId>(text);
    as_it_came::<Role>(text);
    as_it_came::<Runtime>(text);
    as_it_came::<SettingKind>(text);
    as_it_came::<SourceKind>(text);
    as_it_came::<UrlId>(text);
    as_it_came::<Zone>(text);
    if let Some(digest) = parsed::<Digest>(text) {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
        assert_eq!(Digest::from_base64(&digest.to_base64()), Some(digest));
    }
    if let Some(time) = parsed_only::<Timestamp>(text) {
        assert_eq!(time.to_rfc3339().parse(), Ok(time));
    }
    reference(text);
});

/// Those whose grammar is small enough to be said twice.
fn by_the_grammar(text: &str) {
    exactly::<AccessKeyId>(text, grammar::text(text, "_", 16..=128));
    exactly::<AccountId>(text, grammar::account(text));
    exactly::<AliasName>(text, grammar::alias(text));
    exactly::<CapacityProviderName>(text, grammar::layer_name(text));
    exactly::<CodeSigningName>(text, grammar::code_signing_name(text));
    exactly::<EntityName>(text, grammar::text(text, "_+=,.@-", 1..=128));
    exactly::<FunctionName>(text, grammar::function_name(text));
    exactly::<LayerName>(text, grammar::layer_name(text));
    exactly::<Qualifier>(text, grammar::qualifier(text));
    exactly::<Region>(text, grammar::region(text));
    exactly::<SessionName>(text, grammar::text(text, "_+=,.@-", 1..=64));
    exactly::<TenantId>(text, grammar::text(text, "._:/=+-@ ", 1..=256));
    exactly::<Version>(text, grammar::version(text));
}

/// With one part of an ARN cut, or something put before or behind it.
fn near(text: &str) {
    let parts: Vec<&str> = text.split(':').collect();
    for (place, part) in parts.iter().enumerate() {
        let shorter = part.get(1..).unwrap_or_default();
        for other in [
            "",
            shorter,
            &format!("{part}a"),
            &format!("{part}0"),
            &format!("0{part}"),
            &format!("{part}-"),
            &format!("+{part}"),
        ] {
            let mut parts = parts.clone();
            parts[place] = other;
            let text = parts.join(":");
            arns(&text);
            reference(&text);
        }
    }
}

/// Whether it is the ARN of anything.
fn arns(text: &str) -> bool {
    let mut found = arn::<FunctionArn>(text, "function", grammar::qualified);
    found |= arn::<LayerId>(
        text,
        "layer",
        |rest| matches!(*rest, [name] if grammar::layer_name(name)),
    );
    found |= arn::<LayerVersionId>(
        text,
        "layer",
        |rest| matches!(*rest, [name, n] if grammar::layer_name(name) && grammar::number(n)),
    );
    found |= arn::<CodeSigningId>(
        text,
        "code-signing-config",
        |rest| matches!(*rest, [name] if grammar::code_signing_name(name)),
    );
    found |= arn::<CapacityProviderId>(
        text,
        "capacity-provider",
        |rest| matches!(*rest, [name] if grammar::layer_name(name)),
    );
    if let Some(role) = as_it_came::<RoleArn>(text) {
        let parts: Vec<&str> = text.split(':').collect();
        assert!(parts[1] == "aws" || parts[1].starts_with("aws-"), "{text}");
        assert_eq!(parts[4], role.account().as_str());
        assert!(text.ends_with(role.name().as_str()), "{text}");
        found = true;
    }
    found
}

/// What comes out is what went in, to the byte.
fn as_it_came<T: FromStr<Err: Display + Debug> + Display + PartialEq + Debug>(
    text: &str,
) -> Option<T> {
    let value = parsed::<T>(text)?;
    assert_eq!(value.to_string(), text);
    Some(value)
}

/// As it came, and taken exactly if it should be.
fn exactly<T: FromStr<Err: Display + Debug> + Display + PartialEq + Debug>(
    text: &str,
    expected: bool,
) {
    let taken = as_it_came::<T>(text).is_some();
    assert_eq!(taken, expected, "{}: {text:?}", type_name::<T>());
}

/// An ARN comes out as it went in but for its partition, which follows from its region; and it is one exactly if what is behind
/// the kind of its resource fits.
fn arn<T: FromStr<Err: Display + Debug> + Display + PartialEq + Debug>(
    text: &str,
    kind: &str,
    fits: impl Fn(&[&str]) -> bool,
) -> bool {
    let expected = grammar::behind(text, kind).is_some_and(|rest| fits(&rest));
    let value = parsed::<T>(text);
    assert_eq!(value.is_some(), expected, "{}: {text:?}", type_name::<T>());
    let Some(value) = value else { return false };
    let unpartitioned = |arn: &str| arn.splitn(3, ':').last().map(str::to_owned);
    assert_eq!(
        unpartitioned(&value.to_string()),
        unpartitioned(text),
        "{text}"
    );
    true
}

/// Every form in which a function may be named, put together from the parts that were found in it.
fn reference(text: &str) {
    let found = parsed_only::<FunctionReference>(text);
    let expected = grammar::function_reference(text);
    assert_eq!(found.is_some(), expected, "{text:?}: {found:?}");
    let Some(found) = found else { return };
    let qualifier = found.qualifier.as_ref();
    let qualifier = qualifier.map_or_else(String::new, |q| format!(":{q}"));
    let bare = format!("{}{qualifier}", found.name);
    let forms = match (&found.region, found.account) {
        (Some(region), Some(account)) => {
            let partition = text.split(':').nth(1).unwrap_or_default();
            let head = format!("arn:{partition}:lambda:{region}:{account}:");
            vec![format!("{head}function:{bare}")]
        }
        (None, Some(account)) => vec![format!("{account}:function:{bare}")],
        (None, None) => vec![bare.clone(), format!("function:{bare}")],
        (Some(_), None) => Vec::new(),
    };
    assert!(forms.iter().any(|form| form == text), "{text}: {found:?}");
}

fn parsed<T: FromStr<Err: Display + Debug> + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value = parsed_only::<T>(text)?;
    let again = value.to_string().parse::<T>();
    assert_eq!(again.ok().as_ref(), Some(&value), "{text}");
    Some(value)
}

fn parsed_only<T: FromStr<Err: Display + Debug>>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(value) => Some(value),
        Err(refusal) => {
            let said = refusal.to_string();
            assert!(said.len() <= REFUSAL_MAX, "{} bytes: {said}", said.len());
            None
        }
    }
}
