//! The texts that AWS fixes about layers, as constructors.

use model::LayerVersionId;

use super::{ApiError, Region};

/// The longest policy of a layer version, in bytes of JSON.
pub const LAYER_POLICY_MAX: usize = 20_480;

impl ApiError {
    /// Something that a request names by itself, and that is not there.
    #[must_use]
    pub fn resource_missing() -> Self {
        Self::ResourceNotFound("The resource you requested does not exist.".to_owned())
    }

    /// A layer version whose policy a request is about.
    #[must_use]
    pub fn layer_version_not_found(version: &LayerVersionId) -> Self {
        Self::ResourceNotFound(format!("Layer version {version} does not exist."))
    }

    /// The `RevisionId` of the request is not the present one of the layer version's policy.
    #[must_use]
    pub fn layer_revision_mismatch() -> Self {
        Self::stale_revision("GetLayerPolicy")
    }

    /// A version number that no layer version has.
    #[must_use]
    pub fn layer_version_number() -> Self {
        Self::InvalidParameterValue("Layer Version Cannot be less than 1.".to_owned())
    }

    /// A layer of another region than the one the request was sent to.
    #[must_use]
    pub fn layer_of_other_region(theirs: &Region, ours: &Region) -> Self {
        Self::ResourceNotFound(format!(
            "Layers from '{theirs}' are not reachable in this region ('{ours}')"
        ))
    }
}
