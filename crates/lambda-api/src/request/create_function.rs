//! `CreateFunction`.

use std::{collections::BTreeMap, fmt};

use model::{
    Architecture, FunctionId, Mutation,
    function::{Code, Config, ConfigPatch, StoredEnvironment},
    setting::{TAGS_SIZE_MAX, tags_size},
};
use serde::Deserialize;

use super::{
    Input,
    absent::{self, Unsupported},
    code, configuration,
};
use crate::{error::ApiError, target};

/// A function to be created.
#[derive(Clone, PartialEq, Eq)]
pub struct CreateFunction {
    /// Its identity, in the caller's scope.
    pub function: FunctionId,
    /// Its configuration, with the defaults of what the request does not say.
    pub config: Config,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether version 1 is published at once.
    pub publish: bool,
    /// The deployment package as sent; nothing has been checked but its base64. See [`package::inspect`].
    pub zip: Vec<u8>,
}

impl CreateFunction {
    /// The change to the catalog, once the package is stored as `code`.
    #[must_use]
    pub fn into_mutation(self, code: Code) -> Mutation {
        let Self {
            function,
            config,
            tags,
            publish,
            zip: _,
        } = self;
        Mutation::CreateFunction {
            function,
            config: Box::new(config),
            code,
            publish,
            tags,
        }
    }
}

/// Shows the size of the package and not its bytes.
impl fmt::Debug for CreateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            config,
            tags,
            publish,
            zip,
        } = self;
        f.debug_struct("CreateFunction")
            .field("function", function)
            .field("config", config)
            .field("tags", tags)
            .field("publish", publish)
            .field("zip_bytes", &zip.len())
            .finish()
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
    publish_to: Unsupported,
    code_signing_config_arn: Unsupported,
    tenancy_config: Unsupported,
}

pub(super) fn parse(input: &Input<'_>) -> Result<CreateFunction, ApiError> {
    let shape: Shape<'_> = input.body()?;
    let settings: configuration::Shape = input.body()?;
    let name = shape.function_name.as_deref().unwrap_or_default();
    let target = target::locate(input.operation, name, None, input.scope)?;
    let function = target.whole_function()?;
    if shape.package_type.as_deref() == Some("Image") {
        return Err(ApiError::unsupported_member("PackageType Image"));
    }
    absent::refuse([
        ("PublishTo", shape.publish_to),
        ("CodeSigningConfigArn", shape.code_signing_config_arn),
        ("TenancyConfig", shape.tenancy_config),
    ])?;
    let config = config(
        settings.patch(input.limits)?,
        architecture(shape.architectures.as_deref()),
    )?;
    let tags = shape.tags.unwrap_or_default();
    if tags.len() > input.limits.tags {
        return Err(ApiError::too_many_tags());
    }
    if tags_size(&tags) > TAGS_SIZE_MAX {
        return Err(ApiError::tags_too_long(TAGS_SIZE_MAX));
    }
    let zip = shape.code.unwrap_or_default().zip()?;
    Ok(CreateFunction {
        function,
        config,
        tags,
        publish: shape.publish.unwrap_or(false),
        zip,
    })
}

fn config(patch: ConfigPatch, architecture: Option<Architecture>) -> Result<Config, ApiError> {
    let (Some(runtime), Some(handler)) = (patch.runtime, patch.handler) else {
        return Err(ApiError::runtime_and_handler_required());
    };
    Ok(Config {
        runtime,
        handler: Some(handler),
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
    })
}

/// The architecture in a list of one.
pub(super) fn architecture(list: Option<&[String]>) -> Option<Architecture> {
    list?.first()?.parse().ok()
}

#[cfg(test)]
mod tests;
