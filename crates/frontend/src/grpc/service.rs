//! The methods: message to form, the operation, result to message.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use lambda_api::{
    ApiError, Request as Parsed,
    request::code::{Archive, Source},
    response::Detail,
};
use proto::v1::{self, functions_server};
use serde_json::{Value, json};
use tonic::{Request, Streaming};

use super::{
    answer::{self, Answer},
    arrive::Arrived,
    form::{Form, text},
    invoke::{self, Responses},
    show,
};
use crate::{
    auth::Grant,
    error::OperationError,
    operations::{
        create_alias, create_function, delete_alias, delete_function, get_account_settings,
        get_alias, get_function, get_function_configuration, list_aliases, list_functions,
        list_versions_by_function, publish_version, update_alias, update_function_code,
        update_function_configuration,
    },
    stack::Edge,
};

const API: &str = "2015-03-31";
/// Base64 that stands for a package which travels beside the form.
const BESIDE: &str = "UEs=";

/// The service.
pub(super) struct Functions {
    edge: Arc<Edge>,
}

/// Takes the request of one kind out of what was parsed: the form decided which kind it is.
macro_rules! expect {
    ($parsed:expr, $kind:ident) => {
        match $parsed {
            (Parsed::$kind(request), grant) => (request, grant),
            _ => {
                return Err(OperationError::WrongAnswer {
                    operation: stringify!($kind),
                });
            }
        }
    };
}

impl Functions {
    pub(super) fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }

    fn parse(&self, arrived: &Arrived, form: Form) -> Result<(Parsed, Grant), OperationError> {
        Ok(form.authorize(arrived, &self.edge.bench)?.take())
    }

    async fn once<M, T>(
        &self,
        request: Request<M>,
        run: impl AsyncFnOnce(Arc<Arrived>, M) -> Result<T, OperationError>,
    ) -> Answer<T> {
        answer::once(&self.edge, request, run).await
    }

    /// Where callers of this API download code: from the AWS API's listener.
    fn origin(&self) -> String {
        let options = &self.edge.options;
        let scheme = if options.public_tls { "https" } else { "http" };
        format!("{scheme}://{}", options.public_address)
    }
}

fn function(method: Method, name: &str, below: &[&str]) -> Result<Form, ApiError> {
    Form::new(method, API, &[&["functions", name], below].concat())
}

fn variables(environment: Option<v1::EnvironmentVariables>) -> Option<Value> {
    environment.map(|e| json!({ "Variables": e.variables }))
}

fn logging(logging: Option<v1::LoggingConfig>) -> Option<Value> {
    let members = |l: v1::LoggingConfig| {
        let members = [
            ("LogFormat", l.log_format),
            ("ApplicationLogLevel", l.application_log_level),
            ("SystemLogLevel", l.system_log_level),
            ("LogGroup", l.log_group),
        ];
        let members = members.into_iter();
        members
            .filter_map(|(name, value)| Some((name.to_owned(), text(value)?)))
            .collect()
    };
    logging.map(|l| Value::Object(members(l)))
}

fn weights(weights: &BTreeMap<String, f64>) -> Value {
    json!({ "AdditionalVersionWeights": weights })
}

fn max_items(n: u32) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

#[tonic::async_trait]
impl functions_server::Functions for Functions {
    type InvokeStream = Responses;

