use proptest::prelude::*;

use super::{json::Wild, *};

const RECORD: &str = r#"{"level":"ERROR","message":"no table orders","ms":12.5,"ok":false,"none":null,"code":"404",
    "user":{"name":"ann","tags":["a","b"],"odd name":1}}"#;

fn check(pattern: &str, line: &str, expected: bool) {
    let filter = LogFilter::parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    assert_eq!(filter.matches(line), expected, "{pattern} on {line}");
}

#[test]
fn words() {
    let line = "[ERROR] 2026 task timed-out after 3 s";
    for (pattern, expected) in [
        ("", true),
        ("   ", true),
        ("ERROR", true),
        ("error", false),
        ("ERROR task", true),
        ("ERROR nothing", false),
        ("\"[ERROR] 2026\"", true),
        ("\"ERROR 2026\"", false),
        ("?WARN ?ERROR", true),
        ("?WARN ?INFO", false),
        ("task -ERROR", false),
        ("task -WARN", true),
        ("-\"timed-out after\"", false),
        ("timed-out", true),
        ("task ?WARN ?ERROR", true),
        ("task ?WARN ?INFO", false),
    ] {
        check(pattern, line, expected);
    }
    check(r#""a \"b\"""#, r#"say a "b" now"#, true);
}

#[test]
fn conditions() {
    for (pattern, expected) in [
        (r#"{ $.level = "ERROR" }"#, true),
        (r#"{$.level="WARN"}"#, false),
        (r#"{ $.level != "WARN" }"#, true),
        (r#"{ $.absent != "WARN" }"#, false),
        ("{ $.level = ERROR }", true),
        ("{ $.level = ERR* }", true),
        (r#"{ $.message = "*table*" }"#, true),
        (r#"{ $.message = "table*" }"#, false),
        ("{ $.ms > 12 }", true),
        ("{ $.ms >= 12.5 && $.ms <= 12.5 }", true),
        ("{ $.ms < 1.0e1 }", false),
        ("{ $.ms != 12.5 }", false),
        ("{ $.code = 404 }", false),
        (r#"{ $.code = "404" }"#, true),
        ("{ $.ok IS FALSE }", true),
        ("{ $.ok IS TRUE }", false),
        ("{ $.none IS NULL }", true),
        ("{ $.absent NOT EXISTS }", true),
        ("{ $.none NOT EXISTS }", false),
        (r#"{ $.user.tags[1] = "b" }"#, true),
        (r#"{ $.user.tags[*] = "a" }"#, true),
        (r#"{ $.user.tags[2] = "b" }"#, false),
        ("{ $.user['odd name'] = 1 }", true),
        (
            r#"{ ($.level = "WARN") || ($.ms > 1 && $.user.name = "ann") }"#,
            true,
        ),
        (
            r#"{ $.level = "WARN" || $.level = "INFO" && $.ms > 1 }"#,
            false,
        ),
    ] {
        check(pattern, RECORD, expected);
        check(pattern, "not json", false);
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (pattern, at, said) in [
        ("a %b%", 3, "regular expressions"),
        ("[a, b]", 1, "columns"),
        ("{ $.a = %x% }", 9, "regular expressions"),
        ("{ $.a }", 7, "a comparison"),
        ("{ $.a = 1", 10, "} or an operator"),
        ("{ a = 1 }", 3, "a selector"),
        ("{ $ = 1 }", 4, "a selector"),
        ("{ $.a < \"b\" }", 12, "a number"),
        ("{ $.a = 1 } b", 13, "the end"),
        ("\"open", 6, "\""),
        ("a=b", 2, "a space"),
        ("?", 2, "a word"),
    ] {
        let error = LogFilter::parse(pattern).unwrap_err();
        assert!(
            error.at == at && error.to_string().contains(said),
            "{pattern}: {error}"
        );
    }
    let deep = format!("{{ {}$.a = 1 }}", "(".repeat(17));
    assert!(LogFilter::parse(&deep).is_err());
    assert!(LogFilter::parse(&"a".repeat(LOG_FILTER_MAX + 1)).is_err());
}

/// What a star means, said otherwise.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|n| matches(rest, &text[n..])),
        [c, rest @ ..] => text.first() == Some(c) && matches(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn reading_and_matching_never_panic(pattern in ".{0,80}", line in ".{0,80}") {
        if let Ok(filter) = LogFilter::parse(&pattern) {
            let _ = filter.matches(&line);
        }
    }

    #[test]
    fn what_looks_like_a_pattern_never_panics(parts in prop::collection::vec(
        prop::sample::select(vec!["{", "}", "$", ".a", "[", "]", "0", "*", "=", "!=", "<", "\"x\"", "&&", "||", "(", ")", " ", "IS", "NULL", "NOT", "EXISTS", "?", "-", "\\", "ü"]), 0..20)) {
        if let Ok(filter) = LogFilter::parse(&parts.concat()) {
            let _ = filter.matches(RECORD);
        }
    }

    #[test]
    fn a_quoted_phrase_is_found_where_it_stands(phrase in "[^\"\\\\]{1,20}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
        let filter = LogFilter::parse(&format!("\"{phrase}\"")).unwrap();
        let line = format!("{before}{phrase}{after}");
        prop_assert!(filter.matches(&line));
    }

    #[test]
    fn a_word_and_its_exclusion_share_every_line(word in "[a-z]{1,2}", line in "[a-z ]{0,12}") {
        let with = LogFilter::parse(&word).unwrap();
        let without = LogFilter::parse(&format!("-{word}")).unwrap();
        prop_assert!(with.matches(&line) != without.matches(&line));
    }

    #[test]
    fn stars_stand_for_anything(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        let wild = Wild(pattern.split('*').map(str::to_owned).collect());
        let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(wild.matches(&text), matches(&p, &t));
    }
}
