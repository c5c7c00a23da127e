//! Everything that can keep a request from its answer.

use audit::Unrecorded;
use catalog::{Behind, ControllerError, SecretError};
use image::ImageError;
use lambda_api::{ApiError, sigv4::SigV4Error};
use model::mutation::Rejection;
use package::PackageError;
use routing::{DispatchError, ResolveError, Throttled, dispatch::Lost};

use crate::{body::BodyError, identity::IdentityError, objects::ObjectError, rates::TooOften};

/// Why a request was not done. What its caller is told stands in [`crate::respond`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperationError {
    /// The request itself, in AWS's words.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Nobody we know sent it.
    #[error(transparent)]
    Signature(#[from] SigV4Error),
    /// Its body did not come or is too large.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The deployment package in it.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The package was named and could not be fetched.
    #[error("{bucket}/{key}")]
    Object {
        /// Where it should be.
        bucket: String,
        /// Its key.
        key: String,
        /// Why it is not there.
        #[source]
        source: ObjectError,
    },
    /// The image was named and its registry does not give it.
    #[error("image {uri}")]
    Image {
        /// As its owner wrote it.
        uri: String,
        /// Why not.
        #[source]
        source: ImageError,
    },
    /// The controllers could not be asked.
    #[error(transparent)]
    Controllers(#[from] ControllerError),
    /// The local copy did not catch up with the controllers.
    #[error(transparent)]
    Behind(#[from] Behind),
    /// What was written about identities cannot be.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The catalog refused the change.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// There is nothing to invoke.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A limit of concurrency is reached.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// No worker took the invocation.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// A secret can be neither sealed nor opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was sealed opens, and is not what was sealed by any build that this one knows.
    #[error("the environment variables open to something else")]
    Unreadable(#[source] prost::DecodeError),
    /// A policy in the catalog that this build cannot read.
    #[error("a policy in the catalog cannot be read")]
    Policy(#[from] policy::InvalidDocument),
    /// The response of an invocation broke off.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// A response above the limit, which the worker should have cut.
    #[error("expected a response of at most {limit} bytes, got more")]
    ResponseTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The account calls the control API more often than it may.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// This frontend has as many requests as it may.
    #[error("this frontend serves {limit} requests, as many as it may")]
    Overloaded {
        /// The bound.
        limit: usize,
    },
    /// It cannot be recorded in the audit log.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// This node stops.
    #[error("this node stops")]
    Stopping,
    /// Blocking work ended without a result.
    #[error("work on a thread of its own broke off")]
    Broken(#[from] tokio::task::JoinError),
    /// The controllers answered a change with what it cannot give.
    #[error("the controllers answered {operation} with a result of another kind")]
    WrongAnswer {
        /// What was asked.
        operation: &'static str,
    },
}
