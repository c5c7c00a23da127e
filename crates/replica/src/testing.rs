//! Adapters and groups for tests: storage that survives a node and can fail, links that can be cut, nodes that are killed
//! with all their tasks.

mod disk;
mod group;
mod kv;
mod links;

pub(crate) use self::{
    disk::Disk,
    group::{Dead, Group, LONG, Node, fast, start, stop, wait_until},
    kv::Kv,
    links::Links,
};
