use model::{Digest, FunctionId, function::Code};

use super::{InvalidMessage, present, text};
use crate::internal as pb;

impl From<&FunctionId> for pb::FunctionId {
    fn from(id: &FunctionId) -> Self {
        Self {
            account: id.account.to_string(),
            region: id.region.to_string(),
            name: id.name.to_string(),
        }
    }
}

impl TryFrom<pb::FunctionId> for FunctionId {
    type Error = InvalidMessage;

    fn try_from(m: pb::FunctionId) -> Result<Self, InvalidMessage> {
        Ok(Self {
            account: text("function.account", &m.account)?,
            region: text("function.region", &m.region)?,
            name: text("function.name", &m.name)?,
        })
    }
}

pub(super) fn function(m: Option<pb::FunctionId>) -> Result<FunctionId, InvalidMessage> {
    present("function", m)?.try_into()
}

pub(super) fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, InvalidMessage> {
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| InvalidMessage::Field {
        field,
        why: format!("expected 32 bytes, got {}", bytes.len()),
    })?;
    Ok(Digest::from_bytes(bytes))
}

impl From<&Code> for pb::Code {
    fn from(code: &Code) -> Self {
        Self {
            digest: bytes(code.digest),
            size: code.size,
            unzipped: code.unzipped,
        }
    }
}

impl TryFrom<pb::Code> for Code {
    type Error = InvalidMessage;

    fn try_from(m: pb::Code) -> Result<Self, InvalidMessage> {
        Ok(Self {
            digest: digest("code.digest", &m.digest)?,
            size: m.size,
            unzipped: m.unzipped,
        })
    }
}

pub(super) fn bytes(digest: Digest) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(digest.as_bytes())
}
