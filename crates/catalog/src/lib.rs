//! A node's local copy of the catalog: streamed from the controllers, kept on disk, served without them.
