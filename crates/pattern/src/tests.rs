use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[track_caller]
fn good(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The matchers of the member `a`.
#[track_caller]
fn matchers(list: &str) -> Vec<Matcher> {
    match good(&format!("{{\"a\":[{list}]}}")).members.remove("a") {
        Some(Branch::Any(matchers)) => matchers,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn bad(text: &str, path: &str, reason: Reason) {
    let error = Pattern::parse(text).unwrap_err();
    assert_eq!(
        (error.path.as_str(), error.reason),
        (path, reason),
        "{text}"
    );
}

const fn bound(number: f64, inclusive: bool) -> Option<Bound> {
    Some(Bound { number, inclusive })
}

#[test]
fn every_operator() {
    let own = str::to_owned;
    let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    for (list, expected) in [
        (r#""x""#, Matcher::Equals(Scalar::Text(own("x")))),
        (r#""""#, Matcher::Equals(Scalar::Text(own("")))),
        ("null", Matcher::Equals(Scalar::Null)),
        ("true", Matcher::Equals(Scalar::Bool(true))),
        ("1.5", Matcher::Equals(Scalar::Number(1.5))),
        // The parser must be exact for this one.
        ("7.777e36", Matcher::Equals(Scalar::Number(7.777e36))),
        (r#"{"prefix":"x"}"#, Matcher::Prefix(Text::Exact(own("x")))),
        (
            r#"{"prefix":{"equals-ignore-case":"x"}}"#,
            Matcher::Prefix(Text::IgnoreCase(own("x"))),
        ),
        (r#"{"suffix":""}"#, Matcher::Suffix(Text::Exact(own("")))),
        (
            r#"{"suffix":{"equals-ignore-case":"x"}}"#,
            Matcher::Suffix(Text::IgnoreCase(own("x"))),
        ),
        (
            r#"{"equals-ignore-case":"X"}"#,
            Matcher::EqualsIgnoreCase(own("X")),
        ),
        (r#"{"exists":false}"#, Matcher::Exists(false)),
        (
            r#"{"anything-but":"x"}"#,
            Matcher::AnythingBut(Except::Texts(texts(&["x"]))),
        ),
        (
            r#"{"anything-but":["x",""]}"#,
            Matcher::AnythingBut(Except::Texts(texts(&["x", ""]))),
        ),
        (
            r#"{"anything-but":[1,-2]}"#,
            Matcher::AnythingBut(Except::Numbers(vec![1.0, -2.0])),
        ),
        (
            r#"{"anything-but":3}"#,
            Matcher::AnythingBut(Except::Numbers(vec![3.0])),
        ),
        (
            r#"{"anything-but":{"prefix":["x","y"]}}"#,
            Matcher::AnythingBut(Except::Prefixes(texts(&["x", "y"]))),
        ),
        (
            r#"{"anything-but":{"suffix":"x"}}"#,
            Matcher::AnythingBut(Except::Suffixes(texts(&["x"]))),
        ),
        (
            r#"{"anything-but":{"equals-ignore-case":["x"]}}"#,
            Matcher::AnythingBut(Except::IgnoreCase(texts(&["x"]))),
        ),
    ] {
        assert_eq!(matchers(list), [expected], "{list}");
    }
}

#[test]
fn comparisons_of_numbers() {
    for (list, lower, upper) in [
        (r#"["=",1]"#, bound(1.0, true), bound(1.0, true)),
        (r#"[">",1]"#, bound(1.0, false), None),
        (r#"[">=",1e3]"#, bound(1000.0, true), None),
        (r#"["<",-1]"#, None, bound(-1.0, false)),
        (r#"["<=",1]"#, None, bound(1.0, true)),
        (r#"[">",0,"<=",5]"#, bound(0.0, false), bound(5.0, true)),
        (r#"["<",5,">=",0]"#, bound(0.0, true), bound(5.0, false)),
    ] {
        assert_eq!(
            matchers(&format!(r#"{{"numeric":{list}}}"#)),
            [Matcher::Numeric(Range { lower, upper })],
            "{list}"
        );
    }
    for list in [
        "[]",
        r#"["="]"#,
        r#"[1,"="]"#,
        r#"["==",1]"#,
        r#"[">","1"]"#,
        r#"[">",1,">",2]"#,
        r#"["=",1,"<",2]"#,
        r#"[">",5,"<",5]"#,
        r#"[">",6,"<",5]"#,
        r#"[">",1,"<",2,"<",3]"#,
        r#"[">",null]"#,
    ] {
        bad(
            &format!(r#"{{"a":[{{"numeric":{list}}}]}}"#),
            "a",
            Reason::BadComparison,
        );
    }
    bad(r#"{"a":[{"numeric":1}]}"#, "a", Reason::BadOperand);
}

#[test]
fn members_nest_and_alternatives_stand_beside_them() {
    let pattern = good(
        r#"{"body":{"kind":["a","b"],"$or":[{"size":[{"numeric":[">",1]}]},{"deep":{"x":[null]}}]},"$or":[{"y":[1]},{"z":[2]},{"w":[3]}]}"#,
    );
    assert_eq!(pattern.alternatives.len(), 3);
    let Some(Branch::Object(body)) = pattern.members.get("body") else {
        panic!("{pattern:?}")
    };
    assert_eq!((body.members.len(), body.alternatives.len()), (1, 2));
    assert_eq!(pattern.combinations(), 6);
}

#[test]
fn what_is_no_pattern() {
    for (text, path, reason) in [
        ("", "", Reason::NotJson),
        ("simple string", "", Reason::NotJson),
        (r#"{"a":[1]} x"#, "", Reason::NotJson),
        (r#"{"a":[1"#, "", Reason::NotJson),
        ("[]", "", Reason::NotAnObject),
        ("null", "", Reason::NotAnObject),
        (r#""text""#, "", Reason::NotAnObject),
        ("{}", "", Reason::EmptyObject),
        (r#"{"a":{"b":{}}}"#, "a.b", Reason::EmptyObject),
        (r#"{"a":"x"}"#, "a", Reason::NotABranch),
        (r#"{"a":{"b":null}}"#, "a.b", Reason::NotABranch),
        (r#"{"a":[]}"#, "a", Reason::EmptyList),
        (r#"{"a":[["x"]]}"#, "a", Reason::NestedList),
        (r#"{"a":[{}]}"#, "a", Reason::NotOneOperator),
        (
            r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
            "a",
            Reason::NotOneOperator,
        ),
        (r#"{"a":[{"begins":"x"}]}"#, "a", Reason::UnknownOperator),
        (r#"{"a":[{"wildcard":"x*"}]}"#, "a", Reason::UnknownOperator),
        (r#"{"a":[{"prefix":1}]}"#, "a", Reason::BadOperand),
        (
            r#"{"a":[{"prefix":{"suffix":"x"}}]}"#,
            "a",
            Reason::BadOperand,
        ),
        (r#"{"a":[{"exists":"true"}]}"#, "a", Reason::BadOperand),
        (
            r#"{"a":[{"equals-ignore-case":["x"]}]}"#,
            "a",
            Reason::BadOperand,
        ),
        (r#"{"a":[{"anything-but":[]}]}"#, "a", Reason::EmptyList),
        (r#"{"a":[{"anything-but":null}]}"#, "a", Reason::BadOperand),
        (
            r#"{"a":[{"anything-but":["x",1]}]}"#,
            "a",
            Reason::BadOperand,
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":""}}]}"#,
            "a",
            Reason::BadOperand,
        ),
        (
            r#"{"a":[{"anything-but":{"numeric":["=",1]}}]}"#,
            "a",
            Reason::UnknownOperator,
        ),
        (r#"{"$or":{}}"#, "$or", Reason::BadAlternatives),
        (r#"{"$or":[1]}"#, "$or", Reason::BadAlternatives),
        (r#"{"$or":[]}"#, "$or", Reason::EmptyList),
        (r#"{"$or":[{"a":[1]},{}]}"#, "$or", Reason::EmptyObject),
        (r#"{"$or":[{"a":[]}]}"#, "$or.a", Reason::EmptyList),
    ] {
        bad(text, path, reason);
    }
}

#[test]
fn depth_and_combinations_have_bounds() {
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    bad(&deep, "", Reason::NotJson);
    let ten = |name: &str| {
        let one = |i| format!(r#"{{"{name}{i}":[1]}}"#);
        (0..10).map(one).collect::<Vec<_>>().join(",")
    };
    let nested = |outer: &str| {
        format!(
            r#"{{{outer}"a":{{"$or":[{}]}},"b":{{"$or":[{}]}},"c":{{"$or":[{}]}}}}"#,
            ten("x"),
            ten("y"),
            ten("z")
        )
    };
    assert_eq!(good(&nested("")).combinations(), COMBINATIONS_MAX);
    bad(
        &nested(r#""$or":[{"d":[1]},{"e":[1]}],"#),
        "",
        Reason::TooManyCombinations,
    );
}

/// What a pattern was written as: a leaf in each of its forms beside what it must be read as.
fn any_matcher() -> impl Strategy<Value = (Value, Matcher)> {
    let text = "[a-z]{0,3}";
    let number = -1000_i32..1000;
    prop_oneof![
        text.prop_map(|s| (json!(s), Matcher::Equals(Scalar::Text(s)))),
        number
            .clone()
            .prop_map(|n| (json!(n), Matcher::Equals(Scalar::Number(n.into())))),
        Just((json!(null), Matcher::Equals(Scalar::Null))),
        any::<bool>().prop_map(|b| (json!({"exists": b}), Matcher::Exists(b))),
        text.prop_map(|s| (json!({"prefix": s}), Matcher::Prefix(Text::Exact(s)))),
        text.prop_map(|s| (
            json!({"suffix": {"equals-ignore-case": s}}),
            Matcher::Suffix(Text::IgnoreCase(s))
        )),
        prop::collection::vec(text, 1..4).prop_map(|list| (
            json!({"anything-but": list}),
            Matcher::AnythingBut(Except::Texts(list))
        )),
        (number, 1_i32..9).prop_map(|(n, more)| (
            json!({"numeric": [">=", n, "<", n + more]}),
            Matcher::Numeric(Range {
                lower: bound(n.into(), true),
                upper: bound((n + more).into(), false),
            })
        )),
    ]
}

fn any_pattern() -> impl Strategy<Value = (Value, Pattern)> {
    let name = "[a-z]{1,3}";
    let leaf = prop::collection::btree_map(name, prop::collection::vec(any_matcher(), 1..4), 1..4)
        .prop_map(|members| {
            let mut written = serde_json::Map::new();
            let mut read = BTreeMap::new();
            for (name, matchers) in members {
                let (values, matchers): (Vec<_>, Vec<_>) = matchers.into_iter().unzip();
                written.insert(name.clone(), Value::Array(values));
                read.insert(name, Branch::Any(matchers));
            }
            let pattern = Pattern {
                members: read,
                alternatives: Vec::new(),
            };
            (Value::Object(written), pattern)
        });
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let nested = (name, inner.clone()).prop_map(|(name, (written, read))| {
            let pattern = Pattern {
                members: BTreeMap::from([(name.clone(), Branch::Object(read))]),
                alternatives: Vec::new(),
            };
            (json!({ name: written }), pattern)
        });
        let either = prop::collection::vec(inner, 1..3).prop_map(|list| {
            let (written, read): (Vec<_>, Vec<_>) = list.into_iter().unzip();
            let pattern = Pattern {
                members: BTreeMap::new(),
                alternatives: read,
            };
            (json!({ "$or": written }), pattern)
        });
        prop_oneof![nested, either]
    })
}

proptest! {
    #[test]
    fn a_pattern_is_read_as_it_was_written((written, expected) in any_pattern()) {
        prop_assert_eq!(Pattern::parse(&written.to_string()), Ok(expected));
    }

    /// A demand that is emptied, wherever it stands, makes the whole no pattern.
    #[test]
    fn an_emptied_list_is_noticed((written, _) in any_pattern()) {
        let text = written.to_string();
        let at = text.find('[').unwrap();
        let end = at + value_length(&text[at..]);
        let emptied = format!("{}[]{}", &text[..at], &text[end..]);
        prop_assert_eq!(Pattern::parse(&emptied).unwrap_err().reason, Reason::EmptyList);
    }

    #[test]
    fn reading_never_panics(text in r#"[{}\[\]":,a$or0-9-]{0,60}"#) {
        let _ = Pattern::parse(&text);
    }
}

/// How long the JSON value at the beginning of a text is.
fn value_length(text: &str) -> usize {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.next().unwrap().unwrap();
    values.byte_offset()
}
