//! Real clusters in network namespaces, broken on purpose under the load of a stock SDK, with a verdict per fault.

pub mod fabric;
pub mod fault;
