//! From method and path to an operation.
//!
//! Matching is done on the raw path, segment by segment, and a label is decoded after the split: a whole ARN arrives as
//! one segment with `%3A` and `%2F` in it, and decoding first would tear it apart.

use http::Method;

use crate::{
    operation::Operation,
    percent::{self, InvalidEncoding},
    schema::Schema,
};

/// A request that has found its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The operation.
    pub operation: Operation,
    /// The labels of its path.
    pub labels: Labels,
}

/// The decoded labels of a path, by their names in the API model (`FunctionName`, `Name`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Vec<(&'static str, String)>);

/// A request that belongs to no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No operation has this path.
    #[error("no operation has this path")]
    UnknownPath,
    /// Operations have this path, but not with this method.
    #[error("no operation has this method on this path")]
    UnknownMethod,
    /// A label cannot be decoded.
    #[error("the label {label} of the path cannot be decoded")]
    Label {
        /// Which one.
        label: &'static str,
        /// What is wrong with it.
        #[source]
        source: InvalidEncoding,
    },
}

impl Labels {
    /// The label of this name; `None` if the path has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Finds the operation of a request. `raw_path` and `raw_query` are the path and the query as they came, percent-encoded.
///
/// A path that ends with a literal segment may have one slash more: older clients send `/2015-03-31/functions/`. Paths with
/// the segments `.` and `..` belong to no operation: their signature is also that of the path without them, so whoever
/// gets hold of one request could make another of it. For the same reason a parameter that singles an operation out is
/// found in every encoding.
///
/// # Errors
/// [`RouteError`] if no operation fits or a label is not encoded text.
pub fn route(method: &Method, raw_path: &str, raw_query: &str) -> Result<Routed, RouteError> {
    if raw_path.split('/').any(|s| matches!(s, "." | "..")) {
        return Err(RouteError::UnknownPath);
    }
    let mut error = RouteError::UnknownPath;
    let mut found = None;
    for operation in Operation::ALL {
        let input = Schema::input(*operation);
        let Some(raw_labels) = match_path(input.path, raw_path) else {
            continue;
        };
        if input.method != *method {
            error = RouteError::UnknownMethod;
            continue;
        }
        match input.query {
            // An operation that the query singles out goes before the other one on its path.
            Some(parameter) if has_parameter(raw_query, parameter) => {
                found = Some((*operation, raw_labels));
                break;
            }
            Some(_) => error = RouteError::UnknownMethod,
            None => found = found.or(Some((*operation, raw_labels))),
        }
    }
    let (operation, raw_labels) = found.ok_or(error)?;
    Ok(Routed {
        operation,
        labels: decode(&raw_labels)?,
    })
}

fn has_parameter(raw_query: &str, (name, value): (&str, &str)) -> bool {
    let is = |text: &str, wanted: &str| percent::decode(text).is_ok_and(|text| text == wanted);
    raw_query.split('&').any(|part| {
        part.split_once('=')
            .is_some_and(|(n, v)| is(n, name) && is(v, value))
    })
}

fn match_path<'p>(
    template: &'static str,
    raw_path: &'p str,
) -> Option<Vec<(&'static str, &'p str)>> {
    let ends_with_label = template.ends_with('}');
    let path = if ends_with_label {
        raw_path
    } else {
        raw_path.strip_suffix('/').unwrap_or(raw_path)
    };
    let mut labels = Vec::new();
    let mut segments = path.split('/');
    for expected in template.split('/') {
        let segment = segments.next()?;
        match expected.strip_prefix('{').and_then(|e| e.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(label) => labels.push((label, segment)),
            None if segment != expected => return None,
            None => {}
        }
    }
    segments.next().is_none().then_some(labels)
}