    async fn create_function(
        &self,
        request: Request<v1::CreateFunctionRequest>,
    ) -> Answer<v1::FunctionConfiguration> {
        self.once(request, async |arrived, m| {
            let zip = m.zip_file;
            let code = if zip.is_empty() {
                json!({})
            } else {
                json!({ "ZipFile": BESIDE })
            };
            let form = Form::new(Method::POST, API, &["functions"])?
                .member("FunctionName", text(m.function_name))
                .member("Role", text(m.role))
                .member("Runtime", text(m.runtime))
                .member("Handler", text(m.handler))
                .member("Code", Some(code))
                .member("Description", text(m.description))
                .member("Timeout", m.timeout.map(Value::from))
                .member("MemorySize", m.memory_size.map(Value::from))
                .member(
                    "EphemeralStorage",
                    m.ephemeral_storage.map(|size| json!({ "Size": size })),
                )
                .member("Environment", variables(m.environment))
                .member(
                    "Architectures",
                    (!m.architectures.is_empty()).then(|| json!(m.architectures)),
                )
                .member("Publish", Some(m.publish.into()))
                .member("Tags", Some(json!(m.tags)))
                .member(
                    "TracingConfig",
                    text(m.tracing_mode).map(|mode| json!({ "Mode": mode })),
                )
                .member("LoggingConfig", logging(m.logging));
            let (mut create, grant) = expect!(self.parse(&arrived, form)?, CreateFunction);
            arrived.trail.code(&zip);
            create.source = Source::Archive(Archive::Zip(zip.into()));
            let created = create_function::run(&self.edge.bench, grant.of(*create)).await?;
            Ok(show::configuration(&created, Detail::Full))
        })
        .await
    }

    async fn get_function(
        &self,
        request: Request<v1::GetFunctionRequest>,
    ) -> Answer<v1::GetFunctionResponse> {
        self.once(request, async |arrived, m| {
            let form =
                function(Method::GET, &m.function_name, &[])?.parameter("Qualifier", m.qualifier);
            let (target, grant) = expect!(self.parse(&arrived, form)?, GetFunction);
            let got = get_function::run(&self.edge.bench, grant.of(target), &self.origin()).await?;
            Ok(v1::GetFunctionResponse {
                configuration: Some(show::configuration(&got.shown, Detail::Full)),
                code_location: match got.location {
                    get_function::Location::Package(url) => url,
                    get_function::Location::Image(uri, _) => uri,
                },
                tags: got.tags,
            })
        })
        .await
    }

    async fn get_function_configuration(
        &self,
        request: Request<v1::GetFunctionConfigurationRequest>,
    ) -> Answer<v1::FunctionConfiguration> {
        self.once(request, async |arrived, m| {
            let form = function(Method::GET, &m.function_name, &["configuration"])?
                .parameter("Qualifier", m.qualifier);
            let (target, grant) = expect!(self.parse(&arrived, form)?, GetFunctionConfiguration);
            let shown = get_function_configuration::run(&self.edge.bench, grant.of(target)).await?;
            Ok(show::configuration(&shown, Detail::Full))
        })
        .await
    }

