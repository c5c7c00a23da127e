//! Holds a request against what its operation takes.

use std::{borrow::Cow, collections::BTreeMap, fmt::Display};

use http::header::CONTENT_TYPE;

use super::{Bounds, InputMember, Member, Place, SCHEMA, Schema, Shape, ShapeId, Text, json::Json};
use crate::{error::ApiError, request, target, validate::Violations};

/// Longest text that a pattern is tried on, in bytes: what is longer breaks a bound as well, or has no pattern that says more.
const PATTERN_TRIED_MAX: usize = 64 << 10;

/// Longest name of a function, bare and with everything that may stand around it.
const FUNCTION_NAME_MAX: usize = 64;
const WHOLE_FUNCTION_NAME_MAX: usize = 140;

/// The types of a body that is JSON; SDKs send the first.
const JSON: [&str; 3] = [
    "application/json",
    "application/x-amz-json-1.0",
    "application/x-amz-json-1.1",
];

/// Checks every member of a request.
///
/// # Errors
/// [`ApiError::Validation`] with every constraint that a member breaks; [`ApiError::InvalidRequestContent`] for a body that
/// is no JSON object, names a member twice, or has a member of another type; [`ApiError::UnsupportedMediaType`] for one that
/// calls itself something else.
pub(crate) fn check(input: &request::Input<'_>) -> Result<(), ApiError> {
    let members = &Schema::input(input.operation).members;
    let body = body(input, members)?;
    let mut check = Check {
        violations: Violations::default(),
    };
    for InputMember {
        place,
        wire,
        member,
    } in members
    {
        let path = lower_camel(member.name);
        let value = match place {
            Place::Path => input.labels.get(wire).map(|v| Json::Text(v.into())),
            Place::Query => query(input, wire, SCHEMA.shape(member.shape)),
            Place::Header => header(input, wire).map(|v| Json::Text(v.into())),
            Place::Body => {
                check.member(&path, member, body.get(*wire))?;
                continue;
            }
            // A payload that is a structure was read as the body.
            Place::Payload => match SCHEMA.shape(member.shape) {
                Shape::Structure(members) => {
                    for inner in members {
                        let path = format!("{path}.{}", lower_camel(inner.name));
                        check.member(&path, inner, body.get(inner.name))?;
                    }
                    continue;
                }
                Shape::Blob { bounds } => {
                    check.length(&path, input.body.len(), *bounds, Shown::Hidden);
                    continue;
                }
                _ => continue,
            },
        };
        check.text_member(&path, member, value.as_ref())?;
    }
    check.bare_function_name(input, &body);
    check.violations.finish()
}

/// The members of the body, if the operation has a body that is an object.
fn body<'a>(
    input: &request::Input<'a>,
    members: &[InputMember],
) -> Result<BTreeMap<Cow<'a, str>, Json<'a>>, ApiError> {
    let is_object = members.iter().any(|m| {
        m.place == Place::Body
            || (m.place == Place::Payload
                && matches!(SCHEMA.shape(m.member.shape), Shape::Structure(_)))
    });
    if !is_object || input.body.is_empty() {
        return Ok(BTreeMap::new());
    }
    check_media_type(input)?;
    match serde_json::from_slice(input.body).map_err(ApiError::unreadable_body)? {
        Json::Object(members) => Ok(members),
        other => Err(ApiError::unreadable_body(format_args!(
            "expected an object, got {}",
            other.kind()
        ))),
    }
}

/// A body that is an object is JSON: no type says so, too, and a parameter such as `charset` changes nothing.
fn check_media_type(input: &request::Input<'_>) -> Result<(), ApiError> {
    let Some(given) = input.headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = String::from_utf8_lossy(given.as_bytes());
    let essence = given.split(';').next().unwrap_or_default().trim();
    let is_json = essence.is_empty() || JSON.iter().any(|json| essence.eq_ignore_ascii_case(json));
    if is_json {
        Ok(())
    } else {
        Err(ApiError::media_type(&given))
    }
}

fn query<'a>(input: &request::Input<'a>, wire: &str, shape: &Shape) -> Option<Json<'a>> {
    if matches!(shape, Shape::List { .. }) {
        let all: Vec<_> = input
            .query
            .all(wire)
            .map(|v| Json::Text(v.into()))
            .collect();
        return (!all.is_empty()).then_some(Json::List(all));
    }
    input.query.get(wire).map(|v| Json::Text(v.into()))
}

