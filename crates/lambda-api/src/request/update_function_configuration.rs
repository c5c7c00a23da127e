//! `UpdateFunctionConfiguration`.

use model::{
    FunctionId, LayerVersionId, Mutation, RevisionId,
    function::{ConfigPatch, OptionalMember, UsedLayer},
};
use serde::Deserialize;

use super::{Input, configuration, expected_revision, optional};
use crate::{error::ApiError, target};

/// Changes to the configuration of `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFunctionConfiguration {
    /// The function.
    pub function: FunctionId,
    /// The changes, without the layers.
    pub patch: ConfigPatch,
    /// The layers that it is to have instead of those that it has, in order.
    pub layers: Option<Vec<LayerVersionId>>,
    /// Only if `$LATEST` still has this revision.
    pub expected: Option<RevisionId>,
}

impl UpdateFunctionConfiguration {
    /// The change to the catalog; `layers` are those that the request names, if it does.
    #[must_use]
    pub fn into_mutation(self, layers: Option<Vec<UsedLayer>>) -> Mutation {
        let Self {
            function,
            mut patch,
            layers: _,
            expected,
        } = self;
        if let Some(layers) = layers {
            let optional = patch.optional.get_or_insert_default();
            optional.members.insert(OptionalMember::Layers);
            optional.values.layers = layers;
        }
        Mutation::UpdateFunctionConfiguration {
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
    let optional: optional::Shape = input.body()?;
    let name = input.function_name();
    let function = target::locate(name, None, input.scope)?.whole_function()?;
    let mut patch = settings.patch(input.limits)?;
    let mut optional = optional.parse(input.scope)?;
    let layers = optional.layers.take();
    patch.optional = optional.into_patch();
    Ok(UpdateFunctionConfiguration {
        function,
        patch,
        layers,
        expected: expected_revision(shape.revision_id.as_deref())?,
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
    }

    #[test]
    fn layers_come_to_the_change_when_they_are_known() {
        let layer = "arn:aws:lambda:us-east-1:123456789012:layer:l:1";
        let update = updated(&format!(r#"{{"Layers":["{layer}"]}}"#));
        assert_eq!(update.patch, ConfigPatch::default());
        let named = update.layers.clone().unwrap();
        assert_eq!(named[0].to_string(), layer);
        let used = UsedLayer {
            version: named[0].clone(),
            content: model::function::Code::of_image("x"),
        };
        let patched = |mutation: Mutation| match mutation {
            Mutation::UpdateFunctionConfiguration { patch, .. } => patch.optional,
            other => panic!("{other:?}"),
        };
        assert_eq!(patched(update.clone().into_mutation(None)), None);
        let optional = patched(update.into_mutation(Some(vec![used.clone()]))).unwrap();
        assert_eq!(optional.values.layers, [used]);
        assert!(optional.members.contains(&OptionalMember::Layers));
        assert_eq!(updated(r#"{"Layers":[]}"#).layers, Some(Vec::new()));
    }

    #[test]
    fn refusals() {
        assert!(refused(UPDATE, r#"{"Runtime":"nodejs12.x"}"#).contains("is no longer supported"));
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
