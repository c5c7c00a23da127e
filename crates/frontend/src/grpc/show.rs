//! Results as messages.

use std::collections::BTreeMap;

use lambda_api::response::{Detail, ShownEnvironment};
use model::{Alias, Qualifier};
use proto::v1;
use serde_json::Value;

use crate::operations::Shown;

/// A version. The texts are AWS's own, member by member.
pub(super) fn configuration(shown: &Shown, detail: Detail) -> v1::FunctionConfiguration {
    let shape = serde_json::to_value(shown.configuration(detail)).unwrap_or_default();
    let text = |path: &str| text(&shape, path);
    let config = &shown.version.config;
    let (environment, environment_error) = match shown.environment.clone() {
        None => (None, None),
        Some(ShownEnvironment::Variables(e)) => {
            (Some(v1::EnvironmentVariables { variables: e.0 }), None)
        }
        Some(ShownEnvironment::Unreadable { code, message }) => {
            let error_code = code.to_owned();
            (
                None,
                Some(v1::EnvironmentError {
                    error_code,
                    message,
                }),
            )
        }
    };
    v1::FunctionConfiguration {
        function_name: text("/FunctionName"),
        function_arn: text("/FunctionArn"),
        runtime: text("/Runtime"),
        role: text("/Role"),
        handler: text("/Handler"),
        code_size: shown.version.code.size,
        description: text("/Description"),
        timeout: config.timeout.get().into(),
        memory_size: config.memory.get(),
        last_modified: text("/LastModified"),
        code_sha256: text("/CodeSha256"),
        version: text("/Version"),
        environment,
        environment_error,
        revision_id: text("/RevisionId"),
        state: text("/State"),
        state_reason: text("/StateReason"),
        state_reason_code: text("/StateReasonCode"),
        last_update_status: text("/LastUpdateStatus"),
        last_update_status_reason: text("/LastUpdateStatusReason"),
        last_update_status_reason_code: text("/LastUpdateStatusReasonCode"),
        architectures: vec![config.architecture.to_string()],
        ephemeral_storage: config.ephemeral.get(),
        tracing_mode: text("/TracingConfig/Mode"),
        logging: Some(v1::LoggingConfig {
            log_format: text("/LoggingConfig/LogFormat"),
            application_log_level: text("/LoggingConfig/ApplicationLogLevel"),
            system_log_level: text("/LoggingConfig/SystemLogLevel"),
            log_group: text("/LoggingConfig/LogGroup"),
        }),
    }
}

/// An alias.
pub(super) fn alias(alias: &Alias) -> v1::AliasConfiguration {
    let arn = alias
        .function
        .arn(Some(Qualifier::Alias(alias.name.clone())));
    let canary = alias
        .canary
        .map(|c| (c.version.to_string(), c.weight.fraction()));
    v1::AliasConfiguration {
        alias_arn: arn.to_string(),
        name: alias.name.to_string(),
        function_version: alias.version.to_string(),
        description: alias.description.clone(),
        additional_version_weights: canary.into_iter().collect::<BTreeMap<_, _>>(),
        revision_id: alias.revision_id.to_string(),
    }
}

fn text(shape: &Value, path: &str) -> String {
    let value = shape.pointer(path).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}
