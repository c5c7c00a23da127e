mod change;
mod url;

use model::{
    Setting, Timestamp,
    setting::{
        Destinations, EventInvoke, LanguageVersion, PolicyStatement, Provisioned, RecursiveLoop,
        ResourcePolicy, RuntimeManagement, Scaling,
    },
};

use super::{InvalidMessage, present, text};
use crate::internal::{
    self as pb, resource_policy, runtime_management::Management, setting::Setting as Wire,
};

impl From<&Setting> for pb::Setting {
    fn from(s: &Setting) -> Self {
        let setting = match s {
            Setting::Policy(policy) => Wire::Policy(policy.into()),
            Setting::Reserved(executions) => Wire::Reserved(*executions),
            Setting::Provisioned(p) => Wire::Provisioned(pb::Provisioned {
                executions: p.executions,
                last_modified_ms: p.last_modified.as_millis(),
            }),
            Setting::EventInvoke(e) => Wire::EventInvoke(pb::EventInvoke {
                retries_max: e.retries_max.map(u32::from),
                age_max_s: e.age_max_s,
                destinations: Some((&e.destinations).into()),
                last_modified_ms: e.last_modified.as_millis(),
            }),
            Setting::Url(url) => Wire::Url(url.into()),
            Setting::RuntimeManagement(m) => Wire::RuntimeManagement(m.into()),
            Setting::Recursion(r) => Wire::Recursion(recursion(*r).into()),
            Setting::Scaling(s) => Wire::Scaling(s.into()),
        };
        Self {
            setting: Some(setting),
        }
    }
}

impl TryFrom<pb::Setting> for Setting {
    type Error = InvalidMessage;

    fn try_from(m: pb::Setting) -> Result<Self, InvalidMessage> {
        Ok(match present("setting", m.setting)? {
            Wire::Policy(policy) => Self::Policy(policy.try_into()?),
            Wire::Reserved(executions) => Self::Reserved(executions),
            Wire::Provisioned(p) => Self::Provisioned(Provisioned {
                executions: p.executions,
                last_modified: Timestamp(p.last_modified_ms),
            }),
            Wire::EventInvoke(e) => Self::EventInvoke(EventInvoke {
                retries_max: e.retries_max.map(retries).transpose()?,
                age_max_s: e.age_max_s,
                destinations: e.destinations.unwrap_or_default().try_into()?,
                last_modified: Timestamp(e.last_modified_ms),
            }),
            Wire::Url(url) => Self::Url(url.try_into()?),
            Wire::RuntimeManagement(m) => Self::RuntimeManagement(m.try_into()?),
            Wire::Recursion(r) => Self::Recursion(parse_recursion(r)?),
            Wire::Scaling(s) => Self::Scaling(s.into()),
        })
    }
}

impl From<&ResourcePolicy> for pb::ResourcePolicy {
    fn from(p: &ResourcePolicy) -> Self {
        let version = match p.version {
            LanguageVersion::V2008 => resource_policy::Version::V2008,
            LanguageVersion::V2012 => resource_policy::Version::V2012,
        };
        Self {
            version: version.into(),
            id: p.id.clone(),
            statements: p.statements.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::ResourcePolicy> for ResourcePolicy {
    type Error = InvalidMessage;

    fn try_from(m: pb::ResourcePolicy) -> Result<Self, InvalidMessage> {
        Ok(Self {
            version: match m.version() {
                resource_policy::Version::V2008 => LanguageVersion::V2008,
                resource_policy::Version::V2012 => LanguageVersion::V2012,
                resource_policy::Version::Unspecified => {
                    return Err(InvalidMessage::Missing("policy.version"));
                }
            },
            id: m.id,
            statements: m.statements.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<&PolicyStatement> for pb::PolicyStatement {
    fn from(s: &PolicyStatement) -> Self {
        Self {
            sid: s.sid.clone(),
            text: s.text.clone(),
        }
    }
}

impl From<pb::PolicyStatement> for PolicyStatement {
    fn from(m: pb::PolicyStatement) -> Self {
        Self {
            sid: m.sid,
            text: m.text,
        }
    }
}

impl From<&Destinations> for pb::Destinations {
    fn from(d: &Destinations) -> Self {
        Self {
            on_success: d.on_success.as_ref().map(ToString::to_string),
            on_failure: d.on_failure.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<pb::Destinations> for Destinations {
    type Error = InvalidMessage;

    fn try_from(m: pb::Destinations) -> Result<Self, InvalidMessage> {
        let parse = |arn: Option<String>| arn.map(|a| text("destinations", &a)).transpose();
        Ok(Self {
            on_success: parse(m.on_success)?,
            on_failure: parse(m.on_failure)?,
        })
    }
}

impl From<&RuntimeManagement> for pb::RuntimeManagement {
    fn from(m: &RuntimeManagement) -> Self {
        Self {
            management: Some(match m {
                RuntimeManagement::Auto => Management::Auto(true),
                RuntimeManagement::FunctionUpdate => Management::FunctionUpdate(true),
                RuntimeManagement::Manual(arn) => Management::Manual(arn.clone()),
            }),
        }
    }
}

impl TryFrom<pb::RuntimeManagement> for RuntimeManagement {
    type Error = InvalidMessage;

    fn try_from(m: pb::RuntimeManagement) -> Result<Self, InvalidMessage> {
        Ok(match present("runtime_management", m.management)? {
            Management::Auto(_) => Self::Auto,
            Management::FunctionUpdate(_) => Self::FunctionUpdate,
            Management::Manual(arn) => Self::Manual(arn),
        })
    }
}

impl From<&Scaling> for pb::Scaling {
    fn from(s: &Scaling) -> Self {
        Self {
            environments_min: s.environments_min,
            environments_max: s.environments_max,
        }
    }
}

impl From<pb::Scaling> for Scaling {
    fn from(m: pb::Scaling) -> Self {
        Self {
            environments_min: m.environments_min,
            environments_max: m.environments_max,
        }
    }
}

const fn recursion(r: RecursiveLoop) -> pb::RecursiveLoop {
    match r {
        RecursiveLoop::Allow => pb::RecursiveLoop::Allow,
        RecursiveLoop::Terminate => pb::RecursiveLoop::Terminate,
    }
}

fn parse_recursion(value: i32) -> Result<RecursiveLoop, InvalidMessage> {
    match pb::RecursiveLoop::try_from(value) {
        Ok(pb::RecursiveLoop::Allow) => Ok(RecursiveLoop::Allow),
        Ok(pb::RecursiveLoop::Terminate) => Ok(RecursiveLoop::Terminate),
        Ok(pb::RecursiveLoop::Unspecified) | Err(_) => Err(InvalidMessage::Missing("recursion")),
    }
}

fn retries(value: u32) -> Result<u8, InvalidMessage> {
    u8::try_from(value).map_err(|_| InvalidMessage::Field {
        field: "retries_max",
        why: format!("expected at most 255, got {value}"),
    })
}
