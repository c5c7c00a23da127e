use model::{DataKey, Generation, Timestamp, WrappedKey};

use super::{InvalidMessage, present, text};
use crate::internal as pb;

impl From<&DataKey> for pb::DataKey {
    fn from(k: &DataKey) -> Self {
        Self {
            account: k.account.to_string(),
            generation: k.generation.get(),
            wrapped: Some((&k.wrapped).into()),
            created_ms: k.created.as_millis(),
        }
    }
}

impl TryFrom<pb::DataKey> for DataKey {
    type Error = InvalidMessage;

    fn try_from(m: pb::DataKey) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("data_key.account", &m.account)?,
            generation: generation(m.generation)?,
            wrapped: present("data_key.wrapped", m.wrapped)?.try_into()?,
            created: Timestamp(m.created_ms),
        })
    }
}

impl From<&WrappedKey> for pb::WrappedKey {
    fn from(k: &WrappedKey) -> Self {
        Self {
            master_key: k.master.to_string(),
            key: bytes::Bytes::copy_from_slice(&k.bytes),
        }
    }
}

impl TryFrom<pb::WrappedKey> for WrappedKey {
    type Error = InvalidMessage;

    fn try_from(m: pb::WrappedKey) -> Result<Self, InvalidMessage> {
        Ok(Self {
            master: text("wrapped.master_key", &m.master_key)?,
            bytes: m.key.into(),
        })
    }
}

pub(super) fn generation(number: u32) -> Result<Generation, InvalidMessage> {
    Generation::new(number).map_err(|e| InvalidMessage::field("generation")(&e))
}
