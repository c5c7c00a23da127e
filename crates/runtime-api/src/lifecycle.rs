//! The lifecycle of one environment's runtime, without IO.
//!
//! Inputs are the calls of the runtime (`next`, an answer, an initialisation error, a poll that went away) and the wishes
//! of the worker (offer an invocation, reset). Every method is total: it changes the state and says what to do, or
//! refuses and changes nothing.
//!
//! ```text
//! Starting --next--> Idle --offer--> Busy --answer-----------> Answered --next--> Idle
//!     \                               \--begin--> Answering --end--/
//!      \--init error--> InitFailed          reset: from anywhere to Starting
//! ```
//!
//! An invocation may be offered before the runtime polls (while it starts, or between its answer and its next poll): it
//! is then handed over by the poll.

use model::RequestId;

#[cfg(test)]
mod tests;

/// What a runtime is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Has not asked for an invocation since its process was started.
    Starting,
    /// Reported that it cannot initialise.
    InitFailed,
    /// Waits for an invocation.
    Idle,
    /// Has an invocation, or is in the middle of its response.
    Busy,
    /// Has answered, and not asked for the next one yet.
    Answered,
}

/// The state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    state: State,
    /// A poll is open.
    polling: bool,
    /// An invocation that waits for a poll.
    offered: Option<RequestId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    InitFailed,
    Idle,
    Busy(RequestId),
    Answering(RequestId),
    Answered,
}

/// What to do with a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Keep it open. If one was open before, that one is superseded and must be refused.
    Hold,
    /// Answer it with the invocation that was offered.
    Deliver(RequestId),
}

/// What to do with an offered invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Answer the open poll with it.
    Deliver,
    /// Keep it for the next poll.
    Wait,
}

/// Why a call of the runtime is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The id is not that of the invocation in hand, or its answer was taken already.
    #[error("invalid request id")]
    InvalidRequestId,
    /// The call does not fit the state.
    #[error("state transition from {from} to {to} is not allowed")]
    InvalidTransition {
        /// The state's name on the wire.
        from: &'static str,
        /// The name of the state that was asked for.
        to: &'static str,
    },
}

/// Why an invocation cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Another one is offered or with the runtime.
    #[error("expected an environment without an invocation, got one that has one")]
    Occupied,
    /// The runtime reported that it cannot initialise.
    #[error("expected a runtime that could initialise, got one that could not")]
    InitFailed,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            state: State::Starting,
            polling: false,
            offered: None,
        }
    }
}

impl Lifecycle {
    /// What the runtime is doing.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.state {
            State::Starting => Phase::Starting,
            State::InitFailed => Phase::InitFailed,
            State::Idle => Phase::Idle,
            State::Busy(_) | State::Answering(_) => Phase::Busy,
            State::Answered => Phase::Answered,
        }
    }

    /// The invocation that the runtime has.
    #[must_use]
    pub const fn in_hand(&self) -> Option<RequestId> {
        match self.state {
            State::Busy(id) | State::Answering(id) => Some(id),
            State::Starting | State::InitFailed | State::Idle | State::Answered => None,
        }
    }

    /// The runtime asks for an invocation.
    ///
    /// # Errors
    /// [`Refusal::InvalidTransition`] while it has one, or after it reported that it cannot initialise.
    pub fn poll(&mut self) -> Result<Next, Refusal> {
        match self.state {
            State::Busy(_) | State::Answering(_) | State::InitFailed => Err(self.refuse("Ready")),
            State::Starting | State::Idle | State::Answered => {
                if let Some(id) = self.offered.take() {
                    self.state = State::Busy(id);
                    self.polling = false;
                    Ok(Next::Deliver(id))
                } else {
                    self.state = State::Idle;
                    self.polling = true;
                    Ok(Next::Hold)
                }
            }
        }
    }

    /// The open poll went away without an answer.
    pub fn poll_lost(&mut self) {
        self.polling = false;
    }

    /// The connection went away before the invocation was written to it: it is offered again. Answers whether the runtime
    /// was held to have it.
    pub fn undelivered(&mut self, id: RequestId) -> bool {
        let was = self.state == State::Busy(id);
        if was {
            self.state = State::Idle;
            self.offered = Some(id);
        }
        was
    }

    /// The worker has an invocation.
    ///
    /// # Errors
    /// [`OfferError`] if there is one already, or none can ever be taken.
    pub fn offer(&mut self, id: RequestId) -> Result<Offer, OfferError> {
        match self.state {
            State::InitFailed => Err(OfferError::InitFailed),
            State::Busy(_) | State::Answering(_) => Err(OfferError::Occupied),
            _ if self.offered.is_some() => Err(OfferError::Occupied),
            State::Idle if self.polling => {
                self.state = State::Busy(id);
                self.polling = false;
                Ok(Offer::Deliver)
            }
            State::Starting | State::Idle | State::Answered => {
                self.offered = Some(id);
                Ok(Offer::Wait)
            }
        }
    }

    /// Takes back an invocation that no poll has taken; answers whether there was one.
    pub fn withdraw(&mut self, id: RequestId) -> bool {
        self.offered.take_if(|offered| *offered == id).is_some()
    }

    /// Whether an answer to this invocation would be taken now.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequestId`] if not.
    pub fn check_answer(&self, id: RequestId) -> Result<(), Refusal> {
        if self.state == State::Busy(id) {
            Ok(())
        } else {
            Err(Refusal::InvalidRequestId)
        }
    }

    /// The runtime has answered an invocation, with a response or an error.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequestId`] unless it is the one in hand.
    pub fn answer(&mut self, id: RequestId) -> Result<(), Refusal> {
        self.check_answer(id)?;
        self.state = State::Answered;
        Ok(())
    }

    /// The runtime has begun a response that is passed on as it comes: from here on there is no other answer.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequestId`] unless it is to the invocation in hand, which has no answer yet.
    pub fn begin_answer(&mut self, id: RequestId) -> Result<(), Refusal> {
        self.check_answer(id)?;
        self.state = State::Answering(id);
        Ok(())
    }

    /// The response that was begun is over, well or not. Answers whether there was one.
    pub fn end_answer(&mut self, id: RequestId) -> bool {
        let was = self.state == State::Answering(id);
        if was {
            self.state = State::Answered;
        }
        was
    }

    /// The runtime cannot initialise. An invocation that was offered is no longer.
    ///
    /// # Errors
    /// [`Refusal::InvalidTransition`] once it has asked for an invocation, or reported this before.
    pub fn init_error(&mut self) -> Result<(), Refusal> {
        if self.state != State::Starting {
            return Err(self.refuse("InitError"));
        }
        self.state = State::InitFailed;
        self.offered = None;
        Ok(())
    }

    /// The process is started anew: nothing of the earlier one counts.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    const fn refuse(&self, to: &'static str) -> Refusal {
        let from = match self.state {
            State::Starting => "Started",
            State::InitFailed => "InitError",
            State::Idle => "Ready",
            State::Busy(_) => "Running",
            State::Answering(_) => "InvocationResponse",
            State::Answered => "ResponseSent",
        };
        Refusal::InvalidTransition { from, to }
    }
}
