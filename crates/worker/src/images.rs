//! The images of functions on this worker: brought when they are told to be, and when an invocation needs one.

use std::{sync::Arc, time::Duration};

use image::{Image, ImageError, Reference, Store};
use model::{Architecture, Digest, ErrorKind, Failure as _};
use proto::internal::{self as pb, prepare_image_response::State};
use tonic::Status;

/// How long a call that asks for an image may wait for it: the caller asks again.
const ASK_MAX: Duration = Duration::from_millis(300);
/// How long an invocation waits for an image that this worker has not: with the start of the function, less than a frontend
/// waits. The image goes on coming.
const INVOCATION_MAX: Duration = Duration::from_secs(25);

/// See the module.
#[derive(Clone)]
pub(crate) struct Images {
    store: Store,
}

impl Images {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The image of a version, for an invocation that waits at most so long.
    pub(crate) async fn get(
        &self,
        uri: &str,
        digest: Digest,
        wait: Duration,
    ) -> Result<Arc<Image>, Arc<ImageError>> {
        let invalid = |text: String| Arc::new(ImageError::Invalid(text));
        let reference: Reference = uri
            .parse()
            .map_err(|e: image::InvalidReference| invalid(e.to_string()))?;
        let architecture = Architecture::of_this_binary().ok_or_else(|| {
            invalid("this machine is of an architecture that functions do not know".to_owned())
        })?;
        let wait = wait.min(INVOCATION_MAX);
        self.store.get(&reference, digest, architecture, wait).await
    }

    /// Begins to bring an image, if it is not here, and says how far it is.
    pub(crate) async fn prepare(
        &self,
        request: &pb::PrepareImageRequest,
    ) -> Result<pb::PrepareImageResponse, Status> {
        let digest = <[u8; 32]>::try_from(request.digest.as_ref())
            .map_err(|_| Status::invalid_argument("expected a digest of 32 bytes"))?;
        let brought = self
            .get(&request.uri, Digest::from_bytes(digest), ASK_MAX)
            .await;
        Ok(match brought {
            Ok(_) => pb::PrepareImageResponse {
                state: State::Ready.into(),
                ..Default::default()
            },
            Err(error) => {
                let state = match &*error {
                    ImageError::OnItsWay(_) | ImageError::Busy(_) => State::OnItsWay,
                    other if other.is_retryable() => State::Troubled,
                    _ => State::Failed,
                };
                let text = match &*error {
                    ImageError::OnItsWay(how_far) => how_far.clone(),
                    other => other.text(),
                };
                pb::PrepareImageResponse {
                    state: state.into(),
                    code: code(&error).to_owned(),
                    text,
                }
            }
        })
    }
}

/// AWS's name of a failure.
fn code(error: &ImageError) -> &'static str {
    match error {
        ImageError::Mismatch { .. } => "InvalidImage",
        error => match error.kind() {
            ErrorKind::NotFound => "ImageDeleted",
            ErrorKind::Denied => "ImageAccessDenied",
            ErrorKind::Invalid => "InvalidImage",
            ErrorKind::Conflict
            | ErrorKind::Throttled
            | ErrorKind::Unavailable
            | ErrorKind::Deadline
            | ErrorKind::Internal => "InternalError",
        },
    }
}
