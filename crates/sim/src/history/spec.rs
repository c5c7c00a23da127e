//! What a catalog does with the calls on one function: its specification, apart from the code that ships.
//!
//! Two things happen behind callers' backs. A creation or update ends at some time, which gives `$LATEST` another revision:
//! [`Phase`] is what is known of that. And a change whose answer nobody saw gives a revision that nobody knows until somebody
//! reads it: then it is `None` here, and the first answer that shows one decides.

mod steps;
mod told;

use std::{collections::BTreeSet, sync::Arc};

use model::{RevisionId, Version};

pub(super) use told::Told;

use super::linear::Model;

/// A text of the history: a marker, a code, the name of an alias.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Text(pub(super) u32);

/// One function, or none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct State(pub(super) Option<Function>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Function {
    pub(super) latest: Latest,
    /// The number of the next published version.
    pub(super) next: u64,
    /// By number.
    pub(super) versions: Vec<Published>,
    /// By name.
    pub(super) aliases: Vec<Alias>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Latest {
    pub(super) marker: Text,
    pub(super) code: Text,
    pub(super) phase: Phase,
}

/// How far the newest creation or update of `$LATEST` is, and under which revision, as far as that is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    /// It has begun, under this revision. It may have ended.
    Begun(Option<RevisionId>),
    /// It has ended, which gave this revision.
    Ended(Option<RevisionId>),
}

/// A published version. It never changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Published {
    pub(super) number: u64,
    pub(super) marker: Text,
    pub(super) code: Text,
    /// The description that `$LATEST` had.
    pub(super) source: Text,
    pub(super) revision: Option<RevisionId>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Alias {
    pub(super) name: Text,
    pub(super) version: Version,
    pub(super) marker: Text,
    pub(super) revision: Option<RevisionId>,
}

/// A call on the function, with the outcome if it is known. One without took effect.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Call {
    pub(super) act: Act,
    pub(super) answer: Option<Answer>,
    /// No answer of the history shows what it wrote.
    pub(super) is_hidden: bool,
    /// Numbers of versions that some call names or shows.
    pub(super) named: Arc<BTreeSet<u64>>,
}

/// See [`super::Act`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Act {
    Create {
        marker: Text,
        code: Text,
    },
    Update {
        write: Write,
        expected: Option<Expected>,
    },
    Delete,
    DeleteVersion {
        number: u64,
    },
    Publish {
        marker: Option<Text>,
        expected: Option<Expected>,
    },
    Get {
        version: Version,
    },
    /// `$LATEST`, as a list of functions shows it.
    Listed,
    ListVersions,
    CreateAlias {
        name: Text,
        version: Version,
        marker: Text,
    },
    UpdateAlias {
        name: Text,
        version: Option<Version>,
        marker: Option<Text>,
        expected: Option<RevisionId>,
    },
    DeleteAlias {
        name: Text,
    },
    GetAlias {
        name: Text,
    },
    ListAliases,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Write {
    Marker(Text),
    Code(Text),
}

