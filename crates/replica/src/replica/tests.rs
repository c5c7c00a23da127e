//! Whole groups over loopback connections.

mod alone;
mod failover;
mod failures;
mod membership;
mod messages;
mod snapshots;
