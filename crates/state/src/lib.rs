//! The replicated state machine of the catalog.
//!
//! [`Catalog`] holds functions, versions, aliases, what is set for them, layers, code-signing configurations and capacity providers. Controllers change it by [`Catalog::apply`], which is total and
//! deterministic: no clock, no randomness, no IO; a command that cannot be done is an outcome, never a panic. Frontends and
//! workers hold the same type, fed with the records that an apply changed, and only read.
//!
//! Invariants: equal commands in equal order give equal records on every node; a version number is never used twice; a
//! numbered version never changes after it became active, but for its lock; what an apply changed is exactly the list of [`Change`]s it
//! returns; every record can be put and taken away independently.

mod answers;
mod apply;
mod catalog;
mod invariants;
mod key;
mod layers;
mod record;
mod settings;

pub use answers::{ANSWERS_KEPT, Answer, IdempotencyKey};
pub use apply::{Applied, Command, Stamp};
pub use catalog::{Catalog, FunctionEntry, Usage};
pub use invariants::{Violation, check};
pub use key::{InvalidKey, Key};
pub use layers::LayerEntry;
pub use record::{Change, Record};
