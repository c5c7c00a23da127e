//! Layers and their versions, as AWS shows them.

use model::{
    LayerId, LayerVersion, LayerVersionId,
    layer::{LayerGrant, LayerPolicy, LayerPrincipal},
};
use serde::Serialize;

use super::object::ResolvedObject;
use crate::page::Page;

/// One version, with where to get its archive: the answer about one version.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionShape {
    content: Content,
    layer_arn: String,
    #[serde(flatten)]
    about: LayerVersionItem,
}

/// One version, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersionItem {
    layer_version_arn: String,
    version: u64,
    description: String,
    created_date: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compatible_runtimes: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compatible_architectures: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_info: Option<String>,
}

/// One layer, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerItem {
    layer_name: String,
    layer_arn: String,
    latest_matching_version: LayerVersionItem,
}

/// The answer to `ListLayers`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Layers {
    layers: Vec<LayerItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// The answer to `ListLayerVersions`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerVersions {
    layer_versions: Vec<LayerVersionItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// The answer to `GetLayerVersionPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerPolicyShape {
    policy: String,
    revision_id: String,
}

/// The answer to `AddLayerVersionPermission`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerStatementShape {
    statement: String,
    revision_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    location: String,
    #[serde(rename = "CodeSha256")]
    code_sha256: String,
    code_size: u64,
    #[serde(rename = "ResolvedS3Object", skip_serializing_if = "Option::is_none")]
    resolved_object: Option<ResolvedObject>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    id: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: String,
    effect: &'static str,
    principal: Principal,
    action: &'static str,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Principal {
    Everybody(&'static str),
    Account {
        #[serde(rename = "AWS")]
        aws: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_equals: OfOrganization,
}

#[derive(Serialize)]
struct OfOrganization {
    #[serde(rename = "aws:PrincipalOrgID")]
    id: String,
}

impl LayerVersionShape {
    /// Shows a version; `location` is where its archive can be downloaded for a while.
    #[must_use]
    pub fn new(version: &LayerVersion, location: String) -> Self {
        Self {
            content: Content {
                location,
                code_sha256: version.content.digest.to_base64(),
                code_size: version.content.size,
                resolved_object: version.draft.object.as_ref().map(ResolvedObject::new),
            },
            layer_arn: version.id.layer.to_string(),
            about: LayerVersionItem::new(version),
        }
    }
}

impl LayerVersionItem {
    /// Shows a version.
    #[must_use]
    pub fn new(version: &LayerVersion) -> Self {
        let draft = &version.draft;
        Self {
            layer_version_arn: version.id.to_string(),
            version: version.id.version.get(),
            description: draft.description.clone(),
            created_date: version.created.to_aws_string(),
            compatible_runtimes: draft.runtimes.iter().map(|r| r.as_str()).collect(),
            compatible_architectures: draft.architectures.iter().map(|a| a.as_str()).collect(),
            license_info: draft.license.clone(),
        }
    }
}

impl LayerItem {
    /// Shows a layer by its newest version that was asked for.
    #[must_use]
    pub fn new(layer: &LayerId, latest: &LayerVersion) -> Self {
        Self {
            layer_name: layer.name.to_string(),
            layer_arn: layer.to_string(),
            latest_matching_version: LayerVersionItem::new(latest),
        }
    }
}

impl From<Page<LayerItem>> for Layers {
    fn from(page: Page<LayerItem>) -> Self {
        Self {
            layers: page.items,
            next_marker: page.next_marker,
        }
    }
}

impl From<Page<LayerVersionItem>> for LayerVersions {
    fn from(page: Page<LayerVersionItem>) -> Self {
        Self {
            layer_versions: page.items,
            next_marker: page.next_marker,
        }
    }
}

impl LayerPolicyShape {
    /// Shows the policy of a layer version as the document that it stands for.
    #[must_use]
    pub fn new(version: &LayerVersionId, policy: &LayerPolicy) -> Self {
        let statements = policy.statements.iter();
        let document = Document {
            version: "2012-10-17",
            id: "default",
            statement: statements
                .map(|(id, grant)| Statement::new(version, id, grant))
                .collect(),
        };
        Self {
            policy: text(&document),
            revision_id: policy.revision_id.to_string(),
        }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.policy
    }

    /// How long the document is, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.policy.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.policy.is_empty()
    }
}

