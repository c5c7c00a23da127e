use std::num::NonZeroU64;

use model::{
    Alias,
    alias::{Canary, Weight},
};

use super::{InvalidMessage, ids, text};
use crate::internal as pb;

impl From<&Canary> for pb::Canary {
    fn from(c: &Canary) -> Self {
        Self {
            version: c.version.get(),
            weight_millionths: c.weight.millionths(),
        }
    }
}

impl TryFrom<pb::Canary> for Canary {
    type Error = InvalidMessage;

    fn try_from(m: pb::Canary) -> Result<Self, InvalidMessage> {
        Ok(Self {
            version: NonZeroU64::new(m.version).ok_or(InvalidMessage::Missing("canary.version"))?,
            weight: Weight::from_millionths(m.weight_millionths),
        })
    }
}

impl From<&Alias> for pb::Alias {
    fn from(a: &Alias) -> Self {
        Self {
            function: Some((&a.function).into()),
            name: a.name.to_string(),
            version: a.version.to_string(),
            canary: a.canary.as_ref().map(Into::into),
            description: a.description.clone(),
            revision_id: a.revision_id.to_string(),
        }
    }
}

impl TryFrom<pb::Alias> for Alias {
    type Error = InvalidMessage;

    fn try_from(m: pb::Alias) -> Result<Self, InvalidMessage> {
        Ok(Self {
            function: ids::function(m.function)?,
            name: text("alias.name", &m.name)?,
            version: text("alias.version", &m.version)?,
            canary: m.canary.map(TryInto::try_into).transpose()?,
            description: m.description,
            revision_id: text("alias.revision_id", &m.revision_id)?,
        })
    }
}
