//! What code inside an environment talks to: the Runtime API of 2018-06-01, the Extensions API of 2020-01-01, the Telemetry
//! API of 2022-07-01, and beside them the endpoint of its credentials.
//!
//! [`lifecycle`] and [`extensions`] decide: state machines without IO, time or randomness that say for every call of a
//! runtime or an extension, and every wish of the worker, what happens. [`RuntimeApi`] is their HTTP shell on a listener
//! that only one environment can reach, and the handle by which a worker invokes. What [`subscription`]s ask for, others
//! carry.
//!
//! It is *not* the sandbox, nor does it know processes: whoever owns the process says when it was started anew
//! ([`RuntimeApi::reset`]), and watches for its end.
//!
//! Invariants: at most one invocation is with the runtime; an answer is taken once and only for the invocation that the
//! runtime holds; a connection of an earlier process never speaks for a later one.

pub mod extensions;
pub mod lifecycle;
pub mod server;
pub mod subscription;

mod answer;
mod credentials;
mod http;

pub use answer::{Answer, Ending, InitFailure, Invocation, Outcome, Part, Parts};
pub use credentials::{CREDENTIALS_PATH, Credentials};
pub use http::extension::{Shutdown, ShutdownReason};
pub use lifecycle::Phase;
pub use server::{About, Accept, Call, InvokeError, Launched, Limits, RuntimeApi, Setting};
