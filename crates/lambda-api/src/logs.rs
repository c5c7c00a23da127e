//! The wire of CloudWatch Logs, as far as tools use it to read the logs of functions.
//!
//! It speaks AWS's JSON protocol 1.1: `POST /`, the operation in `X-Amz-Target`, a JSON object in the body, another in the
//! answer. `StartLiveTail` answers with an event stream. Only what reads is here: functions write their logs by printing.

use http::{HeaderMap, Method};

mod answer;
mod error;
mod request;
mod token;

pub use answer::{
    Events, FilteredEvent, Group, Groups, OutputEvent, OutputEvents, SessionStart, Stream, Streams,
    TailedEvent, event_id, initial_response, session_exception, session_start, session_update,
};
pub use error::LogsError;
pub use request::{
    DescribeLogGroups, DescribeLogStreams, FilterLogEvents, GetLogEvents, GroupId, Order, Request,
    StartLiveTail,
};
pub use token::{Place, Position, StreamKey};

/// The service in a credential's scope.
pub const SERVICE: &str = "logs";
/// The content type of what is answered.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The longest body of a request, in bytes.
pub const BODY_MAX: u64 = 128 << 10;
/// Most bytes of events in one answer; a single event may be larger.
pub const PAGE_BYTES: usize = 1 << 20;

const TARGET: &str = "x-amz-target";
const PREFIX: &str = "Logs_20140328.";

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The groups of an account.
    DescribeLogGroups,
    /// The streams of a group.
    DescribeLogStreams,
    /// The events of a stream.
    GetLogEvents,
    /// The events of a group that pass a filter.
    FilterLogEvents,
    /// The events of groups, as they come.
    StartLiveTail,
}

impl Operation {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// The action that policies allow or deny.
    #[must_use]
    pub const fn action(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::DescribeLogGroups => ("DescribeLogGroups", "logs:DescribeLogGroups"),
            Self::DescribeLogStreams => ("DescribeLogStreams", "logs:DescribeLogStreams"),
            Self::GetLogEvents => ("GetLogEvents", "logs:GetLogEvents"),
            Self::FilterLogEvents => ("FilterLogEvents", "logs:FilterLogEvents"),
            Self::StartLiveTail => ("StartLiveTail", "logs:StartLiveTail"),
        }
    }

    /// The operation that a request is for.
    ///
    /// # Errors
    /// [`LogsError::UnknownOperation`] if there is no such one here.
    pub fn of(headers: &HeaderMap) -> Result<Self, LogsError> {
        let all = [
            Self::DescribeLogGroups,
            Self::DescribeLogStreams,
            Self::GetLogEvents,
            Self::FilterLogEvents,
            Self::StartLiveTail,
        ];
        let name = target(headers).and_then(|target| target.strip_prefix(PREFIX));
        let found = all
            .into_iter()
            .find(|operation| Some(operation.name()) == name);
        found.ok_or(LogsError::UnknownOperation)
    }
}

/// Whether a request is for this service.
#[must_use]
pub fn is_call(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let is_ours = || target(headers).is_some_and(|target| target.starts_with(PREFIX));
    *method == Method::POST && path == "/" && is_ours()
}

fn target(headers: &HeaderMap) -> Option<&str> {
    headers.get(TARGET)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_for_this_service() {
        let headers = |target: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static(TARGET),
                HeaderValue::from_static(target),
            )])
        };
        let filter = headers("Logs_20140328.FilterLogEvents");
        assert!(is_call(&Method::POST, "/", &filter));
        assert!(!is_call(&Method::POST, "/x", &filter));
        assert!(!is_call(&Method::GET, "/", &filter));
        assert!(!is_call(&Method::POST, "/", &HeaderMap::new()));
        assert!(!is_call(
            &Method::POST,
            "/",
            &headers("Other_1.FilterLogEvents")
        ));
        assert_eq!(Operation::of(&filter), Ok(Operation::FilterLogEvents));
        let other = headers("Logs_20140328.PutLogEvents");
        assert_eq!(Operation::of(&other), Err(LogsError::UnknownOperation));
    }
}
