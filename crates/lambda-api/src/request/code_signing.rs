//! The operations on code-signing configurations.

use std::collections::BTreeMap;

use model::{
    AccountId, CodeSigningId, CodeSigningName, FunctionId, FunctionName, Mutation, Region,
    code_signing::{CodeSigningChange, CodeSigningSettings, UntrustedArtifact},
};
use serde::Deserialize;

use super::Input;
use crate::{
    error::ApiError,
    page::{self, PageRequest, PageSize},
    target,
};

/// Lists come fifty at a time unless the caller wishes more.
const LISTED: PageSize = PageSize {
    default: 50,
    cap: 10_000,
};

/// A configuration to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateCodeSigningConfig {
    /// Its owner.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// What its owner chose.
    pub settings: CodeSigningSettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Changes to a configuration; `None` leaves a member as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateCodeSigningConfig {
    /// Which one.
    pub id: CodeSigningId,
    /// Its description.
    pub description: Option<String>,
    /// Whose signatures it accepts.
    pub publishers: Option<Vec<String>>,
    /// What happens to other code.
    pub untrusted: Option<UntrustedArtifact>,
}

/// The functions that a configuration holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFunctionsByCodeSigningConfig {
    /// The configuration.
    pub id: CodeSigningId,
    /// The page.
    pub page: PageRequest<FunctionName>,
}

/// The configuration that is to hold for a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutFunctionCodeSigningConfig {
    /// The function.
    pub function: FunctionId,
    /// The configuration.
    pub config: CodeSigningId,
}

impl From<CreateCodeSigningConfig> for Mutation {
    fn from(request: CreateCodeSigningConfig) -> Self {
        let CreateCodeSigningConfig {
            account,
            region,
            settings,
            tags,
        } = request;
        Self::CodeSigning(Box::new(CodeSigningChange::Create {
            account,
            region,
            settings,
            tags,
        }))
    }
}

