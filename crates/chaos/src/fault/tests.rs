//! A target that only remembers.
