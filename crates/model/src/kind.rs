//! What an error means to whoever has to act on it, whatever room it comes from.

/// The class of a failure: it decides the status on every public wire and whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The request can never succeed as it is.
    Invalid,
    /// The caller is not who it says, or may not do this.
    Denied,
    /// The named thing does not exist.
    NotFound,
    /// The request contradicts the present state (exists already, revision changed, update in progress).
    Conflict,
    /// A limit of rate or concurrency is reached; nothing was done.
    Throttled,
    /// Nobody can serve this now; nothing was done, or whether it was done is unknown.
    Unavailable,
    /// The deadline passed before an answer.
    Deadline,
    /// A defect or a broken disk.
    Internal,
}

/// Implemented by every error that crosses a node.
pub trait Failure: std::error::Error {
    /// The class of this failure.
    fn kind(&self) -> ErrorKind;

    /// Whether the same request may be tried again, here or on another node.
    fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Throttled | ErrorKind::Unavailable)
    }
}
