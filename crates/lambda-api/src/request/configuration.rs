//! The configuration of a function, which `CreateFunction` and `UpdateFunctionConfiguration` share.

use std::collections::BTreeMap;

use model::{
    EphemeralMib, Limits, MemoryMib, Runtime, TimeoutSeconds,
    function::{ConfigPatch, Environment, LogFormat, Logging, StoredEnvironment, TracingMode},
};
use serde::Deserialize;

use crate::{error::ApiError, validate::clip};

/// Longest timeout of a function, in seconds; the API model allows more.
const TIMEOUT_QUOTA: u64 = 900;

/// The longest measured environment that an error repeats, in characters.
const MEASURED_MAX: usize = 65_536;

/// The level of a JSON log whose owner chose none.
const DEFAULT_LEVEL: &str = "INFO";

/// Environment variables that the platform sets itself.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// The members of a body that configure a function; the others are read elsewhere.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Shape {
    pub(crate) runtime: Option<String>,
    pub(crate) role: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    environment: Option<EnvironmentShape>,
    ephemeral_storage: Option<EphemeralStorageShape>,
    tracing_config: Option<TracingShape>,
    logging_config: Option<LoggingShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EnvironmentShape {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EphemeralStorageShape {
    size: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TracingShape {
    mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingShape {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

impl Shape {
    /// What a configuration becomes by these members. The optional ones are read elsewhere.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameterValue`] for a runtime that is unknown or retired, a number above the quota of a normal
    /// function, or an unacceptable environment.
    pub(crate) fn patch(self, limits: &Limits) -> Result<ConfigPatch, ApiError> {
        let logging = self
            .logging_config
            .map(LoggingShape::into_logging)
            .transpose()?;
        let environment = self
            .environment
            .map(|e| environment(e.variables.unwrap_or_default(), limits))
            .transpose()?;
        let timeout = |seconds| {
            TimeoutSeconds::new(seconds)
                .map_err(|_| ApiError::above_quota("Timeout", TIMEOUT_QUOTA))
        };
        let memory = |mib| {
            MemoryMib::new(mib)
                .map_err(|_| ApiError::above_quota("MemorySize", MemoryMib::MAX.get()))
        };
        let ephemeral = |mib| {
            EphemeralMib::new(mib)
                .map_err(|_| ApiError::above_quota("EphemeralStorage", EphemeralMib::MAX.get()))
        };
        Ok(ConfigPatch {
            runtime: self.runtime.as_deref().map(runtime).transpose()?,
            handler: self.handler,
            role: self.role,
            description: self.description,
            timeout: unsigned(self.timeout).map(timeout).transpose()?,
            memory: unsigned(self.memory_size).map(memory).transpose()?,
            ephemeral: unsigned(self.ephemeral_storage.and_then(|s| s.size))
                .map(ephemeral)
                .transpose()?,
            environment: environment.map(StoredEnvironment::Clear),
            tracing: self
                .tracing_config
                .and_then(|t| t.mode)
                .map(|mode| match mode.as_str() {
                    "Active" => TracingMode::Active,
                    _ => TracingMode::PassThrough,
                }),
            logging,
            optional: None,
        })
    }
}

impl LoggingShape {
    fn into_logging(self) -> Result<Logging, ApiError> {
        let Self {
            log_format,
            application_log_level,
            system_log_level,
            log_group: group,
        } = self;
        if log_format.as_deref() == Some("JSON") {
            let level =
                |given: Option<String>| Some(given.unwrap_or_else(|| DEFAULT_LEVEL.to_owned()));
            return Ok(Logging {
                format: LogFormat::Json,
                application_level: level(application_log_level),
                system_level: level(system_log_level),
                group,
            });
        }
        if application_log_level.is_some() || system_log_level.is_some() {
            return Err(ApiError::InvalidParameterValue(
                "ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON."
                    .to_owned(),
            ));
        }
        Ok(Logging {
            format: LogFormat::Text,
            application_level: None,
            system_level: None,
            group,
        })
    }
}

fn runtime(name: &str) -> Result<Runtime, ApiError> {
    let runtime: Runtime = name
        .parse()
        .map_err(|_| ApiError::unknown_runtime(&clip(name, 256)))?;
    if runtime.is_supported() {
        Ok(runtime)
    } else {
        Err(ApiError::retired_runtime(runtime))
    }
}

fn environment(
    variables: BTreeMap<String, String>,
    limits: &Limits,
) -> Result<Environment, ApiError> {
    let reserved: Vec<&str> = RESERVED
        .into_iter()
        .filter(|key| variables.contains_key(*key))
        .collect();
    if !reserved.is_empty() {
        return Err(ApiError::reserved_environment(&reserved));
    }
    if let Some((key, _)) = variables.iter().find(|(_, value)| value.contains('\0')) {
        return Err(ApiError::InvalidParameterValue(format!(
            "The value of the environment variable {key} contains a NUL character."
        )));
    }
    let measured = serde_json::to_string(&variables).map_err(ApiError::unreadable_body)?;
    if u64::try_from(measured.len()).unwrap_or(u64::MAX) > limits.environment.0 {
        return Err(ApiError::environment_too_large(
            limits,
            &clip(&measured, MEASURED_MAX),
        ));
    }
    Ok(Environment(variables))
}

fn unsigned(number: Option<i64>) -> Option<u64> {
    number.map(|n| u64::try_from(n).unwrap_or(0))
}
