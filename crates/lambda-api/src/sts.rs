//! The wire of AWS's Security Token Service: who somebody is, and how they become a role for a while.
//!
//! It speaks the AWS Query protocol: a form in the body of `POST /` or in the query of `GET /`, answers in XML, errors in XML
//! too. Of its actions those two are here that every tool calls first; the others are refused by name. A parameter that would
//! narrow what a session may and is not honoured is refused as well: to leave it out would grant more than was asked for.

use http::Method;

use crate::query::Query;

mod answer;
mod error;
mod request;

pub use answer::{AssumedRole, CallerIdentity};
pub use error::StsError;
pub use request::{Action, AssumeRole, Form, Request};

/// The service in a credential's scope.
pub const SERVICE: &str = "sts";
/// The version of the API.
pub const VERSION: &str = "2011-06-15";
/// The longest body of a request, in bytes: a policy, escaped, and what stands around it.
pub const BODY_MAX: u64 = 32 << 10;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Whether a request is for this service: no operation of Lambda's API has this path.
#[must_use]
pub fn is_call(method: &Method, path: &str, query: &str) -> bool {
    match *method {
        _ if path != "/" => false,
        Method::POST => true,
        Method::GET => Query::parse(query).is_ok_and(|query| query.get("Action").is_some()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_this_service() {
        for (method, path, query, expected) in [
            (Method::POST, "/", "", true),
            (Method::GET, "/", "Action=GetCallerIdentity", true),
            (Method::GET, "/", "Version=2011-06-15", false),
            (Method::GET, "/", "", false),
            (Method::PUT, "/", "Action=GetCallerIdentity", false),
            (Method::POST, "/2015-03-31/functions", "", false),
        ] {
            assert_eq!(
                is_call(&method, path, query),
                expected,
                "{method} {path}?{query}"
            );
        }
    }
}
