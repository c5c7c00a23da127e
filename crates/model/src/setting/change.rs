use std::collections::{BTreeMap, BTreeSet};

use super::{
    ConcurrencyBounds, Cors, EventInvokePatch, InvokeMode, PolicyStatement, RecursiveLoop,
    ResourcePolicy, RuntimeManagement, Scaling, SettingKind, UrlAuth, UrlPatch,
};

/// One change to what is set at a place. What must be decided and done in one step is one variant; a bound that operators may
/// choose travels with it, so that every replica decides by the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    /// One more statement at the end of the policy.
    AddStatement {
        /// The statement. Its id must be new there.
        statement: PolicyStatement,
        /// Bytes that the policy may have with it.
        size_max: u32,
    },
    /// One statement less; the policy goes with its last one.
    RemoveStatement {
        /// The statement's id.
        sid: String,
    },
    /// This policy instead of the present one.
    PutPolicy(ResourcePolicy),
    /// No policy.
    DeletePolicy,
    /// A reservation.
    Reserve {
        /// Concurrent executions; 0 lets nothing run.
        executions: u32,
        /// What the account has.
        bounds: ConcurrencyBounds,
    },
    /// No reservation. Taking away what is not there succeeds.
    Unreserve,
    /// Environments that are kept ready.
    Provision {
        /// How many, at least 1.
        executions: u32,
        /// What the account has.
        bounds: ConcurrencyBounds,
    },
    /// No environments are kept ready. Taking away what is not there succeeds.
    Unprovision,
    /// This instead of what was set for asynchronous invocations.
    PutEventInvoke(EventInvokePatch),
    /// Some of what was set for asynchronous invocations.
    PatchEventInvoke(EventInvokePatch),
    /// Nothing is set for asynchronous invocations.
    DeleteEventInvoke,
    /// A URL, where there is none.
    CreateUrl {
        /// Who may use it.
        auth: UrlAuth,
        /// What browsers may do.
        cors: Option<Cors>,
        /// How responses are sent.
        invoke_mode: InvokeMode,
    },
    /// Changes to a URL.
    UpdateUrl(UrlPatch),
    /// No URL.
    DeleteUrl,
    /// When the runtime is updated.
    ManageRuntime(RuntimeManagement),
    /// What happens in a loop.
    Recurse(RecursiveLoop),
    /// How many environments there are on a capacity provider; nothing if neither bound is given.
    Scale(Scaling),
    /// More tags, or other values of them. Tags stand in the function's own record.
    Tag {
        /// The tags.
        tags: BTreeMap<String, String>,
        /// How many tags the function may have with them.
        tags_max: u32,
    },
    /// Fewer tags. A key that is not there is gone already.
    Untag {
        /// Their keys.
        keys: BTreeSet<String>,
    },
}

impl SettingChange {
    /// The kind of setting that it changes; `None` for tags.
    #[must_use]
    pub const fn kind(&self) -> Option<SettingKind> {
        Some(match self {
            Self::AddStatement { .. }
            | Self::RemoveStatement { .. }
            | Self::PutPolicy(_)
            | Self::DeletePolicy => SettingKind::Policy,
            Self::Reserve { .. } | Self::Unreserve => SettingKind::Reserved,
            Self::Provision { .. } | Self::Unprovision => SettingKind::Provisioned,
            Self::PutEventInvoke(_) | Self::PatchEventInvoke(_) | Self::DeleteEventInvoke => {
                SettingKind::EventInvoke
            }
            Self::CreateUrl { .. } | Self::UpdateUrl(_) | Self::DeleteUrl => SettingKind::Url,
            Self::ManageRuntime(_) => SettingKind::RuntimeManagement,
            Self::Recurse(_) => SettingKind::Recursion,
            Self::Scale(_) => SettingKind::Scaling,
            Self::Tag { .. } | Self::Untag { .. } => return None,
        })
    }
}
