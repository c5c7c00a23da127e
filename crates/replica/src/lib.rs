//! One Raft group: log, proposer, snapshots, linearizable reads; generic over a state machine.