/// A revision of `$LATEST` that a change wants to find, with what answers showed under it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Expected {
    pub(super) revision: RevisionId,
    pub(super) content: Option<(Text, Text, bool)>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Answer {
    Version(SeenVersion),
    Versions(Vec<SeenVersion>),
    Alias(SeenAlias),
    Aliases(Vec<SeenAlias>),
    Nothing,
    NotFound,
    Conflict,
    PreconditionFailed,
    /// Of another kind than the operation has.
    Nonsense,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct SeenVersion {
    pub(super) version: Version,
    pub(super) marker: Text,
    pub(super) code: Text,
    pub(super) revision: RevisionId,
    /// Lists do not tell.
    pub(super) settled: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct SeenAlias {
    pub(super) name: Text,
    pub(super) version: Version,
    pub(super) marker: Text,
    pub(super) revision: RevisionId,
}

impl Model for Call {
    type State = State;

    fn initial() -> State {
        State::default()
    }

    fn only_looks(&self) -> bool {
        let was_refused = matches!(
            self.answer,
            Some(Answer::NotFound | Answer::Conflict | Answer::PreconditionFailed)
        );
        was_refused
            || matches!(
                self.act,
                Act::Get { .. }
                    | Act::Listed
                    | Act::ListVersions
                    | Act::GetAlias { .. }
                    | Act::ListAliases
            )
    }

    fn step(&self, state: &State) -> Option<State> {
        let Some(function) = &state.0 else {
            return self.step_on_nothing();
        };
        if self.answer == Some(Answer::NotFound) && !self.names_what_may_be_missing() {
            return None;
        }
        match self.act {
            Act::Create { .. } => (self.answer == Some(Answer::Conflict)).then(|| state.clone()),
            Act::Update { write, expected } => self.update(function, write, expected),
            Act::Delete => self.is_success().then(State::default),
            Act::DeleteVersion { number } => self.delete_version(function, number),
            Act::Publish { marker, expected } => self.publish(function, marker, expected),
            Act::Get { version } => self.get(function, version),
            Act::Listed => self.get(function, Version::Latest),
            Act::ListVersions => self.list_versions(function),
            Act::CreateAlias {
                name,
                version,
                marker,
            } => self.create_alias(function, name, version, marker),
            Act::UpdateAlias {
                name,
                version,
                marker,
                expected,
            } => self.update_alias(function, name, (version, marker), expected),
            Act::DeleteAlias { name } => self.delete_alias(function, name),
            Act::GetAlias { name } => self.get_alias(function, name),
            Act::ListAliases => self.list_aliases(function),
        }
    }

    fn concerns(&self, later: &Self) -> bool {
        let numbers = matches!(
            later.act,
            Act::Publish { .. }
                | Act::DeleteVersion { .. }
                | Act::Get {
                    version: Version::Number(_)
                }
                | Act::ListVersions
                | Act::CreateAlias { .. }
                | Act::UpdateAlias { .. }
        );
        let writes = matches!(later.act, Act::Update { .. });
        match self.act {
            Act::Create { .. } | Act::Delete => true,
            Act::Update { .. } if self.is_hidden => {
                let refused = matches!(
                    later.answer,
                    Some(Answer::Conflict | Answer::PreconditionFailed)
                );
                // A publication that was answered without a description of its own shows what it found.
                let blind = matches!(
                    (&later.act, &later.answer),
                    (Act::Publish { .. }, None)
                        | (
                            Act::Publish {
                                marker: Some(_),
                                ..
                            },
                            _
                        )
                );
                blind || (writes || matches!(later.act, Act::Publish { .. })) && refused
            }
            Act::Update { .. } => true,
            Act::Publish { .. } => numbers || writes && !self.named.is_empty(),
            Act::DeleteVersion { .. } => numbers,
            Act::CreateAlias { name, .. }
            | Act::UpdateAlias { name, .. }
            | Act::DeleteAlias { name } => match later.act {
                Act::CreateAlias { name: other, .. }
                | Act::UpdateAlias { name: other, .. }
                | Act::DeleteAlias { name: other }
                | Act::GetAlias { name: other } => name == other,
                Act::ListAliases | Act::DeleteVersion { .. } => true,
                _ => false,
            },
            Act::Get { .. }
            | Act::Listed
            | Act::ListVersions
            | Act::GetAlias { .. }
            | Act::ListAliases => false,
        }
    }
}

impl Function {
    /// Forgets what is in versions that nobody names, once they are not the last any more: it makes no difference, and
    /// without it states are the same that would be different.
    fn forget(&mut self, named: &BTreeSet<u64>) {
        for version in &mut self.versions {
            if !named.contains(&version.number) {
                let nothing = Text(u32::MAX);
                version.marker = nothing;
                version.code = nothing;
                version.source = nothing;
                version.revision = None;
            }
        }
    }

    fn has(&self, version: Version) -> bool {
        let number = version.as_number();
        number.is_none_or(|n| self.versions.iter().any(|v| v.number == n))
    }
}

impl Latest {
    /// As it is when its creation or update has ended, under the expected revision.
    fn once_settled(self, expected: Option<Expected>) -> Option<Self> {
        let wanted = expected.map(|e| e.revision);
        let phase = match self.phase {
            Phase::Begun(r) if wanted.is_some() && r == wanted => return None,
            Phase::Begun(_) | Phase::Ended(None) => Phase::Ended(wanted),
            Phase::Ended(r) if wanted.is_none() || r == wanted => Phase::Ended(r),
            Phase::Ended(_) => return None,
        };
        let fits = expected.is_none_or(|e| self.can_be(e, true));
        fits.then_some(Self { phase, ..self })
    }

    /// As it is if a change under this condition meets a creation or update that has not ended.
    fn while_in_progress(self, expected: Option<Expected>) -> Option<Self> {
        let Phase::Begun(known) = self.phase else {
            return None;
        };
        let Some(expected) = expected else {
            return Some(self);
        };
        let wanted = expected.revision;
        let fits = known.map_or_else(|| self.can_be(expected, false), |known| known == wanted);
        let phase = Phase::Begun(Some(wanted));
        fits.then_some(Self { phase, ..self })
    }

    /// As it is if it does not have this revision.
    fn other_than(self, expected: Expected) -> Option<Self> {
        let wanted = Some(expected.revision);
        match self.phase {
            Phase::Begun(r) if r == wanted => Some(Self {
                phase: Phase::Ended(None),
                ..self
            }),
            Phase::Ended(r) if r == wanted => None,
            Phase::Begun(_) | Phase::Ended(_) => Some(self),
        }
    }

    /// As it is once an answer has shown it.
    fn shown(self, seen: &SeenVersion) -> Option<Self> {
        if (seen.version, seen.marker, seen.code) != (Version::Latest, self.marker, self.code) {
            return None;
        }
        let Some(settled) = seen.settled else {
            // Then the revision may be the one before or after the end.
            return Some(self);
        };
        let revision = Some(seen.revision);
        let phase = match (self.phase, settled) {
            (Phase::Begun(r), true) if r != revision => Phase::Ended(revision),
            (Phase::Ended(r), true) if r.is_none() || r == revision => Phase::Ended(revision),
            (Phase::Begun(r), false) if r.is_none() || r == revision => Phase::Begun(revision),
            _ => return None,
        };
        Some(Self { phase, ..self })
    }

    fn can_be(self, expected: Expected, settled: bool) -> bool {
        expected
            .content
            .is_none_or(|content| content == (self.marker, self.code, settled))
    }
}

impl Published {
    fn show(&mut self, seen: &SeenVersion) -> Option<()> {
        let shown = (seen.version.as_number(), seen.marker, seen.code);
        let revision = *self.revision.get_or_insert(seen.revision);
        let fits =
            shown == (Some(self.number), self.marker, self.code) && seen.settled != Some(false);
        (fits && revision == seen.revision).then_some(())
    }
}

impl Alias {
    fn show(&mut self, seen: &SeenAlias) -> Option<()> {
        let revision = *self.revision.get_or_insert(seen.revision);
        let fits = (seen.name, seen.version, seen.marker) == (self.name, self.version, self.marker);
        (fits && revision == seen.revision).then_some(())
    }
}
