//! `CreateFunction`.

use std::collections::BTreeMap;

use model::{
    Architecture, CodeSigningId, FunctionId, LayerVersionId, Mutation, ObjectAddress, Runtime,
    function::{
        Code, Config, ConfigPatch, Image, ImageOverrides, Incompatible, OptionalConfig,
        Publication, StoredEnvironment, UsedLayer,
    },
    setting::{TAGS_SIZE_MAX, tags_size},
};
use serde::Deserialize;

use super::{
    Input,
    code::{self, Source},
    code_signing, configuration, optional,
    publish_version::published,
};
use crate::{error::ApiError, target};

/// A function to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateFunction {
    /// Its identity, in the caller's scope.
    pub function: FunctionId,
    /// Its configuration, with the defaults of what the request does not say.
    pub config: Config,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What is published at once, if anything is.
    pub publish: Option<Publication>,
    /// The code-signing configuration that holds for it.
    pub code_signing: Option<CodeSigningId>,
    /// Its layers, in order.
    pub layers: Vec<LayerVersionId>,
    /// What it is made of. If it is an image, the configuration names it too.
    pub source: Source,
}

impl CreateFunction {
    /// The change to the catalog, once the package is stored as `code` and the layers are known to be there. `object` is
    /// what the package is a reference to.
    #[must_use]
    pub fn into_mutation(
        self,
        code: Code,
        object: Option<ObjectAddress>,
        layers: Vec<UsedLayer>,
    ) -> Mutation {
        let Self {
            function,
            mut config,
            tags,
            publish,
            code_signing,
            layers: _,
            source: _,
        } = self;
        let mut optional = config.optional.take().map_or_else(Default::default, |o| *o);
        optional.layers = layers;
        optional.origin.object = object;
        config.optional = optional.boxed();
        Mutation::CreateFunction {
            function,
            config: Box::new(config),
            code,
            publish,
            tags,
            code_signing,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape<'a> {
    function_name: Option<String>,
    #[serde(borrow)]
    code: Option<code::Shape<'a>>,
    package_type: Option<String>,
    publish: Option<bool>,
    tags: Option<BTreeMap<String, String>>,
    architectures: Option<Vec<String>>,
    publish_to: Option<String>,
    code_signing_config_arn: Option<String>,
    tenancy_config: Option<TenancyShape>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TenancyShape {
    tenant_isolation_mode: Option<String>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<CreateFunction, ApiError> {
    let shape: Shape<'_> = input.body()?;
    let settings: configuration::Shape = input.body()?;
    let name = shape.function_name.as_deref().unwrap_or_default();
    let target = target::locate(name, None, input.scope)?;
    let function = target.whole_function()?;
    let code_signing = shape.code_signing_config_arn.filter(|arn| !arn.is_empty());
    let code_signing = code_signing
        .map(|arn| code_signing::linked(&arn, input))
        .transpose()?;
    let mut members: optional::Parsed = input.body::<optional::Shape>()?.parse(input.scope)?;
    let layers = members.layers.take().unwrap_or_default();
    let code = shape.code.unwrap_or_default();
    let kms_key = code.kms_key();
    let source = code.source()?;
    let is_image = shape.package_type.as_deref() == Some("Image");
    let mut optional = members.into_new();
    match (&source, is_image) {
        (Source::Image(uri), true) => {
            let overrides = optional.image.take().map(|i| i.overrides);
            optional.image = Some(Image {
                uri: uri.clone(),
                overrides: overrides.unwrap_or_default(),
            });
        }
        (Source::Archive(_), false) => {
            // Settings that say nothing ask for nothing.
            let asked = optional
                .image
                .take()
                .filter(|i| i.overrides != ImageOverrides::default());
            if asked.is_some() {
                let what = Incompatible::ImageOverridesWithoutImage;
                return Err(ApiError::incompatible(what, Runtime::IMAGE));
            }
        }
        (Source::Image(_), false) => return Err(ApiError::image_for_zip()),
        (Source::Archive(_), true) => return Err(ApiError::zip_for_image()),
    }
    let tenancy = shape.tenancy_config.and_then(|t| t.tenant_isolation_mode);
    optional.tenant_isolation = tenancy.is_some();
    optional.origin.kms_key = kms_key;
    let mut patch = settings.patch(input.limits)?;
    if is_image {
        if patch.runtime.is_some() || patch.handler.is_some() || !layers.is_empty() {
            let what = Incompatible::ImagePackageMember;
            return Err(ApiError::incompatible(what, Runtime::IMAGE));
        }
        patch.runtime = Some(Runtime::IMAGE);
    }
    let config = config(
        patch,
        architecture(shape.architectures.as_deref()),
        optional,
    )?;
    let publish = published(shape.publish, shape.publish_to.as_deref());
    let tags = shape.tags.unwrap_or_default();
    if tags.len() > input.limits.tags {
        return Err(ApiError::too_many_tags());
    }
    if tags_size(&tags) > TAGS_SIZE_MAX {
        return Err(ApiError::tags_too_long(TAGS_SIZE_MAX));
    }
    Ok(CreateFunction {
        function,
        config,
        tags,
        publish,
        code_signing,
        layers,
        source,
    })
}

fn config(
    patch: ConfigPatch,
    architecture: Option<Architecture>,
    optional: OptionalConfig,
) -> Result<Config, ApiError> {
    let runtime = patch.runtime;
    let runtime = runtime.filter(|r| *r == Runtime::IMAGE || patch.handler.is_some());
    let runtime = runtime.ok_or_else(ApiError::runtime_and_handler_required)?;
    let config = Config {
        runtime,
        handler: patch.handler,
        role: patch.role.unwrap_or_default(),
        description: patch.description.unwrap_or_default(),
        timeout: patch.timeout.unwrap_or_default(),
        memory: patch.memory.unwrap_or_default(),
        ephemeral: patch.ephemeral.unwrap_or_default(),
        architecture: architecture.unwrap_or_default(),
        // An environment without variables is none.
        environment: patch.environment.filter(
            |e| !matches!(e, StoredEnvironment::Clear(variables) if variables.0.is_empty()),
        ),
        tracing: patch.tracing.unwrap_or_default(),
        logging: patch.logging.unwrap_or_default(),
        optional: optional.boxed(),
    };
    match config.incompatible() {
        Some(what) => Err(ApiError::incompatible(what, config.runtime)),
        None => Ok(config),
    }
}

/// The architecture in a list of one.
pub(super) fn architecture(list: Option<&[String]>) -> Option<Architecture> {
    list?.first()?.parse().ok()
}

#[cfg(test)]
mod tests;
