//! The texts about what few functions have, as constructors. Where AWS's own are not known they are ours.

use std::fmt::Display;

use model::{LayerVersionId, Runtime, function::Incompatible};

use super::{ApiError, Region};

impl ApiError {
    /// A function with more layers than it may have.
    #[must_use]
    pub fn too_many_layers(limit: usize) -> Self {
        Self::InvalidParameterValue(format!("Cannot reference more than {limit} layers."))
    }

    /// A function with two versions of one layer.
    #[must_use]
    pub fn same_layer(first: &LayerVersionId, second: &LayerVersionId) -> Self {
        Self::InvalidParameterValue(format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {first} \
             and {second} are versions of the same layer."
        ))
    }

    /// A function with a layer version that does not exist. `arn` is as the caller wrote it.
    #[must_use]
    pub fn layer_missing(arn: impl Display) -> Self {
        Self::InvalidParameterValue(format!("Layer version {arn} does not exist."))
    }

    /// A function with a layer of another region than its own.
    #[must_use]
    pub fn layer_elsewhere(ours: &Region) -> Self {
        Self::InvalidParameterValue(format!(
            "Layers are not in the same region as the function. Layers are expected to be in region {ours}."
        ))
    }

    /// A function that is too large together with its layers, once unpacked.
    #[must_use]
    pub fn layers_too_large(limit: u64, actual: u64) -> Self {
        Self::InvalidParameterValue(format!(
            "Function code combined with layers exceeds the maximum allowed size of {limit} bytes. The actual size is \
             {actual} bytes."
        ))
    }

    /// A zip for a function of an image, or an image for a function of a zip.
    #[must_use]
    pub fn wrong_package(image: bool) -> Self {
        Self::InvalidParameterValue(
            if image {
                "Please provide ImageUri when updating a function with packageType Image."
            } else {
                "Please don't provide ImageUri when updating a function with packageType Zip."
            }
            .to_owned(),
        )
    }

    /// `CreateFunction` with an image and without saying so.
    #[must_use]
    pub fn image_for_zip() -> Self {
        Self::InvalidParameterValue(
            "Please don't provide ImageUri when creating a function with packageType Zip."
                .to_owned(),
        )
    }

    /// An image that its registry does not have.
    #[must_use]
    pub fn image_missing(uri: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "Source image {uri} does not exist. Provide a valid source image."
        ))
    }

    /// An image that its registry does not let us read. The first two sentences are AWS's.
    #[must_use]
    pub fn image_denied(registry: &str, detail: &str) -> Self {
        Self::AccessDenied(format!(
            "Lambda does not have permission to access the ECR image. Check the ECR permissions. (Registry {registry}: {detail}. \
             The operator of this cluster names credentials for it in the section registries of its configuration.)"
        ))
    }

    /// An image that can never run.
    #[must_use]
    pub fn image_unusable(uri: &str, why: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "The image manifest, config or layer media type for the source image {uri} is not supported: {why}."
        ))
    }

    /// A registry that does not answer.
    #[must_use]
    pub fn registry_unavailable(uri: &str) -> Self {
        Self::ServiceUnavailable(format!(
            "The registry of source image {uri} does not answer as it should. Please try again."
        ))
    }

    /// `CreateFunction` for an image that does not name one.
    #[must_use]
    pub fn zip_for_image() -> Self {
        Self::InvalidParameterValue(
            "Please provide ImageUri when creating a function with packageType Image.".to_owned(),
        )
    }

    /// Members that cannot be together on a function with this runtime.
    #[must_use]
    pub fn incompatible(what: Incompatible, runtime: Runtime) -> Self {
        let text = match what {
            Incompatible::SnapStartRuntime if runtime == Runtime::IMAGE => {
                "ContainerImage is not supported for SnapStart enabled functions."
            }
            Incompatible::SnapStartRuntime => {
                return Self::InvalidParameterValue(format!(
                    "{runtime} is not supported for SnapStart enabled functions."
                ));
            }
            Incompatible::SnapStartStorage => {
                "EphemeralStorage above 512 MB is not supported for SnapStart enabled functions."
            }
            Incompatible::SnapStartFileSystem => {
                "FileSystemConfigs is not supported for SnapStart enabled functions."
            }
            Incompatible::SnapStartTenancy => {
                "TenancyConfig is not supported for SnapStart enabled functions."
            }
            Incompatible::SnapStartCapacity => {
                "CapacityProviderConfig is not supported for SnapStart enabled functions."
            }
            Incompatible::FileSystemVpc => {
                "Function must be configured to execute in a VPC to reference access points."
            }
            Incompatible::CustomRuntimeMissing => {
                "RuntimeConfig is required for functions with the runtime custom."
            }
            Incompatible::CustomRuntimeIdentifier => {
                "RuntimeConfig can only be provided for functions with the runtime custom."
            }
            Incompatible::ImagePackageMember => {
                "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
            }
            Incompatible::ImageOverridesWithoutImage => {
                "ImageConfig can only be provided for functions with packageType Image."
            }
            Incompatible::DurableLate => {
                "DurableConfig can only be provided for functions that were created with it."
            }
            Incompatible::LatestPublished => {
                "PublishTo isn't supported for Lambda Default functions."
            }
            Incompatible::TenancyProvisioned => {
                "Provisioned concurrency is not supported for functions with TenancyConfig."
            }
            Incompatible::TenancyUrl => {
                "Function URLs are not supported for functions with TenancyConfig."
            }
            Incompatible::TenancyMapping => {
                "Event source mappings are not supported for functions with TenancyConfig."
            }
        };
        Self::InvalidParameterValue(text.to_owned())
    }

    /// Code in an object store, and no object store to get it from.
    #[must_use]
    pub fn no_object_store() -> Self {
        Self::InvalidParameterValue(
            "This cluster has no object store. Configure one in the section [s3] of its frontends, or send the code as \
             ZipFile."
                .to_owned(),
        )
    }

    /// An object that the object store does not give, in its own words.
    #[must_use]
    pub fn object_refused(code: &str, message: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        ))
    }

    /// An object that the cluster's own credentials do not open.
    #[must_use]
    pub fn object_denied(bucket: &str, key: &str, code: &str, message: &str) -> Self {
        Self::AccessDenied(format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject \
             for {bucket}/{key}. S3 Error Code: {code}. S3 Error Message: {message}"
        ))
    }

    /// An invocation without a tenant, of a function that has tenants.
    #[must_use]
    pub fn tenant_missing() -> Self {
        Self::InvalidParameterValue(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and \
             try again."
                .to_owned(),
        )
    }

    /// An invocation for a tenant, of a function that has none.
    #[must_use]
    pub fn tenant_unexpected() -> Self {
        Self::InvalidParameterValue(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request \
             and try again."
                .to_owned(),
        )
    }

    /// A function that asks for what no worker of this cluster can do yet. `member` is the API's name of it.
    #[must_use]
    pub fn cannot_run(member: &str) -> Self {
        Self::InvalidParameterValue(format!(
            "This cluster records {member} and cannot run functions that have it."
        ))
    }
}