    async fn list_functions(
        &self,
        request: Request<v1::ListFunctionsRequest>,
    ) -> Answer<v1::ListFunctionsResponse> {
        self.once(request, async |arrived, m| {
            let form = Form::new(Method::GET, API, &["functions"])?
                .parameter("Marker", m.marker)
                .parameter("MaxItems", max_items(m.max_items))
                .parameter("FunctionVersion", m.function_version);
            let (list, grant) = expect!(self.parse(&arrived, form)?, ListFunctions);
            let page = list_functions::run(&self.edge.bench, grant.of(list)).await?;
            let page = page.map(|shown| show::configuration(&shown, Detail::Listed));
            Ok(v1::ListFunctionsResponse {
                functions: page.items,
                next_marker: page.next_marker.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_function_code(
        &self,
        request: Request<v1::UpdateFunctionCodeRequest>,
    ) -> Answer<v1::FunctionConfiguration> {
        self.once(request, async |arrived, m| {
            let zip = m.zip_file;
            let form = function(Method::PUT, &m.function_name, &["code"])?
                .member("ZipFile", (!zip.is_empty()).then(|| BESIDE.into()))
                .member(
                    "Architectures",
                    (!m.architectures.is_empty()).then(|| json!(m.architectures)),
                )
                .member("Publish", Some(m.publish.into()))
                .member("DryRun", Some(m.dry_run.into()))
                .member("RevisionId", text(m.revision_id));
            let (mut update, grant) = expect!(self.parse(&arrived, form)?, UpdateFunctionCode);
            arrived.trail.code(&zip);
            update.source = Source::Archive(Archive::Zip(zip.into()));
            let updated = update_function_code::run(&self.edge.bench, grant.of(*update)).await?;
            Ok(show::configuration(&updated, Detail::Full))
        })
        .await
    }

    async fn update_function_configuration(
        &self,
        request: Request<v1::UpdateFunctionConfigurationRequest>,
    ) -> Answer<v1::FunctionConfiguration> {
        self.once(request, async |arrived, m| {
            let form = function(Method::PUT, &m.function_name, &["configuration"])?
                .member("Role", m.role.map(Value::from))
                .member("Runtime", m.runtime.map(Value::from))
                .member("Handler", m.handler.map(Value::from))
                .member("Description", m.description.map(Value::from))
                .member("Timeout", m.timeout.map(Value::from))
                .member("MemorySize", m.memory_size.map(Value::from))
                .member(
                    "EphemeralStorage",
                    m.ephemeral_storage.map(|size| json!({ "Size": size })),
                )
                .member("Environment", variables(m.environment))
                .member(
                    "TracingConfig",
                    m.tracing_mode.map(|mode| json!({ "Mode": mode })),
                )
                .member("LoggingConfig", logging(m.logging))
                .member("RevisionId", text(m.revision_id));
            let parsed = self.parse(&arrived, form)?;
            let (update, grant) = expect!(parsed, UpdateFunctionConfiguration);
            let bench = &self.edge.bench;
            let updated = update_function_configuration::run(bench, grant.of(*update)).await?;
            Ok(show::configuration(&updated, Detail::Full))
        })
        .await
    }

    async fn delete_function(
        &self,
        request: Request<v1::DeleteFunctionRequest>,
    ) -> Answer<v1::DeleteFunctionResponse> {
        self.once(request, async |arrived, m| {
            let form = function(Method::DELETE, &m.function_name, &[])?
                .parameter("Qualifier", m.qualifier);
            let (delete, grant) = expect!(self.parse(&arrived, form)?, DeleteFunction);
            delete_function::run(&self.edge.bench, grant.of(delete)).await?;
            Ok(v1::DeleteFunctionResponse {})
        })
        .await
    }

    async fn publish_version(
        &self,
        request: Request<v1::PublishVersionRequest>,
    ) -> Answer<v1::FunctionConfiguration> {
        self.once(request, async |arrived, m| {
            let form = function(Method::POST, &m.function_name, &["versions"])?
                .member("CodeSha256", text(m.code_sha256))
                .member("Description", m.description.map(Value::from))
                .member("RevisionId", text(m.revision_id));
            let (publish, grant) = expect!(self.parse(&arrived, form)?, PublishVersion);
            let published = publish_version::run(&self.edge.bench, grant.of(publish)).await?;
            Ok(show::configuration(&published, Detail::Full))
        })
        .await
    }

    async fn list_versions_by_function(
        &self,
        request: Request<v1::ListVersionsByFunctionRequest>,
    ) -> Answer<v1::ListVersionsByFunctionResponse> {
        self.once(request, async |arrived, m| {
            let form = function(Method::GET, &m.function_name, &["versions"])?
                .parameter("Marker", m.marker)
                .parameter("MaxItems", max_items(m.max_items));
            let (list, grant) = expect!(self.parse(&arrived, form)?, ListVersionsByFunction);
            let page = list_versions_by_function::run(&self.edge.bench, grant.of(list)).await?;
            let page = page.map(|shown| show::configuration(&shown, Detail::Listed));
            Ok(v1::ListVersionsByFunctionResponse {
                versions: page.items,
                next_marker: page.next_marker.unwrap_or_default(),
            })
        })
        .await
    }

    async fn create_alias(
        &self,
        request: Request<v1::CreateAliasRequest>,
    ) -> Answer<v1::AliasConfiguration> {
        self.once(request, async |arrived, m| {
            let canary = m.additional_version_weights;
            let form = function(Method::POST, &m.function_name, &["aliases"])?
                .member("Name", text(m.name))
                .member("FunctionVersion", text(m.function_version))
                .member("Description", text(m.description))
                .member(
                    "RoutingConfig",
                    (!canary.is_empty()).then(|| weights(&canary)),
                );
            let (create, grant) = expect!(self.parse(&arrived, form)?, CreateAlias);
            let created = create_alias::run(&self.edge.bench, grant.of(create)).await?;
            Ok(show::alias(&created))
        })
        .await
    }

    async fn get_alias(
        &self,
        request: Request<v1::GetAliasRequest>,
    ) -> Answer<v1::AliasConfiguration> {
        self.once(request, async |arrived, m| {
            let form = function(Method::GET, &m.function_name, &["aliases", &m.name])?;
            let (named, grant) = expect!(self.parse(&arrived, form)?, GetAlias);
            let alias = get_alias::run(&self.edge.bench, grant.of(named)).await?;
            Ok(show::alias(&alias))
        })
        .await
    }

    async fn update_alias(
        &self,
        request: Request<v1::UpdateAliasRequest>,
    ) -> Answer<v1::AliasConfiguration> {
        self.once(request, async |arrived, m| {
            let routing = m.routing_config;
            let form = function(Method::PUT, &m.function_name, &["aliases", &m.name])?
                .member("FunctionVersion", m.function_version.map(Value::from))
                .member("Description", m.description.map(Value::from))
                .member(
                    "RoutingConfig",
                    routing.map(|r| weights(&r.additional_version_weights)),
                )
                .member("RevisionId", text(m.revision_id));
            let (update, grant) = expect!(self.parse(&arrived, form)?, UpdateAlias);
            let updated = update_alias::run(&self.edge.bench, grant.of(update)).await?;
            Ok(show::alias(&updated))
        })
        .await
    }

    async fn delete_alias(
        &self,
        request: Request<v1::DeleteAliasRequest>,
    ) -> Answer<v1::DeleteAliasResponse> {
        self.once(request, async |arrived, m| {
            let form = function(Method::DELETE, &m.function_name, &["aliases", &m.name])?;
            let (named, grant) = expect!(self.parse(&arrived, form)?, DeleteAlias);
            delete_alias::run(&self.edge.bench, grant.of(named)).await?;
            Ok(v1::DeleteAliasResponse {})
        })
        .await
    }

    async fn list_aliases(
        &self,
        request: Request<v1::ListAliasesRequest>,
    ) -> Answer<v1::ListAliasesResponse> {
        self.once(request, async |arrived, m| {
            let form = function(Method::GET, &m.function_name, &["aliases"])?
                .parameter("FunctionVersion", m.function_version)
                .parameter("Marker", m.marker)
                .parameter("MaxItems", max_items(m.max_items));
            let (list, grant) = expect!(self.parse(&arrived, form)?, ListAliases);
            let page = list_aliases::run(&self.edge.bench, grant.of(list)).await?;
            let page = page.map(|alias| show::alias(&alias));
            Ok(v1::ListAliasesResponse {
                aliases: page.items,
                next_marker: page.next_marker.unwrap_or_default(),
            })
        })
        .await
    }

    async fn get_account_settings(
        &self,
        request: Request<v1::GetAccountSettingsRequest>,
    ) -> Answer<v1::GetAccountSettingsResponse> {
        self.once(request, async |arrived, _| {
            let form = Form::new(Method::GET, "2016-08-19", &["account-settings"])?;
            let (_, grant) = self.parse(&arrived, form)?;
            let usage = get_account_settings::run(&self.edge.bench, &grant.of(())).await?;
            let limits = self.edge.bench.limits_of(arrived.caller.account);
            Ok(v1::GetAccountSettingsResponse {
                total_code_size_max: limits.code_storage.0,
                code_size_unzipped_max: limits.code_unzipped.0,
                code_size_zipped_max: limits.code_zipped.0,
                concurrent_executions_max: limits.concurrent_executions,
                unreserved_concurrent_executions: limits
                    .concurrent_executions
                    .saturating_sub(usage.reserved_concurrency),
                total_code_size: usage.code_bytes,
                function_count: usage.functions,
            })
        })
        .await
    }

    async fn invoke(&self, request: Request<Streaming<v1::InvokeRequest>>) -> Answer<Responses> {
        answer::answer(&self.edge, request, async |arrived, messages| {
            invoke::start(&self.edge, arrived, messages).await
        })
        .await
    }
}