fn header(input: &request::Input<'_>, wire: &str) -> Option<String> {
    let value = input.headers.get(wire)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

struct Check {
    violations: Violations,
}

impl Check {
    /// The name inside a function's ARN has a bound of its own, which the model does not say.
    fn bare_function_name(
        &mut self,
        input: &request::Input<'_>,
        body: &BTreeMap<Cow<'_, str>, Json<'_>>,
    ) {
        let given = match (input.labels.get("FunctionName"), body.get("FunctionName")) {
            (Some(name), _) => name,
            (None, Some(Json::Text(name))) => name,
            _ => return,
        };
        let is_within = given.chars().count() <= WHOLE_FUNCTION_NAME_MAX;
        let bare = target::bare_name(given).unwrap_or_default();
        if is_within && bare.chars().count() > FUNCTION_NAME_MAX {
            let demand =
                format!("Member must have length less than or equal to {FUNCTION_NAME_MAX}");
            self.violations.push("functionName", given, demand);
        }
    }

    /// A member of a JSON object. One that is null is absent.
    fn member(
        &mut self,
        path: &str,
        member: &Member,
        value: Option<&Json<'_>>,
    ) -> Result<(), ApiError> {
        match value {
            None | Some(Json::Null) => {
                if member.required {
                    self.violations.required::<()>(path, None);
                }
                Ok(())
            }
            Some(value) => self.value(path, SCHEMA.shape(member.shape), value),
        }
    }

    /// A member that travels as text: numbers are written in decimal.
    fn text_member(
        &mut self,
        path: &str,
        member: &Member,
        value: Option<&Json<'_>>,
    ) -> Result<(), ApiError> {
        let shape = SCHEMA.shape(member.shape);
        let Some(Json::Text(text)) = value else {
            return self.member(path, member, value);
        };
        match shape {
            Shape::Integer(bounds) => match text.parse() {
                Ok(number) => self.number(path, number, *bounds),
                Err(_) => self
                    .violations
                    .push(path, text, "Member must be an integer"),
            },
            Shape::Boolean => {
                if text != "true" && text != "false" {
                    self.violations.push(path, text, "Member must be a boolean");
                }
            }
            Shape::Timestamp => {
                if text.parse::<jiff::Timestamp>().is_err() {
                    self.violations.push(
                        path,
                        text,
                        "Member must be a timestamp as ISO 8601 writes it",
                    );
                }
            }
            _ => return self.value(path, shape, &Json::Text(Cow::Borrowed(text))),
        }
        Ok(())
    }

    fn value(&mut self, path: &str, shape: &Shape, value: &Json<'_>) -> Result<(), ApiError> {
        match (shape, value) {
            (Shape::Text(rules), Json::Text(text)) => self.text(path, rules, text),
            (Shape::Enum(values), Json::Text(text)) => {
                if !values.contains(&&**text) {
                    self.violations.push(path, text, one_of(values));
                }
            }
            (Shape::Integer(bounds), Json::Integer(number)) => self.number(path, *number, *bounds),
            (Shape::Double(bounds), Json::Double(number)) => self.number(path, *number, *bounds),
            (Shape::Double(bounds), Json::Integer(number)) => {
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "it is held against small bounds"
                )]
                self.number(path, *number as f64, *bounds);
            }
            (Shape::Boolean, Json::Bool(_))
            | (Shape::Timestamp, Json::Integer(_) | Json::Double(_))
            | (Shape::Blob { .. }, Json::Text(_)) => {}
            (Shape::List { of, bounds, secret }, Json::List(values)) => {
                self.length(path, values.len(), *bounds, Shown::of(*secret, value));
                self.elements(path, *of, values, Shown::of(*secret, value))?;
            }
            (
                Shape::Map {
                    key,
                    value: of,
                    bounds,
                    secret,
                },
                Json::Object(members),
            ) => {
                let shown = Shown::of(*secret, value);
                self.length(path, members.len(), *bounds, shown);
                self.entries(path, *key, *of, members, shown)?;
            }
            (Shape::Structure(members), Json::Object(values)) => {
                for member in members {
                    let path = format!("{path}.{}", lower_camel(member.name));
                    self.member(&path, member, values.get(member.name))?;
                }
            }
            (shape, value) => {
                return Err(ApiError::unreadable_body(format_args!(
                    "expected {} at '{path}', got {}",
                    kind(shape),
                    value.kind()
                )));
            }
        }
        Ok(())
    }

    fn text(&mut self, path: &str, rules: &Text, text: &str) {
        let shown = if rules.secret {
            Shown::Hidden
        } else {
            Shown::Value(&text)
        };
        self.length(path, text.chars().count(), rules.bounds, shown);
        if let Some(pattern) = &rules.pattern
            && !(text.len() <= PATTERN_TRIED_MAX && pattern.holds(text))
        {
            let demand = format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text
            );
            self.push(path, shown, &demand);
        }
    }

    fn number<T: PartialOrd + Copy + std::fmt::Debug>(
        &mut self,
        path: &str,
        number: T,
        bounds: Bounds<T>,
    ) {
        // The form with a point for a double is the one that Debug has.
        let shown = format!("{number:?}");
        if let Some(min) = bounds.min.filter(|min| number < *min) {
            let demand = format!("Member must have value greater than or equal to {min:?}");
            self.violations.push(path, &shown, demand);
        }
        if let Some(max) = bounds.max.filter(|max| number > *max) {
            let demand = format!("Member must have value less than or equal to {max:?}");
            self.violations.push(path, &shown, demand);
        }
    }

    fn length(&mut self, path: &str, length: usize, bounds: Bounds<usize>, shown: Shown<'_>) {
        if let Some(min) = bounds.min.filter(|min| length < *min) {
            let demand = format!("Member must have length greater than or equal to {min}");
            self.push(path, shown, &demand);
        }
        if let Some(max) = bounds.max.filter(|max| length > *max) {
            let demand = format!("Member must have length less than or equal to {max}");
            self.push(path, shown, &demand);
        }
    }

    fn elements(
        &mut self,
        path: &str,
        of: ShapeId,
        values: &[Json<'_>],
        shown: Shown<'_>,
    ) -> Result<(), ApiError> {
        let shape = SCHEMA.shape(of);
        if let Shape::Structure(_) = shape {
            for (i, value) in values.iter().enumerate() {
                self.value(&format!("{path}.{}.member", i + 1), shape, value)?;
            }
            return Ok(());
        }
        if self.any_breaks(path, shape, values.iter())? {
            let demand = format!("Member must satisfy constraint: [{}]", demands(shape));
            self.push(path, shown, &demand);
        }
        Ok(())
    }

    fn entries(
        &mut self,
        path: &str,
        key: ShapeId,
        of: ShapeId,
        members: &BTreeMap<Cow<'_, str>, Json<'_>>,
        shown: Shown<'_>,
    ) -> Result<(), ApiError> {
        let (key, of) = (SCHEMA.shape(key), SCHEMA.shape(of));
        let keys: Vec<Json<'_>> = members
            .keys()
            .map(|k| Json::Text(Cow::Borrowed(&**k)))
            .collect();
        let bad_keys = self.any_breaks(path, key, keys.iter())?;
        let bad_values = self.any_breaks(path, of, members.values())?;
        for (bad, what, shape) in [(bad_keys, "keys", key), (bad_values, "value", of)] {
            if bad {
                let demand = format!("Map {what} must satisfy constraint: [{}]", demands(shape));
                self.push(path, shown, &demand);
            }
        }
        Ok(())
    }

    /// Whether one of these values breaks a constraint. They are told together, so each alone is not.
    fn any_breaks<'v, 'j: 'v>(
        &self,
        path: &str,
        shape: &Shape,
        values: impl Iterator<Item = &'v Json<'j>>,
    ) -> Result<bool, ApiError> {
        let mut breaks = false;
        for value in values {
            let mut alone = Self {
                violations: Violations::default(),
            };
            match value {
                Json::Null => breaks = true,
                value => alone.value(path, shape, value)?,
            }
            breaks |= alone.violations.finish().is_err();
        }
        Ok(breaks)
    }

    fn push(&mut self, path: &str, shown: Shown<'_>, demand: &str) {
        match shown {
            Shown::Hidden => self.violations.push_hidden(path, demand),
            Shown::Value(value) => self.violations.push(path, value, demand),
        }
    }
}

