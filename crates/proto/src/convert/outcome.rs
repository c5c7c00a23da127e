use std::sync::Arc;

use model::{
    Revision,
    iam::Refusal,
    mutation::{Changed, Rejection},
};

use super::{InvalidMessage, config, iam, mapping, optional, present, text};
use crate::internal::{self as pb, outcome::Result as Wire, rejection::Kind};

impl pb::Outcome {
    /// The message for what a command did at a revision.
    #[must_use]
    pub fn new(revision: Revision, result: &Result<Changed, Rejection>) -> Self {
        let result = match result {
            Ok(Changed::Version(v)) => Wire::Version((&**v).into()),
            Ok(Changed::Alias(a)) => Wire::Alias((&**a).into()),
            Ok(Changed::Setting(s)) => Wire::Setting((&**s).into()),
            Ok(Changed::Lock(lock)) => Wire::Lock(lock.to_string()),
            Ok(Changed::DataKey(k)) => Wire::DataKey((&**k).into()),
            Ok(Changed::Mapping(m)) => Wire::Mapping((&**m).into()),
            Ok(Changed::LayerVersion(l)) => Wire::LayerVersion((&**l).into()),
            Ok(Changed::CodeSigning(c)) => Wire::CodeSigning((&**c).into()),
            Ok(Changed::Capacity(c)) => Wire::CapacityProvider((&**c).into()),
            Ok(Changed::Iam(e)) => Wire::Iam((&**e).into()),
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
            Wire::Setting(s) => Ok(Changed::Setting(Arc::new(s.try_into()?))),
            Wire::Lock(lock) => Ok(Changed::Lock(text("outcome.lock", &lock)?)),
            Wire::DataKey(k) => Ok(Changed::DataKey(Arc::new(k.try_into()?))),
            Wire::Mapping(m) => Ok(Changed::Mapping(Arc::new(m.try_into()?))),
            Wire::LayerVersion(l) => Ok(Changed::LayerVersion(Arc::new(l.try_into()?))),
            Wire::CodeSigning(c) => Ok(Changed::CodeSigning(Arc::new(c.try_into()?))),
            Wire::CapacityProvider(c) => Ok(Changed::Capacity(Arc::new(c.try_into()?))),
            Wire::Iam(e) => Ok(Changed::Iam(Arc::new(e.try_into()?))),
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
            Rejection::PolicyRevisionMismatch => (Kind::PolicyRevisionMismatch, vec![]),
            Rejection::StatementExists(sid) => (Kind::StatementExists, vec![sid.clone()]),
            Rejection::StatementNotFound(sid) => (Kind::StatementNotFound, vec![sid.clone()]),
            Rejection::PolicyTooLarge { size, limit } => (
                Kind::PolicyTooLarge,
                vec![size.to_string(), limit.to_string()],
            ),
            Rejection::SettingNotFound { kind, resource } => (
                Kind::SettingNotFound,
                vec![kind.to_string(), resource.to_string()],
            ),
            Rejection::SettingExists { kind, resource } => (
                Kind::SettingExists,
                vec![kind.to_string(), resource.to_string()],
            ),
            Rejection::Misplaced { kind, resource } => (
                Kind::Misplaced,
                vec![kind.to_string(), resource.to_string()],
            ),
            Rejection::ConcurrencyExceeded { kind, unreserved } => (
                Kind::ConcurrencyExceeded,
                vec![kind.to_string(), unreserved.to_string()],
            ),
            Rejection::UnreservedTooSmall { kind, min } => (
                Kind::UnreservedTooSmall,
                vec![kind.to_string(), min.to_string()],
            ),
            Rejection::ReservedBelowProvisioned {
                reserved,
                provisioned,
            } => (
                Kind::ReservedBelowProvisioned,
                vec![reserved.to_string(), provisioned.to_string()],
            ),
            Rejection::ProvisionedAboveReserved(reserved) => {
                (Kind::ProvisionedAboveReserved, vec![reserved.to_string()])
            }
            Rejection::VersionProvisioned => (Kind::VersionProvisioned, vec![]),
            Rejection::AliasProvisioned => (Kind::AliasProvisioned, vec![]),
            Rejection::TooManyTags { limit } => (Kind::TooManyTags, vec![limit.to_string()]),
            Rejection::TagsTooLarge { limit } => (Kind::TagsTooLarge, vec![limit.to_string()]),
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
            Rejection::LayerVersionNotFound(id) => {
                (Kind::LayerVersionNotFound, vec![id.to_string()])
            }
            Rejection::LayerRevisionMismatch => (Kind::LayerRevisionMismatch, vec![]),
            Rejection::LayerMissing(id) => (Kind::LayerMissing, vec![id.to_string()]),
            Rejection::WrongPackage { image } => (Kind::WrongPackage, vec![image.to_string()]),
            Rejection::Incompatible { what, runtime } => (
                Kind::Incompatible,
                vec![
                    optional::incompatible_name(*what).to_owned(),
                    runtime.to_string(),
                ],
            ),
            Rejection::CodeSigningNotFound(id) => (Kind::CodeSigningNotFound, vec![id.to_string()]),
            Rejection::CodeSigningMissing(id) => (Kind::CodeSigningMissing, vec![id.to_string()]),
            Rejection::CodeSigningInUse(id) => (Kind::CodeSigningInUse, vec![id.to_string()]),
            Rejection::CodeNotSigned(id) => (Kind::CodeNotSigned, vec![id.to_string()]),
            Rejection::CapacityNotFound(id) => (Kind::CapacityNotFound, vec![id.to_string()]),
            Rejection::CapacityExists(id) => (Kind::CapacityExists, vec![id.to_string()]),
            Rejection::CapacityInUse(id) => (Kind::CapacityInUse, vec![id.to_string()]),
            Rejection::Iam(refusal) => iam::refusal_to_wire(refusal),
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
            Kind::PolicyRevisionMismatch => Self::PolicyRevisionMismatch,
            Kind::StatementExists => Self::StatementExists(detail(0)?.to_owned()),
            Kind::StatementNotFound => Self::StatementNotFound(detail(0)?.to_owned()),
            Kind::PolicyTooLarge => Self::PolicyTooLarge {
                size: text("rejection", detail(0)?)?,
                limit: text("rejection", detail(1)?)?,
            },
            Kind::SettingNotFound => Self::SettingNotFound {
                kind: text("rejection", detail(0)?)?,
                resource: text("rejection", detail(1)?)?,
            },
            Kind::SettingExists => Self::SettingExists {
                kind: text("rejection", detail(0)?)?,
                resource: text("rejection", detail(1)?)?,
            },
            Kind::Misplaced => Self::Misplaced {
                kind: text("rejection", detail(0)?)?,
                resource: text("rejection", detail(1)?)?,
            },
            Kind::ConcurrencyExceeded => Self::ConcurrencyExceeded {
                kind: text("rejection", detail(0)?)?,
                unreserved: text("rejection", detail(1)?)?,
            },
            Kind::UnreservedTooSmall => Self::UnreservedTooSmall {
                kind: text("rejection", detail(0)?)?,
                min: text("rejection", detail(1)?)?,
            },
            Kind::ReservedBelowProvisioned => Self::ReservedBelowProvisioned {
                reserved: text("rejection", detail(0)?)?,
                provisioned: text("rejection", detail(1)?)?,
            },
            Kind::ProvisionedAboveReserved => {
                Self::ProvisionedAboveReserved(text("rejection", detail(0)?)?)
            }
            Kind::VersionProvisioned => Self::VersionProvisioned,
            Kind::AliasProvisioned => Self::AliasProvisioned,
            Kind::TooManyTags => Self::TooManyTags {
                limit: text("rejection", detail(0)?)?,
            },
            Kind::TagsTooLarge => Self::TagsTooLarge {
                limit: text("rejection", detail(0)?)?,
            },
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
            Kind::LayerVersionNotFound => {
                Self::LayerVersionNotFound(text("rejection", detail(0)?)?)
            }
            Kind::LayerRevisionMismatch => Self::LayerRevisionMismatch,
            Kind::LayerMissing => Self::LayerMissing(text("rejection", detail(0)?)?),
            Kind::WrongPackage => Self::WrongPackage {
                image: text("rejection", detail(0)?)?,
            },
            Kind::Incompatible => Self::Incompatible {
                what: optional::incompatible(detail(0)?)?,
                runtime: config::runtime("rejection", detail(1)?)?,
            },
            Kind::CodeSigningNotFound => Self::CodeSigningNotFound(text("rejection", detail(0)?)?),
            Kind::CodeSigningMissing => Self::CodeSigningMissing(text("rejection", detail(0)?)?),
            Kind::CodeSigningInUse => Self::CodeSigningInUse(text("rejection", detail(0)?)?),
            Kind::CodeNotSigned => Self::CodeNotSigned(text("rejection", detail(0)?)?),
            Kind::CapacityNotFound => Self::CapacityNotFound(text("rejection", detail(0)?)?),
            Kind::CapacityExists => Self::CapacityExists(text("rejection", detail(0)?)?),
            Kind::CapacityInUse => Self::CapacityInUse(text("rejection", detail(0)?)?),
            Kind::IamExists => Self::Iam(Refusal::Exists(text("rejection", detail(0)?)?)),
            Kind::IamNotFound => Self::Iam(Refusal::NotFound(text("rejection", detail(0)?)?)),
            Kind::IamInUse => Self::Iam(Refusal::InUse(text("rejection", detail(0)?)?)),
            Kind::IamTooMany => Self::Iam(Refusal::TooMany(iam::quota(detail(0)?)?)),
            Kind::UnknownCommand => Self::UnknownCommand,
            Kind::Unspecified => return Err(InvalidMessage::Missing("rejection.kind")),
        })
    }
}
