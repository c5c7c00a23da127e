//! Names and ARNs a second time, as their documentation says them and by no code of the product: what the parsers take and
//! what they refuse is held against it.

use std::ops::RangeInclusive;

/// Letters, digits and some signs, that many of them.
pub fn text(text: &str, signs: &str, lengths: RangeInclusive<usize>) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    lengths.contains(&text.len()) && text.chars().all(legal)
}

pub fn account(s: &str) -> bool {
    s.len() == 12 && digits(s)
}

pub fn region(s: &str) -> bool {
    text(s, "-", 1..=64) && !s.contains(|c: char| c.is_ascii_uppercase())
}

pub fn function_name(s: &str) -> bool {
    text(s, "-_", 1..=64)
}

pub fn layer_name(s: &str) -> bool {
    text(s, "-_", 1..=140)
}

pub fn alias(s: &str) -> bool {
    text(s, "-_", 1..=128) && !digits(s)
}

/// A number from one on that an unsigned integer of 64 bits holds, and nothing before it.
pub fn number(s: &str) -> bool {
    const LARGEST: &str = "18446744073709551615";
    let fits = s.len() < LARGEST.len() || s.len() == LARGEST.len() && s <= LARGEST;
    !s.is_empty() && digits(s) && !s.starts_with('0') && fits
}

pub fn version(s: &str) -> bool {
    s == "$LATEST" || s == "$LATEST.PUBLISHED" || number(s)
}

pub fn qualifier(s: &str) -> bool {
    version(s) || alias(s)
}

pub fn code_signing_name(s: &str) -> bool {
    let lower = |s: &str| text(s, "", 17..=17) && s.to_ascii_lowercase() == s;
    s.strip_prefix("csc-").is_some_and(lower)
}

/// What follows the kind of resource in an ARN of ours; `None` for what is no such ARN.
pub fn behind<'a>(arn: &'a str, kind: &str) -> Option<Vec<&'a str>> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "lambda", of, owner, what, rest @ ..] = parts.as_slice() else {
        return None;
    };
    let ours = *what == kind && region(of) && account(owner);
    (ours && (*partition == "aws" || partition.starts_with("aws-"))).then(|| rest.to_vec())
}

/// `name`, `name:qualifier`, and either behind `function:`, `account:function:` or the head of an ARN.
pub fn function_reference(s: &str) -> bool {
    if s.starts_with("arn:") && s.matches(':').count() > 1 {
        return behind(s, "function").is_some_and(|parts| qualified(&parts));
    }
    let bare = match s.split_once(":function:") {
        Some((owner, bare)) if account(owner) => bare,
        _ => s.strip_prefix("function:").unwrap_or(s),
    };
    qualified(&bare.split(':').collect::<Vec<_>>())
}

/// The name of a function, with a qualifier or without.
pub fn qualified(parts: &[&str]) -> bool {
    match *parts {
        [name] => function_name(name),
        [name, q] => function_name(name) && qualifier(q),
        _ => false,
    }
}

fn digits(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_digit())
}
