//! `PutFunctionScalingConfig` and `GetFunctionScalingConfig`.

use model::{SettingChange, setting::Scaling};
use serde::Deserialize;

use super::{Configure, target};
use crate::{error::ApiError, request::Input};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    function_scaling_config: Option<Bounds>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Bounds {
    min_execution_environments: Option<u32>,
    max_execution_environments: Option<u32>,
}

pub(super) fn put(input: &Input<'_>) -> Result<Configure, ApiError> {
    let shape: Shape = input.body()?;
    let bounds = shape.function_scaling_config.unwrap_or_default();
    let scaling = Scaling {
        environments_min: bounds.min_execution_environments,
        environments_max: bounds.max_execution_environments,
    };
    if let (Some(min), Some(max)) = (scaling.environments_min, scaling.environments_max)
        && min > max
    {
        return Err(ApiError::scaling_out_of_order(min, max));
    }
    Ok(Configure::new(
        target(input)?,
        SettingChange::Scale(scaling),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        setting::{SettingRequest, tests::parse},
        testing::refused,
    };

    #[test]
    fn bounds_of_published_versions_in_order() {
        let put = "PUT /2025-11-30/functions/f/function-scaling-config";
        let check = |body: &str, expected| {
            let SettingRequest::PutFunctionScalingConfig(configure) =
                parse(&format!("{put}?Qualifier=1"), body)
            else {
                panic!()
            };
            assert_eq!(configure.change, SettingChange::Scale(expected));
        };
        check("{}", Scaling::default());
        check(
            r#"{"FunctionScalingConfig": {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}}"#,
            Scaling {
                environments_min: Some(1),
                environments_max: Some(2),
            },
        );
        let disordered = r#"{"FunctionScalingConfig": {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 2}}"#;
        assert!(
            refused(&format!("{put}?Qualifier=1"), disordered)
                .starts_with("InvalidParameterValueException: MinExecutionEnvironments (3)")
        );
        assert!(refused(&format!("{put}?Qualifier=live"), "{}").starts_with("ValidationException"));
        let SettingRequest::PutFunctionScalingConfig(configure) =
            parse(&format!("{put}?Qualifier=%24LATEST.PUBLISHED"), "{}")
        else {
            panic!()
        };
        assert!(
            configure
                .target
                .arn()
                .to_string()
                .ends_with(":f:$LATEST.PUBLISHED")
        );
    }
}
