//! Policies, read before anybody proposes them.
//!
//! What is kept is the document in its compact form: as long as AWS counts it, without white space, and read again to the
//! same document.

use model::iam::{Quota, Refusal};
use policy::{Document, Kind};

use super::IdentityError;
use crate::error::OperationError;

/// Bytes that are read of a document. White space does not count against a quota, so it is more than any of them.
const TEXT_MAX: usize = 128 << 10;

/// A policy that says what its holder may do, in its compact form.
///
/// # Errors
/// [`IdentityError::Document`], and [`Refusal::TooMany`] if it alone is longer than the quota.
pub(crate) fn identity_document(text: &str, quota: Quota) -> Result<String, OperationError> {
    read(Kind::Identity, "policy_document", text, quota)
}

/// A policy that says who may be a role, in its compact form.
///
/// # Errors
/// As [`identity_document`].
pub(crate) fn trust_document(text: &str) -> Result<String, OperationError> {
    let member = "assume_role_policy_document";
    read(Kind::Trust, member, text, Quota::Trust)
}

fn read(
    kind: Kind,
    member: &'static str,
    text: &str,
    quota: Quota,
) -> Result<String, OperationError> {
    let document = Document::parse(kind, text, TEXT_MAX);
    let document = document.map_err(|problem| IdentityError::Document { member, problem })?;
    let compact = document.to_string();
    quota.admit(compact.chars().count()).map_err(refused)?;
    Ok(compact)
}

fn refused(refusal: Refusal) -> OperationError {
    OperationError::Rejected(refusal.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(action: &str) -> String {
        format!(
            r#"{{
                "Version": "2012-10-17",
                "Statement": {{ "Effect": "Allow", "Action": "{action}", "Resource": "*" }}
            }}"#
        )
    }

    #[test]
    fn a_document_is_kept_compact() {
        let read = identity_document(&allow("lambda:*"), Quota::Policy).unwrap();
        let compact = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:*","Resource":"*"}]}"#;
        assert_eq!(read, compact);
        assert_eq!(identity_document(&read, Quota::Policy).unwrap(), compact);
        let trust = r#"{"Statement": [{"Effect":"Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
        assert_eq!(
            trust_document(trust).unwrap(),
            trust.replace(": ", ":").replace(", ", ",")
        );
    }

    #[test]
    fn what_cannot_be_is_said_where_it_stands() {
        let said = |result: Result<String, OperationError>| match result {
            Err(OperationError::Identity(error)) => {
                assert_eq!(error.name(), "MalformedPolicyDocument");
                error.to_string()
            }
            other => panic!("{other:?}"),
        };
        let bad = r#"{"Statement":[{"Effect":"Maybe","Action":"a:b","Resource":"*"}]}"#;
        assert_eq!(
            said(identity_document(bad, Quota::Policy)),
            r#"policy_document: at $.Statement[0].Effect: expected Allow or Deny, got "Maybe""#
        );
        assert!(
            said(identity_document("{", Quota::Policy))
                .starts_with("policy_document: expected JSON")
        );
        // A policy for somebody to have says nobody's name, and one for a role to be taken must.
        let said = said(trust_document(&allow("sts:AssumeRole")));
        assert!(
            said.starts_with("assume_role_policy_document: at $.Statement"),
            "{said}"
        );
    }

    #[test]
    fn white_space_does_not_count() {
        let limit = Quota::UserInline.limit();
        let fixed = identity_document(&allow("a:b"), Quota::UserInline).unwrap();
        let longest = allow(&format!("a:b{}", "b".repeat(limit - fixed.len())));
        assert!(longest.len() > limit);
        let kept = identity_document(&longest, Quota::UserInline).unwrap();
        assert_eq!(kept.len(), limit);
        let longer = allow(&format!("a:b{}", "b".repeat(limit + 1 - fixed.len())));
        assert!(matches!(
            identity_document(&longer, Quota::UserInline),
            Err(OperationError::Rejected(model::mutation::Rejection::Iam(
                Refusal::TooMany(Quota::UserInline)
            )))
        ));
        let spaces = format!("{}{}", allow("a:b"), " ".repeat(TEXT_MAX));
        assert!(matches!(
            identity_document(&spaces, Quota::UserInline),
            Err(OperationError::Identity(_))
        ));
    }
}
