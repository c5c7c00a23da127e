//! URLs of functions and aliases.

use model::{
    SettingChange,
    setting::{Cors, InvokeMode, UrlAuth, UrlPatch},
};
use serde::Deserialize;

use super::{Configure, target};
use crate::{error::ApiError, request::Input};

/// The bytes that the lists of cross-origin rules may have together: they stand in one record, and no record may be longer
/// than a store takes.
const CORS_SIZE_MAX: usize = 16 << 10;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    auth_type: Option<String>,
    cors: Option<CorsShape>,
    invoke_mode: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CorsShape {
    allow_credentials: Option<bool>,
    allow_headers: Option<Vec<String>>,
    allow_methods: Option<Vec<String>>,
    allow_origins: Option<Vec<String>>,
    expose_headers: Option<Vec<String>>,
    max_age: Option<u32>,
}

pub(super) fn create(input: &Input<'_>) -> Result<Configure, ApiError> {
    let values = values(input)?;
    let change = SettingChange::CreateUrl {
        // The schema wants one; the stricter of the two if it ever should not.
        auth: values.auth.unwrap_or(UrlAuth::AwsIam),
        cors: values.cors,
        invoke_mode: values.invoke_mode.unwrap_or_default(),
    };
    Ok(Configure::new(target(input)?, change))
}

pub(super) fn update(input: &Input<'_>) -> Result<Configure, ApiError> {
    let change = SettingChange::UpdateUrl(values(input)?);
    Ok(Configure::new(target(input)?, change))
}

pub(super) fn delete(input: &Input<'_>) -> Result<Configure, ApiError> {
    Ok(Configure::new(target(input)?, SettingChange::DeleteUrl))
}

fn values(input: &Input<'_>) -> Result<UrlPatch, ApiError> {
    let shape: Shape = input.body()?;
    let cors = shape.cors.map(|c| Cors {
        allow_credentials: c.allow_credentials,
        allow_headers: c.allow_headers,
        allow_methods: c.allow_methods,
        allow_origins: c.allow_origins,
        expose_headers: c.expose_headers,
        max_age_s: c.max_age,
    });
    if cors.as_ref().is_some_and(|c| c.size() > CORS_SIZE_MAX) {
        return Err(ApiError::cors_too_long(CORS_SIZE_MAX));
    }
    let auth = |text: &str| match text {
        "NONE" => UrlAuth::None,
        _ => UrlAuth::AwsIam,
    };
    let invoke_mode = |text: &str| match text {
        "RESPONSE_STREAM" => InvokeMode::ResponseStream,
        _ => InvokeMode::Buffered,
    };
    Ok(UrlPatch {
        auth: shape.auth_type.as_deref().map(auth),
        cors,
        invoke_mode: shape.invoke_mode.as_deref().map(invoke_mode),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        setting::{SettingRequest, tests::parse},
        testing::refused,
    };

    const PATH: &str = "/2021-10-31/functions/f/url";

    #[test]
    fn a_url_has_an_authentication_and_may_have_rules() {
        let create = format!("POST {PATH}?Qualifier=live");
        let body = r#"{"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"], "MaxAge": 5}, "InvokeMode": "RESPONSE_STREAM"}"#;
        let SettingRequest::CreateFunctionUrlConfig(configure) = parse(&create, body) else {
            panic!()
        };
        let cors = Cors {
            allow_origins: Some(vec!["*".to_owned()]),
            max_age_s: Some(5),
            ..Cors::default()
        };
        assert_eq!(
            configure.change,
            SettingChange::CreateUrl {
                auth: UrlAuth::None,
                cors: Some(cors),
                invoke_mode: InvokeMode::ResponseStream,
            }
        );
        let body = r#"{"AuthType": "AWS_IAM"}"#;
        let SettingRequest::CreateFunctionUrlConfig(configure) = parse(&create, body) else {
            panic!()
        };
        assert_eq!(
            configure.change,
            SettingChange::CreateUrl {
                auth: UrlAuth::AwsIam,
                cors: None,
                invoke_mode: InvokeMode::Buffered,
            }
        );
        let SettingRequest::UpdateFunctionUrlConfig(configure) =
            parse(&format!("PUT {PATH}"), "{}")
        else {
            panic!()
        };
        assert_eq!(
            configure.change,
            SettingChange::UpdateUrl(UrlPatch::default())
        );
    }

    #[test]
    fn refusals() {
        let create = format!("POST {PATH}");
        assert!(refused(&create, "{}").starts_with("ValidationException: 1 validation error"));
        for version in ["1", "%24LATEST"] {
            let create = format!("{create}?Qualifier={version}");
            let refused = refused(&create, r#"{"AuthType": "NONE"}"#);
            assert!(refused.starts_with("ValidationException"), "{refused}");
        }
        let header = format!("\"{}\"", "h".repeat(1024));
        let headers = vec![header; 17].join(",");
        let body = format!(r#"{{"AuthType": "NONE", "Cors": {{"AllowHeaders": [{headers}]}}}}"#);
        assert!(refused(&create, &body).starts_with("InvalidParameterValueException: The lists"));
    }
}
