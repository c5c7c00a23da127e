//! Adapters and groups for tests.
