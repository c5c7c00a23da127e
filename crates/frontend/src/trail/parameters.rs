//! What a record says of a request's parameters.
//!
//! Only what decides what a call did is here. Free texts, values of tags and of environment variables are not: they may be
//! secrets. Payloads and code are never here; of code there is the hash.

pub(super) mod identity;
mod resources;
mod settings;

use std::collections::BTreeMap;

use audit::clipped;
use lambda_api::{Request, page::PageRequest};
use model::{
    Digest,
    alias::Canary,
    function::{
        Config, ConfigPatch, Environment, Logging, Publication, StoredEnvironment, TracingMode,
    },
};
use serde_json::{Value, json};

pub(super) type Parameters = BTreeMap<&'static str, Value>;

/// Names of one list that are kept.
const NAMES_MAX: usize = 100;
/// Characters of a text that are kept.
const TEXT_MAX: usize = 256;

/// The parameters of a request, by their names in the API model.
pub(super) fn of(request: &Request) -> Parameters {
    let mut parameters = List::default();
    match request {
        Request::CreateFunction(r) => {
            config(&mut parameters, &r.config);
            parameters.names("Tags", r.tags.keys());
            parameters.published(r.publish);
            parameters.list("Layers", &r.layers);
            parameters.shown("CodeSigningConfigArn", r.code_signing.as_ref());
            resources::source(&mut parameters, &r.source);
        }
        Request::UpdateFunctionCode(r) => {
            parameters.text("Architectures", r.architecture.map(|a| a.as_str()));
            parameters.published(r.publish);
            parameters.put("DryRun", r.dry_run);
            parameters.shown("RevisionId", r.expected);
            resources::source(&mut parameters, &r.source);
            parameters.text("SourceKMSKeyArn", r.kms_key.as_ref());
        }
        Request::UpdateFunctionConfiguration(r) => {
            patch(&mut parameters, &r.patch);
            if let Some(layers) = &r.layers {
                parameters.0.insert("Layers", json!([]));
                parameters.list("Layers", layers);
            }
            parameters.shown("RevisionId", r.expected);
        }
        Request::PublishVersion(r) => {
            parameters.published_to(r.to);
            parameters.text("CodeSha256", r.code_sha256.map(|d| d.to_base64()));
            parameters.shown("RevisionId", r.expected);
        }
        Request::CreateAlias(r) => {
            parameters.shown("Name", Some(&r.name));
            parameters.shown("FunctionVersion", Some(r.version));
            parameters.canary(r.canary);
        }
        Request::UpdateAlias(r) => {
            parameters.shown("Name", Some(&r.name));
            parameters.shown("FunctionVersion", r.version);
            if let Some(canary) = r.canary {
                parameters.canary(canary);
            }
            parameters.shown("RevisionId", r.expected);
        }
        Request::GetAlias(r) | Request::DeleteAlias(r) => {
            parameters.shown("Name", Some(&r.name));
        }
        Request::ListFunctions(r) => {
            parameters.put("FunctionVersion", if r.all_versions { "ALL" } else { "" });
            parameters.page(&r.page);
        }
        Request::ListVersionsByFunction(r) => parameters.page(&r.page),
        Request::ListAliases(r) => {
            parameters.shown("FunctionVersion", r.version);
            parameters.page(&r.page);
        }
        Request::CreateEventSourceMapping(r) => {
            parameters.shown("FunctionName", Some(&r.function));
            parameters.text("Source", Some(r.source.kind().as_str()));
            parameters.text("EventSourceArn", r.source.arn());
            parameters.put("Enabled", r.enabled);
            parameters.names("Tags", r.tags.keys());
        }
        Request::GetEventSourceMapping(id) | Request::DeleteEventSourceMapping(id) => {
            parameters.shown("UUID", Some(&id.uuid));
        }
        Request::UpdateEventSourceMapping(r) => {
            parameters.shown("UUID", Some(&r.mapping.uuid));
        }
        Request::ListEventSourceMappings(r) => {
            parameters.text("EventSourceArn", r.source_arn.as_ref());
            parameters.shown("FunctionName", r.function.as_ref());
            parameters.page(&r.page);
        }
        Request::Invoke(r) | Request::InvokeAsync(r) | Request::InvokeWithResponseStream(r) => {
            parameters.put("InvocationType", format!("{:?}", r.invocation_type));
        }
        Request::Setting(r) => settings::of(&mut parameters, r),
        other => resources::of(&mut parameters, other),
    }
    parameters.0
}

