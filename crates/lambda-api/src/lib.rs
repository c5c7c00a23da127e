//! The AWS Lambda wire contract as pure code.

pub mod package;