/// Whether a violation repeats the value.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Hidden,
    Value(&'a dyn Display),
}

impl<'a> Shown<'a> {
    fn of(secret: bool, value: &'a dyn Display) -> Self {
        if secret {
            Self::Hidden
        } else {
            Self::Value(value)
        }
    }
}

/// Every demand on a value of this shape, as AWS lists them for the elements of a list.
fn demands(shape: &Shape) -> String {
    let mut all = Vec::new();
    let mut lengths = |bounds: &Bounds<usize>| {
        if let Some(max) = bounds.max {
            all.push(format!(
                "Member must have length less than or equal to {max}"
            ));
        }
        if let Some(min) = bounds.min.or(bounds.max.map(|_| 0)) {
            all.push(format!(
                "Member must have length greater than or equal to {min}"
            ));
        }
    };
    match shape {
        Shape::Text(text) => {
            lengths(&text.bounds);
            if let Some(pattern) = &text.pattern {
                all.push(format!(
                    "Member must satisfy regular expression pattern: {}",
                    pattern.text
                ));
            }
        }
        Shape::Enum(values) => all.push(one_of(values)),
        Shape::List { of, bounds, .. } => {
            lengths(bounds);
            let inner = demands(SCHEMA.shape(*of));
            all.push(format!("Member must satisfy constraint: [{inner}]"));
        }
        Shape::Double(Bounds { min, max }) => {
            all.extend(max.map(|m| format!("Member must have value less than or equal to {m:?}")));
            all.extend(
                min.map(|m| format!("Member must have value greater than or equal to {m:?}")),
            );
        }
        Shape::Integer(Bounds { min, max }) => {
            all.extend(max.map(|m| format!("Member must have value less than or equal to {m}")));
            all.extend(min.map(|m| format!("Member must have value greater than or equal to {m}")));
        }
        Shape::Boolean
        | Shape::Timestamp
        | Shape::Blob { .. }
        | Shape::Map { .. }
        | Shape::Structure(_) => {}
    }
    all.push("Member must not be null".to_owned());
    all.join(", ")
}

