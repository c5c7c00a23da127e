//! Records and commands as bytes: protobuf with a format number (messages `Record` and `Command`).

use model::{CodeSigningName, Mutation, Qualifier, Revision, Timestamp};
use prost::Message;
use proto::{FORMATS, InvalidMessage, internal as pb};
use state::{Answer, Change, Command, IdempotencyKey, Key, Record, Stamp};

/// One record as it travels and as it is stored: a key, and a value unless the record is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key's text.
    pub key: Vec<u8>,
    /// The encoded record.
    pub value: Option<Vec<u8>>,
}

/// Bytes that are no record or command of this build.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The key is none.
    #[error("catalog record with an unreadable key")]
    Key(#[from] state::InvalidKey),
    /// Not protobuf.
    #[error("catalog bytes are not protobuf")]
    Protobuf(#[from] prost::DecodeError),
    /// Protobuf that means nothing here.
    #[error("catalog message is not understood")]
    Message(#[from] InvalidMessage),
    /// The record does not belong under its key.
    #[error("catalog record stands under the key {key} of another")]
    Misplaced {
        /// The key.
        key: String,
    },
}

/// A change as a row.
#[must_use]
pub fn encode_change(change: &Change) -> Row {
    match change {
        Change::Put(record) => Row {
            key: record.key().to_string().into_bytes(),
            value: Some(encode_record(record)),
        },
        Change::Gone(key) => Row {
            key: key.to_string().into_bytes(),
            value: None,
        },
    }
}

/// A row as a change.
///
/// # Errors
/// [`CodecError`] if this build cannot read it.
pub fn decode_row(row: &Row) -> Result<Change, CodecError> {
    decode_change(&row.key, row.value.as_deref())
}

/// The key and the value of a row as a change; without a value the record is gone.
///
/// # Errors
/// [`CodecError`] if this build cannot read it.
pub fn decode_change(key: &[u8], value: Option<&[u8]>) -> Result<Change, CodecError> {
    // The format first: a newer build also has keys that this one does not know.
    let record = value.map(read_record).transpose()?;
    let key: Key = String::from_utf8_lossy(key).parse()?;
    match record {
        None => Ok(Change::Gone(key)),
        Some(record) => to_record(&key, record).map(Change::Put),
    }
}

/// A record as bytes.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    use pb::record::Record as Wire;
    let wire = match record {
        Record::Function {
            id,
            next_version,
            tags,
            published_description,
            code_signing,
        } => Wire::Function(pb::FunctionHead {
            function: Some(id.into()),
            next_version: *next_version,
            tags: tags.clone(),
            published_description: published_description.clone(),
            code_signing: code_signing.map_or(String::new(), |name| name.to_string()),
        }),
        Record::Version(v) => Wire::Version((&**v).into()),
        Record::Alias(a) => Wire::Alias((&**a).into()),
        Record::Setting {
            function,
            place,
            setting,
        } => Wire::Setting(pb::FunctionSetting {
            function: Some(function.into()),
            place: place.as_ref().map(ToString::to_string),
            setting: Some((&**setting).into()),
        }),
        Record::DataKey(k) => Wire::DataKey((&**k).into()),
        Record::Mapping(m) => Wire::Mapping((&**m).into()),
        Record::Layer { id, next_version } => Wire::Layer(pb::LayerHead {
            layer: Some(id.into()),
            next_version: *next_version,
        }),
        Record::LayerVersion(v) => Wire::LayerVersion((&**v).into()),
        Record::CodeSigning(c) => Wire::CodeSigning((&**c).into()),
        Record::Capacity(c) => Wire::CapacityProvider((&**c).into()),
        Record::Iam(e) => Wire::Iam((&**e).into()),
        Record::Answer(a) => Wire::Answered(pb::Answered {
            at_ms: a.at.as_millis(),
            outcome: Some(pb::Outcome::new(a.revision, &a.result)),
        }),
        Record::Format(format) => Wire::ClusterFormat(pb::ClusterFormat { format: *format }),
    };
    pb::Record {
        format: record.format(),
        record: Some(wire),
    }
    .encode_to_vec()
}

fn read_record(bytes: &[u8]) -> Result<pb::Record, CodecError> {
    let message = pb::Record::decode(bytes)?;
    check_format(message.format)?;
    Ok(message)
}

fn to_record(key: &Key, message: pb::Record) -> Result<Record, CodecError> {
    use pb::record::Record as Wire;
    let record = match message.record.ok_or(InvalidMessage::Missing("record"))? {
        Wire::Function(f) => Record::Function {
            id: f
                .function
                .ok_or(InvalidMessage::Missing("function"))?
                .try_into()?,
            next_version: f.next_version,
            tags: f.tags,
            published_description: f.published_description,
            code_signing: code_signing(&f.code_signing)?,
        },
        Wire::Version(v) => Record::Version(std::sync::Arc::new(v.try_into()?)),
        Wire::Alias(a) => Record::Alias(std::sync::Arc::new(a.try_into()?)),
        Wire::Setting(s) => Record::Setting {
            function: s
                .function
                .ok_or(InvalidMessage::Missing("function"))?
                .try_into()?,
            place: s.place.map(|place| qualifier(&place)).transpose()?,
            setting: std::sync::Arc::new(
                s.setting
                    .ok_or(InvalidMessage::Missing("setting"))?
                    .try_into()?,
            ),
        },
        Wire::DataKey(k) => Record::DataKey(std::sync::Arc::new(k.try_into()?)),
        Wire::Mapping(m) => Record::Mapping(std::sync::Arc::new(m.try_into()?)),
        Wire::Layer(l) => Record::Layer {
            id: l
                .layer
                .ok_or(InvalidMessage::Missing("layer"))?
                .try_into()?,
            next_version: l.next_version,
        },
        Wire::LayerVersion(v) => Record::LayerVersion(std::sync::Arc::new(v.try_into()?)),
        Wire::CodeSigning(c) => Record::CodeSigning(std::sync::Arc::new(c.try_into()?)),
        Wire::CapacityProvider(c) => Record::Capacity(std::sync::Arc::new(c.try_into()?)),
        Wire::Iam(e) => Record::Iam(std::sync::Arc::new(e.try_into()?)),
        Wire::Answered(a) => {
            let Key::Answer(request) = key else {
                return Err(misplaced(key));
            };
            let (revision, result) = a
                .outcome
                .ok_or(InvalidMessage::Missing("outcome"))?
                .parse()?;
            Record::Answer(Box::new(Answer {
                key: *request,
                at: Timestamp(a.at_ms),
                revision,
                result,
            }))
        }
        Wire::ClusterFormat(f) => Record::Format(f.format),
    };
    if record.key() == *key {
        Ok(record)
    } else {
        Err(misplaced(key))
    }
}

fn qualifier(text: &str) -> Result<Qualifier, InvalidMessage> {
    text.parse().map_err(
        |e: model::qualifier::InvalidQualifier| InvalidMessage::Field {
            field: "setting.place",
            why: e.to_string(),
        },
    )
}

fn code_signing(name: &str) -> Result<Option<CodeSigningName>, InvalidMessage> {
    if name.is_empty() {
        return Ok(None);
    }
    let name = name.parse();
    name.map(Some).map_err(
        |e: model::code_signing::InvalidCodeSigning| InvalidMessage::Field {
            field: "function.code_signing",
            why: e.to_string(),
        },
    )
}

fn misplaced(key: &Key) -> CodecError {
    CodecError::Misplaced {
        key: key.to_string(),
    }
}

/// A command as bytes.
#[must_use]
pub fn encode_command(command: &Command) -> Vec<u8> {
    pb::Command {
        format: command.mutation.format(),
        at_ms: command.stamp.at.as_millis(),
        seed: command.stamp.seed.to_be_bytes().to_vec().into(),
        idempotency_key: encode_key(command.key),
        mutation: Some((&command.mutation).into()),
    }
    .encode_to_vec()
}

/// Bytes as a command.
///
/// # Errors
/// [`CodecError`] if this build cannot read it.
pub fn decode_command(bytes: &[u8]) -> Result<Command, CodecError> {
    let message = pb::Command::decode(bytes)?;
    check_format(message.format)?;
    let seed = <[u8; 16]>::try_from(&*message.seed).map_err(|_| InvalidMessage::Missing("seed"))?;
    let mutation: Mutation = message
        .mutation
        .ok_or(InvalidMessage::Missing("mutation"))?
        .try_into()?;
    Ok(Command {
        stamp: Stamp {
            at: Timestamp(message.at_ms),
            seed: u128::from_be_bytes(seed),
        },
        key: decode_key(&message.idempotency_key)?,
        mutation,
    })
}

/// An idempotency key as 16 bytes.
#[must_use]
pub fn encode_key(key: IdempotencyKey) -> bytes::Bytes {
    key.0.to_be_bytes().to_vec().into()
}

/// 16 bytes as an idempotency key.
///
/// # Errors
/// [`InvalidMessage`] if they are not 16.
pub fn decode_key(bytes: &[u8]) -> Result<IdempotencyKey, InvalidMessage> {
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| InvalidMessage::Field {
        field: "idempotency_key",
        why: format!("expected 16 bytes, got {}", bytes.len()),
    })?;
    Ok(IdempotencyKey(u128::from_be_bytes(bytes)))
}

/// What a command did, as bytes: the reply of the replicated state machine.
#[must_use]
pub fn encode_outcome(applied: &state::Applied) -> Vec<u8> {
    pb::Outcome::new(applied.revision, &applied.result).encode_to_vec()
}

/// The reply to a command that this build cannot read: the state stays as it is, on every node that runs this build.
#[must_use]
pub fn encode_unknown_command(revision: Revision) -> Vec<u8> {
    pb::Outcome::new(revision, &Err(model::mutation::Rejection::UnknownCommand)).encode_to_vec()
}

const fn check_format(format: u32) -> Result<(), InvalidMessage> {
    if FORMATS.reads(format) {
        Ok(())
    } else {
        Err(InvalidMessage::Format(format))
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
pub(crate) mod tests;
