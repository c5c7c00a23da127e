//! Reserved concurrency of a function, provisioned concurrency of a version or an alias.

use model::{Qualifier, SettingChange, Version, setting::ConcurrencyBounds};
use serde::Deserialize;

use super::{Configure, target, whole_function};
use crate::{error::ApiError, request::Input, target::Target};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    reserved_concurrent_executions: Option<u64>,
    provisioned_concurrent_executions: Option<u64>,
}

pub(super) fn reserve(input: &Input<'_>) -> Result<Configure, ApiError> {
    let shape: Shape = input.body()?;
    let change = SettingChange::Reserve {
        executions: executions(shape.reserved_concurrent_executions),
        bounds: ConcurrencyBounds::from(input.limits),
    };
    Ok(Configure::new(whole_function(input)?, change))
}

pub(super) fn reserved(input: &Input<'_>) -> Result<Target, ApiError> {
    whole_function(input)
}

pub(super) fn unreserve(input: &Input<'_>) -> Result<Configure, ApiError> {
    Ok(Configure::new(
        whole_function(input)?,
        SettingChange::Unreserve,
    ))
}

pub(super) fn provision(input: &Input<'_>) -> Result<Configure, ApiError> {
    let shape: Shape = input.body()?;
    let target = target(input)?;
    if is_unpublished(&target) {
        return Err(ApiError::unpublished_provisioned());
    }
    let change = SettingChange::Provision {
        executions: executions(shape.provisioned_concurrent_executions),
        bounds: ConcurrencyBounds::from(input.limits),
    };
    Ok(Configure::new(target, change))
}

pub(super) fn provisioned(input: &Input<'_>) -> Result<Target, ApiError> {
    let target = target(input)?;
    if is_unpublished(&target) {
        return Err(ApiError::published_only());
    }
    Ok(target)
}

pub(super) fn unprovision(input: &Input<'_>) -> Result<Configure, ApiError> {
    Ok(Configure::new(
        provisioned(input)?,
        SettingChange::Unprovision,
    ))
}

fn is_unpublished(target: &Target) -> bool {
    matches!(
        target.qualifier,
        None | Some(Qualifier::Version(Version::Latest))
    )
}

/// More than any account can have is as good as the most that can be written.
fn executions(value: Option<u64>) -> u32 {
    u32::try_from(value.unwrap_or_default()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        setting::{SettingRequest, tests::parse},
        testing::refused,
    };

    const RESERVE: &str = "PUT /2017-10-31/functions/f/concurrency";
    const PROVISIONED: &str = "/2019-09-30/functions/f/provisioned-concurrency";

    #[test]
    fn a_reservation_carries_the_bounds_of_the_account() {
        let body = r#"{"ReservedConcurrentExecutions": 0}"#;
        let SettingRequest::PutFunctionConcurrency(configure) = parse(RESERVE, body) else {
            panic!()
        };
        let bounds = ConcurrencyBounds {
            account: 1000,
            unreserved_min: 100,
        };
        let expected = SettingChange::Reserve {
            executions: 0,
            bounds,
        };
        assert_eq!(configure.change, expected);
        assert_eq!(configure.target.qualifier, None);
        let huge = r#"{"ReservedConcurrentExecutions": 4294967297}"#;
        let SettingRequest::PutFunctionConcurrency(configure) = parse(RESERVE, huge) else {
            panic!()
        };
        let expected = SettingChange::Reserve {
            executions: u32::MAX,
            bounds,
        };
        assert_eq!(configure.change, expected);
    }

    #[test]
    fn only_functions_reserve_and_only_published_versions_are_provisioned() {
        let body = r#"{"ReservedConcurrentExecutions": 1}"#;
        assert_eq!(
            refused("PUT /2017-10-31/functions/f%3Alive/concurrency", body),
            format!(
                "InvalidParameterValueException: {}",
                ApiError::qualified_function()
            )
        );
        assert!(refused(RESERVE, "{}").starts_with("ValidationException: 1 validation error"));
        let body = r#"{"ProvisionedConcurrentExecutions": 1}"#;
        let latest = format!("{PROVISIONED}?Qualifier=%24LATEST");
        assert_eq!(
            refused(&format!("PUT {latest}"), body),
            "InvalidParameterValueException: Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        );
        for method in ["GET", "DELETE"] {
            assert_eq!(
                refused(&format!("{method} {latest}"), ""),
                "InvalidParameterValueException: The function resource provided must be an alias or a published version."
            );
        }
        let live = format!("PUT {PROVISIONED}?Qualifier=live");
        assert!(
            refused(&live, r#"{"ProvisionedConcurrentExecutions": 0}"#)
                .starts_with("ValidationException")
        );
        let SettingRequest::PutProvisionedConcurrencyConfig(configure) = parse(&live, body) else {
            panic!()
        };
        assert_eq!(
            configure.target.arn().to_string(),
            "arn:aws:lambda:us-east-1:123456789012:function:f:live"
        );
    }
}
