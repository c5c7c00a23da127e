//! A frontend over real sockets: raw HTTP and gRPC in front, a small controller and scripted workers behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod access;
mod audit_log;
mod cluster;
mod control;
mod controller;
mod gateway;
mod grpc;
mod http;
mod identity;
mod invoke;
mod limits;
mod logs;
mod mappings;
mod policies;
mod secrets;
mod settings;
mod stream;
mod worker;
