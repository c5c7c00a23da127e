use model::{
    EphemeralMib, MemoryMib, Runtime, Sealed, TimeoutSeconds,
    function::{
        Config, ConfigPatch, Environment, LogFormat, Logging, OptionalConfig, OptionalPatch,
        StoredEnvironment, TracingMode,
    },
};

use super::{InvalidMessage, text};
use crate::internal as pb;

impl From<&Environment> for pb::EnvironmentVariables {
    fn from(e: &Environment) -> Self {
        Self {
            variables: e.0.clone(),
        }
    }
}

impl From<pb::EnvironmentVariables> for Environment {
    fn from(m: pb::EnvironmentVariables) -> Self {
        Self(m.variables)
    }
}

/// An environment as the two members of a message that hold one: in clear, and sealed.
type Members = (Option<pb::EnvironmentVariables>, Option<bytes::Bytes>);

fn members(environment: Option<&StoredEnvironment>) -> Members {
    match environment {
        None => (None, None),
        Some(StoredEnvironment::Clear(e)) => (Some(e.into()), None),
        Some(StoredEnvironment::Sealed(s)) => {
            (None, Some(bytes::Bytes::copy_from_slice(s.as_bytes())))
        }
    }
}

/// A message with both members does not come from any build of ours: what is sealed is newer.
fn environment((clear, sealed): Members) -> Option<StoredEnvironment> {
    let sealed = sealed.map(|s| StoredEnvironment::Sealed(Sealed::from_bytes(s.into())));
    sealed.or_else(|| clear.map(|c| StoredEnvironment::Clear(c.into())))
}

impl From<&Logging> for pb::Logging {
    fn from(l: &Logging) -> Self {
        Self {
            json: l.format == LogFormat::Json,
            application_level: l.application_level.clone(),
            system_level: l.system_level.clone(),
            group: l.group.clone(),
        }
    }
}

impl From<pb::Logging> for Logging {
    fn from(m: pb::Logging) -> Self {
        Self {
            format: if m.json {
                LogFormat::Json
            } else {
                LogFormat::Text
            },
            application_level: m.application_level,
            system_level: m.system_level,
            group: m.group,
        }
    }
}

impl From<&Config> for pb::FunctionConfig {
    fn from(c: &Config) -> Self {
        let (environment, sealed_environment) = members(c.environment.as_ref());
        Self {
            runtime: c.runtime.to_string(),
            handler: c.handler.clone(),
            role: c.role.clone(),
            description: c.description.clone(),
            timeout_s: c.timeout.get().into(),
            memory_mib: c.memory.get(),
            ephemeral_mib: c.ephemeral.get(),
            architecture: c.architecture.to_string(),
            environment,
            tracing_active: c.tracing == TracingMode::Active,
            logging: Some((&c.logging).into()),
            sealed_environment,
            optional: c.optional.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<pb::FunctionConfig> for Config {
    type Error = InvalidMessage;

    fn try_from(m: pb::FunctionConfig) -> Result<Self, InvalidMessage> {
        Ok(Self {
            runtime: runtime("config.runtime", &m.runtime)?,
            handler: m.handler,
            role: m.role,
            description: m.description,
            timeout: timeout(m.timeout_s)?,
            memory: memory(m.memory_mib)?,
            ephemeral: ephemeral(m.ephemeral_mib)?,
            architecture: text("config.architecture", &m.architecture)?,
            environment: environment((m.environment, m.sealed_environment)),
            tracing: tracing(m.tracing_active),
            logging: m.logging.map(Into::into).unwrap_or_default(),
            optional: optional(m.optional)?,
        })
    }
}

impl From<&ConfigPatch> for pb::FunctionConfigPatch {
    fn from(p: &ConfigPatch) -> Self {
        let (environment, sealed_environment) = members(p.environment.as_ref());
        Self {
            runtime: p.runtime.map(|r| r.to_string()),
            handler: p.handler.clone(),
            role: p.role.clone(),
            description: p.description.clone(),
            timeout_s: p.timeout.map(|t| t.get().into()),
            memory_mib: p.memory.map(MemoryMib::get),
            ephemeral_mib: p.ephemeral.map(EphemeralMib::get),
            environment,
            tracing_active: p.tracing.map(|t| t == TracingMode::Active),
            logging: p.logging.as_ref().map(Into::into),
            sealed_environment,
            optional: p.optional.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<pb::FunctionConfigPatch> for ConfigPatch {
    type Error = InvalidMessage;

    fn try_from(m: pb::FunctionConfigPatch) -> Result<Self, InvalidMessage> {
        Ok(Self {
            runtime: m.runtime.map(|r| text("patch.runtime", &r)).transpose()?,
            handler: m.handler,
            role: m.role,
            description: m.description,
            timeout: m.timeout_s.map(timeout).transpose()?,
            memory: m.memory_mib.map(memory).transpose()?,
            ephemeral: m.ephemeral_mib.map(ephemeral).transpose()?,
            environment: environment((m.environment, m.sealed_environment)),
            tracing: m.tracing_active.map(tracing),
            logging: m.logging.map(Into::into),
            optional: patch(m.optional)?,
        })
    }
}

/// Nothing stands for the runtime of an image.
pub(super) fn runtime(field: &'static str, name: &str) -> Result<Runtime, InvalidMessage> {
    if name.is_empty() {
        Ok(Runtime::IMAGE)
    } else {
        text(field, name)
    }
}

fn optional(m: Option<pb::OptionalConfig>) -> Result<Option<Box<OptionalConfig>>, InvalidMessage> {
    let optional = m.map(OptionalConfig::try_from).transpose()?;
    Ok(optional.and_then(OptionalConfig::boxed))
}

fn patch(m: Option<pb::OptionalConfigPatch>) -> Result<Option<Box<OptionalPatch>>, InvalidMessage> {
    m.map(|m| m.try_into().map(Box::new)).transpose()
}

fn timeout(seconds: u32) -> Result<TimeoutSeconds, InvalidMessage> {
    TimeoutSeconds::new(seconds.into()).map_err(|e| InvalidMessage::field("timeout_s")(&e))
}

fn memory(mib: u32) -> Result<MemoryMib, InvalidMessage> {
    MemoryMib::new(mib.into()).map_err(|e| InvalidMessage::field("memory_mib")(&e))
}

fn ephemeral(mib: u32) -> Result<EphemeralMib, InvalidMessage> {
    EphemeralMib::new(mib.into()).map_err(|e| InvalidMessage::field("ephemeral_mib")(&e))
}

const fn tracing(active: bool) -> TracingMode {
    if active {
        TracingMode::Active
    } else {
        TracingMode::PassThrough
    }
}
