//! EventBridge patterns: a pattern that was read can be written down and is read again as the same, whatever blanks and
//! escapes its text has; what it promises of itself holds; and what is no pattern is refused with its place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pattern::{
    Bound, Branch, COMBINATIONS_MAX, Except, Matcher, Pattern, Range, Reason, Scalar, Text,
};
use serde_json::{Map, Value, json};

fuzz_target!(|text: &str| {
    let read = Pattern::parse(text);
    match &read {
        Ok(pattern) => {
            assert!(combinations(pattern) <= COMBINATIONS_MAX, "{text}");
            bounded(text, combinations(pattern));
            let written = written(pattern).to_string();
            assert_eq!(Pattern::parse(&written).as_ref(), Ok(pattern), "{written}");
        }
        Err(error) => assert!(error.path.len() <= text.len(), "{error}"),
    }
    match serde_json::from_str::<Value>(text) {
        Ok(json) => {
            let spaced = serde_json::to_string_pretty(&json).expect("JSON");
            assert_eq!(Pattern::parse(&spaced), read, "{spaced}");
        }
        Err(_) => assert_eq!(read.expect_err("not JSON").reason, Reason::NotJson),
    }
});

/// With as many alternatives beside it as there may be, and with one more.
fn bounded(text: &str, combinations: usize) {
    // One of few combinations needs a long list, which costs more than it finds.
    if combinations < 4 {
        return;
    }
    let most = COMBINATIONS_MAX / combinations;
    let beside = |alternatives: usize| {
        let list = vec![r#"{"b":[1]}"#; alternatives].join(",");
        let read = Pattern::parse(&format!(r#"{{"a":{text},"$or":[{list}]}}"#));
        read.err().map(|error| error.reason)
    };
    assert_ne!(beside(most), Some(Reason::TooManyCombinations), "{text}");
    assert!(beside(most + 1).is_some(), "{text}");
}

fn combinations(pattern: &Pattern) -> usize {
    let beneath = pattern.members.values().filter_map(|branch| match branch {
        Branch::Object(pattern) => Some(combinations(pattern)),
        Branch::Any(_) => None,
    });
    let beside: usize = pattern.alternatives.iter().map(combinations).sum();
    beneath.product::<usize>() * beside.max(1)
}

/// A pattern as text; every promise of a pattern is asked for on the way.
fn written(pattern: &Pattern) -> Value {
    assert!(!pattern.members.is_empty() || !pattern.alternatives.is_empty());
    let mut object = Map::new();
    for (name, branch) in &pattern.members {
        let value = match branch {
            Branch::Object(pattern) => written(pattern),
            Branch::Any(matchers) => {
                assert!(!matchers.is_empty());
                matchers.iter().map(matcher).collect()
            }
        };
        object.insert(name.clone(), value);
    }
    if !pattern.alternatives.is_empty() {
        let alternatives = pattern.alternatives.iter().map(written).collect();
        object.insert("$or".to_owned(), alternatives);
    }
    Value::Object(object)
}

fn matcher(matcher: &Matcher) -> Value {
    match matcher {
        Matcher::Equals(Scalar::Null) => Value::Null,
        Matcher::Equals(Scalar::Bool(value)) => json!(value),
        Matcher::Equals(Scalar::Number(value)) => json!(value),
        Matcher::Equals(Scalar::Text(value)) => json!(value),
        Matcher::EqualsIgnoreCase(value) => json!({ "equals-ignore-case": value }),
        Matcher::Prefix(value) => json!({ "prefix": end(value) }),
        Matcher::Suffix(value) => json!({ "suffix": end(value) }),
        Matcher::Numeric(value) => json!({ "numeric": range(*value) }),
        Matcher::Exists(value) => json!({ "exists": value }),
        Matcher::AnythingBut(value) => json!({ "anything-but": except(value) }),
    }
}

fn end(text: &Text) -> Value {
    match text {
        Text::Exact(text) => json!(text),
        Text::IgnoreCase(text) => json!({ "equals-ignore-case": text }),
    }
}

fn range(range: Range) -> Value {
    let lower = |bound: Bound| json!([if bound.inclusive { ">=" } else { ">" }, bound.number]);
    let upper = |bound: Bound| json!([if bound.inclusive { "<=" } else { "<" }, bound.number]);
    match (range.lower, range.upper) {
        (Some(low), Some(high)) if low.number == high.number => {
            assert!(low.inclusive && high.inclusive, "{range:?}");
            json!(["=", low.number])
        }
        (Some(low), Some(high)) => {
            assert!(low.number < high.number, "{range:?}");
            let (Value::Array(mut both), Value::Array(rest)) = (lower(low), upper(high)) else {
                unreachable!("lists");
            };
            both.extend(rest);
            Value::Array(both)
        }
        (Some(low), None) => lower(low),
        (None, Some(high)) => upper(high),
        (None, None) => panic!("a range without a bound"),
    }
}

fn except(except: &Except) -> Value {
    let some = |texts: &[String]| {
        assert!(!texts.is_empty());
        json!(texts)
    };
    match except {
        Except::Texts(texts) => some(texts),
        Except::Numbers(numbers) => {
            assert!(!numbers.is_empty());
            json!(numbers)
        }
        Except::Prefixes(texts) => json!({ "prefix": some(texts) }),
        Except::Suffixes(texts) => json!({ "suffix": some(texts) }),
        Except::IgnoreCase(texts) => json!({ "equals-ignore-case": some(texts) }),
    }
}
