//! Policies: statement by statement, or as whole documents.

use model::{
    FunctionArn, Qualifier, RevisionId, SettingChange, Version,
    setting::{LanguageVersion, PolicyStatement, ResourcePolicy},
};
use policy::{Document, InvalidDocument, InvalidPermission, Kind, Permission, Statement};
use serde::Deserialize;

use super::{Configure, target};
use crate::{error::ApiError, request::Input, target::Target};

/// One more statement for a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddPermission {
    /// The change.
    pub configure: Configure,
    /// The statement, as the answer shows it.
    pub statement: String,
    /// Whom it lets in, as the caller wrote it.
    pub principal: String,
    /// The function URLs that it is about, by how they authenticate.
    pub url_auth: Option<String>,
}

/// A whole policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutResourcePolicy {
    /// The change.
    pub configure: Configure,
    /// The document, as the answer shows it.
    pub policy: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
    revision_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DocumentShape {
    policy: String,
    revision_id: Option<String>,
}

pub(super) fn add(input: &Input<'_>) -> Result<AddPermission, ApiError> {
    let shape: Shape = input.body()?;
    let target = target(input)?;
    refuse_latest(&target)?;
    let statement = statement(&shape, &target.arn())?.to_string();
    let change = SettingChange::AddStatement {
        statement: PolicyStatement {
            sid: Some(shape.statement_id),
            text: statement.clone(),
        },
        size_max: u32::try_from(input.limits.policy.0).unwrap_or(u32::MAX),
    };
    let configure = Configure {
        target,
        change,
        expected: expected(shape.revision_id.as_deref())?,
    };
    Ok(AddPermission {
        configure,
        statement,
        principal: shape.principal,
        url_auth: shape.function_url_auth_type,
    })
}

fn statement(shape: &Shape, resource: &FunctionArn) -> Result<Statement, ApiError> {
    let resource = resource.to_string();
    let source_account = shape.source_account.as_deref().filter(|a| !a.is_empty());
    let source_account = source_account
        .map(|account| account.parse())
        .transpose()
        .map_err(|e: model::account::InvalidAccountId| ApiError::Validation(e.to_string()))?;
    let permission = Permission {
        source_arn: shape.source_arn.as_deref(),
        source_account,
        event_source_token: shape.event_source_token.as_deref(),
        principal_org_id: shape.principal_org_id.as_deref(),
        function_url_auth_type: shape.function_url_auth_type.as_deref(),
        invoked_via_function_url: shape.invoked_via_function_url,
        ..Permission::new(
            &shape.statement_id,
            &shape.action,
            &shape.principal,
            &resource,
        )
    };
    permission.statement().map_err(|e| match e {
        InvalidPermission::Principal(_) => ApiError::invalid_principal(),
        InvalidPermission::Statement(e) => ApiError::invalid_policy(e),
    })
}

pub(super) fn remove(input: &Input<'_>) -> Result<Configure, ApiError> {
    let change = SettingChange::RemoveStatement {
        sid: input.label("StatementId").to_owned(),
    };
    Ok(Configure {
        target: target(input)?,
        change,
        expected: expected(input.query.get("RevisionId"))?,
    })
}

pub(super) fn put(input: &Input<'_>) -> Result<PutResourcePolicy, ApiError> {
    let shape: DocumentShape = input.body()?;
    let target = resource(input)?;
    refuse_latest(&target)?;
    let limit = input.limits.policy.0;
    let size_max = usize::try_from(limit).unwrap_or(usize::MAX);
    let too_long = |size| ApiError::policy_too_long(size, limit);
    let document =
        Document::parse(Kind::Resource, &shape.policy, size_max).map_err(|e| match e {
            InvalidDocument::TooLarge { size, .. } => {
                too_long(u64::try_from(size).unwrap_or(u64::MAX))
            }
            other => ApiError::invalid_policy(other),
        })?;
    if document.statements().is_empty() {
        return Err(ApiError::invalid_policy("expected at least one statement"));
    }
    let document = taken_apart(&document);
    // A document can be longer as it is kept than as it came: what was left out is written out.
    let size = u64::try_from(document.size()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(too_long(size));
    }
    Ok(PutResourcePolicy {
        policy: document.to_string(),
        configure: Configure {
            target,
            change: SettingChange::PutPolicy(document),
            expected: expected(shape.revision_id.as_deref())?,
        },
    })
}

fn taken_apart(document: &Document) -> ResourcePolicy {
    let statement = |statement: &Statement| PolicyStatement {
        sid: statement.sid().map(str::to_owned),
        text: statement.to_string(),
    };
    ResourcePolicy {
        version: match document.version() {
            policy::Version::V2008 => LanguageVersion::V2008,
            policy::Version::V2012 => LanguageVersion::V2012,
        },
        id: document.id().map(str::to_owned),
        statements: document.statements().iter().map(statement).collect(),
    }
}

pub(super) fn delete(input: &Input<'_>) -> Result<Configure, ApiError> {
    Ok(Configure {
        target: resource(input)?,
        change: SettingChange::DeletePolicy,
        expected: expected(input.query.get("RevisionId"))?,
    })
}

/// What a `ResourceArn` means. Customer-managed runtimes have policies too, and this cluster has none of them.
pub(super) fn resource(input: &Input<'_>) -> Result<Target, ApiError> {
    let arn = input.label("ResourceArn");
    match arn.split(':').nth(5) {
        Some("function") => crate::target::locate(arn, None, input.scope),
        Some(_) | None => Err(ApiError::nothing_there()),
    }
}

