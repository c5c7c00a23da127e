//! Secrets at rest: envelope encryption with keys that can be changed.
//!
//! Three kinds of keys, each opening the next:
//!
//! - a **master key** ([`MasterKey`]) is the operator's. It comes from a file or a variable, lives in the memory of
//!   frontends and is nowhere in the cluster's data. [`KeyRing`] holds those that a node knows; the first wraps, any opens.
//! - a **data key** ([`AccountKey`]) belongs to one account. The catalog keeps it wrapped under a master key
//!   ([`model::DataKey`]). A new master key means that data keys are wrapped again, and nothing that they sealed is touched.
//!   A new generation of the data key seals what is written from then on; older generations still open.
//! - a **text key** ([`TextKey`]) opens exactly one sealed text. It is derived from the data key and the text, so it can be
//!   handed to whoever may read that text, a worker above all, without giving them anything else.
//!
//! Beside the text keys a data key has **role keys** ([`RoleKey`]): one for each role of the account and each hour. Whoever
//! has one can issue sessions of that role in that hour, and nothing else; whoever has the data key can tell that a session
//! was so issued ([`Token`]). A session proves itself, so nobody keeps any.
//!
//! A text is sealed for a [`Place`]: moved to another account or another function it does not open.
//!
//! Sealing is deterministic ([`siv`]): the same text at the same place under the same data key gives the same bytes. The
//! catalog needs that, because publishing an unchanged function must give the version that there is. What it gives away is
//! that two environments of one function are equal as a whole, and how long they are; nothing of their content, and nothing
//! across functions or accounts.
//!
//! This crate is pure: randomness comes in as bytes, keys come in as bytes, and nothing is kept, logged or read. No type
//! that holds a key or a secret text has `Debug`, keys are wiped when they are dropped, and no error says anything of what
//! it could not open. What the cryptographic library copies on its stack while it works is not wiped.

mod account_key;
mod master;
mod place;
mod ring;
mod session;
pub mod siv;

pub use account_key::{AccountKey, OpenError, TextKey, generation_of, open_with};
pub use master::{InvalidMasterKey, MasterKey};
pub use place::Place;
pub use ring::{InvalidKeyRing, KeyRing, UnwrapError};
pub use session::{InvalidToken, RoleKey, SessionCredentials, Token};
pub use zeroize::Zeroizing;

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;
