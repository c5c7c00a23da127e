//! The public edge: the AWS Lambda REST API and a gRPC API of our own, over the same operations.
//!
//! A request walks through `server` → `stack` → `auth` → one file of `operations/` → `respond`; the gRPC edge
//! replaces the first and the last of them. On its way it leaves a `trail` for the audit log. Everything stringly is parsed by `lambda-api` before an operation sees it.
//! To find what `GET /2015-03-31/functions/{name}` does, open `operations/get_function.rs`. Users, roles, policies and access keys
//! are no business of Lambda's: they have a gRPC service of their own, over `identity/`.
//!
//! This is not where anything is decided about the catalog or kept: reads come from the node's local copy behind a
//! barrier, writes go to the controllers, invocations to workers through `routing`.
//!
//! Invariants: no operation runs without the proof from `auth` that its caller may; `respond` alone knows which AWS
//! error an error of ours is; no control call is answered that left no record; every wait has an end, every buffer a bound, and both are in [`FrontendOptions`]; an
//! invocation outlives the connection that asked for it.

mod auth;
mod body;
mod code_url;
mod control;
mod error;
mod figures;
mod frontend;
mod gateway;
mod grpc;
mod identity;
mod logs;
mod objects;
mod operations;
mod options;
mod rates;
mod respond;
mod server;
mod source;
mod stack;
mod sts;
mod trace_id;
mod trail;

pub use code_url::CodeUrlKey;
pub use figures::{DURATION_BOUNDS, FrontendFigures};
pub use frontend::{Frontend, Ports};
pub use gateway::Gateway;
pub use objects::{
    Endpoint, InvalidEndpoint, Object, ObjectError, Objects, S3, S3Options, TrustError,
};
pub use options::{AuthMode, FrontendOptions, KeyRing};
