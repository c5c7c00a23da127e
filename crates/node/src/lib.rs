//! The product's binary: configuration, composition of roles, start and drain, command line.

pub mod admin;
pub mod config;
pub mod telemetry;
