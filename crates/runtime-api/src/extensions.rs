//! The extensions of one environment, without IO.
//!
//! An *external* extension is a process that the worker starts before the runtime and knows by its file's name; an
//! *internal* one is part of the runtime's process and registers by a name of its own. Both ask for events; the first time
//! they ask they are ready. An invocation is over when the runtime and every extension that was told of it have asked again.
//!
//! ```text
//! Started --register--> Registered --next--> Ready <--next-- Running
//!                                              \---invoke---/
//! any: --init error, exit error, exit--> over, and the environment with it
//! ```
//!
//! Inputs are the calls of extensions and the wishes of the worker. Every method is total: it changes the state and says
//! what to do, or refuses and changes nothing.

use std::{borrow::Cow, fmt, str::FromStr};

#[cfg(test)]
mod tests;

/// Extensions in one environment.
pub const EXTENSIONS_MAX: usize = 10;
/// Bytes of a name.
const NAME_MAX: usize = 128;

/// What an extension is known by once it has registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtensionId(u128);

impl ExtensionId {
    /// From 128 random bits.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        // Version 4, variant 1 (RFC 9562).
        Self((bits & !(0xf000 << 64) & !(0b11 << 62)) | (0x4000 << 64) | (0b10 << 62))
    }
}

impl fmt::Display for ExtensionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let parts =
            [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
        f.write_str(&parts.join("-"))
    }
}

impl FromStr for ExtensionId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shaped = text.len() == 36
            && text.bytes().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            });
        // What has not the shape is refused by a digit that is none.
        let digits = if shaped {
            text.replace('-', "")
        } else {
            "x".to_owned()
        };
        u128::from_str_radix(&digits, 16).map(Self)
    }
}

/// What an extension wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Invocations.
    pub invoke: bool,
    /// The end of the environment.
    pub shutdown: bool,
}

/// How far an extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its process runs, and has not registered.
    Started,
    /// It has registered, and not asked for an event.
    Registered,
    /// It waits for an event, or will before the next one.
    Ready,
    /// It was told of an invocation, or will be when it asks.
    Running,
    /// Its program could not be started.
    LaunchError,
    /// It said that it cannot initialise.
    InitError,
    /// It said that it ends because of an error.
    ExitError,
    /// Its process is over.
    Exited,
}

impl State {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::LaunchError => "LaunchError",
            Self::InitError => "InitError",
            Self::ExitError => "ExitError",
            Self::Exited => "Exited",
        }
    }

    const fn is_over(self) -> bool {
        matches!(
            self,
            Self::LaunchError | Self::InitError | Self::ExitError | Self::Exited
        )
    }
}

/// One extension, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// It is a process of its own.
    pub external: bool,
    /// What it wants to hear of.
    pub events: Events,
    /// How far it is.
    pub state: State,
    /// The type of the error that it reported.
    pub error_type: Option<String>,
    id: Option<ExtensionId>,
    polling: bool,
    waiting: Waiting,
}

/// Events that an extension has not been given yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    invoke: bool,
    shutdown: bool,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An invocation.
    Invoke,
    /// The end.
    Shutdown,
}

/// What to do with a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Keep it open. If one was open before, that one is superseded and must be refused.
    Hold,
    /// Answer it.
    Deliver(Event),
}

/// Why a call of an extension is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No extension of this environment has it.
    #[error("Unknown extension identifier")]
    UnknownIdentifier,
    /// No name, or too long a one.
    #[error("Invalid extension name")]
    InvalidName,
    /// An event that this extension cannot have.
    #[error("{0}")]
    InvalidEventType(Cow<'static, str>),
    /// The runtime has asked for its first invocation.
    #[error("Extension registration closed already")]
    RegistrationClosed,
    /// One more than there may be.
    #[error("Extension limit ({EXTENSIONS_MAX}) reached")]
    TooMany,
    /// The call does not fit the state.
    #[error(
        "State transition from {from} to {to} failed for extension {name}. Error: State transition is not allowed"
    )]
    InvalidState {
        /// The state's name on the wire.
        from: &'static str,
        /// The name of the state that was asked for.
        to: &'static str,
        /// The extension.
        name: String,
    },
}

/// Why an environment cannot go on: an extension is over before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one.
    pub name: String,
    /// AWS's name of this failure.
    pub kind: &'static str,
    /// What it reported, or how its process ended.
    pub detail: String,
}

