//! The smallest format that can express a change, its answer or its refusal (ADR 8).

use super::{Changed, Mutation, Rejection};
use crate::{Version, function::Publication};

impl Changed {
    /// The smallest format that can express it.
    #[must_use]
    pub fn format(&self) -> u32 {
        match self {
            Self::Version(version) => version.format(),
            Self::Alias(alias) => alias.format(),
            Self::Nothing => 1,
            Self::Setting(_)
            | Self::Lock(_)
            | Self::DataKey(_)
            | Self::Mapping(_)
            | Self::LayerVersion(_)
            | Self::CodeSigning(_)
            | Self::Capacity(_)
            | Self::Iam(_) => 2,
        }
    }
}

impl Rejection {
    /// The smallest format that can express it.
    #[must_use]
    pub const fn format(&self) -> u32 {
        match self {
            Self::FunctionExists(_)
            | Self::FunctionNotFound(_)
            | Self::AliasNotFound(_)
            | Self::AliasExists(_)
            | Self::RevisionMismatch { .. }
            | Self::UpdateInProgress(_)
            | Self::Pending(_)
            | Self::CodeMismatch { .. }
            | Self::LatestNotDeletable
            | Self::VersionInUse { .. }
            | Self::CanaryIsPrimary(_)
            | Self::LatestWithCanary
            | Self::UnknownCommand => 1,
            Self::PolicyRevisionMismatch
            | Self::StatementExists(_)
            | Self::StatementNotFound(_)
            | Self::PolicyTooLarge { .. }
            | Self::SettingNotFound { .. }
            | Self::SettingExists { .. }
            | Self::Misplaced { .. }
            | Self::ConcurrencyExceeded { .. }
            | Self::UnreservedTooSmall { .. }
            | Self::ReservedBelowProvisioned { .. }
            | Self::ProvisionedAboveReserved(_)
            | Self::VersionProvisioned
            | Self::AliasProvisioned
            | Self::TooManyTags { .. }
            | Self::TagsTooLarge { .. }
            | Self::MappingNotFound(_)
            | Self::MappingInUse { .. }
            | Self::MappingExists(_)
            | Self::MappingWithoutFunction(_)
            | Self::MappingRefused(_)
            | Self::LayerVersionNotFound(_)
            | Self::LayerRevisionMismatch
            | Self::LayerMissing(_)
            | Self::WrongPackage { .. }
            | Self::Incompatible { .. }
            | Self::CodeSigningNotFound(_)
            | Self::CodeSigningMissing(_)
            | Self::CodeSigningInUse(_)
            | Self::CodeNotSigned(_)
            | Self::CapacityNotFound(_)
            | Self::CapacityExists(_)
            | Self::CapacityInUse(_)
            | Self::Iam(_) => 2,
        }
    }
}

impl Mutation {
    /// The smallest format that can express it: no older build understands it, so it is proposed only when the cluster
    /// writes that format (ADR 8). A member that is newer than its mutation counts as soon as it is set.
    #[must_use]
    pub fn format(&self) -> u32 {
        match self {
            Self::CreateFunction {
                code_signing: Some(_),
                ..
            }
            | Self::UpdateFunctionCode { image: Some(_), .. }
            | Self::UpdateFunctionCode {
                origin: Some(_), ..
            } => 2,
            Self::CreateFunction {
                config,
                code,
                publish,
                ..
            } => {
                let parts = config.format().max(code.format());
                parts.max(publish.map_or(1, Publication::format))
            }
            Self::UpdateFunctionConfiguration { patch, .. } => patch.format(),
            Self::UpdateFunctionCode { code, publish, .. } => {
                code.format().max(publish.map_or(1, Publication::format))
            }
            Self::PublishVersion { to, .. } => to.format(),
            Self::DeleteFunction { version, .. } | Self::UpdateAlias { version, .. } => {
                version.map_or(1, Version::format)
            }
            Self::CreateAlias { version, .. } => version.format(),
            Self::Settle { version, .. } => version.version.format(),
            Self::DeleteAlias { .. } => 1,
            // Whoever reads less than what it ends in must not apply it.
            Self::Finalize { format } => (*format).max(2),
            Self::Configure { .. }
            | Self::PutDataKey { .. }
            | Self::RewrapDataKey { .. }
            | Self::CreateEventSourceMapping { .. }
            | Self::UpdateEventSourceMapping { .. }
            | Self::DeleteEventSourceMapping { .. }
            | Self::SettleEventSourceMapping { .. }
            | Self::PublishLayerVersion { .. }
            | Self::DeleteLayerVersion { .. }
            | Self::ChangeLayerPolicy { .. }
            | Self::CodeSigning(_)
            | Self::Capacity(_)
            | Self::Iam(_) => 2,
        }
    }
}