fn refuse_latest(target: &Target) -> Result<(), ApiError> {
    match target.qualifier {
        Some(Qualifier::Version(Version::Latest)) => Err(ApiError::policy_of_latest()),
        Some(_) | None => Ok(()),
    }
}

/// A parsed `RevisionId`: the empty text asks for nothing, and one that is no revision cannot be the latest one.
fn expected(text: Option<&str>) -> Result<Option<RevisionId>, ApiError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| ApiError::policy_revision_mismatch())
    };
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        percent,
        request::{
            setting::{SettingRequest, tests::parse},
            testing::refused,
        },
    };

    const POLICY: &str = "/2015-03-31/functions/f/policy";
    const REVISION: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn document(arn: &str) -> String {
        format!("/2026-07-09/resource-policy/{}", percent::encode(arn))
    }

    #[track_caller]
    fn check(request: &str, body: &str, expected: &Expect) {
        let SettingRequest::AddPermission(add) = parse(request, body) else {
            panic!()
        };
        let SettingChange::AddStatement {
            statement,
            size_max,
        } = &add.configure.change
        else {
            panic!()
        };
        assert_eq!((&statement.text, *size_max), (&add.statement, 20_480));
        expected.assert_eq(&add.statement);
    }

    #[test]
    fn a_permission_is_a_statement_about_what_was_named() {
        check(
            &format!("POST {POLICY}"),
            r#"{"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "123456789012"}"#,
            &expect![[
                r#"{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}"#
            ]],
        );
        check(
            &format!("POST {POLICY}?Qualifier=live"),
            r#"{"StatementId": "u", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}"#,
            &expect![[
                r#"{"Sid":"u","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f:live","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}"#
            ]],
        );
    }

    #[test]
    fn a_revision_travels_along() {
        let body = format!(
            r#"{{"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "*", "RevisionId": "{REVISION}"}}"#
        );
        let SettingRequest::AddPermission(add) = parse(&format!("POST {POLICY}"), &body) else {
            panic!()
        };
        assert_eq!(add.configure.expected, Some(REVISION.parse().unwrap()));
        let request = format!("DELETE {POLICY}/a?RevisionId={REVISION}&Qualifier=1");
        let SettingRequest::RemovePermission(remove) = parse(&request, "") else {
            panic!()
        };
        assert_eq!(remove.expected, Some(REVISION.parse().unwrap()));
        let sid = "a".to_owned();
        assert_eq!(remove.change, SettingChange::RemoveStatement { sid });
        assert_eq!(remove.target.qualifier, Some("1".parse().unwrap()));
    }

    #[test]
    fn refused_permissions() {
        let request = format!("POST {POLICY}");
        let with = |principal: &str| {
            format!(
                r#"{{"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "{principal}"}}"#
            )
        };
        for principal in ["nobody", "arn:aws:iam::123456789012:group/g", "12"] {
            assert_eq!(
                refused(&request, &with(principal)),
                "InvalidParameterValueException: The provided principal was invalid. Please check the principal and try again.",
                "{principal}"
            );
        }
        assert_eq!(
            refused(&format!("{request}?Qualifier=%24LATEST"), &with("*")),
            "InvalidParameterValueException: We currently do not support adding policies for $LATEST."
        );
        let bad_sid = with("*").replace("\"a\"", "\"a b\"");
        assert!(refused(&request, &bad_sid).starts_with("ValidationException: 1 validation error"));
    }

    #[test]
    fn a_document_is_taken_apart() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:1";
        let text = format!(
            r#"{{ "Version": "2012-10-17", "Statement": {{ "Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "{arn}" }} }}"#
        );
        let body = serde_json::json!({ "Policy": text, "RevisionId": REVISION }).to_string();
        let SettingRequest::PutResourcePolicy(put) =
            parse(&format!("PUT {}", document(arn)), &body)
        else {
            panic!()
        };
        assert_eq!(put.configure.target.arn().to_string(), arn);
        assert_eq!(put.configure.expected, Some(REVISION.parse().unwrap()));
        expect![[r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f:1"}]}"#]]
            .assert_eq(&put.policy);
        let SettingChange::PutPolicy(policy) = put.configure.change else {
            panic!()
        };
        assert_eq!(policy.to_string(), put.policy);
    }

    #[test]
    fn refused_documents() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let put = |arn: &str, policy: &str| {
            let body = serde_json::json!({ "Policy": policy }).to_string();
            refused(&format!("PUT {}", document(arn)), &body)
        };
        let name = |refusal: String| refusal.split(':').next().unwrap_or_default().to_owned();
        assert_eq!(name(put(arn, "{}")), "InvalidParameterValueException");
        assert_eq!(name(put(arn, "no JSON")), "InvalidParameterValueException");
        assert_eq!(
            name(put(arn, r#"{"Version": "2012-10-17", "Statement": []}"#)),
            "InvalidParameterValueException"
        );
        assert_eq!(
            put(&format!("{arn}:$LATEST"), "{}"),
            "InvalidParameterValueException: We currently do not support adding policies for $LATEST."
        );
        assert_eq!(
            name(put(arn, &"x".repeat(20_481))),
            "ValidationException",
            "the schema has the same bound"
        );
        let runtime = "arn:aws:lambda:us-east-1:123456789012:runtime/r";
        assert_eq!(
            refused(&format!("GET {}", document(runtime)), ""),
            "ResourceNotFoundException: The resource you requested does not exist."
        );
        let elsewhere = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        assert_eq!(
            name(refused(&format!("GET {}", document(elsewhere)), "")),
            "ResourceNotFoundException"
        );
    }
}