/// How far all of them are together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Every process that was started has registered.
    pub registered: bool,
    /// And has asked for an event.
    pub ready: bool,
    /// Nobody is busy with an invocation.
    pub idle: bool,
    /// The process of every external one is over.
    pub over: bool,
    /// The first failure.
    pub fault: Option<Fault>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            registered: true,
            ready: true,
            idle: true,
            over: true,
            fault: None,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    members: Vec<Extension>,
    closed: bool,
    ending: bool,
    fault: Option<Fault>,
}

impl Extensions {
    /// All of them, in the order in which they came.
    #[must_use]
    pub fn all(&self) -> &[Extension] {
        &self.members
    }

    /// How far they are.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let none = |wanted: &[State]| !self.members.iter().any(|m| wanted.contains(&m.state));
        Progress {
            registered: none(&[State::Started]),
            ready: none(&[State::Started, State::Registered]),
            idle: none(&[State::Running]),
            over: self.are_over(),
            fault: self.fault.clone(),
        }
    }

    /// The worker starts a process of this name.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub fn launch(&mut self, name: &str) -> Result<(), Refusal> {
        self.check_room()?;
        self.members.push(Extension {
            name: name.to_owned(),
            external: true,
            events: Events::default(),
            state: State::Started,
            error_type: None,
            id: None,
            polling: false,
            waiting: Waiting::default(),
        });
        Ok(())
    }

    /// An extension registers: the process of this name, or else a part of the runtime. `id` is what it is known by from
    /// here on.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn register(&mut self, name: &str, events: Events, id: ExtensionId) -> Result<(), Refusal> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(Refusal::InvalidName);
        }
        if self.closed {
            return Err(Refusal::RegistrationClosed);
        }
        if let Some(member) = self.members.iter_mut().find(|m| m.name == name) {
            if member.state != State::Started {
                return Err(member.refuse("Registered"));
            }
            member.state = State::Registered;
            member.events = events;
            member.id = Some(id);
            return Ok(());
        }
        if events.shutdown {
            return Err(Refusal::InvalidEventType(
                "ShutdownEvent not supported for internal extensions".into(),
            ));
        }
        self.check_room()?;
        self.members.push(Extension {
            name: name.to_owned(),
            external: false,
            events,
            state: State::Registered,
            error_type: None,
            id: Some(id),
            polling: false,
            waiting: Waiting::default(),
        });
        Ok(())
    }

    /// The runtime has asked for its first invocation: nobody may register any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The name of an extension.
    ///
    /// # Errors
    /// [`Refusal::UnknownIdentifier`].
    pub fn name(&self, id: ExtensionId) -> Result<&str, Refusal> {
        let member = self.members.iter().find(|m| m.id == Some(id));
        member.map(|m| &*m.name).ok_or(Refusal::UnknownIdentifier)
    }

    /// An extension asks for an event.
    ///
    /// # Errors
    /// [`Refusal`] if it is not known, or over.
    pub fn poll(&mut self, id: ExtensionId) -> Result<Poll, Refusal> {
        let ending = self.ending;
        let member = self.member(id)?;
        if member.state.is_over() {
            return Err(member.refuse("Ready"));
        }
        if std::mem::take(&mut member.waiting.invoke) && !ending {
            member.state = State::Running;
            member.polling = false;
            return Ok(Poll::Deliver(Event::Invoke));
        }
        if std::mem::take(&mut member.waiting.shutdown) {
            member.state = State::Running;
            member.polling = false;
            return Ok(Poll::Deliver(Event::Shutdown));
        }
        member.state = State::Ready;
        member.polling = true;
        Ok(Poll::Hold)
    }

    /// The open poll of an extension went away without an answer.
    pub fn poll_lost(&mut self, id: ExtensionId) {
        if let Ok(member) = self.member(id) {
            member.polling = false;
        }
    }

    /// An event did not reach the poll that it was the answer to. Answers whether another poll is open by now, which is to
    /// be answered with it; otherwise it waits for the next one.
    pub fn undelivered(&mut self, id: ExtensionId, event: Event) -> bool {
        let Ok(member) = self.member(id) else {
            return false;
        };
        if member.state.is_over() {
            return false;
        }
        if std::mem::take(&mut member.polling) {
            member.state = State::Running;
            return true;
        }
        match event {
            Event::Invoke => member.waiting.invoke = true,
            Event::Shutdown => member.waiting.shutdown = true,
        }
        false
    }

    /// An invocation begins. Answers whose open polls are to be answered with it; the others who want to hear of it get it
    /// with their next.
    pub fn invoke(&mut self) -> Vec<ExtensionId> {
        let mut now = Vec::new();
        for member in &mut self.members {
            if !member.events.invoke || member.state.is_over() {
                continue;
            }
            if std::mem::take(&mut member.polling) {
                now.extend(member.id);
            } else {
                member.waiting.invoke = true;
            }
            // Before the first poll it is not ready, whatever waits for it.
            if member.state == State::Ready {
                member.state = State::Running;
            }
        }
        now
    }

    /// The environment ends. Answers whose open polls are to be answered with that.
    pub fn shut_down(&mut self) -> Vec<ExtensionId> {
        self.ending = true;
        let mut now = Vec::new();
        for member in &mut self.members {
            member.waiting.invoke = false;
            if !member.events.shutdown || member.state.is_over() {
                continue;
            }
            if std::mem::take(&mut member.polling) {
                member.state = State::Running;
                now.extend(member.id);
            } else {
                member.waiting.shutdown = true;
            }
        }
        now
    }

    /// An extension says that it cannot initialise.
    ///
    /// # Errors
    /// [`Refusal`] if it is not known, or has asked for an event before.
    pub fn init_error(&mut self, id: ExtensionId, error_type: &str) -> Result<(), Refusal> {
        let member = self.member(id)?;
        if member.state != State::Registered {
            return Err(member.refuse("InitError"));
        }
        self.fail(id, State::InitError, "Extension.InitError", error_type);
        Ok(())
    }

    /// An extension says that it ends because of an error.
    ///
    /// # Errors
    /// [`Refusal`] if it is not known, or over.
    pub fn exit_error(&mut self, id: ExtensionId, error_type: &str) -> Result<(), Refusal> {
        let member = self.member(id)?;
        if member.state.is_over() {
            return Err(member.refuse("ExitError"));
        }
        self.fail(id, State::ExitError, "Extension.ExitError", error_type);
        Ok(())
    }

    /// The program of this name could not be started.
    pub fn not_launched(&mut self, name: &str, error_type: &str, why: &str) {
        if let Some(member) = self.members.iter_mut().find(|m| m.name == name) {
            member.state = State::LaunchError;
            member.error_type = Some(error_type.to_owned());
            self.note(Fault {
                name: name.to_owned(),
                kind: "Extension.LaunchError",
                detail: why.to_owned(),
            });
        }
    }

    /// The process of this name is over.
    pub fn exited(&mut self, name: &str, how: &str) {
        let Some(member) = self
            .members
            .iter_mut()
            .find(|m| m.external && m.name == name)
        else {
            return;
        };
        member.polling = false;
        if member.state.is_over() {
            return;
        }
        member.state = State::Exited;
        if !self.ending {
            self.note(Fault {
                name: name.to_owned(),
                kind: "Extension.Crash",
                detail: how.to_owned(),
            });
        }
    }

    /// Whether the process of every external one is over.
    fn are_over(&self) -> bool {
        let mut external = self.members.iter().filter(|m| m.external);
        external.all(|m| matches!(m.state, State::Exited | State::LaunchError))
    }

    fn fail(&mut self, id: ExtensionId, state: State, kind: &'static str, error_type: &str) {
        let Ok(member) = self.member(id) else { return };
        member.state = state;
        member.error_type = Some(error_type.to_owned());
        let name = member.name.clone();
        self.note(Fault {
            name,
            kind,
            detail: error_type.to_owned(),
        });
    }

    fn note(&mut self, fault: Fault) {
        if !self.ending {
            self.fault.get_or_insert(fault);
        }
    }

    fn member(&mut self, id: ExtensionId) -> Result<&mut Extension, Refusal> {
        let member = self.members.iter_mut().find(|m| m.id == Some(id));
        member.ok_or(Refusal::UnknownIdentifier)
    }

    fn check_room(&self) -> Result<(), Refusal> {
        if self.members.len() < EXTENSIONS_MAX {
            Ok(())
        } else {
            Err(Refusal::TooMany)
        }
    }
}

impl Extension {
    fn refuse(&self, to: &'static str) -> Refusal {
        Refusal::InvalidState {
            from: self.state.as_str(),
            to,
            name: self.name.clone(),
        }
    }
}
