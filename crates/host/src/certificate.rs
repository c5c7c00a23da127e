//! Certificates of a cluster: one authority, one leaf a node with its name and roles.
