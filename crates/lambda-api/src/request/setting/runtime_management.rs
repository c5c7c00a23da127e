//! `PutRuntimeManagementConfig` and `GetRuntimeManagementConfig`.

use model::{Qualifier, SettingChange, setting::RuntimeManagement};
use serde::Deserialize;

use super::Configure;
use crate::{error::ApiError, request::Input, target::Target};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    update_runtime_on: Option<String>,
    runtime_version_arn: Option<String>,
}

pub(super) fn put(input: &Input<'_>) -> Result<Configure, ApiError> {
    let shape: Shape = input.body()?;
    let management = match (
        shape.update_runtime_on.as_deref(),
        shape.runtime_version_arn,
    ) {
        (Some("Manual"), Some(arn)) => RuntimeManagement::Manual(arn),
        (Some("Manual"), None) => return Err(ApiError::runtime_version_required()),
        (_, Some(_)) => return Err(ApiError::runtime_version_unwanted()),
        (Some("FunctionUpdate"), None) => RuntimeManagement::FunctionUpdate,
        (_, None) => RuntimeManagement::Auto,
    };
    let change = SettingChange::ManageRuntime(management);
    Ok(Configure::new(target(input)?, change))
}

pub(super) fn target(input: &Input<'_>) -> Result<Target, ApiError> {
    let target = super::target(input)?;
    match target.qualifier {
        Some(Qualifier::Alias(_)) => Err(ApiError::not_for_aliases()),
        Some(Qualifier::Version(_)) | None => Ok(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        setting::{SettingRequest, tests::parse},
        testing::refused,
    };

    const PATH: &str = "/2021-07-20/functions/f/runtime-management-config";

    #[test]
    fn a_runtime_is_updated_or_chosen_by_hand() {
        let arn = format!("arn:aws:lambda:us-east-1::runtime:{}", "0".repeat(64));
        let manual = format!(r#"{{"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "{arn}"}}"#);
        for (body, expected) in [
            (r#"{"UpdateRuntimeOn": "Auto"}"#, RuntimeManagement::Auto),
            (
                r#"{"UpdateRuntimeOn": "FunctionUpdate"}"#,
                RuntimeManagement::FunctionUpdate,
            ),
            (&manual, RuntimeManagement::Manual(arn)),
        ] {
            let SettingRequest::PutRuntimeManagementConfig(configure) =
                parse(&format!("PUT {PATH}?Qualifier=3"), body)
            else {
                panic!()
            };
            assert_eq!(configure.change, SettingChange::ManageRuntime(expected));
        }
        let put = format!("PUT {PATH}");
        assert_eq!(
            refused(&put, r#"{"UpdateRuntimeOn": "Manual"}"#),
            "InvalidParameterValueException: RuntimeVersionArn is required if UpdateRuntimeOn is Manual."
        );
        assert!(
            refused(&put, &manual.replace("Manual", "Auto"))
                .starts_with("InvalidParameterValueException: RuntimeVersionArn can be given")
        );
        assert!(
            refused(&format!("GET {PATH}?Qualifier=live"), "")
                .starts_with("InvalidParameterValueException: Aliases")
        );
    }
}
