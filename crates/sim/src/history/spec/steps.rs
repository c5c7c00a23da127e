//! The operations, one by one: what each does, and whether it can have been answered as it was.

use model::{RevisionId, Version};

use super::{
    Act, Alias, Answer, Call, Expected, Function, Latest, Phase, Published, State, Text, Write,
};

impl Call {
    pub(super) fn step_on_nothing(&self) -> Option<State> {
        let Act::Create { marker, code } = self.act else {
            return (self.answer == Some(Answer::NotFound)).then(State::default);
        };
        let phase = match &self.answer {
            None => Phase::Begun(None),
            Some(Answer::Version(seen)) => {
                let is_this = (seen.version, seen.marker, seen.code, seen.settled)
                    == (Version::Latest, marker, code, Some(false));
                is_this.then_some(Phase::Begun(Some(seen.revision)))?
            }
            Some(_) => return None,
        };
        let latest = Latest {
            marker,
            code,
            phase,
        };
        Some(State(Some(Function {
            latest,
            next: 1,
            versions: Vec::new(),
            aliases: Vec::new(),
        })))
    }

    /// Whether the function may be there, and the answer still be that something is not.
    pub(super) const fn names_what_may_be_missing(&self) -> bool {
        matches!(
            self.act,
            Act::Get {
                version: Version::Number(_)
            } | Act::CreateAlias { .. }
                | Act::UpdateAlias { .. }
                | Act::GetAlias { .. }
        )
    }

    pub(super) fn is_success(&self) -> bool {
        matches!(self.answer, None | Some(Answer::Nothing))
    }

    /// A change of `$LATEST` that was refused.
    fn refused(&self, function: &Function, expected: Option<Expected>) -> Option<State> {
        let mut function = function.clone();
        function.latest = match self.answer {
            Some(Answer::Conflict) => function.latest.while_in_progress(expected)?,
            Some(Answer::PreconditionFailed) => function.latest.other_than(expected?)?,
            _ => return None,
        };
        Some(State(Some(function)))
    }

    pub(super) fn update(
        &self,
        function: &Function,
        write: Write,
        expected: Option<Expected>,
    ) -> Option<State> {
        let revision = match &self.answer {
            None => None,
            Some(Answer::Version(seen)) => Some(seen.revision),
            Some(_) => return self.refused(function, expected),
        };
        let mut latest = function.latest.once_settled(expected)?;
        match write {
            Write::Marker(marker) => latest.marker = marker,
            Write::Code(code) => latest.code = code,
        }
        latest.phase = Phase::Begun(revision);
        if let Some(Answer::Version(seen)) = &self.answer {
            let shown = (Version::Latest, latest.marker, latest.code, Some(false));
            if (seen.version, seen.marker, seen.code, seen.settled) != shown {
                return None;
            }
        }
        let mut function = function.clone();
        function.latest = latest;
        Some(State(Some(function)))
    }

    pub(super) fn publish(
        &self,
        function: &Function,
        marker: Option<Text>,
        expected: Option<Expected>,
    ) -> Option<State> {
        let seen = match &self.answer {
            None => None,
            Some(Answer::Version(seen)) => Some(seen),
            Some(_) => return self.refused(function, expected),
        };
        let latest = function.latest.once_settled(expected)?;
        let mut function = function.clone();
        function.latest = latest;
        let newest = function.versions.last_mut();
        // Without a change since, it is the newest version that is shown, whatever the description.
        let same = newest.filter(|v| {
            let is_last = v.number + 1 == function.next;
            is_last && (v.source, v.code) == (latest.marker, latest.code)
        });
        match (same, seen) {
            (Some(_), None) => return None,
            (Some(newest), Some(seen)) => newest.show(seen)?,
            (None, seen) => {
                let mut version = Published {
                    number: function.next,
                    marker: marker.unwrap_or(latest.marker),
                    code: latest.code,
                    source: latest.marker,
                    revision: None,
                };
                if let Some(seen) = seen {
                    version.show(seen)?;
                }
                function.next += 1;
                function.forget(&self.named);
                function.versions.push(version);
            }
        }
        Some(State(Some(function)))
    }

    pub(super) fn delete_version(&self, function: &Function, number: u64) -> Option<State> {
        let used = function
            .aliases
            .iter()
            .any(|alias| alias.version.as_number() == Some(number));
        let mut function = function.clone();
        match self.answer {
            Some(Answer::Conflict) if used => {}
            None | Some(Answer::Nothing) if !used => {
                function.versions.retain(|v| v.number != number);
            }
            _ => return None,
        }
        Some(State(Some(function)))
    }

