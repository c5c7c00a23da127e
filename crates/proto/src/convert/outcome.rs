use std::sync::Arc;

use model::{
    Revision,
    mutation::{Changed, Rejection},
};

use super::{InvalidMessage, mapping, present, text};
use crate::internal::{self as pb, outcome::Result as Wire, rejection::Kind};

impl pb::Outcome {
    /// The message for what a command did at a revision.
    #[must_use]
    pub fn new(revision: Revision, result: &Result<Changed, Rejection>) -> Self {
        let result = match result {
            Ok(Changed::Version(v)) => Wire::Version((&**v).into()),
            Ok(Changed::Alias(a)) => Wire::Alias((&**a).into()),
            Ok(Changed::Mapping(m)) => Wire::Mapping((&**m).into()),
            Ok(Changed::Nothing) => Wire::Nothing(true),
            Err(r) => Wire::Rejection(r.into()),
        };
        Self {
            revision: revision.0,
            result: Some(result),
        }
    }

    /// What a command did, and where.
    ///
    /// # Errors
    /// [`InvalidMessage`] if it says nothing that this build knows.
    pub fn parse(self) -> Result<(Revision, Result<Changed, Rejection>), InvalidMessage> {
        let result = match present("outcome.result", self.result)? {
            Wire::Version(v) => Ok(Changed::Version(Arc::new(v.try_into()?))),
            Wire::Alias(a) => Ok(Changed::Alias(Arc::new(a.try_into()?))),
            Wire::Mapping(m) => Ok(Changed::Mapping(Arc::new(m.try_into()?))),
            Wire::Nothing(_) => Ok(Changed::Nothing),
            Wire::Rejection(r) => Err(r.try_into()?),
        };
        Ok((Revision(self.revision), result))
    }
}

impl From<&Rejection> for pb::Rejection {
    fn from(r: &Rejection) -> Self {
        let (kind, details) = match r {
            Rejection::FunctionExists(name) => (Kind::FunctionExists, vec![name.to_string()]),
            Rejection::FunctionNotFound(arn) => (Kind::FunctionNotFound, vec![arn.to_string()]),
            Rejection::AliasNotFound(arn) => (Kind::AliasNotFound, vec![arn.to_string()]),
            Rejection::AliasExists(arn) => (Kind::AliasExists, vec![arn.to_string()]),
            Rejection::RevisionMismatch { alias: false } => {
                (Kind::FunctionRevisionMismatch, vec![])
            }
            Rejection::RevisionMismatch { alias: true } => (Kind::AliasRevisionMismatch, vec![]),
            Rejection::UpdateInProgress(arn) => (Kind::UpdateInProgress, vec![arn.to_string()]),
            Rejection::Pending(arn) => (Kind::Pending, vec![arn.to_string()]),
            Rejection::CodeMismatch { expected, actual } => (
                Kind::CodeMismatch,
                vec![expected.to_string(), actual.to_string()],
            ),
            Rejection::LatestNotDeletable => (Kind::LatestNotDeletable, vec![]),
            Rejection::VersionInUse { version, aliases } => (
                Kind::VersionInUse,
                std::iter::once(version.to_string())
                    .chain(aliases.iter().cloned())
                    .collect(),
            ),
            Rejection::CanaryIsPrimary(version) => {
                (Kind::CanaryIsPrimary, vec![version.to_string()])
            }
            Rejection::LatestWithCanary => (Kind::LatestWithCanary, vec![]),
            Rejection::MappingNotFound(id) => (Kind::MappingNotFound, mapping::id_details(id)),
            Rejection::MappingInUse { deletion } => {
                (Kind::MappingInUse, vec![deletion.to_string()])
            }
            Rejection::MappingExists(duplicate) => {
                (Kind::MappingExists, mapping::duplicate_details(duplicate))
            }
            Rejection::MappingWithoutFunction(arn) => {
                (Kind::MappingWithoutFunction, vec![arn.to_string()])
            }
            Rejection::MappingRefused(refusal) => {
                (Kind::MappingRefused, mapping::refusal_details(*refusal))
            }
            Rejection::UnknownCommand => (Kind::UnknownCommand, vec![]),
        };
        Self {
            kind: kind.into(),
            details,
        }
    }
}

impl TryFrom<pb::Rejection> for Rejection {
    type Error = InvalidMessage;

    fn try_from(m: pb::Rejection) -> Result<Self, InvalidMessage> {
        let detail = |i: usize| {
            m.details
                .get(i)
                .map(String::as_str)
                .ok_or(InvalidMessage::Missing("rejection.details"))
        };
        Ok(match m.kind() {
            Kind::FunctionExists => Self::FunctionExists(text("rejection", detail(0)?)?),
            Kind::FunctionNotFound => Self::FunctionNotFound(text("rejection", detail(0)?)?),
            Kind::AliasNotFound => Self::AliasNotFound(text("rejection", detail(0)?)?),
            Kind::AliasExists => Self::AliasExists(text("rejection", detail(0)?)?),
            Kind::FunctionRevisionMismatch => Self::RevisionMismatch { alias: false },
            Kind::AliasRevisionMismatch => Self::RevisionMismatch { alias: true },
            Kind::UpdateInProgress => Self::UpdateInProgress(text("rejection", detail(0)?)?),
            Kind::Pending => Self::Pending(text("rejection", detail(0)?)?),
            Kind::CodeMismatch => Self::CodeMismatch {
                expected: text("rejection", detail(0)?)?,
                actual: text("rejection", detail(1)?)?,
            },
            Kind::LatestNotDeletable => Self::LatestNotDeletable,
            Kind::VersionInUse => Self::VersionInUse {
                version: text("rejection", detail(0)?)?,
                aliases: m.details.iter().skip(1).cloned().collect(),
            },
            Kind::CanaryIsPrimary => Self::CanaryIsPrimary(text("rejection", detail(0)?)?),
            Kind::LatestWithCanary => Self::LatestWithCanary,
            Kind::MappingNotFound => Self::MappingNotFound(mapping::parse_id(&m.details)?),
            Kind::MappingInUse => Self::MappingInUse {
                deletion: text("rejection", detail(0)?)?,
            },
            Kind::MappingExists => {
                Self::MappingExists(Box::new(mapping::parse_duplicate(&m.details)?))
            }
            Kind::MappingWithoutFunction => {
                Self::MappingWithoutFunction(text("rejection", detail(0)?)?)
            }
            Kind::MappingRefused => Self::MappingRefused(mapping::parse_refusal(&m.details)?),
            Kind::UnknownCommand => Self::UnknownCommand,
            Kind::Unspecified => return Err(InvalidMessage::Missing("rejection.kind")),
        })
    }
}
