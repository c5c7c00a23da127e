//! The commands of an operator.

use std::time::Duration;

use serde::Deserialize;

use super::StagingNode;
use crate::fault::{Span, Verb};

/// Commands for a shell, in which `{node}`, `{zone}` and `{host}` stand for whom it is about. What is not given cannot be
/// done to this cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    kill: Option<String>,
    terminate: Option<String>,
    start: Option<String>,
    pause: Option<String>,
    resume: Option<String>,
    wipe: Option<String>,
    is_up: Option<String>,
    timeout: Option<Span>,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends a node's process at once.
    Kill,
    /// Asks it to end, and waits until it has.
    Terminate,
    /// Starts it.
    Start,
    /// Stops it where it stands.
    Pause,
    /// Lets it go on.
    Resume,
    /// Takes away what it stored.
    Wipe,
    /// Succeeds if it runs.
    IsUp,
}

impl Hooks {
    /// How long a command may take. 60 s unless told.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(60), |span| span.0)
    }

    /// The command that does this to a node; nothing if there is none.
    #[must_use]
    pub fn command(&self, action: Action, node: &StagingNode) -> Option<String> {
        let text = self.text(action)?;
        let whom = [
            ("{node}", node.name()),
            ("{zone}", node.zone()),
            ("{host}", node.host()),
        ];
        let fill = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
        Some(whom.iter().fold(text.clone(), fill))
    }

    /// Whether there are the commands that a verb needs.
    ///
    /// # Errors
    /// Which is missing.
    pub fn supports(&self, verb: Verb) -> Result<(), String> {
        let needed: &[Action] = match verb {
            Verb::Kill => &[Action::Kill],
            Verb::Terminate => &[Action::Terminate],
            Verb::Start => &[Action::Start],
            Verb::Pause => &[Action::Pause, Action::Resume],
            Verb::Wipe => &[Action::Wipe],
            Verb::Break => return Err("its disks are not ours".to_owned()),
        };
        match needed.iter().find(|action| self.text(**action).is_none()) {
            Some(missing) => Err(format!("hooks.{} is not given", missing.as_str())),
            None => Ok(()),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.pause.is_some() != self.resume.is_some() {
            return Err("expected hooks.pause and hooks.resume together".to_owned());
        }
        let hurts = [&self.kill, &self.terminate].into_iter().flatten().next();
        if hurts.is_some() && self.start.is_none() {
            return Err("expected hooks.start with hooks.kill or hooks.terminate: what is ended must be started".to_owned());
        }
        if self.timeout().is_zero() || self.timeout() > Duration::from_secs(150) {
            return Err("expected hooks.timeout to be above 0 and at most 150s".to_owned());
        }
        Ok(())
    }

    const fn text(&self, action: Action) -> Option<&String> {
        match action {
            Action::Kill => self.kill.as_ref(),
            Action::Terminate => self.terminate.as_ref(),
            Action::Start => self.start.as_ref(),
            Action::Pause => self.pause.as_ref(),
            Action::Resume => self.resume.as_ref(),
            Action::Wipe => self.wipe.as_ref(),
            Action::IsUp => self.is_up.as_ref(),
        }
    }
}

impl Action {
    /// The key of its command.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Terminate => "terminate",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Wipe => "wipe",
            Self::IsUp => "is_up",
        }
    }

    /// What it is part of.
    #[must_use]
    pub const fn verb(self) -> Verb {
        match self {
            Self::Kill => Verb::Kill,
            Self::Terminate => Verb::Terminate,
            Self::Start | Self::IsUp => Verb::Start,
            Self::Pause | Self::Resume => Verb::Pause,
            Self::Wipe => Verb::Wipe,
        }
    }
}