fn one_of(values: &[&str]) -> String {
    format!(
        "Member must satisfy enum value set: [{}]",
        values.join(", ")
    )
}

const fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text(_) | Shape::Enum(_) => "a string",
        Shape::Blob { .. } => "a string in base64",
        Shape::Integer(_) => "an integer",
        Shape::Double(_) => "a number",
        Shape::Boolean => "a boolean",
        Shape::Timestamp => "a timestamp in seconds",
        Shape::List { .. } => "a list",
        Shape::Map { .. } | Shape::Structure(_) => "an object",
    }
}

/// A member's name as violations write it: `kmsKeyArn`, `uuid`, `functionName`.
fn lower_camel(name: &str) -> String {
    let capitals = name.chars().take_while(char::is_ascii_uppercase).count();
    // Of several capitals the last begins the next word, unless they are all there is.
    let lowered = match capitals {
        0 | 1 => capitals,
        n if n == name.len() => n,
        n => n - 1,
    };
    name.chars()
        .enumerate()
        .map(|(i, c)| {
            if i < lowered {
                c.to_ascii_lowercase()
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::request::testing::{checked, checked_with};

    #[track_caller]
    fn check(request: &str, body: &str, expected: &Expect) {
        expected.assert_eq(&match checked(request, body) {
            Ok(()) => "fine".to_owned(),
            Err(e) => format!("{}: {e}", e.name()),
        });
    }

    #[test]
    fn names_are_written_as_violations_write_them() {
        for (name, path) in [
            ("FunctionName", "functionName"),
            ("KMSKeyArn", "kmsKeyArn"),
            ("UUID", "uuid"),
            ("S3Bucket", "s3Bucket"),
            ("PrincipalOrgID", "principalOrgID"),
            ("tagKeys", "tagKeys"),
        ] {
            assert_eq!(super::lower_camel(name), path);
        }
    }

    #[test]
    fn every_place_is_checked_and_all_is_told_at_once() {
        check(
            "POST /2015-03-31/functions/a%20b/policy?Qualifier=x.y",
            r#"{"StatementId":"s t","Action":"lambda:*","SourceAccount":"12","InvokedViaFunctionUrl":true}"#,
            &expect![[
                r#"ValidationException: 5 validation errors detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?; Value 's t' at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+); Value null at 'principal' failed to satisfy constraint: Member must not be null; Value '12' at 'sourceAccount' failed to satisfy constraint: Member must satisfy regular expression pattern: \d{12}; Value 'x.y' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"#
            ]],
        );
    }

    #[test]
    fn a_body_that_is_an_object_calls_itself_json_or_nothing() {
        const OBJECT: &str = "POST /2015-03-31/functions/f/aliases";
        // A structure that is the payload, and no structure.
        const PAYLOAD: &str = "PUT /2020-06-30/functions/f/code-signing-config";
        let typed = |request, body, value: &str| {
            let headers = [(http::header::CONTENT_TYPE, value.parse().unwrap())];
            checked_with(request, &headers.into_iter().collect(), body)
        };
        let alias = r#"{"Name":"a","FunctionVersion":"1"}"#;
        for json in [
            "",
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/x-amz-json-1.1",
        ] {
            assert_eq!(typed(OBJECT, alias, json), Ok(()), "{json}");
        }
        let code = r#"{"CodeSigningConfigArn":"arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"}"#;
        for (request, body) in [(OBJECT, alias), (PAYLOAD, code)] {
            for other in [
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/json2",
                "json",
            ] {
                let refused = typed(request, body, other).unwrap_err();
                let expected =
                    format!("Unsupported content type: expected application/json, got {other}");
                assert_eq!(
                    (refused.name(), refused.to_string()),
                    ("UnsupportedMediaTypeException", expected)
                );
            }
        }
        let long = typed(OBJECT, alias, &"x".repeat(9000))
            .unwrap_err()
            .to_string();
        assert!(long.len() < 200, "{long}");
        // Without a body there is nothing to be of a type, and an event may be of any.
        assert_eq!(
            typed("GET /2015-03-31/functions/f", "", "text/plain"),
            Ok(())
        );
        assert_eq!(
            typed(
                "POST /2015-03-31/functions/f/invocations",
                "{}",
                "text/plain"
            ),
            Ok(())
        );
    }

    #[test]
    fn lists_maps_and_what_is_in_them() {
        check(
            "POST /2021-10-31/functions/f/url",
            r#"{"AuthType":"NONE","Cors":{"AllowMethods":["OPTIONS"],"MaxAge":-1}}"#,
            &expect![[
                r#"ValidationException: 2 validation errors detected: Value '[OPTIONS]' at 'cors.allowMethods' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 6, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: .*, Member must not be null]; Value '-1' at 'cors.maxAge' failed to satisfy constraint: Member must have value greater than or equal to 0"#
            ]],
        );
        check(
            "POST /2015-03-31/event-source-mappings",
            r#"{"FunctionName":"f","FilterCriteria":{"Filters":[{},{"Pattern":1}]}}"#,
            &expect![
                "InvalidRequestContentException: Could not parse request body into json: expected a string at 'filterCriteria.filters.2.member.pattern', got a number"
            ],
        );
        check(
            "POST /2015-03-31/functions/f/aliases",
            r#"{"Name":"1","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"x":2}}}"#,
            &expect![[
                r#"ValidationException: 3 validation errors detected: Value '1' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+); Value '{x=2}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]; Value '{x=2}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"#
            ]],
        );
    }

    #[test]
    fn another_type_is_no_request() {
        check(
            "PUT /2017-10-31/functions/f/concurrency",
            r#"{"ReservedConcurrentExecutions":"1"}"#,
            &expect![
                "InvalidRequestContentException: Could not parse request body into json: expected an integer at 'reservedConcurrentExecutions', got a string"
            ],
        );
        check(
            "PUT /2017-10-31/functions/f/concurrency",
            "[1]",
            &expect![
                "InvalidRequestContentException: Could not parse request body into json: expected an object, got a list"
            ],
        );
        check(
            "PUT /2017-10-31/functions/f/concurrency",
            r#"{"ReservedConcurrentExecutions":1,"Unknown":{}}"#,
            &expect!["fine"],
        );
    }

    #[test]
    fn numbers_in_a_query_are_decimal() {
        check(
            "GET /2025-12-01/functions/f/durable-executions?MaxItems=x&ReverseOrder=yes&StartedAfter=2026-01-01&Statuses=RUNNING&Statuses=IDLE",
            "",
            &expect![[
                r#"ValidationException: 4 validation errors detected: Value '[RUNNING, IDLE]' at 'statuses' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED, DELETING, PAUSING, PAUSED], Member must not be null]; Value '2026-01-01' at 'startedAfter' failed to satisfy constraint: Member must be a timestamp as ISO 8601 writes it; Value 'yes' at 'reverseOrder' failed to satisfy constraint: Member must be a boolean; Value 'x' at 'maxItems' failed to satisfy constraint: Member must be an integer"#
            ]],
        );
    }
}
