//! `GetFunction`.

use std::collections::BTreeMap;

use model::function::Origin;
use serde::Serialize;

use super::{FunctionConfiguration, object::ResolvedObject};

/// A function's configuration, and where to get its code.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetFunction {
    configuration: FunctionConfiguration,
    code: CodeLocation,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<Concurrency>,
}

/// Where the code of a version can be downloaded for a while.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeLocation {
    repository_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn", skip_serializing_if = "Option::is_none")]
    source_kms_key_arn: Option<String>,
    #[serde(rename = "ResolvedS3Object", skip_serializing_if = "Option::is_none")]
    resolved_object: Option<ResolvedObject>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: u32,
}

impl CodeLocation {
    /// A URL that needs no further credential, and what is said of the package there.
    #[must_use]
    pub fn url(location: String, origin: Option<&Origin>) -> Self {
        Self {
            repository_type: "S3",
            location: Some(location),
            image_uri: None,
            resolved_image_uri: None,
            source_kms_key_arn: origin.and_then(|o| o.kms_key.clone()),
            resolved_object: origin
                .and_then(|o| o.object.as_ref())
                .map(ResolvedObject::new),
        }
    }

    /// The URI of an image as it was given, and the one that names exactly what runs, if that is known.
    #[must_use]
    pub const fn image(uri: String, resolved: Option<String>) -> Self {
        Self {
            repository_type: "ECR",
            location: None,
            image_uri: Some(uri),
            resolved_image_uri: resolved,
            source_kms_key_arn: None,
            resolved_object: None,
        }
    }
}

impl GetFunction {
    /// The answer; `reserved` is the function's reserved concurrency, if it has one.
    #[must_use]
    pub fn new(
        configuration: FunctionConfiguration,
        code: CodeLocation,
        tags: BTreeMap<String, String>,
        reserved: Option<u32>,
    ) -> Self {
        let concurrency = reserved.map(|n| Concurrency {
            reserved_concurrent_executions: n,
        });
        Self {
            configuration,
            code,
            tags,
            concurrency,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{ObjectAddress, function::State};
    use serde_json::json;

    use super::*;
    use crate::response::{Detail, function_configuration::tests::version};

    #[test]
    fn tags_and_concurrency_only_if_there_are_any() {
        let configuration =
            FunctionConfiguration::new(&version(State::Active, None), None, None, Detail::Full);
        let code = CodeLocation::url("https://code/x?y".into(), None);
        let shape = GetFunction::new(configuration.clone(), code.clone(), BTreeMap::new(), None);
        let value = serde_json::to_value(shape).unwrap();
        assert_eq!(
            value.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["Code", "Configuration"]
        );
        assert_eq!(
            value["Code"],
            json!({"RepositoryType": "S3", "Location": "https://code/x?y"})
        );
        let origin = Origin {
            kms_key: Some("k".to_owned()),
            object: Some(ObjectAddress {
                bucket: "b".to_owned(),
                key: "x.zip".to_owned(),
                version: Some("v".to_owned()),
            }),
        };
        assert_eq!(
            serde_json::to_value(CodeLocation::url("u".into(), Some(&origin))).unwrap(),
            json!({
                "RepositoryType": "S3", "Location": "u", "SourceKMSKeyArn": "k",
                "ResolvedS3Object": {"S3Bucket": "b", "S3Key": "x.zip", "S3ObjectVersion": "v"},
            })
        );
        assert_eq!(
            serde_json::to_value(CodeLocation::image(
                "r/i:1".into(),
                Some("r/i@sha256:0".into())
            ))
            .unwrap(),
            json!({"RepositoryType": "ECR", "ImageUri": "r/i:1", "ResolvedImageUri": "r/i@sha256:0"})
        );

        let shape = GetFunction::new(
            configuration,
            code,
            [("team".to_owned(), "x".to_owned())].into(),
            Some(0),
        );
        let value = serde_json::to_value(shape).unwrap();
        assert_eq!(value["Tags"], json!({"team": "x"}));
        assert_eq!(
            value["Concurrency"],
            json!({"ReservedConcurrentExecutions": 0})
        );
    }
}
