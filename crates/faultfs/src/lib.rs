//! A file system that records, forgets what was not synced, and fails on demand; for proving what survives.
