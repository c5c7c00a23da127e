//! Protobuf messages and gRPC services, generated from `/proto`, and the conversions between them and `model`.
//!
//! Nothing else is here: a message that comes in becomes a `model` type by a fallible conversion at the edge of the room
//! that received it, and inner code never sees it again. Persisted records and commands carry a `format`; field numbers
//! are never used twice.

mod convert;
mod formats;
mod quiet;

pub use convert::InvalidMessage;
pub use formats::{FORMATS, Formats, TooOld, announced};

/// The public API, `dunlin.v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::use_self,
    clippy::str_to_string,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("dunlin.v1");
}

/// Between nodes and on disk, `dunlin.internal.v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::use_self,
    clippy::str_to_string,
    reason = "generated"
)]
pub mod internal {
    tonic::include_proto!("dunlin.internal.v1");
}

/// The descriptors of every file, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
