use super::*;

fn read(json: &str) -> Result<Conditions, InvalidDocument> {
    Conditions::read(&Tree::parse(json).unwrap(), true)
}

/// The keys of every test: one that is missing, one without values, one empty, one single and one with two values.
fn context(single: &str, several: [&str; 2]) -> Context {
    let mut context = Context::new();
    context.set("one", single);
    context.set_all("two", several);
    context.set("empty", "");
    context.set_all("none", [""; 0]);
    context.set("aws:username", "ann");
    context
}

#[track_caller]
fn check(operator: &str, key: &str, values: &str, expected: bool) {
    let json = format!(r#"{{"{operator}":{{"{key}":{values}}}}}"#);
    let context = context("b", ["a", "b"]);
    assert_eq!(read(&json).unwrap().hold(&context), expected, "{json}");
}

/// The negated operator is the negation of the positive one.
#[track_caller]
fn check_both(positive: &str, negative: &str, key: &str, values: &str, expected: bool) {
    check(positive, key, values, expected);
    check(negative, key, values, !expected);
}

#[test]
fn values_are_alternatives_and_negated_ones_are_all_excluded() {
    for (values, expected) in [
        (r#""b""#, true),
        (r#""a""#, false),
        (r#"["a","b"]"#, true),
        (r#"["a","c"]"#, false),
        ("[]", false),
    ] {
        check_both("StringEquals", "StringNotEquals", "one", values, expected);
        check_both("StringLike", "StringNotLike", "one", values, expected);
    }
}

#[test]
fn a_missing_key_is_equal_to_nothing() {
    for key in ["missing", "none"] {
        for (positive, negative, value) in [
            ("StringEquals", "StringNotEquals", r#""""#),
            (
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
                r#""x""#,
            ),
            ("StringLike", "StringNotLike", r#""*""#),
            ("NumericEquals", "NumericNotEquals", "0"),
            ("DateEquals", "DateNotEquals", r#""2020""#),
            ("IpAddress", "NotIpAddress", r#""0.0.0.0/0""#),
            ("ArnLike", "ArnNotLike", r#""arn:*:*:*:*:*""#),
            ("ArnEquals", "ArnNotEquals", r#""arn:*:*:*:*:*""#),
        ] {
            check_both(positive, negative, key, value, false);
            check(&format!("{positive}IfExists"), key, value, true);
            check(&format!("{negative}IfExists"), key, value, true);
        }
        check("NumericLessThan", key, "1", false);
        check("Bool", key, "false", false);
        check("BoolIfExists", key, "false", true);
    }
}

#[test]
fn if_exists_changes_nothing_for_a_key_that_is_there() {
    check("StringEqualsIfExists", "one", r#""a""#, false);
    check("StringEqualsIfExists", "one", r#""b""#, true);
    check("StringEqualsIfExists", "one", "[]", false);
    check("StringNotEqualsIfExists", "one", r#""b""#, false);
    check("StringEqualsIfExists", "empty", r#""b""#, false);
}

#[test]
fn null_asks_whether_a_key_has_a_value() {
    for (key, null) in [
        ("missing", true),
        ("none", true),
        ("empty", true),
        ("one", false),
        ("two", false),
    ] {
        check("Null", key, "true", null);
        check("Null", key, r#""false""#, !null);
        check("Null", key, r#"["true",false]"#, true);
        check("Null", key, "[]", false);
    }
}

#[test]
fn sets() {
    for (operator, values, expected) in [
        ("ForAllValues:StringEquals", r#"["a","b","c"]"#, true),
        ("ForAllValues:StringEquals", r#"["a"]"#, false),
        ("ForAllValues:StringEquals", "[]", false),
        ("ForAllValues:StringNotEquals", r#"["c"]"#, true),
        ("ForAllValues:StringNotEquals", r#"["a"]"#, false),
        ("ForAnyValue:StringEquals", r#"["a","x"]"#, true),
        ("ForAnyValue:StringEquals", r#"["x"]"#, false),
        ("ForAnyValue:StringEquals", "[]", false),
        ("ForAnyValue:StringNotEquals", r#"["a"]"#, true),
        ("ForAnyValue:StringNotEquals", r#"["a","b"]"#, false),
        // Without a quantifier: one must meet, and negated none.
        ("StringEquals", r#"["a"]"#, true),
        ("StringNotEquals", r#"["a"]"#, false),
        ("StringNotEquals", r#"["c"]"#, true),
    ] {
        check(operator, "two", values, expected);
    }
}

#[test]
fn sets_without_values() {
    for key in ["missing", "none", "empty"] {
        for operator in ["StringEquals", "StringNotEquals", "StringLike"] {
            check(&format!("ForAllValues:{operator}"), key, r#"["a"]"#, true);
            check(&format!("ForAnyValue:{operator}"), key, r#"["a"]"#, false);
        }
    }
    check(
        "ForAnyValue:StringEqualsIfExists",
        "missing",
        r#""a""#,
        true,
    );
    check(
        "ForAllValues:StringEqualsIfExists",
        "missing",
        r#""a""#,
        true,
    );
    check("ForAnyValue:StringEqualsIfExists", "empty", r#""a""#, false);
}

#[test]
fn all_operators_and_all_keys_must_hold() {
    let context = context("b", ["a", "b"]);
    for (json, expected) in [
        ("{}", true),
        (r#"{"StringEquals":{}}"#, true),
        (r#"{"StringEquals":{"one":"b","ONE":"b"}}"#, true),
        (r#"{"StringEquals":{"one":"b","missing":"b"}}"#, false),
        (
            r#"{"StringEquals":{"one":"b"},"StringLike":{"one":"x"}}"#,
            false,
        ),
    ] {
        assert_eq!(read(json).unwrap().hold(&context), expected, "{json}");
    }
}

#[track_caller]
fn check_value(operator: &str, values: &str, request: &str, expected: bool) {
    let json = format!(r#"{{"{operator}":{{"one":{values}}}}}"#);
    let context = context(request, ["", ""]);
    let got = read(&json).unwrap().hold(&context);
    assert_eq!(got, expected, "{json} with {request}");
}

#[test]
fn every_kind_of_value() {
    for (operator, values, request, expected) in [
        ("StringEquals", r#""B""#, "b", false),
        ("StringEquals", r#""b*""#, "bc", false),
        ("StringEquals", r#""b*""#, "b*", true),
        ("StringEquals", r#""${aws:username}""#, "ann", true),
        ("StringEquals", r#""${*}""#, "*", true),
        ("StringEquals", "10", "10", true),
        ("StringEquals", "true", "true", true),
        ("StringEqualsIgnoreCase", r#""B""#, "b", true),
        ("StringNotEqualsIgnoreCase", r#""B""#, "b", false),
        ("StringLike", r#""a*c?""#, "abbcd", true),
        ("StringLike", r#""A*""#, "abbcd", false),
        ("StringLike", r#""${aws:username}-*""#, "ann-1", true),
        ("StringNotEquals", r#""${aws:userid}""#, "b", true),
        ("StringEquals", r#""${aws:userid}""#, "b", false),
        ("NumericEquals", "10", "10.0", true),
        ("NumericEquals", r#""10""#, "010", true),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9.99", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "-1", "0", true),
        ("NumericGreaterThanEquals", "[5,3]", "4", true),
        ("NumericEquals", "10", "ten", false),
        ("NumericNotEquals", "10", "ten", true),
        ("NumericLessThan", "10", "ten", false),
        (
            "DateEquals",
            r#""2020-01-01T00:00:00Z""#,
            "1577836800",
            true,
        ),
        (
            "DateNotEquals",
            r#""2020-01-01T00:00:00Z""#,
            "1577836801",
            true,
        ),
        (
            "DateLessThan",
            r#""2020-01-01T01:00:00+01:00""#,
            "2019-12-31T23:59:59Z",
            true,
        ),
        ("DateLessThan", r#""2020""#, "2020-01-01T00:00:00Z", false),
        (
            "DateLessThanEquals",
            r#""2020""#,
            "2020-01-01T00:00:00Z",
            true,
        ),
        (
            "DateGreaterThan",
            "1577836800",
            "2020-01-01T00:00:01Z",
            true,
        ),
        ("DateGreaterThanEquals", r#""2020-02""#, "2020-01-31", false),
        ("Bool", "true", "true", true),
        ("Bool", r#""true""#, "TRUE", true),
        ("Bool", "true", "false", false),
        ("Bool", "true", "yes", false),
        (
            "BinaryEquals",
            r#""QmluYXJ5VmFsdWVJbkJhc2U2NA==""#,
            "QmluYXJ5VmFsdWVJbkJhc2U2NA==",
            true,
        ),
        ("BinaryEquals", r#""QmluYXJ5""#, "QmluYXJ6", false),
        ("IpAddress", r#""203.0.113.0/24""#, "203.0.113.9", true),
        (
            "IpAddress",
            r#"["10.0.0.0/8","2001:DB8:1234:5678::/64"]"#,
            "2001:db8:1234:5678::1",
            true,
        ),
        ("IpAddress", r#""203.0.113.0/24""#, "203.0.114.9", false),
        ("IpAddress", r#""0.0.0.0/0""#, "elsewhere", false),
        ("NotIpAddress", r#""203.0.113.0/24""#, "203.0.113.9", false),
        ("NotIpAddress", r#""203.0.113.0/24""#, "203.0.114.9", true),
        (
            "ArnLike",
            r#""arn:aws:s3:::b*""#,
            "arn:aws:s3:::bucket",
            true,
        ),
        (
            "ArnEquals",
            r#""arn:aws:s3:::b*""#,
            "arn:aws:s3:::bucket",
            true,
        ),
        (
            "ArnNotEquals",
            r#""arn:aws:s3:::b*""#,
            "arn:aws:s3:::bucket",
            false,
        ),
        ("ArnNotLike", r#""arn:aws:s3:::b*""#, "arn:aws:s3:::c", true),
        (
            "ArnEquals",
            r#""arn:aws:s3:::${aws:username}""#,
            "arn:aws:s3:::ann",
            true,
        ),
    ] {
        check_value(operator, values, request, expected);
    }
}

#[test]
fn what_cannot_be_compared_is_refused_where_it_stands() {
    for (json, error) in [
        (
            r#"{"StringIs":{}}"#,
            r#"at $.StringIs: expected a condition operator, got "StringIs""#,
        ),
        (
            r#"{"Bool":{"k":["true","maybe"]}}"#,
            r#"at $.Bool.k[1]: expected true or false, got "maybe""#,
        ),
        (
            r#"{"NumericEquals":{"k":"1e3"}}"#,
            r#"at $.NumericEquals.k[0]: expected a number, got "1e3""#,
        ),
        (
            r#"{"DateEquals":{"k":"${aws:CurrentTime}"}}"#,
            r#"at $.DateEquals.k[0]: expected a date as in ISO 8601, or seconds since 1970, got "${aws:CurrentTime}""#,
        ),
        (
            r#"{"IpAddress":{"k":"10.0.0.0/33"}}"#,
            r#"at $.IpAddress.k[0]: expected an address or a network such as 10.0.0.0/8, got "10.0.0.0/33""#,
        ),
        (
            r#"{"BinaryEquals":{"k":"?"}}"#,
            r#"at $.BinaryEquals.k[0]: expected bytes in base64, got "?""#,
        ),
        (
            r#"{"Null":{"k":""}}"#,
            r#"at $.Null.k[0]: expected true or false, got """#,
        ),
        (
            r#"{"StringLike":{"k":"${x"}}"#,
            r#"at $.StringLike.k[0]: expected a variable that ends with }, got "${x""#,
        ),
        (
            r#"{"Bool":{"k":[null]}}"#,
            "at $.Bool.k[0]: expected a string, a number, true, false, or a list of these, got null",
        ),
        (
            r#"{"Bool":[]}"#,
            "at $.Bool: expected an object of condition keys, got a list",
        ),
        (
            r#"{"Bool":{"":"true"}}"#,
            r#"at $.Bool.: expected the name of a condition key, got """#,
        ),
        (
            r#"{"Bool":{"k":"true","k":"false"}}"#,
            r#"at $.Bool: expected every member once, got "k" again"#,
        ),
    ] {
        assert_eq!(read(json).unwrap_err().to_string(), error, "{json}");
    }
}

#[test]
fn conditions_print_as_they_were() {
    for json in [
        r#"{"ForAnyValue:StringLike":{"aws:TagKeys":["a*",1,-0.5,true],"x":[]},"Null":{"y":"true"},"Bool":{}}"#,
        // Numbers of which a parser that is not exact makes their neighbours.
        r#"{"StringEquals":{"k":[123456789.12345679,1.0715660391465825e-9]}}"#,
    ] {
        assert_eq!(read(json).unwrap().to_string(), json);
    }
}
