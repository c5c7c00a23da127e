//! A message in the form of the AWS request that says the same.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lambda_api::{
    ApiError, Query, Request, percent,
    request::Input,
    route::{self, Routed},
};
use serde_json::{Map, Value};

use super::arrive::Arrived;
use crate::{
    auth::{self, Authorized},
    error::OperationError,
    operations::Workbench,
};

/// A request of the AWS API, before it is parsed.
pub(super) struct Form {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Map<String, Value>,
}

impl Form {
    /// A request on something below a path. Every part of `path` is one segment; an empty one stands for a name that the
    /// caller left out.
    pub(super) fn new(method: Method, version: &str, path: &[&str]) -> Result<Self, ApiError> {
        let mut encoded = format!("/{version}");
        for segment in path {
            if segment.is_empty() {
                return Err(missing_name());
            }
            encoded.push('/');
            encoded.push_str(&percent::encode(segment));
        }
        Ok(Self {
            method,
            path: encoded,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Map::new(),
        })
    }

    /// Adds a parameter, unless its value is empty.
    pub(super) fn parameter(mut self, name: &'static str, value: String) -> Self {
        if !value.is_empty() {
            self.query.push((name, value));
        }
        self
    }

    /// Adds a header, unless its value is empty.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Result<Self, ApiError> {
        if !value.is_empty() {
            let value = HeaderValue::from_str(value)
                .map_err(|_| ApiError::Validation(format!("{name} is not plain text")))?;
            self.headers.insert(HeaderName::from_static(name), value);
        }
        Ok(self)
    }

    /// Adds a member of the body, if there is one.
    pub(super) fn member(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.body.insert(name.to_owned(), value);
        }
        self
    }

    /// Parses the request as the AWS API would, and decides whether its caller may make it.
    pub(super) fn authorize(
        self,
        arrived: &Arrived,
        bench: &Workbench,
    ) -> Result<Authorized<Request>, OperationError> {
        let pairs = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", percent::encode(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let Routed { operation, labels } =
            route::route(&self.method, &self.path, &query).map_err(ApiError::from)?;
        arrived.trail.target(labels.get("FunctionName"));
        let limits = bench.admit(arrived.caller.account, operation)?;
        let query = Query::parse(&query).map_err(ApiError::from)?;
        let body = Value::Object(self.body).to_string();
        let request = Request::parse(&Input {
            operation,
            labels: &labels,
            query: &query,
            headers: &self.headers,
            body: body.as_bytes(),
            scope: &arrived.caller.scope(),
            limits: &limits,
        })?;
        arrived.trail.asked(&request);
        auth::authorize(&bench.control, arrived.caller.clone(), operation, request)
    }
}

fn missing_name() -> ApiError {
    ApiError::Validation(
        "1 validation error detected: Value '' at 'functionName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1"
            .to_owned(),
    )
}

/// A text, unless it is empty: what an empty text of proto3 means.
pub(super) fn text(value: String) -> Option<Value> {
    (!value.is_empty()).then_some(Value::String(value))
}
