//! Runs sandboxes: environment pool, code cache, logs, metering, capacity.
