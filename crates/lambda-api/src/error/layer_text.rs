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

    /// A layer version without any statement in its policy.
    #[must_use]
    pub fn no_policy() -> Self {
        Self::ResourceNotFound("No policy is associated with the given resource.".to_owned())
    }

    /// A statement that a policy does not have.
    #[must_use]
    pub fn statement_not_found(statement: &str) -> Self {
        Self::ResourceNotFound(format!(
            "Statement {statement} is not found in resource policy."
        ))
    }

    /// A statement that a policy has already.
    #[must_use]
    pub fn statement_exists(statement: &str) -> Self {
        Self::ResourceConflict(format!(
            "The statement id ({statement}) provided already exists. Please provide a new statement id, or remove the \
             existing statement."
        ))
    }

    /// The `RevisionId` of the request is not the present one of the layer version's policy.
    #[must_use]
    pub fn layer_revision_mismatch() -> Self {
        Self::PreconditionFailed(
            "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve \
             the latest Revision Id"
                .to_owned(),
        )
    }

    /// A policy that would be longer than it may be.
    #[must_use]
    pub fn policy_too_long() -> Self {
        Self::PolicyLengthExceeded(format!(
            "The final policy size is bigger than the limit ({LAYER_POLICY_MAX})."
        ))
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
