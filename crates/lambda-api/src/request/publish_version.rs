//! `PublishVersion`.

use model::{Digest, FunctionId, Mutation, RevisionId, function::Publication};
use serde::Deserialize;

use super::{Input, expected_revision};
use crate::{error::ApiError, target, validate::clip};

/// A version to be made out of `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishVersion {
    /// The function.
    pub function: FunctionId,
    /// What it becomes.
    pub to: Publication,
    /// Only if `$LATEST` runs this code.
    pub code_sha256: Option<Digest>,
    /// A description of its own.
    pub description: Option<String>,
    /// Only if `$LATEST` still has this revision.
    pub expected: Option<RevisionId>,
}

impl From<PublishVersion> for Mutation {
    fn from(publish: PublishVersion) -> Self {
        let PublishVersion {
            function,
            to,
            code_sha256,
            description,
            expected,
        } = publish;
        Self::PublishVersion {
            function,
            to,
            code_sha256,
            description,
            expected,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
    publish_to: Option<String>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<PublishVersion, ApiError> {
    let shape: Shape = input.body()?;
    let name = input.function_name();
    let function = target::locate(name, None, input.scope)?.whole_function()?;
    Ok(PublishVersion {
        function,
        to: publication(shape.publish_to.as_deref()),
        code_sha256: shape
            .code_sha256
            .as_deref()
            .filter(|s| !s.is_empty())
            .map(digest)
            .transpose()?,
        // An empty description is a description: it replaces the one of $LATEST.
        description: shape.description,
        expected: expected_revision(shape.revision_id.as_deref())?,
    })
}

/// What `PublishTo` says, of which the model knows one word.
fn publication(to: Option<&str>) -> Publication {
    match to {
        Some("LATEST_PUBLISHED") => Publication::Latest,
        _ => Publication::Number,
    }
}

/// What is published with a change, if anything is: where it goes does not say that it does.
pub(super) fn published(publish: Option<bool>, to: Option<&str>) -> Option<Publication> {
    publish.unwrap_or(false).then(|| publication(to))
}

/// A text that is no digest is certainly not the digest of `$LATEST`.
fn digest(text: &str) -> Result<Digest, ApiError> {
    Digest::from_base64(text).ok_or_else(|| {
        ApiError::InvalidParameterValue(format!(
            "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST. Please try again with the CodeSHA256 in \
             $LATEST.",
            clip(text, 256)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    const PUBLISH: &str = "POST /2015-03-31/functions/f/versions";

    #[test]
    fn everything_is_optional() {
        for body in ["", "{}", r#"{"CodeSha256":"","RevisionId":""}"#] {
            let Request::PublishVersion(publish) = parse(PUBLISH, body).unwrap() else {
                panic!()
            };
            assert_eq!(
                (publish.code_sha256, publish.description, publish.expected),
                (None, None, None)
            );
        }
        let sha = Digest::of(b"x");
        let body = format!(
            r#"{{"CodeSha256":"{}","Description":"d"}}"#,
            sha.to_base64()
        );
        let Request::PublishVersion(publish) = parse(PUBLISH, &body).unwrap() else {
            panic!()
        };
        assert_eq!(publish.code_sha256, Some(sha));
        assert_eq!(publish.to, Publication::Number);
        assert_eq!(publish.description.as_deref(), Some("d"));
    }

    #[test]
    fn a_version_without_a_number() {
        let parsed = parse(PUBLISH, r#"{"PublishTo":"LATEST_PUBLISHED"}"#).unwrap();
        let Request::PublishVersion(publish) = parsed else {
            panic!()
        };
        let mutation = Mutation::from(publish);
        assert_eq!(mutation.format(), 2);
        assert!(matches!(
            mutation,
            Mutation::PublishVersion {
                to: Publication::Latest,
                ..
            }
        ));
    }

    #[test]
    fn refusals() {
        assert!(
            refused(PUBLISH, r#"{"CodeSha256":"x"}"#)
                .starts_with("InvalidParameterValueException: CodeSHA256 (x) is different")
        );
        assert!(
            refused("POST /2015-03-31/functions/f%3A1/versions", "")
                .contains("permitted on Lambda functions only")
        );
    }
}
