//! Resolve, admit, choose a worker, dispatch with deadline and retry.