    pub(super) fn get(&self, function: &Function, version: Version) -> Option<State> {
        let mut function = function.clone();
        match (&self.answer, version.as_number()) {
            (Some(Answer::Version(seen)), None) => function.latest = function.latest.shown(seen)?,
            (Some(Answer::Version(seen)), Some(number)) => {
                let found = function.versions.iter_mut().find(|v| v.number == number);
                found?.show(seen)?;
            }
            (Some(Answer::NotFound), Some(number)) => {
                if function.has(version) {
                    return None;
                }
                debug_assert!(number > 0, "versions count from 1");
            }
            _ => return None,
        }
        Some(State(Some(function)))
    }

    pub(super) fn list_versions(&self, function: &Function) -> Option<State> {
        let Some(Answer::Versions(seen)) = &self.answer else {
            return None;
        };
        let mut function = function.clone();
        if seen.len() != function.versions.len() + 1 {
            return None;
        }
        for one in seen {
            match one.version.as_number() {
                None => function.latest = function.latest.shown(one)?,
                Some(number) => {
                    let found = function.versions.iter_mut().find(|v| v.number == number);
                    found?.show(one)?;
                }
            }
        }
        Some(State(Some(function)))
    }

    pub(super) fn create_alias(
        &self,
        function: &Function,
        name: Text,
        version: Version,
        marker: Text,
    ) -> Option<State> {
        let exists = function.aliases.iter().any(|alias| alias.name == name);
        let mut function = function.clone();
        match &self.answer {
            Some(Answer::Conflict) if exists => {}
            Some(Answer::NotFound) if !exists && !function.has(version) => {}
            None | Some(Answer::Alias(_)) if !exists && function.has(version) => {
                let mut alias = Alias {
                    name,
                    version,
                    marker,
                    revision: None,
                };
                if let Some(Answer::Alias(seen)) = &self.answer {
                    alias.show(seen)?;
                }
                function.aliases.push(alias);
                function.aliases.sort_unstable();
            }
            _ => return None,
        }
        Some(State(Some(function)))
    }

    pub(super) fn update_alias(
        &self,
        function: &Function,
        name: Text,
        (version, marker): (Option<Version>, Option<Text>),
        expected: Option<RevisionId>,
    ) -> Option<State> {
        let mut function = function.clone();
        let Some(at) = function.aliases.iter().position(|a| a.name == name) else {
            return (self.answer == Some(Answer::NotFound)).then_some(State(Some(function)));
        };
        let mut alias = *function.aliases.get(at)?;
        let target = version.unwrap_or(alias.version);
        let has_target = function.has(target);
        let is_expected = match (expected, alias.revision) {
            (None, _) => Some(true),
            (Some(e), Some(r)) => Some(e == r),
            (Some(_), None) => None, // May be, or not.
        };
        match &self.answer {
            Some(Answer::PreconditionFailed) if is_expected != Some(true) => {}
            Some(Answer::NotFound) if is_expected != Some(false) && !has_target => {
                alias.revision = alias.revision.or(expected);
            }
            None | Some(Answer::Alias(_)) if is_expected != Some(false) && has_target => {
                alias.version = target;
                alias.marker = marker.unwrap_or(alias.marker);
                alias.revision = None;
                if let Some(Answer::Alias(seen)) = &self.answer {
                    alias.show(seen)?;
                }
            }
            _ => return None,
        }
        *function.aliases.get_mut(at)? = alias;
        Some(State(Some(function)))
    }

    pub(super) fn delete_alias(&self, function: &Function, name: Text) -> Option<State> {
        if !self.is_success() {
            return None;
        }
        let mut function = function.clone();
        function.aliases.retain(|alias| alias.name != name);
        Some(State(Some(function)))
    }

    pub(super) fn get_alias(&self, function: &Function, name: Text) -> Option<State> {
        let mut function = function.clone();
        let found = function.aliases.iter_mut().find(|a| a.name == name);
        match (&self.answer, found) {
            (Some(Answer::Alias(seen)), Some(alias)) => alias.show(seen)?,
            (Some(Answer::NotFound), None) => {}
            _ => return None,
        }
        Some(State(Some(function)))
    }

    pub(super) fn list_aliases(&self, function: &Function) -> Option<State> {
        let Some(Answer::Aliases(seen)) = &self.answer else {
            return None;
        };
        let mut function = function.clone();
        if seen.len() != function.aliases.len() {
            return None;
        }
        for one in seen {
            let found = function.aliases.iter_mut().find(|a| a.name == one.name);
            found?.show(one)?;
        }
        Some(State(Some(function)))
    }
}
