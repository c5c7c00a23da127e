//! How a group behaves.

use std::time::Duration;

/// Settings of one group. All members should have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which group this is; below 2^62. The catalog is group 0.
    pub group: u64,
    /// How often a leader says that it is alive.
    pub heartbeat: Duration,
    /// The shortest time without a leader before a member stands for election.
    pub election_min: Duration,
    /// The longest, and how long a leader counts as alive after its last heartbeat. A group is without a leader for at most
    /// about three times this when one dies.
    pub election_max: Duration,
    /// For how long an append may be under way to a member, its disk barrier included.
    pub append_timeout: Duration,
    /// How many entries are applied between two Raft snapshots: so many, or a quarter as many as the state has
    /// rows if these are more.
    pub snapshot_every: u64,
    /// How many entries before a Raft snapshot stay in the log for members that are a little behind.
    pub snapshot_keep: u64,
    /// How many recent changes are kept for watchers, at most.
    pub changes_max: usize,
    /// How many bytes of recent changes are kept for watchers, at most.
    pub changes_bytes_max: usize,
    /// How many proposals may wait at once.
    pub proposals_max: usize,
    /// The largest command, in bytes.
    pub command_bytes_max: usize,
    /// The largest state that a member accepts as a Raft snapshot, in bytes of keys and values.
    pub snapshot_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group: 0,
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(500),
            election_max: Duration::from_millis(900),
            append_timeout: Duration::from_secs(3),
            snapshot_every: 5_000,
            snapshot_keep: 1_000,
            changes_max: 10_000,
            changes_bytes_max: 16 << 20,
            proposals_max: 1_024,
            command_bytes_max: 256 << 10,
            snapshot_bytes_max: 4 << 30,
        }
    }
}
