//! What goes to a runtime and what comes back.

use bytes::Bytes;
use model::{RequestId, Timestamp};
use tokio::time::Instant;

/// One invocation, as the runtime gets it from `/next`.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its id.
    pub request_id: RequestId,
    /// When the function's time is over.
    pub deadline: Timestamp,
    /// The ARN as the caller wrote it, with its qualifier.
    pub invoked_arn: String,
    /// X-Ray trace header; empty for none.
    pub trace_id: String,
    /// The caller's client context as JSON text; empty for none.
    pub client_context: String,
    /// An opaque id of this attempt, which newer runtimes send back; empty for none.
    pub attempt_id: String,
    /// The tenant whom it is for; empty if the function has no tenants.
    pub tenant_id: String,
    /// The event.
    pub payload: Bytes,
}

/// What a runtime answered to an invocation.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer.
    pub outcome: Outcome,
    /// When the last byte of it was here.
    pub at: Instant,
}

/// The three ways in which a runtime answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function's response.
    Response {
        /// Its bytes, unchanged.
        body: Bytes,
        /// As the runtime gave it; empty if it gave none.
        content_type: String,
    },
    /// The function's error.
    Error {
        /// The error document, unchanged.
        body: Bytes,
        /// The type in the runtime's header, if there was one.
        error_type: Option<String>,
    },
    /// A response above the limit; none of it was kept.
    TooLarge,
}

/// What a runtime reported instead of becoming ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitFailure {
    /// The error document, unchanged.
    pub body: Bytes,
    /// The type in the runtime's header, if there was one.
    pub error_type: Option<String>,
}
