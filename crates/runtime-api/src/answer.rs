//! What goes to a runtime and what comes back.

use bytes::Bytes;
use model::{RequestId, Timestamp};
use tokio::sync::mpsc;

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
    /// The most bytes of a response that is passed on as it comes, if the runtime streams one; `None` if responses are to
    /// be collected, streamed or not.
    pub stream_max: Option<u64>,
}

/// What a runtime answers to an invocation.
#[derive(Debug)]
pub enum Answer {
    /// All of it.
    Whole(Outcome),
    /// A response that has begun.
    Parts(Parts),
}

/// A response that is read while the runtime still makes it. Dropped, the rest is read and thrown away, so that the
/// runtime comes to its end.
#[derive(Debug)]
pub struct Parts {
    pub(crate) content_type: String,
    pub(crate) parts: mpsc::Receiver<Part>,
}

/// A piece of a response that comes in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// More of it, in order; never empty.
    More(Bytes),
    /// The end; nothing follows.
    End(Ending),
}

/// How a response that came in parts ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Done,
    /// The function failed in the middle.
    Error {
        /// The error document.
        body: Bytes,
        /// The type in the runtime's trailer.
        error_type: String,
    },
    /// The runtime's connection broke.
    Truncated,
    /// It went above the limit; the rest was thrown away.
    TooLarge,
}

impl Parts {
    /// As the runtime gave it; empty if it gave none.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The next piece; `None` after the end, and where the environment was reset before it.
    ///
    /// # Cancel safety
    /// Safe: no piece is lost.
    pub async fn next(&mut self) -> Option<Part> {
        self.parts.recv().await
    }
}

/// The three ways in which a runtime answers in one piece.
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