/// What is said of a package: nothing if there is none.
pub(super) fn of_code(zip: &[u8]) -> Parameters {
    if zip.is_empty() {
        return Parameters::new();
    }
    [
        ("CodeSha256", Digest::of(zip).to_base64().into()),
        ("CodeSize", zip.len().into()),
    ]
    .into()
}

fn config(parameters: &mut List, config: &Config) {
    let Config {
        runtime,
        handler,
        role,
        description: _,
        timeout,
        memory,
        ephemeral,
        architecture,
        environment,
        tracing,
        logging,
        optional,
    } = config;
    parameters.text("Runtime", Some(runtime.as_str()));
    parameters.text("Handler", handler.as_deref());
    parameters.text("Role", Some(role));
    parameters.put("Timeout", timeout.get());
    parameters.put("MemorySize", memory.get());
    parameters.put("EphemeralStorage", ephemeral.get());
    parameters.text("Architectures", Some(architecture.as_str()));
    parameters.environment(environment.as_ref());
    parameters.tracing(Some(*tracing));
    parameters.logging(Some(logging));
    if let Some(optional) = optional {
        resources::optional(parameters, optional);
    }
}

fn patch(parameters: &mut List, patch: &ConfigPatch) {
    let ConfigPatch {
        runtime,
        handler,
        role,
        description,
        timeout,
        memory,
        ephemeral,
        environment,
        tracing,
        logging,
        optional,
    } = patch;
    parameters.text("Runtime", runtime.map(|r| r.as_str()));
    parameters.text("Handler", handler.as_deref());
    parameters.text("Role", role.as_deref());
    // That it changes, not to what.
    parameters.put_some("Description", description.as_ref().map(|_| true));
    parameters.put_some("Timeout", timeout.map(|t| t.get()));
    parameters.put_some("MemorySize", memory.map(|m| m.get()));
    parameters.put_some("EphemeralStorage", ephemeral.map(|e| e.get()));
    parameters.environment(environment.as_ref());
    parameters.tracing(*tracing);
    parameters.logging(logging.as_ref());
    if let Some(optional) = optional {
        resources::optional_patch(parameters, optional);
    }
}

#[derive(Default)]
struct List(Parameters);

impl List {
    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        // What is not said is left out.
        if !matches!(&value, Value::String(text) if text.is_empty()) && value != Value::Bool(false)
        {
            self.0.insert(name, value);
        }
    }

    fn put_some(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn text(&mut self, name: &'static str, text: Option<impl AsRef<str>>) {
        self.put_some(name, text.map(|t| clipped(t.as_ref(), TEXT_MAX)));
    }

    /// Whether a change publishes a version, and which.
    fn published(&mut self, publish: Option<Publication>) {
        self.put("Publish", publish.is_some());
        self.published_to(publish.unwrap_or_default());
    }

    fn published_to(&mut self, to: Publication) {
        let word = (to == Publication::Latest).then_some("LATEST_PUBLISHED");
        self.text("PublishTo", word);
    }

    fn shown(&mut self, name: &'static str, value: Option<impl ToString>) {
        self.text(name, value.map(|v| v.to_string()));
    }

    fn names<'a>(&mut self, name: &'static str, names: impl Iterator<Item = &'a String>) {
        let names: Vec<_> = names
            .take(NAMES_MAX)
            .map(|n| clipped(n, TEXT_MAX))
            .collect();
        if !names.is_empty() {
            self.0.insert(name, json!(names));
        }
    }

    fn list(&mut self, name: &'static str, items: impl IntoIterator<Item = impl ToString>) {
        let items: Vec<_> = items.into_iter().map(|i| i.to_string()).collect();
        self.names(name, items.iter());
    }

    /// The names of variables; an empty list says that all are taken away.
    fn environment(&mut self, environment: Option<&StoredEnvironment>) {
        match environment {
            Some(StoredEnvironment::Clear(Environment(variables))) => {
                self.0.insert("Environment", json!([]));
                self.names("Environment", variables.keys());
            }
            // A request comes in clear; what was sealed already tells no names.
            Some(StoredEnvironment::Sealed(_)) => self.put("Environment", true),
            None => {}
        }
    }

    fn tracing(&mut self, mode: Option<TracingMode>) {
        self.text("TracingConfig", mode.map(|m| format!("{m:?}")));
    }

    fn logging(&mut self, logging: Option<&Logging>) {
        self.text("LogGroup", logging.and_then(|l| l.group.as_deref()));
    }

    fn canary(&mut self, canary: Option<Canary>) {
        let shown = canary.map(|c| json!({ c.version.to_string(): c.weight.fraction() }));
        self.0.insert(
            "AdditionalVersionWeights",
            shown.unwrap_or_else(|| json!({})),
        );
    }

    fn page<K: ToString>(&mut self, page: &PageRequest<K>) {
        self.put("MaxItems", page.limit);
        self.shown("Marker", page.after.as_ref().map(ToString::to_string));
    }
}

