use super::*;

const ALL: Syntax = Syntax {
    wildcards: true,
    variables: true,
};

fn context() -> Context {
    let pairs = [
        ("aws:username", "ann"),
        ("aws:PrincipalTag/star", "*"),
        ("aws:PrincipalTag/shift", "eu:999999999999:x"),
        ("aws:empty", ""),
    ];
    let mut context: Context = pairs.into_iter().collect();
    context.set_all("aws:TagKeys", ["a", "b"]);
    context
}

#[track_caller]
fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let parsed = Pattern::parse(pattern, ALL).unwrap();
    for (texts, expected) in [(yes, true), (no, false)] {
        for text in texts {
            let got = parsed.matches(text, &context());
            assert_eq!(got, expected, "{pattern} against {text:?}");
        }
    }
}

#[test]
fn wildcards() {
    check("", &[""], &["a"]);
    check("*", &["", "a", "ä:b/c"], &[]);
    check("a*", &["a", "ab", "a*"], &["", "ba"]);
    check("*a", &["a", "ba", "aa", "aba"], &["", "ab"]);
    check(
        "a*b*c",
        &["abc", "axbyc", "abbc", "abcbc"],
        &["ac", "acb", "abcd"],
    );
    check(
        "*ab*ab",
        &["abab", "xababab", "abaab"],
        &["ab", "aab", "ababa"],
    );
    check("a?c", &["abc", "aäc", "a?c", "a:c"], &["ac", "abbc"]);
    check("?*", &["a", "ä"], &[""]);
    check("a**b", &["ab", "axb"], &["a"]);
    check("*?b", &["ab", "äb", "bb"], &["b", ""]);
}

#[test]
fn variables_are_text() {
    check(
        "home/${aws:username}",
        &["home/ann"],
        &["home/", "home/bob"],
    );
    check("${AWS:UserName}*", &["ann", "anna"], &["an"]);
    check("${aws:PrincipalTag/star}", &["*"], &["", "anything"]);
    check("x${*}${?}${$}", &["x*?$"], &["xaaa"]);
    check("${aws:empty}x", &["x"], &[""]);
    check("$x$", &["$x$"], &[]);
}

#[test]
fn a_variable_without_a_value_matches_nothing() {
    check("${aws:userid}", &[], &["", "${aws:userid}"]);
    check("*${aws:userid}*", &[], &["", "a", "${aws:userid}"]);
    check("${aws:TagKeys}", &[], &["a", "b", "a,b", ""]);
    check("${aws:userid, 'nobody'}", &["nobody"], &["", "'nobody'"]);
    check("${aws:username,'nobody'}", &["ann"], &["nobody"]);
    check("${aws:userid, ''}x", &["x"], &[]);
}

#[test]
fn without_variables_a_dollar_is_a_dollar() {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
    };
    let pattern = Pattern::parse("${aws:username}*${", syntax).unwrap();
    assert!(pattern.matches("${aws:username}x${", &context()));
    assert!(!pattern.matches("annx${", &context()));
}

#[test]
fn variables_must_be_whole() {
    for bad in [
        "${",
        "a${aws:username",
        "${}",
        "${ }",
        "${a, b}",
        "${a, 'b}",
        "${${a}}",
    ] {
        assert!(Pattern::parse(bad, ALL).is_err(), "{bad}");
    }
}

#[test]
fn case_of_actions_and_of_texts() {
    let action = Pattern::parse("Lambda:Invoke*", ALL).unwrap();
    assert!(action.matches_ignoring_case("lambda:invokefunction", &context()));
    assert!(!action.matches("lambda:InvokeFunction", &context()));
    let text = Pattern::parse("ÄB${aws:username}", ALL).unwrap();
    assert!(text.equals_ignoring_case("äbANN", &context()));
    assert!(!text.equals_ignoring_case("äbAN", &context()));
    assert!(!text.equals_ignoring_case("äbANNA", &context()));
    let missing = Pattern::parse("a${aws:userid}", ALL).unwrap();
    assert!(!missing.equals_ignoring_case("a", &context()));
}

#[track_caller]
fn check_arn(pattern: &str, arn: &str, expected: bool) {
    let parsed = ArnPattern::parse(pattern, true).unwrap();
    assert_eq!(
        parsed.matches(arn, &context()),
        expected,
        "{pattern} against {arn}"
    );
}

#[test]
fn arns_match_component_by_component() {
    // The example of the guide's page on condition operators.
    let pattern = "arn:aws:someservice:*:111122223333:finance/*";
    let value =
        "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt";
    check_arn(pattern, value, false);
    check(pattern, &[value], &[]);

    let function = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    check_arn("arn:aws:lambda:*:123456789012:function:*", function, true);
    check_arn("arn:aws:lambda:*:*:*", &format!("{function}:live"), true);
    check_arn("arn:*:lambda:*:*:function:?", function, true);
    check_arn("arn:aws:lambda:*", function, false);
    check_arn("*", function, false);
    check_arn("arn:*", function, false);
    check_arn(function, "arn:aws:lambda:eu-west-1:123456789012", false);
    check_arn(
        "arn:aws:s3:::bucket/${aws:username}/*",
        "arn:aws:s3:::bucket/ann/x",
        true,
    );
    check_arn("arn:aws:sqs:*:*:a:b:c", "arn:aws:sqs:x:y:a:b:c", true);
}

#[test]
fn a_colon_in_a_value_begins_no_component() {
    let pattern = "arn:aws:sns:${aws:PrincipalTag/shift}:111122223333:topic";
    check_arn(
        pattern,
        "arn:aws:sns:eu:999999999999:x:111122223333:topic",
        false,
    );
}

#[test]
fn resources_take_variables_after_the_fifth_colon() {
    let early = |p| Pattern::parse(p, ALL).unwrap().has_early_variable();
    assert!(early("arn:aws:lambda:${aws:RequestedRegion}:1:f"));
    assert!(early("${aws:username}"));
    assert!(!early("arn:aws:lambda:x:1:f/${aws:username}"));
    assert!(!early("arn:aws:s3:::${aws:username}"));
    assert!(!early("*"));
}
