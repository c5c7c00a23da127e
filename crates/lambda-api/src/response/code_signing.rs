//! Code-signing configurations, as AWS shows them.

use model::{CodeSigningConfig, CodeSigningId, FunctionName, code_signing::UntrustedArtifact};
use serde::Serialize;

use crate::page::Page;

/// One configuration: the answer about one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeSigningConfigAnswer {
    code_signing_config: CodeSigningConfigItem,
}

/// One configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeSigningConfigItem {
    code_signing_config_id: String,
    code_signing_config_arn: String,
    description: String,
    allowed_publishers: AllowedPublishers,
    code_signing_policies: CodeSigningPolicies,
    last_modified: String,
}

/// The answer to `ListCodeSigningConfigs`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeSigningConfigs {
    code_signing_configs: Vec<CodeSigningConfigItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// The answer to `ListFunctionsByCodeSigningConfig`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionArns {
    function_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// Which configuration holds for a function; empty if none does.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionCodeSigning {
    #[serde(skip_serializing_if = "Option::is_none")]
    code_signing_config_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AllowedPublishers {
    signing_profile_version_arns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeSigningPolicies {
    untrusted_artifact_on_deployment: &'static str,
}

impl CodeSigningConfigAnswer {
    /// Shows a configuration.
    #[must_use]
    pub fn new(config: &CodeSigningConfig) -> Self {
        Self {
            code_signing_config: CodeSigningConfigItem::new(config),
        }
    }
}

impl CodeSigningConfigItem {
    /// Shows a configuration.
    #[must_use]
    pub fn new(config: &CodeSigningConfig) -> Self {
        let settings = &config.settings;
        Self {
            code_signing_config_id: config.id.name.to_string(),
            code_signing_config_arn: config.id.to_string(),
            description: settings.description.clone(),
            allowed_publishers: AllowedPublishers {
                signing_profile_version_arns: settings.publishers.clone(),
            },
            code_signing_policies: CodeSigningPolicies {
                untrusted_artifact_on_deployment: match settings.untrusted {
                    UntrustedArtifact::Warn => "Warn",
                    UntrustedArtifact::Enforce => "Enforce",
                },
            },
            last_modified: config.last_modified.to_aws_string(),
        }
    }
}

impl From<Page<CodeSigningConfigItem>> for CodeSigningConfigs {
    fn from(page: Page<CodeSigningConfigItem>) -> Self {
        Self {
            code_signing_configs: page.items,
            next_marker: page.next_marker,
        }
    }
}

impl From<Page<String>> for FunctionArns {
    fn from(page: Page<String>) -> Self {
        Self {
            function_arns: page.items,
            next_marker: page.next_marker,
        }
    }
}

impl FunctionCodeSigning {
    /// The configuration of a function that has one.
    #[must_use]
    pub fn of(function: &FunctionName, config: &CodeSigningId) -> Self {
        Self {
            code_signing_config_arn: Some(config.to_string()),
            function_name: Some(function.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Timestamp, code_signing::CodeSigningSettings};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_is_shown_whole() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdefg";
        let config = CodeSigningConfig {
            id: arn.parse().unwrap(),
            settings: CodeSigningSettings {
                description: String::new(),
                publishers: vec!["p".to_owned()],
                untrusted: UntrustedArtifact::Enforce,
            },
            tags: [("not".to_owned(), "shown".to_owned())].into(),
            last_modified: Timestamp(1_763_892_000_000),
        };
        assert_eq!(
            serde_json::to_value(CodeSigningConfigAnswer::new(&config)).unwrap(),
            json!({"CodeSigningConfig": {
                "CodeSigningConfigId": "csc-0123456789abcdefg",
                "CodeSigningConfigArn": arn,
                "Description": "",
                "AllowedPublishers": {"SigningProfileVersionArns": ["p"]},
                "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"},
                "LastModified": "2025-11-23T10:00:00.000+0000",
            }})
        );
        assert_eq!(
            serde_json::to_value(FunctionCodeSigning::default()).unwrap(),
            json!({})
        );
        let name = "f".parse().unwrap();
        assert_eq!(
            serde_json::to_value(FunctionCodeSigning::of(&name, &config.id)).unwrap(),
            json!({"CodeSigningConfigArn": arn, "FunctionName": "f"})
        );
    }
}
