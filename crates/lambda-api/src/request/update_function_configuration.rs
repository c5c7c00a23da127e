//! `UpdateFunctionConfiguration`.

use model::{FunctionId, Mutation, RevisionId, function::ConfigPatch};
use serde::Deserialize;

use super::{Input, configuration, expected_revision};
use crate::{error::ApiError, target};

/// Changes to the configuration of `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFunctionConfiguration {
    /// The function.
    pub function: FunctionId,
    /// The changes.
    pub patch: ConfigPatch,
    /// Only if `$LATEST` still has this revision.
    pub expected: Option<RevisionId>,
}

impl From<UpdateFunctionConfiguration> for Mutation {
    fn from(update: UpdateFunctionConfiguration) -> Self {
        let UpdateFunctionConfiguration {
            function,
            patch,
            expected,
        } = update;
        Self::UpdateFunctionConfiguration {
            function,
            patch: Box::new(patch),
            expected,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    revision_id: Option<String>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<UpdateFunctionConfiguration, ApiError> {
    let shape: Shape = input.body()?;
    let settings: configuration::Shape = input.body()?;
    let name = input.function_name();
    Ok(UpdateFunctionConfiguration {
        function: target::locate(input.operation, name, None, input.scope)?.whole_function()?,
        patch: settings.patch(input.limits)?,
        expected: expected_revision(shape.revision_id.as_deref(), false)?,
    })
}

#[cfg(test)]
mod tests {
    use model::{function::Environment, function::Logging};

    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    const UPDATE: &str = "PUT /2015-03-31/functions/f/configuration";

    fn updated(body: &str) -> UpdateFunctionConfiguration {
        match parse(UPDATE, body).unwrap() {
            Request::UpdateFunctionConfiguration(update) => *update,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_stays() {
        assert_eq!(updated("{}").patch, ConfigPatch::default());
        assert_eq!(updated("").expected, None);
        let patch = updated(r#"{"Timeout":7,"Description":""}"#).patch;
        assert_eq!(patch.timeout.unwrap().get(), 7);
        assert_eq!(
            patch,
            ConfigPatch {
                timeout: patch.timeout,
                description: Some(String::new()),
                ..ConfigPatch::default()
            }
        );
    }

    #[test]
    fn an_empty_environment_clears_and_an_empty_logging_resets() {
        for body in [
            r#"{"Environment":{"Variables":{}}}"#,
            r#"{"Environment":{}}"#,
        ] {
            assert_eq!(
                updated(body).patch.environment,
                Some(Environment::default().into())
            );
        }
        assert_eq!(
            updated(r#"{"LoggingConfig":{}}"#).patch.logging,
            Some(Logging::default())
        );
        assert_eq!(
            updated(r#"{"VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]},"Layers":[]}"#).patch,
            ConfigPatch::default()
        );
    }

    #[test]
    fn refusals() {
        assert!(refused(UPDATE, r#"{"Runtime":"nodejs12.x"}"#).contains("is no longer supported"));
        assert!(
            refused(
                UPDATE,
                r#"{"Layers":["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]}"#
            )
            .ends_with("Layers is not supported by this cluster.")
        );
        assert!(
            refused(UPDATE, r#"{"RevisionId":"x"}"#).starts_with("PreconditionFailedException")
        );
        assert!(refused(UPDATE, r#"{"Timeout":5401}"#).starts_with(
            "ValidationException: 1 validation error detected: Value '5401' at 'timeout'"
        ));
        assert!(
            refused("PUT /2015-03-31/functions/f%3Alive/configuration", "{}")
                .contains("permitted on Lambda functions only")
        );
    }
}
