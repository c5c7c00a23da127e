use model::{
    FunctionArn,
    setting::{Cors, FunctionUrl, InvokeMode},
};
use serde::Serialize;

/// The URL of a function or an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionUrlConfig {
    function_url: String,
    function_arn: String,
    auth_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cors: Option<CorsShape>,
    creation_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified_time: Option<String>,
    invoke_mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CorsShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_credentials: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_methods: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_origins: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expose_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<u32>,
}

impl FunctionUrlConfig {
    /// Shows a URL. `suffix` is what hosts of URLs end with in this cluster.
    #[must_use]
    pub fn new(resource: &FunctionArn, url: &FunctionUrl, suffix: &str) -> Self {
        let (id, region) = (url.id, &resource.id.region);
        Self {
            function_url: format!("https://{id}.lambda-url.{region}.{suffix}/"),
            function_arn: resource.to_string(),
            auth_type: url.auth.as_str(),
            cors: url.cors.as_ref().map(CorsShape::of),
            creation_time: url.created.to_rfc3339(),
            last_modified_time: Some(url.last_modified.to_rfc3339()),
            invoke_mode: match url.invoke_mode {
                InvokeMode::Buffered => "BUFFERED",
                InvokeMode::ResponseStream => "RESPONSE_STREAM",
            },
        }
    }

    /// The same as the answer to its creation, which knows no later change.
    #[must_use]
    pub fn created(self) -> Self {
        Self {
            last_modified_time: None,
            ..self
        }
    }
}

impl CorsShape {
    fn of(cors: &Cors) -> Self {
        let cors = cors.clone();
        Self {
            allow_credentials: cors.allow_credentials,
            allow_headers: cors.allow_headers,
            allow_methods: cors.allow_methods,
            allow_origins: cors.allow_origins,
            expose_headers: cors.expose_headers,
            max_age: cors.max_age_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Timestamp, setting::UrlId};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_url_with_and_without_rules() {
        let mut url = FunctionUrl {
            id: UrlId::from_random([0, 0]),
            auth: model::setting::UrlAuth::None,
            cors: None,
            invoke_mode: InvokeMode::Buffered,
            created: Timestamp(1_767_323_045_123),
            last_modified: Timestamp(1_767_323_046_000),
        };
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live";
        let resource = arn.parse().unwrap();
        let shape = FunctionUrlConfig::new(&resource, &url, "example.org");
        let mut expected = json!({
            "FunctionUrl": format!("https://{}.lambda-url.eu-west-1.example.org/", "a".repeat(32)),
            "FunctionArn": arn,
            "AuthType": "NONE",
            "CreationTime": "2026-01-02T03:04:05.123Z",
            "LastModifiedTime": "2026-01-02T03:04:06.000Z",
            "InvokeMode": "BUFFERED",
        });
        assert_eq!(serde_json::to_value(shape).unwrap(), expected);

        url.cors = Some(Cors {
            allow_origins: Some(vec!["*".to_owned()]),
            allow_headers: Some(Vec::new()),
            max_age_s: Some(0),
            ..Cors::default()
        });
        let shape = FunctionUrlConfig::new(&resource, &url, "example.org").created();
        expected["Cors"] = json!({"AllowOrigins": ["*"], "AllowHeaders": [], "MaxAge": 0});
        expected.as_object_mut().unwrap().remove("LastModifiedTime");
        assert_eq!(serde_json::to_value(shape).unwrap(), expected);
    }
}