impl From<UpdateCodeSigningConfig> for Mutation {
    fn from(request: UpdateCodeSigningConfig) -> Self {
        let UpdateCodeSigningConfig {
            id,
            description,
            publishers,
            untrusted,
        } = request;
        Self::CodeSigning(Box::new(CodeSigningChange::Update {
            id,
            description,
            publishers,
            untrusted,
        }))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    description: Option<String>,
    allowed_publishers: Option<PublishersShape>,
    code_signing_policies: Option<PoliciesShape>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PublishersShape {
    signing_profile_version_arns: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PoliciesShape {
    untrusted_artifact_on_deployment: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct LinkShape {
    code_signing_config_arn: String,
}

impl Shape {
    fn publishers(&mut self) -> Option<Vec<String>> {
        let publishers = self.allowed_publishers.take();
        publishers.map(|p| p.signing_profile_version_arns)
    }

    fn untrusted(&self) -> Option<UntrustedArtifact> {
        let policies = self.code_signing_policies.as_ref()?;
        match policies.untrusted_artifact_on_deployment.as_deref()? {
            "Enforce" => Some(UntrustedArtifact::Enforce),
            _ => Some(UntrustedArtifact::Warn),
        }
    }
}

pub(super) fn create(input: &Input<'_>) -> Result<CreateCodeSigningConfig, ApiError> {
    let mut shape: Shape = input.body()?;
    let tags = shape.tags.take().unwrap_or_default();
    if tags.len() > input.limits.tags {
        return Err(ApiError::too_many_tags());
    }
    Ok(CreateCodeSigningConfig {
        account: input.scope.account,
        region: input.scope.region.clone(),
        settings: CodeSigningSettings {
            publishers: shape.publishers().unwrap_or_default(),
            untrusted: shape.untrusted().unwrap_or_default(),
            description: shape.description.unwrap_or_default(),
        },
        tags,
    })
}

pub(super) fn update(input: &Input<'_>) -> Result<UpdateCodeSigningConfig, ApiError> {
    let mut shape: Shape = input.body()?;
    Ok(UpdateCodeSigningConfig {
        id: named(input)?,
        publishers: shape.publishers(),
        untrusted: shape.untrusted(),
        description: shape.description,
    })
}

/// The configuration that a path names.
pub(super) fn named(input: &Input<'_>) -> Result<CodeSigningId, ApiError> {
    let arn = input.label("CodeSigningConfigArn");
    own(arn, input)?.ok_or_else(|| ApiError::code_signing_not_found(arn))
}

pub(super) fn list(input: &Input<'_>) -> Result<PageRequest<CodeSigningName>, ApiError> {
    page::request(input.query, LISTED)
}

pub(super) fn functions(input: &Input<'_>) -> Result<ListFunctionsByCodeSigningConfig, ApiError> {
    Ok(ListFunctionsByCodeSigningConfig {
        id: named(input)?,
        page: page::request(input.query, LISTED)?,
    })
}

pub(super) fn put(input: &Input<'_>) -> Result<PutFunctionCodeSigningConfig, ApiError> {
    let shape: LinkShape = input.body()?;
    Ok(PutFunctionCodeSigningConfig {
        function: function(input)?,
        config: linked(&shape.code_signing_config_arn, input)?,
    })
}

pub(super) fn function(input: &Input<'_>) -> Result<FunctionId, ApiError> {
    target::locate(input.function_name(), None, input.scope)?.whole_function()
}

/// The configuration that is to hold for a function.
pub(super) fn linked(arn: &str, input: &Input<'_>) -> Result<CodeSigningId, ApiError> {
    own(arn, input)?.ok_or_else(|| ApiError::code_signing_missing(arn))
}

/// A configuration of the caller's own account and region; `None` for one that cannot be there.
fn own(arn: &str, input: &Input<'_>) -> Result<Option<CodeSigningId>, ApiError> {
    let Ok(id) = arn.parse::<CodeSigningId>() else {
        return Ok(None);
    };
    let scope = input.scope;
    if id.account != scope.account {
        return Err(ApiError::resource_of_other_account(
            scope.account,
            &scope.region,
            input.operation,
            arn,
        ));
    }
    Ok((id.region == scope.region).then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    const ARN: &str =
        "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdefg";
    const PROFILE: &str = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/1";
    const CONFIGS: &str = "/2020-04-22/code-signing-configs";

    #[test]
    fn a_configuration_and_its_default() {
        let create = format!("POST {CONFIGS}");
        let body =
            format!(r#"{{"AllowedPublishers":{{"SigningProfileVersionArns":["{PROFILE}"]}}}}"#);
        let Request::CreateCodeSigningConfig(made) = parse(&create, &body).unwrap() else {
            panic!()
        };
        assert_eq!(made.settings.publishers, [PROFILE]);
        assert_eq!(made.settings.untrusted, UntrustedArtifact::Warn);
        let update = format!("PUT {CONFIGS}/{}", ARN.replace(':', "%3A"));
        let body = r#"{"CodeSigningPolicies":{"UntrustedArtifactOnDeployment":"Enforce"}}"#;
        let Request::UpdateCodeSigningConfig(update) = parse(&update, body).unwrap() else {
            panic!()
        };
        assert_eq!(update.id.to_string(), ARN);
        assert_eq!(
            (update.publishers, update.untrusted, update.description),
            (None, Some(UntrustedArtifact::Enforce), None)
        );
    }

    #[test]
    fn a_link_names_both_ends() {
        let put = "PUT /2020-06-30/functions/f/code-signing-config";
        let body = format!(r#"{{"CodeSigningConfigArn":"{ARN}"}}"#);
        let Request::PutFunctionCodeSigningConfig(put) = parse(put, &body).unwrap() else {
            panic!()
        };
        assert_eq!(put.function.name.as_str(), "f");
        assert_eq!(put.config.to_string(), ARN);
    }

    #[test]
    fn refusals() {
        let get = |arn: &str| refused(&format!("GET {CONFIGS}/{}", arn.replace(':', "%3A")), "");
        let elsewhere = ARN.replace("us-east-1", "eu-west-1");
        assert_eq!(
            get(&elsewhere),
            format!(
                "ResourceNotFoundException: The Lambda code signing configuration {elsewhere} can not be found."
            )
        );
        assert!(
            get(&ARN.replace("123456789012", "210987654321")).starts_with("AccessDeniedException")
        );
        let body = format!(r#"{{"CodeSigningConfigArn":"{elsewhere}"}}"#);
        assert_eq!(
            refused("PUT /2020-06-30/functions/f/code-signing-config", &body),
            format!(
                "CodeSigningConfigNotFoundException: The code signing configuration cannot be found. Check that the provided configuration is not deleted: {elsewhere}."
            )
        );
    }
}
