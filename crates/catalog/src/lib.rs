//! The catalog as every node but its authors sees it.
//!
//! - [`LocalCopy`]: a copy of the catalog in memory and on disk. Reads never leave the node; a node starts from the disk
//!   copy and serves from it when no controller answers.
//! - [`follow`](LocalCopy::follow): keeps the copy up to date by a watch stream from any controller.
//! - [`Controllers`]: the way to the controllers: changes and barriers go to the leader, blobs to any that has them.
//! - [`DataKeys`]: what opens and seals secrets, on nodes that have master keys.
//! - [`codec`]: the persisted form of records and commands.
//!
//! This is not the authority: controllers decide, and a copy may be behind. Who needs its own writes waits for their
//! revision; who needs everybody's takes a barrier first.

pub mod codec;
mod controllers;
mod copy;
mod data_keys;
mod follow;

pub use controllers::{ControllerError, Controllers, ControllersOptions, Mutated, blob_chunks};
pub use copy::{Behind, LocalCopy, OpenError};
pub use data_keys::{DataKeys, SecretError, TokenError, unproven_session};
