use model::{
    Timestamp, VersionId,
    function::{FunctionVersion, LastUpdate, Reason, State},
};

use super::{InvalidMessage, ids, present, text};
use crate::internal as pb;

impl From<&Reason> for pb::Reason {
    fn from(r: &Reason) -> Self {
        Self {
            code: r.code.clone(),
            text: r.text.clone(),
        }
    }
}

impl From<pb::Reason> for Reason {
    fn from(m: pb::Reason) -> Self {
        Self {
            code: m.code,
            text: m.text,
        }
    }
}

impl From<&FunctionVersion> for pb::FunctionVersion {
    fn from(v: &FunctionVersion) -> Self {
        use pb::function_version as wire;
        let (state, state_reason) = match &v.state {
            State::Pending => (wire::State::Pending, None),
            State::Active => (wire::State::Active, None),
            State::Failed(r) => (wire::State::Failed, Some(r.into())),
        };
        let (last_update, last_update_reason) = match &v.last_update {
            None => (wire::LastUpdate::None, None),
            Some(LastUpdate::Successful) => (wire::LastUpdate::Successful, None),
            Some(LastUpdate::InProgress) => (wire::LastUpdate::InProgress, None),
            Some(LastUpdate::Failed(r)) => (wire::LastUpdate::UpdateFailed, Some(r.into())),
        };
        Self {
            function: Some((&v.id.function).into()),
            version: v.id.version.to_string(),
            config: Some((&v.config).into()),
            code: Some((&v.code).into()),
            state: state.into(),
            state_reason,
            last_update: last_update.into(),
            last_update_reason,
            last_modified_ms: v.last_modified.as_millis(),
            revision_id: v.revision_id.to_string(),
            touched: v.touched.map(|t| t.to_string()),
        }
    }
}

impl TryFrom<pb::FunctionVersion> for FunctionVersion {
    type Error = InvalidMessage;

    fn try_from(m: pb::FunctionVersion) -> Result<Self, InvalidMessage> {
        use pb::function_version as wire;
        let reason = |r: Option<pb::Reason>| {
            r.map_or_else(
                || Reason {
                    code: String::new(),
                    text: String::new(),
                },
                Into::into,
            )
        };
        let state = match m.state() {
            wire::State::Pending => State::Pending,
            wire::State::Active => State::Active,
            wire::State::Failed => State::Failed(reason(m.state_reason.clone())),
            wire::State::Unspecified => return Err(InvalidMessage::Missing("version.state")),
        };
        let last_update = match m.last_update() {
            wire::LastUpdate::None => None,
            wire::LastUpdate::Successful => Some(LastUpdate::Successful),
            wire::LastUpdate::InProgress => Some(LastUpdate::InProgress),
            wire::LastUpdate::UpdateFailed => {
                Some(LastUpdate::Failed(reason(m.last_update_reason.clone())))
            }
        };
        Ok(Self {
            id: VersionId {
                function: ids::function(m.function)?,
                version: text("version.version", &m.version)?,
            },
            config: present("version.config", m.config)?.try_into()?,
            code: present("version.code", m.code)?.try_into()?,
            state,
            last_update,
            last_modified: Timestamp(m.last_modified_ms),
            revision_id: text("version.revision_id", &m.revision_id)?,
            touched: m.touched.map(|t| text("version.touched", &t)).transpose()?,
        })
    }
}
