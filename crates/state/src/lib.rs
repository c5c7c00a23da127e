//! The replicated state machine: commands, a total apply, and the view that everyone reads.
