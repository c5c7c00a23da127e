//! Real namespaces.
