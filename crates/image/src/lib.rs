//! Container images: where they are, what they say, and their unpacked layers on this machine's disk.
//!
//! - [`Reference`]: the name of an image. `manifest`: what registries say of one.
//! - [`Client`]: speaks the OCI distribution protocol. Whatever arrives is hashed before it is believed.
//! - [`Store`]: unpacks every layer once, keeps it by its digest, and gives images out as lists of directories.
//! - [`rootfs`]: what is where in such a list, as overlayfs will show it.
//!
//! It does *not* run anything, and mounts nothing: stacking the directories is the sandbox's.

mod client;
mod error;
mod manifest;
mod reference;
mod registries;
pub mod rootfs;
mod store;
mod unpack;

pub use client::Client;
pub use error::ImageError;
pub use manifest::Settings;
pub use reference::{InvalidReference, Reference};
pub use registries::{Credentials, Registries, Registry, TrustError};
pub use store::{Image, Options, Store};
