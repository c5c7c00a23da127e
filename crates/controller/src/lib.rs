//! The catalog service: proposals, watch streams, blob replication, reconcilers.