fn decode(raw: &[(&'static str, &str)]) -> Result<Labels, RouteError> {
    let label = |&(label, text): &(&'static str, &str)| {
        percent::decode(text)
            .map(|value| (label, value))
            .map_err(|source| RouteError::Label { label, source })
    };
    raw.iter().map(label).collect::<Result<_, _>>().map(Labels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(request: &str, expected: &str) {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let got = match route(&method.parse().unwrap(), path, query) {
            Ok(Routed { operation, labels }) => {
                let labels: Vec<_> = labels.0.iter().map(|(n, v)| format!(" {n}={v}")).collect();
                format!("{}{}", operation.name(), labels.concat())
            }
            Err(e) => e.to_string(),
        };
        assert_eq!(got, expected, "{request}");
    }

    #[test]
    fn every_operation_is_found() {
        check("GET /2015-03-31/functions", "ListFunctions");
        check("GET /2015-03-31/functions/", "ListFunctions");
        check("POST /2015-03-31/functions", "CreateFunction");
        check("POST /2015-03-31/functions/", "CreateFunction");
        check("GET /2015-03-31/functions/f", "GetFunction FunctionName=f");
        check(
            "DELETE /2015-03-31/functions/f%3A1",
            "DeleteFunction FunctionName=f:1",
        );
        check(
            "GET /2015-03-31/functions/f/configuration",
            "GetFunctionConfiguration FunctionName=f",
        );
        check(
            "PUT /2015-03-31/functions/f/configuration",
            "UpdateFunctionConfiguration FunctionName=f",
        );
        check(
            "PUT /2015-03-31/functions/f/code",
            "UpdateFunctionCode FunctionName=f",
        );
        check(
            "GET /2015-03-31/functions/f/versions",
            "ListVersionsByFunction FunctionName=f",
        );
        check(
            "GET /2015-03-31/functions/f/versions/",
            "ListVersionsByFunction FunctionName=f",
        );
        check(
            "POST /2015-03-31/functions/f/versions",
            "PublishVersion FunctionName=f",
        );
        check(
            "GET /2015-03-31/functions/f/aliases",
            "ListAliases FunctionName=f",
        );
        check(
            "POST /2015-03-31/functions/f/aliases",
            "CreateAlias FunctionName=f",
        );
        check(
            "GET /2015-03-31/functions/f/aliases/live",
            "GetAlias FunctionName=f Name=live",
        );
        check(
            "PUT /2015-03-31/functions/f/aliases/live",
            "UpdateAlias FunctionName=f Name=live",
        );
        check(
            "DELETE /2015-03-31/functions/f/aliases/live",
            "DeleteAlias FunctionName=f Name=live",
        );
        check(
            "POST /2015-03-31/functions/f/invocations",
            "Invoke FunctionName=f",
        );
        check("GET /2018-10-31/layers", "ListLayers");
        check("GET /2018-10-31/layers?Marker=m", "ListLayers");
        check(
            "GET /2018-10-31/layers?find=LayerVersion&Arn=a",
            "GetLayerVersionByArn",
        );
        check(
            "GET /2018-10-31/layers?Arn=a&fin%64=%4cayerVersion",
            "GetLayerVersionByArn",
        );
        check(
            "GET /2019-09-30/functions/f/provisioned-concurrency?List=ALL",
            "ListProvisionedConcurrencyConfigs FunctionName=f",
        );
        check(
            "GET /2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
            "GetProvisionedConcurrencyConfig FunctionName=f",
        );
        check(
            "DELETE /2018-10-31/layers/l/versions/3/policy/s",
            "RemoveLayerVersionPermission LayerName=l VersionNumber=3 StatementId=s",
        );
        check("GET /2016-08-19/account-settings", "GetAccountSettings");
        check("GET /2016-08-19/account-settings/", "GetAccountSettings");
    }

    #[test]
    fn a_label_is_decoded_after_the_split() {
        check(
            "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af%3A%24LATEST/invocations",
            "Invoke FunctionName=arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST",
        );
        check(
            "GET /2015-03-31/functions/a%2Fconfiguration",
            "GetFunction FunctionName=a/configuration",
        );
        check(
            "GET /2015-03-31/functions/%2e%2e",
            "GetFunction FunctionName=..",
        );
        check(
            "GET /2015-03-31/functions/f%zz",
            "the label FunctionName of the path cannot be decoded",
        );
    }

    #[test]
    fn what_no_operation_has() {
        for path in [
            "/",
            "",
            "/2015-03-31",
            "/2015-03-31/functions/f/",
            "/2015-03-31/functions//configuration",
            "/2015-03-31/functions/.",
            "/2015-03-31/functions/./configuration",
            "/2015-03-31/functions/f/policy/..",
        ] {
            check(&format!("GET {path}"), "no operation has this path");
        }
        for path in [
            "/2015-03-31/functions/f/code/x",
            "/2015-03-31//functions",
            "/2015-03-31/Functions",
            "/2015-03-31/functions//",
        ] {
            check(&format!("PUT {path}"), "no operation has this path");
        }
        check(
            "PATCH /2015-03-31/functions",
            "no operation has this method on this path",
        );
        check(
            "GET /2015-03-31/functions/f/invocations",
            "no operation has this method on this path",
        );
        check(
            "HEAD /2015-03-31/functions",
            "no operation has this method on this path",
        );
    }

    proptest! {
        #[test]
        fn any_function_name_comes_back_as_sent(name in "[^/]{1,30}|[a-z/:$%?#]{1,30}") {
            // Segments that mean something else in a path.
            prop_assume!(!matches!(&*name, "." | ".."));
            let path = format!("/2015-03-31/functions/{}/configuration", percent::encode(&name));
            let routed = route(&Method::GET, &path, "").unwrap();
            prop_assert_eq!(routed.operation, Operation::GetFunctionConfiguration);
            prop_assert_eq!(routed.labels.get("FunctionName"), Some(name.as_str()));
        }

        #[test]
        fn routing_never_panics(path in "[/a-z%0-9{}-]{0,60}") {
            let _ = route(&Method::GET, &path, "");
        }
    }
}
