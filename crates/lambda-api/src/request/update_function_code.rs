//! `UpdateFunctionCode`.

use model::{
    Architecture, FunctionId, Mutation, ObjectAddress, RevisionId,
    function::{Code, Origin, Publication},
};
use serde::Deserialize;

use super::{
    Input,
    code::{self, Source},
    create_function::architecture,
    expected_revision,
    publish_version::published,
};
use crate::{error::ApiError, target};

/// New code for `$LATEST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFunctionCode {
    /// The function.
    pub function: FunctionId,
    /// The instruction set of the code, if it changes.
    pub architecture: Option<Architecture>,
    /// What the result is published as, if it is.
    pub publish: Option<Publication>,
    /// Check everything, change nothing.
    pub dry_run: bool,
    /// Only if `$LATEST` still has this revision.
    pub expected: Option<RevisionId>,
    /// What the function is to be made of.
    pub source: Source,
    /// The ARN of the key that its package should be encrypted with at rest.
    pub kms_key: Option<String>,
}

impl UpdateFunctionCode {
    /// The change to the catalog, once the package is stored as `code`; `object` is what it is a reference to. Not for a
    /// dry run.
    #[must_use]
    pub fn into_mutation(self, code: Code, object: Option<ObjectAddress>) -> Mutation {
        let Self {
            function,
            architecture,
            publish,
            dry_run: _,
            expected,
            source,
            kms_key,
        } = self;
        let image = match source {
            Source::Archive(_) => None,
            Source::Image(uri) => Some(uri),
        };
        Mutation::UpdateFunctionCode {
            function,
            code,
            image,
            origin: Origin { kms_key, object }.boxed(),
            architecture,
            publish,
            expected,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    architectures: Option<Vec<String>>,
    publish: Option<bool>,
    dry_run: Option<bool>,
    revision_id: Option<String>,
    publish_to: Option<String>,
}

pub(super) fn parse(input: &Input<'_>) -> Result<UpdateFunctionCode, ApiError> {
    let shape: Shape = input.body()?;
    let code: code::Shape<'_> = input.body()?;
    let name = input.function_name();
    let function = target::locate(name, None, input.scope)?.whole_function()?;
    Ok(UpdateFunctionCode {
        function,
        architecture: architecture(shape.architectures.as_deref()),
        publish: published(shape.publish, shape.publish_to.as_deref()),
        dry_run: shape.dry_run.unwrap_or(false),
        expected: expected_revision(shape.revision_id.as_deref())?,
        kms_key: code.kms_key(),
        source: code.source()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    const UPDATE: &str = "PUT /2015-03-31/functions/f/code";

    fn updated(request: &str, body: &str) -> UpdateFunctionCode {
        match parse(request, body).unwrap() {
            Request::UpdateFunctionCode(update) => *update,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_zip_is_enough() {
        let update = updated(UPDATE, r#"{"ZipFile":"UEs="}"#);
        assert_eq!(update.function.name.as_str(), "f");
        assert_eq!(
            update.source,
            Source::Archive(code::Archive::Zip(b"PK".to_vec()))
        );
        assert_eq!(
            (
                update.publish,
                update.dry_run,
                update.architecture,
                update.expected
            ),
            (None, false, None, None)
        );
    }

    #[test]
    fn everything_that_can_be_said() {
        let revision = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let body = format!(
            r#"{{"ZipFile":"UEs=","Architectures":["arm64"],"Publish":true,"DryRun":true,"RevisionId":"{revision}"}}"#
        );
        let update = updated("PUT /2015-03-31/functions/f%3A%24LATEST/code", &body);
        assert_eq!(
            (update.publish, update.dry_run),
            (Some(Publication::Number), true)
        );
        assert_eq!(update.architecture, Some(Architecture::Arm64));
        assert_eq!(update.expected, Some(revision.parse().unwrap()));
        let code = Code {
            digest: model::Digest::of(b"PK"),
            size: 2,
            unzipped: 0,
        };
        let Mutation::UpdateFunctionCode {
            code: stored,
            publish: Some(Publication::Number),
            ..
        } = update.into_mutation(code, None)
        else {
            panic!()
        };
        assert_eq!(stored, code);
    }

    #[test]
    fn the_key_of_a_package_goes_with_it() {
        let update = updated(
            UPDATE,
            r#"{"ZipFile":"UEs=","SourceKMSKeyArn":"arn:aws:kms:us-east-1:123456789012:key/k"}"#,
        );
        let stored = Code::of_image("any");
        let mutation = update.into_mutation(stored, None);
        assert_eq!(mutation.format(), 2);
        let Mutation::UpdateFunctionCode { origin, .. } = mutation else {
            panic!()
        };
        assert_eq!(
            origin.unwrap().kms_key.as_deref(),
            Some("arn:aws:kms:us-east-1:123456789012:key/k")
        );
        let update = updated(UPDATE, r#"{"ZipFile":"UEs=","SourceKMSKeyArn":""}"#);
        assert_eq!(update.kms_key, None);
    }

    #[test]
    fn where_it_is_published_says_not_that_it_is() {
        let to = r#""ZipFile":"UEs=","PublishTo":"LATEST_PUBLISHED""#;
        assert_eq!(updated(UPDATE, &format!("{{{to}}}")).publish, None);
        let update = updated(UPDATE, &format!(r#"{{{to},"Publish":true}}"#));
        assert_eq!(update.publish, Some(Publication::Latest));
        assert_eq!(
            update.into_mutation(Code::of_image("any"), None).format(),
            2
        );
    }

    #[test]
    fn another_image() {
        let update = updated(UPDATE, r#"{"ImageUri":"r/i:2"}"#);
        let stored = Code::of_image("r/i:2");
        let Mutation::UpdateFunctionCode { code, image, .. } = update.into_mutation(stored, None)
        else {
            panic!()
        };
        assert_eq!((code, image.as_deref()), (stored, Some("r/i:2")));
    }

    #[test]
    fn refusals() {
        for (body, expected) in [
            (
                "{}",
                "InvalidParameterValueException: Please provide a source for function code.",
            ),
            (
                r#"{"ZipFile":"","RevisionId":"x"}"#,
                "PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
            ),
            (
                r#"{"Architectures":[]}"#,
                "ValidationException: 1 validation error detected: Value '[]' at 'architectures' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
        ] {
            assert_eq!(refused(UPDATE, body), expected);
        }
        assert!(
            refused("PUT /2015-03-31/functions/f%3A1/code", "{}")
                .contains("permitted on Lambda functions only")
        );
    }
}
