//! What a container image is at the moment in which a change names it.
//!
//! The registry is asked once, before the change is made: from then on the digest says what runs, whatever becomes of the tag,
//! and nobody has to remember anything.

use image::{ImageError, Reference};
use model::{Architecture, function::Code};

use super::Workbench;
use crate::error::OperationError;

/// The digest of an image for one architecture.
pub(super) async fn resolve(
    bench: &Workbench,
    uri: &str,
    architecture: Architecture,
) -> Result<Code, OperationError> {
    let failed = |source| OperationError::Image {
        uri: uri.to_owned(),
        source,
    };
    let reference: Reference = uri
        .parse()
        .map_err(|e: image::InvalidReference| failed(ImageError::Invalid(e.to_string())))?;
    let Some(images) = &bench.images else {
        let text = "this cluster asks no registries".to_owned();
        return Err(failed(ImageError::Invalid(text)));
    };
    let digest = images.resolve(&reference, architecture).await;
    Ok(Code::of_manifest(digest.map_err(failed)?))
}

/// Where exactly an image is: its URI with the digest in the place of a tag.
pub(super) fn resolved_uri(uri: &str, digest: model::Digest) -> Option<String> {
    let reference: Reference = uri.parse().ok()?;
    Some(reference.at(digest).to_string())
}