#[cfg(test)]
mod tests {
    use lambda_api::{Query, Scope, request::Input, route};
    use model::{AccountId, Limits, Region};

    use super::*;

    fn check(method: &str, target: &str, body: &Value, expected: &Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let routed = route::route(&method.parse().unwrap(), path, query).unwrap();
        let request = Request::parse(&Input {
            operation: routed.operation,
            labels: &routed.labels,
            query: &Query::parse(query).unwrap(),
            headers: &http::HeaderMap::new(),
            body: body.to_string().as_bytes(),
            scope: &Scope {
                account: AccountId::DEFAULT,
                region: Region::default(),
            },
            limits: &Limits::default(),
        })
        .unwrap();
        assert_eq!(json!(of(&request)), *expected, "{method} {target}");
    }

    #[test]
    fn names_are_kept_and_values_that_may_be_secret_are_not() {
        let create = json!({
            "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Runtime": "python3.13", "Handler": "h.h",
            "Code": { "ZipFile": "UEs=" }, "Description": "s3cret", "Publish": true,
            "Environment": { "Variables": { "TOKEN": "s3cret", "NAME": "s3cret" } }, "Tags": { "team": "s3cret" },
        });
        let expected = json!({
            "Role": "arn:aws:iam::000000000000:role/r", "Runtime": "python3.13", "Handler": "h.h", "Timeout": 3,
            "MemorySize": 128, "EphemeralStorage": 512, "Architectures": "x86_64", "Publish": true,
            "Environment": ["NAME", "TOKEN"], "Tags": ["team"], "TracingConfig": "PassThrough",
            "CodeSize": 2, "CodeSha256": Digest::of(b"PK").to_base64(),
        });
        check("POST", "/2015-03-31/functions", &create, &expected);
        let update = json!({
            "Description": "s3cret", "MemorySize": 256, "Environment": { "Variables": { "TOKEN": "s3cret" } },
        });
        let expected = json!({ "Description": true, "MemorySize": 256, "Environment": ["TOKEN"] });
        check(
            "PUT",
            "/2015-03-31/functions/f/configuration",
            &update,
            &expected,
        );
        let clear = json!({ "Environment": { "Variables": {} } });
        check(
            "PUT",
            "/2015-03-31/functions/f/configuration",
            &clear,
            &json!({ "Environment": [] }),
        );
    }

    #[test]
    fn what_decides_is_kept() {
        let code = json!({ "ZipFile": "UEs=", "DryRun": true });
        let expected =
            json!({ "DryRun": true, "CodeSize": 2, "CodeSha256": Digest::of(b"PK").to_base64() });
        check("PUT", "/2015-03-31/functions/f/code", &code, &expected);
        let aliases = "/2015-03-31/functions/f/aliases";
        let alias = json!({
            "Name": "live", "FunctionVersion": "1", "Description": "s3cret",
            "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.25 } },
        });
        let expected = json!({
            "Name": "live", "FunctionVersion": "1", "AdditionalVersionWeights": { "2": 0.25 },
        });
        check("POST", aliases, &alias, &expected);
        let named = json!({ "Name": "live" });
        let live = format!("{aliases}/live");
        check("PUT", &live, &json!({}), &named);
        check("GET", &live, &Value::Null, &named);
        check("DELETE", &live, &Value::Null, &named);
        let page = json!({ "MaxItems": 7 });
        check("GET", &format!("{aliases}?MaxItems=7"), &Value::Null, &page);
        let all = json!({ "MaxItems": 7, "FunctionVersion": "ALL" });
        check(
            "GET",
            "/2015-03-31/functions?MaxItems=7&FunctionVersion=ALL",
            &Value::Null,
            &all,
        );
        check("GET", "/2015-03-31/functions/f", &Value::Null, &json!({}));
    }
}
