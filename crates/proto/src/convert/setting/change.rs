use model::{
    SettingChange,
    setting::{ConcurrencyBounds, EventInvokePatch, UrlPatch},
};

use super::{parse_recursion, recursion, retries, url};
use crate::{
    InvalidMessage,
    convert::present,
    internal::mutation::{self as wire, configure::Change as Wire},
};

impl From<&SettingChange> for Wire {
    fn from(change: &SettingChange) -> Self {
        match change {
            SettingChange::AddStatement {
                statement,
                size_max,
            } => Self::AddStatement(wire::AddStatement {
                statement: Some(statement.into()),
                size_max: *size_max,
            }),
            SettingChange::RemoveStatement { sid } => Self::RemoveStatement(sid.clone()),
            SettingChange::PutPolicy(policy) => Self::PutPolicy(policy.into()),
            SettingChange::DeletePolicy => Self::DeletePolicy(true),
            SettingChange::Reserve { executions, bounds } => {
                Self::Reserve(keep(*executions, *bounds))
            }
            SettingChange::Unreserve => Self::Unreserve(true),
            SettingChange::Provision { executions, bounds } => {
                Self::Provision(keep(*executions, *bounds))
            }
            SettingChange::Unprovision => Self::Unprovision(true),
            SettingChange::PutEventInvoke(values) => Self::PutEventInvoke(values.into()),
            SettingChange::PatchEventInvoke(patch) => Self::PatchEventInvoke(patch.into()),
            SettingChange::DeleteEventInvoke => Self::DeleteEventInvoke(true),
            SettingChange::CreateUrl {
                auth,
                cors,
                invoke_mode,
            } => Self::CreateUrl(wire::CreateUrl {
                auth: url::auth(Some(*auth)).into(),
                cors: cors.as_ref().map(Into::into),
                invoke_mode: url::invoke_mode(Some(*invoke_mode)).into(),
            }),
            SettingChange::UpdateUrl(patch) => Self::UpdateUrl(wire::UpdateUrl {
                auth: url::auth(patch.auth).into(),
                cors: patch.cors.as_ref().map(Into::into),
                invoke_mode: url::invoke_mode(patch.invoke_mode).into(),
            }),
            SettingChange::DeleteUrl => Self::DeleteUrl(true),
            SettingChange::ManageRuntime(management) => Self::ManageRuntime(management.into()),
            SettingChange::Recurse(r) => Self::Recurse(recursion(*r).into()),
            SettingChange::Scale(scaling) => Self::Scale(scaling.into()),
            SettingChange::Tag { tags, tags_max } => Self::Tag(wire::Tag {
                tags: tags.clone(),
                tags_max: *tags_max,
            }),
            SettingChange::Untag { keys } => Self::Untag(wire::Untag {
                keys: keys.iter().cloned().collect(),
            }),
        }
    }
}

impl TryFrom<Wire> for SettingChange {
    type Error = InvalidMessage;

    fn try_from(m: Wire) -> Result<Self, InvalidMessage> {
        Ok(match m {
            Wire::AddStatement(m) => Self::AddStatement {
                statement: present("statement", m.statement)?.into(),
                size_max: m.size_max,
            },
            Wire::RemoveStatement(sid) => Self::RemoveStatement { sid },
            Wire::PutPolicy(policy) => Self::PutPolicy(policy.try_into()?),
            Wire::DeletePolicy(_) => Self::DeletePolicy,
            Wire::Reserve(m) => Self::Reserve {
                executions: m.executions,
                bounds: bounds(m),
            },
            Wire::Unreserve(_) => Self::Unreserve,
            Wire::Provision(m) => Self::Provision {
                executions: m.executions,
                bounds: bounds(m),
            },
            Wire::Unprovision(_) => Self::Unprovision,
            Wire::PutEventInvoke(m) => Self::PutEventInvoke(m.try_into()?),
            Wire::PatchEventInvoke(m) => Self::PatchEventInvoke(m.try_into()?),
            Wire::DeleteEventInvoke(_) => Self::DeleteEventInvoke,
            Wire::CreateUrl(m) => Self::CreateUrl {
                auth: present("auth", url::parse_auth(m.auth()))?,
                invoke_mode: present("invoke_mode", url::parse_invoke_mode(m.invoke_mode()))?,
                cors: m.cors.map(Into::into),
            },
            Wire::UpdateUrl(m) => Self::UpdateUrl(UrlPatch {
                auth: url::parse_auth(m.auth()),
                invoke_mode: url::parse_invoke_mode(m.invoke_mode()),
                cors: m.cors.map(Into::into),
            }),
            Wire::DeleteUrl(_) => Self::DeleteUrl,
            Wire::ManageRuntime(m) => Self::ManageRuntime(m.try_into()?),
            Wire::Recurse(r) => Self::Recurse(parse_recursion(r)?),
            Wire::Scale(m) => Self::Scale(m.into()),
            Wire::Tag(m) => Self::Tag {
                tags: m.tags,
                tags_max: m.tags_max,
            },
            Wire::Untag(m) => Self::Untag {
                keys: m.keys.into_iter().collect(),
            },
        })
    }
}

const fn keep(executions: u32, bounds: ConcurrencyBounds) -> wire::KeepConcurrency {
    wire::KeepConcurrency {
        executions,
        account: bounds.account,
        unreserved_min: bounds.unreserved_min,
    }
}

const fn bounds(m: wire::KeepConcurrency) -> ConcurrencyBounds {
    ConcurrencyBounds {
        account: m.account,
        unreserved_min: m.unreserved_min,
    }
}

impl From<&EventInvokePatch> for wire::EventInvokePatch {
    fn from(p: &EventInvokePatch) -> Self {
        Self {
            retries_max: p.retries_max.map(u32::from),
            age_max_s: p.age_max_s,
            destinations: p.destinations.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<wire::EventInvokePatch> for EventInvokePatch {
    type Error = InvalidMessage;

    fn try_from(m: wire::EventInvokePatch) -> Result<Self, InvalidMessage> {
        Ok(Self {
            retries_max: m.retries_max.map(retries).transpose()?,
            age_max_s: m.age_max_s,
            destinations: m.destinations.map(TryInto::try_into).transpose()?,
        })
    }
}
