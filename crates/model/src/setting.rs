//! What is set for a function, or for one of its versions or aliases, beside its configuration.
//!
//! A setting stands at a place: the function itself, or one qualifier of it. `$LATEST` is the function itself; [`place`]
//! says so once for everybody. What was never set, or was set back to what holds anyway, is no setting: it costs nothing.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{Qualifier, Version};

mod change;
mod concurrency;
mod event_invoke;
mod policy;
mod recursion;
mod runtime;
mod scaling;
mod url;

pub use change::SettingChange;
pub use concurrency::{ConcurrencyBounds, Provisioned};
pub use event_invoke::{
    Destination, Destinations, EventInvoke, EventInvokePatch, InvalidDestination, Service,
};
pub use policy::{LanguageVersion, PolicyStatement, ResourcePolicy};
pub use recursion::RecursiveLoop;
pub use runtime::RuntimeManagement;
pub use scaling::Scaling;
pub use url::{Cors, FunctionUrl, InvalidUrlId, InvokeMode, UrlAuth, UrlId, UrlPatch};

/// The bytes that a function's tags may have together: they stand in one record with the rest of the function's head, and no
/// record may be longer than a store takes.
pub const TAGS_SIZE_MAX: u32 = 24 << 10;

/// The bytes of tags.
#[must_use]
pub fn tags_size(tags: &BTreeMap<String, String>) -> u32 {
    let size: usize = tags.iter().map(|(k, v)| k.len() + v.len()).sum();
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// One thing that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Who else may use the function.
    Policy(ResourcePolicy),
    /// Concurrent executions that are kept for the function, and that it never exceeds. Stands at the function only.
    Reserved(u32),
    /// Environments that are kept ready.
    Provisioned(Provisioned),
    /// What happens to asynchronous invocations.
    EventInvoke(EventInvoke),
    /// A URL of its own.
    Url(FunctionUrl),
    /// When the runtime of a version is updated.
    RuntimeManagement(RuntimeManagement),
    /// What happens when the function calls itself in a loop. Stands at the function only.
    Recursion(RecursiveLoop),
    /// How many environments a version has on a capacity provider. Stands at numbered versions only.
    Scaling(Scaling),
}

/// The kinds of settings: a place has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SettingKind {
    /// See [`Setting::Policy`].
    Policy,
    /// See [`Setting::Reserved`].
    Reserved,
    /// See [`Setting::Provisioned`].
    Provisioned,
    /// See [`Setting::EventInvoke`].
    EventInvoke,
    /// See [`Setting::Url`].
    Url,
    /// See [`Setting::RuntimeManagement`].
    RuntimeManagement,
    /// See [`Setting::Recursion`].
    Recursion,
    /// See [`Setting::Scaling`].
    Scaling,
}

/// A text that names no kind of setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a kind of setting such as event-invoke, got {0:?}")]
pub struct InvalidSettingKind(pub String);

/// Where a setting for this qualifier stands; `None` is the function itself.
#[must_use]
pub fn place(qualifier: Option<Qualifier>) -> Option<Qualifier> {
    qualifier.filter(|q| *q != Qualifier::Version(Version::Latest))
}

impl Setting {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> SettingKind {
        match self {
            Self::Policy(_) => SettingKind::Policy,
            Self::Reserved(_) => SettingKind::Reserved,
            Self::Provisioned(_) => SettingKind::Provisioned,
            Self::EventInvoke(_) => SettingKind::EventInvoke,
            Self::Url(_) => SettingKind::Url,
            Self::RuntimeManagement(_) => SettingKind::RuntimeManagement,
            Self::Recursion(_) => SettingKind::Recursion,
            Self::Scaling(_) => SettingKind::Scaling,
        }
    }
}

impl SettingKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Policy,
        Self::Reserved,
        Self::Provisioned,
        Self::EventInvoke,
        Self::Url,
        Self::RuntimeManagement,
        Self::Recursion,
        Self::Scaling,
    ];

    /// Its word in the keys of the catalog, which are on disks: never change one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Reserved => "reserved",
            Self::Provisioned => "provisioned",
            Self::EventInvoke => "event-invoke",
            Self::Url => "url",
            Self::RuntimeManagement => "runtime-management",
            Self::Recursion => "recursion",
            Self::Scaling => "scaling",
        }
    }

    /// Whether a setting of this kind may stand at a place.
    #[must_use]
    pub const fn may_stand_at(self, place: Option<&Qualifier>) -> bool {
        match place {
            None => !matches!(self, Self::Provisioned | Self::Scaling),
            Some(Qualifier::Version(Version::Latest)) => false,
            Some(Qualifier::Version(Version::LatestPublished | Version::Number(_))) => {
                !matches!(self, Self::Reserved | Self::Recursion | Self::Url)
            }
            Some(Qualifier::Alias(_)) => matches!(
                self,
                Self::Policy | Self::Provisioned | Self::EventInvoke | Self::Url
            ),
        }
    }
}

impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SettingKind {
    type Err = InvalidSettingKind;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == s)
            .ok_or_else(|| InvalidSettingKind(s.chars().take(100).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_prints_as_it_is_read() {
        for kind in SettingKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("Policy".parse::<SettingKind>().is_err());
    }

    #[test]
    fn latest_is_the_function_itself() {
        let check = |text: &str, expected: Option<&str>| {
            let place = place(Some(text.parse().unwrap()));
            assert_eq!(place.map(|q| q.to_string()).as_deref(), expected);
        };
        check("$LATEST", None);
        check("7", Some("7"));
        check("live", Some("live"));
        assert_eq!(place(None), None);
    }

    #[test]
    fn where_each_kind_may_stand() {
        let places = [None, Some("1"), Some("live"), Some("$LATEST")];
        for (kind, expected) in [
            (SettingKind::Policy, [true, true, true, false]),
            (SettingKind::Reserved, [true, false, false, false]),
            (SettingKind::Provisioned, [false, true, true, false]),
            (SettingKind::EventInvoke, [true, true, true, false]),
            (SettingKind::Url, [true, false, true, false]),
            (SettingKind::RuntimeManagement, [true, true, false, false]),
            (SettingKind::Recursion, [true, false, false, false]),
            (SettingKind::Scaling, [false, true, false, false]),
        ] {
            let got = places.map(|place| {
                let place = place.map(|q| q.parse::<Qualifier>().unwrap());
                kind.may_stand_at(place.as_ref())
            });
            assert_eq!(got, expected, "{kind}");
        }
    }
}
