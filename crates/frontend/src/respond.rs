//! What a caller is told of an error. The only place that knows which AWS error an error of ours is.
//!
//! Errors are logged here too, once: what a human must look at as ERROR, what degrades the service as WARN, what is the
//! caller's own as DEBUG.

mod answer;

use audit::Unrecorded;
use catalog::{ControllerError, SecretError};
use http::{HeaderValue, Response};
use lambda_api::{ApiError, error::ThrottleReason, invoke::REQUEST_ID};
use model::{ErrorKind, Failure as _, RequestId, function::Reason};
use routing::{DispatchError, ResolveError};

use image::ImageError;

use crate::{body::BodyError, error::OperationError, objects::ObjectError};

pub(crate) use answer::{Answer, Body, HttpBody};

/// The response to a request.
pub(crate) fn respond(
    request_id: RequestId,
    outcome: Result<Answer, ApiError>,
) -> Response<HttpBody> {
    let answer = outcome.unwrap_or_else(|error| {
        let (status, headers, body) = error.to_response_parts();
        Answer {
            status,
            headers,
            body: Body::Whole(body.into()),
            refusal: None,
        }
    });
    let mut response = Response::new(answer.body.into_http());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if let Ok(id) = HeaderValue::try_from(request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// What a caller is told of an error, which is logged here.
pub(crate) fn told(error: OperationError) -> ApiError {
    log(&error);
    api_error(error)
}

/// The AWS error for an error.
pub(crate) fn api_error(error: OperationError) -> ApiError {
    match error {
        OperationError::Api(error) => error,
        OperationError::Signature(error) => error.into(),
        OperationError::Body(error) => body(&error),
        OperationError::Package(error) => error.into(),
        OperationError::Object {
            bucket,
            key,
            source,
        } => object(&bucket, &key, &source),
        OperationError::Image { uri, source } => image(&uri, &source),
        OperationError::Controllers(error) => controllers(&error),
        OperationError::Behind(_) | OperationError::Stopping => ApiError::unavailable(),
        OperationError::Identity(error) => ApiError::Validation(error.to_string()),
        OperationError::Rejected(rejection) => rejection.into(),
        OperationError::Resolve(error) => resolve(error),
        OperationError::Throttled(routing::Throttled::Function { .. }) => {
            throttled(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
        }
        OperationError::Throttled(
            routing::Throttled::Account { .. } | routing::Throttled::Frontend { .. },
        ) => throttled(ThrottleReason::ConcurrentInvocationLimitExceeded),
        OperationError::Unrecorded(error) => unrecorded(&error),
        OperationError::Overloaded { .. } | OperationError::TooOften(_) => {
            throttled(ThrottleReason::CallerRateLimitExceeded)
        }
        OperationError::Dispatch(error) => dispatch(&error),
        OperationError::Secret(error) => secret(&error),
        OperationError::Lost(_)
        | OperationError::ResponseTooLarge { .. }
        | OperationError::Broken(_)
        | OperationError::Unreadable(_)
        | OperationError::Policy(_)
        | OperationError::WrongAnswer { .. } => ApiError::internal(),
    }
}

fn body(error: &BodyError) -> ApiError {
    match error {
        BodyError::PayloadTooLarge { limit } => ApiError::payload_too_large(*limit),
        BodyError::ControlTooLarge { operation, limits } => {
            ApiError::body_too_large(limits, *operation)
        }
        BodyError::TooLarge { limit } => {
            ApiError::RequestEntityTooLarge(format!("The request is longer than {limit} bytes."))
        }
        BodyError::NoMemory { .. } => throttled(ThrottleReason::CallerRateLimitExceeded),
        BodyError::Stalled(_) => ApiError::InvalidRequestContent(
            "The body of the request did not arrive in time.".to_owned(),
        ),
        BodyError::Broken(_) => {
            ApiError::InvalidRequestContent("The body of the request broke off.".to_owned())
        }
    }
}

fn object(bucket: &str, key: &str, error: &ObjectError) -> ApiError {
    match error {
        ObjectError::NotConfigured => ApiError::no_object_store(),
        ObjectError::Refused { code, message } if code == "AccessDenied" => {
            ApiError::object_denied(bucket, key, code, message)
        }
        ObjectError::Refused { code, message } if !error.is_retryable() => {
            ApiError::object_refused(code, message)
        }
        ObjectError::TooLarge { limit } => ApiError::zipped_too_large(*limit),
        ObjectError::Unnameable(_) => {
            ApiError::object_refused("InvalidArgument", "The object cannot be asked for.")
        }
        ObjectError::Refused { .. }
        | ObjectError::Unreachable { .. }
        | ObjectError::Deadline(_) => ApiError::unavailable(),
    }
}

fn image(uri: &str, error: &ImageError) -> ApiError {
    match error {
        ImageError::Missing { .. } => ApiError::image_missing(uri),
        ImageError::Denied {
            registry, detail, ..
        } => ApiError::image_denied(registry, detail),
        ImageError::Invalid(why) => ApiError::image_unusable(uri, why),
        ImageError::Mismatch { .. }
        | ImageError::Unreachable { .. }
        | ImageError::Trouble { .. }
        | ImageError::OnItsWay(_)
        | ImageError::Busy(_)
        | ImageError::Deadline(_)
        | ImageError::Disk { .. } => ApiError::registry_unavailable(uri),
    }
}

fn controllers(error: &ControllerError) -> ApiError {
    match error {
        ControllerError::NoLeader(_)
        | ControllerError::BlobMissing
        | ControllerError::Blob { .. } => ApiError::unavailable(),
        // No SDK repeats a conflict by itself, and the same request may succeed once the operator has acted.
        ControllerError::Unfinalized { needed, cluster } => ApiError::ResourceConflict(format!(
            "This operation needs format {needed} of the catalog, but the upgrade of this cluster is not finished and it \
             writes format {cluster}. Its operator finishes the upgrade with `dunlin cluster finalize`."
        )),
        ControllerError::Refused(_) | ControllerError::Answer(_) | ControllerError::Record(_) => {
            ApiError::internal()
        }
    }
}

fn resolve(error: ResolveError) -> ApiError {
    match error {
        ResolveError::NotFound(arn) => ApiError::function_not_found(&arn),
        ResolveError::Pending(_) => ApiError::function_pending(),
        ResolveError::Unconfirmed(_) => ApiError::unavailable(),
        ResolveError::Failed { reason, .. } => failed(reason),
        ResolveError::TenantMissing(_) => ApiError::tenant_missing(),
        ResolveError::TenantUnexpected(_) => ApiError::tenant_unexpected(),
        ResolveError::Unmet { member, .. } => ApiError::cannot_run(member),
    }
}

/// A version that can never run says why in the words of the error that AWS would give.
fn failed(reason: Reason) -> ApiError {
    match reason.code.as_str() {
        "InvalidZipFileException" => ApiError::InvalidZipFile(reason.text),
        "InvalidRuntime" => ApiError::InvalidRuntime(reason.text),
        _ => ApiError::ResourceConflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Failed"
                .to_owned(),
        ),
    }
}

fn secret(error: &SecretError) -> ApiError {
    match error.kind() {
        ErrorKind::Unavailable => ApiError::environment_key_not_found(),
        _ => ApiError::environment_damaged(),
    }
}

fn dispatch(error: &DispatchError) -> ApiError {
    match error {
        DispatchError::Sealed(error) => secret(error),
        DispatchError::NoCapacity { .. } => {
            throttled(ThrottleReason::ConcurrentInvocationLimitExceeded)
        }
        DispatchError::NoWorker {
            runtime,
            architecture,
        } => ApiError::ServiceUnavailable(format!(
            "No worker of this cluster offers {runtime} on {architecture} now."
        )),
        DispatchError::Unavailable { .. } | DispatchError::Unknown { .. } => {
            ApiError::unavailable()
        }
    }
}

fn unrecorded(error: &Unrecorded) -> ApiError {
    match error {
        Unrecorded::Disk(_) | Unrecorded::Slow(_) | Unrecorded::Full { .. } => {
            ApiError::ServiceUnavailable(
                "This frontend cannot record calls in its audit log now, and takes none that it cannot record."
                    .to_owned(),
            )
        }
        Unrecorded::Stopping => ApiError::unavailable(),
        Unrecorded::TooLong => ApiError::internal(),
    }
}

fn throttled(reason: ThrottleReason) -> ApiError {
    ApiError::TooManyRequests {
        reason,
        retry_after_s: Some(1),
    }
}

/// Logs an error, once, at the level of who has to act on it.
pub(crate) fn log(error: &OperationError) {
    let causes = Causes(error);
    match error {
        OperationError::ResponseTooLarge { .. }
        | OperationError::Broken(_)
        | OperationError::WrongAnswer { .. }
        | OperationError::Unrecorded(Unrecorded::TooLong)
        | OperationError::Secret(_)
        | OperationError::Unreadable(_)
        | OperationError::Policy(_)
        | OperationError::Dispatch(DispatchError::Sealed(_))
        | OperationError::Controllers(
            ControllerError::Refused(_) | ControllerError::Answer(_) | ControllerError::Record(_),
        ) => {
            tracing::error!(%error, %causes, "a request failed by a defect");
        }
        OperationError::Controllers(
            ControllerError::NoLeader(_)
            | ControllerError::BlobMissing
            | ControllerError::Unfinalized { .. }
            | ControllerError::Blob { .. },
        )
        | OperationError::Behind(_)
        | OperationError::Overloaded { .. }
        | OperationError::Unrecorded(
            Unrecorded::Disk(_) | Unrecorded::Slow(_) | Unrecorded::Full { .. },
        )
        | OperationError::Body(BodyError::NoMemory { .. })
        | OperationError::Throttled(routing::Throttled::Frontend { .. })
        | OperationError::Dispatch(_)
        | OperationError::Lost(_)
        | OperationError::Object {
            source: ObjectError::Unreachable { .. } | ObjectError::Deadline(_),
            ..
        }
        | OperationError::Image {
            source:
                ImageError::Unreachable { .. }
                | ImageError::Trouble { .. }
                | ImageError::Mismatch { .. }
                | ImageError::Deadline(_)
                | ImageError::Denied { .. },
            ..
        } => {
            tracing::warn!(%error, %causes, "a request could not be served");
        }
        // Its text may repeat what the caller sent.
        OperationError::Api(error) => {
            tracing::debug!(error = error.name(), "a request was refused")
        }
        OperationError::Identity(error) => {
            tracing::debug!(error = error.name(), "a request was refused")
        }
        OperationError::Signature(_)
        | OperationError::Body(_)
        | OperationError::Package(_)
        | OperationError::Object { .. }
        | OperationError::Image { .. }
        | OperationError::Rejected(_)
        | OperationError::Resolve(_)
        | OperationError::Throttled(
            routing::Throttled::Account { .. } | routing::Throttled::Function { .. },
        )
        | OperationError::TooOften(_)
        | OperationError::Unrecorded(Unrecorded::Stopping)
        | OperationError::Stopping => {
            tracing::debug!(%error, %causes, "a request was refused");
        }
    }
}

/// The causes of an error, each once.
struct Causes<'a>(&'a OperationError);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut next = std::error::Error::source(self.0);
        let mut first = true;
        while let Some(cause) = next {
            write!(f, "{}{cause}", if first { "" } else { ": " })?;
            first = false;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(error: impl Into<OperationError>, status: u16, name: &str) {
        let error = error.into();
        let response = respond(RequestId::from_random(1), Err(told(error)));
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-amzn-errortype"], name);
        assert_eq!(
            response.headers()["x-amzn-requestid"],
            "00000000-0000-4000-8000-000000000001"
        );
    }

    #[test]
    fn callers_can_tell_what_to_retry() {
        check(
            ControllerError::NoLeader(Duration::from_secs(1)),
            503,
            "ServiceUnavailableException",
        );
        check(
            ControllerError::Unfinalized {
                needed: 2,
                cluster: 1,
            },
            409,
            "ResourceConflictException",
        );
        check(
            OperationError::Overloaded { limit: 1 },
            429,
            "TooManyRequestsException",
        );
        check(
            Unrecorded::Full { limit: 1 },
            503,
            "ServiceUnavailableException",
        );
        check(
            DispatchError::NoCapacity { attempts: 3 },
            429,
            "TooManyRequestsException",
        );
        check(
            OperationError::ResponseTooLarge { limit: 1 },
            500,
            "ServiceException",
        );
        let arn = model::FunctionId {
            account: model::AccountId::DEFAULT,
            region: model::Region::default(),
            name: "f".parse().unwrap(),
        }
        .arn(None);
        check(
            ResolveError::NotFound(arn.clone()),
            404,
            "ResourceNotFoundException",
        );
        check(
            ResolveError::Unconfirmed(arn.clone()),
            503,
            "ServiceUnavailableException",
        );
        check(
            ResolveError::Pending(arn.clone()),
            409,
            "ResourceConflictException",
        );
        let failed = |code: &str| ResolveError::Failed {
            arn: arn.clone(),
            reason: Reason {
                code: code.to_owned(),
                text: "why".to_owned(),
            },
        };
        check(
            failed("InvalidZipFileException"),
            502,
            "InvalidZipFileException",
        );
        check(failed("Other"), 409, "ResourceConflictException");
        let unmet = ResolveError::Unmet {
            arn: arn.clone(),
            member: "DurableConfig",
        };
        check(unmet, 400, "InvalidParameterValueException");
    }

    #[test]
    fn an_object_that_cannot_be_had_says_why() {
        let object = |source| OperationError::Object {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            source,
        };
        let refused = |code: &str| {
            object(ObjectError::Refused {
                code: code.to_owned(),
                message: "why".to_owned(),
            })
        };
        check(
            object(ObjectError::NotConfigured),
            400,
            "InvalidParameterValueException",
        );
        check(refused("NoSuchKey"), 400, "InvalidParameterValueException");
        check(refused("AccessDenied"), 403, "AccessDeniedException");
        check(refused("SlowDown"), 503, "ServiceUnavailableException");
        check(
            object(ObjectError::TooLarge { limit: 1 }),
            413,
            "RequestEntityTooLargeException",
        );
        check(
            object(ObjectError::Deadline(Duration::from_secs(1))),
            503,
            "ServiceUnavailableException",
        );
        assert_eq!(
            api_error(refused("NoSuchKey")).to_string(),
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: why"
        );
    }

    #[test]
    fn a_missing_key_and_a_damaged_text_are_told_apart() {
        let unknown = seal::UnwrapError::UnknownMaster("m".parse().unwrap());
        check(
            SecretError::from(unknown.clone()),
            502,
            "KMSNotFoundException",
        );
        check(
            DispatchError::Sealed(SecretError::from(unknown)),
            502,
            "KMSNotFoundException",
        );
        check(
            SecretError::from(seal::OpenError::Damaged),
            502,
            "KMSInvalidStateException",
        );
    }

    #[test]
    fn a_throttle_says_when_to_come_back() {
        let response = respond(
            RequestId::from_random(1),
            Err(told(OperationError::Overloaded { limit: 1 })),
        );
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
