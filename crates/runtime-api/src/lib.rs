//! What code inside an environment talks to: the Runtime API of 2018-06-01, and beside it the endpoint of its credentials.
//!
//! [`lifecycle`] decides: a state machine without IO, time or randomness that says for every call of a runtime, and
//! every wish of the worker, what happens. [`RuntimeApi`] is its HTTP shell on a listener that only one environment can
//! reach, and the handle by which a worker invokes.
//!
//! It is *not* the sandbox, nor does it know processes: whoever owns the process says when it was started anew
//! ([`RuntimeApi::reset`]), and watches for its end.
//!
//! Invariants: at most one invocation is with the runtime; an answer is taken once and only for the invocation that the
//! runtime holds; a connection of an earlier process never speaks for a later one.

pub mod lifecycle;
pub mod server;

mod answer;
mod credentials;
mod http;

pub use answer::{Answer, InitFailure, Invocation, Outcome};
pub use credentials::{CREDENTIALS_PATH, Credentials};
pub use lifecycle::Phase;
pub use server::{Accept, Call, InvokeError, Limits, RuntimeApi};
