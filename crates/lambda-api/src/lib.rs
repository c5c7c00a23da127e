//! The AWS Lambda wire contract as pure code.
//!
//! What arrives on the public HTTP interface is turned here into `model` types, and what the cluster answers is turned
//! here into the bytes that AWS would have sent: routes, request shapes and their violations, error codes and texts,
//! response shapes, paging, Signature Version 4, event-stream frames. The rules for deployment packages are `package`.
//!
//! It is *not* a server and knows no state: nothing here reads a clock, a socket or the catalog. The caller brings the
//! time, the secret of an access key and the limits, and maps the outcome to an effect.
//!
//! A request goes through [`route::route`], [`sigv4::verify`] and [`request::Request::parse`]; its answer is built from
//! [`response`] or from an [`error::ApiError`]. What an operation takes stands in
//! `schema/lambda.txt`; what is made of it, in a file of `request/`.
//!
//! Invariants: no member of a request is believed before it was held against the schema; every violation of a request is
//! reported at once, as far as a text of bounded length holds them; an error text that AWS fixes is written in exactly one
//! place, a constructor of [`error::ApiError`]; the secret half of a credential has neither `Debug` nor `Display`.

mod schema;
mod validate;

pub mod demand;
pub mod error;
pub mod event_stream;
pub mod invoke;
pub mod logs;
pub mod object_store;
pub mod operation;
pub mod page;
pub mod percent;
pub mod query;
pub mod request;
pub mod response;
pub mod route;
pub mod scope;
pub mod sigv4;
pub mod sts;
pub mod target;

pub use demand::{Demand, Holder, Stored};
pub use error::ApiError;
pub use operation::Operation;
pub use query::Query;
pub use request::Request;
pub use scope::Scope;