impl LayerStatementShape {
    /// Shows one statement of a policy.
    #[must_use]
    pub fn new(
        version: &LayerVersionId,
        policy: &LayerPolicy,
        statement: &str,
        grant: &LayerGrant,
    ) -> Self {
        Self {
            statement: statement_text(version, statement, grant),
            revision_id: policy.revision_id.to_string(),
        }
    }
}

/// One statement of a layer's policy as JSON.
#[must_use]
pub fn statement_text(version: &LayerVersionId, statement: &str, grant: &LayerGrant) -> String {
    text(&Statement::new(version, statement, grant))
}

impl Statement {
    fn new(version: &LayerVersionId, id: &str, grant: &LayerGrant) -> Self {
        let partition = version.layer.region.partition();
        Self {
            sid: id.to_owned(),
            effect: "Allow",
            principal: match grant.principal {
                LayerPrincipal::Everybody => Principal::Everybody("*"),
                LayerPrincipal::Account(account) => Principal::Account {
                    aws: format!("arn:{partition}:iam::{account}:root"),
                },
            },
            action: "lambda:GetLayerVersion",
            resource: version.to_string(),
            condition: grant.organization.clone().map(|id| Condition {
                string_equals: OfOrganization { id },
            }),
        }
    }
}

fn text(shape: &impl Serialize) -> String {
    // String keys and no fallible parts: this cannot fail.
    serde_json::to_string(shape).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use model::{Architecture, Digest, RevisionId, Timestamp, function::Code, layer::LayerDraft};
    use serde_json::json;

    use super::*;

    fn version() -> LayerVersion {
        LayerVersion {
            id: "arn:aws:lambda:us-east-1:123456789012:layer:tools:7"
                .parse()
                .unwrap(),
            content: Code {
                digest: Digest::of(b"zip"),
                size: 276,
                unzipped: 300,
            },
            draft: LayerDraft {
                description: String::new(),
                runtimes: Vec::new(),
                architectures: Vec::new(),
                license: None,
                object: None,
            },
            created: Timestamp(1_763_892_000_000),
            policy: None,
        }
    }

    #[test]
    fn what_was_not_said_is_not_shown() {
        let shown = LayerVersionShape::new(&version(), "https://code/x".to_owned());
        assert_eq!(
            serde_json::to_value(shown).unwrap(),
            json!({
                "Content": {"Location": "https://code/x", "CodeSha256": Digest::of(b"zip").to_base64(), "CodeSize": 276},
                "LayerArn": "arn:aws:lambda:us-east-1:123456789012:layer:tools",
                "LayerVersionArn": "arn:aws:lambda:us-east-1:123456789012:layer:tools:7",
                "Version": 7, "Description": "", "CreatedDate": "2025-11-23T10:00:00.000+0000",
            })
        );
        let mut full = version();
        full.draft.runtimes = vec!["python3.12".parse().unwrap()];
        full.draft.architectures = vec![Architecture::X86_64];
        full.draft.license = Some("MIT".to_owned());
        let shown = serde_json::to_value(LayerVersionItem::new(&full)).unwrap();
        assert_eq!(shown["CompatibleRuntimes"], json!(["python3.12"]));
        assert_eq!(shown["CompatibleArchitectures"], json!(["x86_64"]));
        assert_eq!(shown["LicenseInfo"], json!("MIT"));
    }

    #[test]
    fn a_policy_is_a_document_in_a_string() {
        let grant = |principal, organization: Option<&str>| LayerGrant {
            principal,
            organization: organization.map(str::to_owned),
        };
        let account = LayerPrincipal::Account("210987654321".parse().unwrap());
        let policy = LayerPolicy {
            revision_id: RevisionId::from_random(7),
            statements: [
                (
                    "a".to_owned(),
                    grant(LayerPrincipal::Everybody, Some("o-0123456789")),
                ),
                ("b".to_owned(), grant(account, None)),
            ]
            .into(),
        };
        let shown = LayerPolicyShape::new(&version().id, &policy);
        assert_eq!(
            shown.policy,
            concat!(
                r#"{"Version":"2012-10-17","Id":"default","Statement":["#,
                r#"{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","#,
                r#""Resource":"arn:aws:lambda:us-east-1:123456789012:layer:tools:7","#,
                r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-0123456789"}}},"#,
                r#"{"Sid":"b","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"#,
                r#""Action":"lambda:GetLayerVersion","#,
                r#""Resource":"arn:aws:lambda:us-east-1:123456789012:layer:tools:7"}]}"#
            )
        );
    }
}
