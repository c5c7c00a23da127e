//! What a worker counts, for operators.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counts of a worker since it started, and the environments it has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Figures {
    /// Invocations that a runtime took.
    pub invocations: u64,
    /// Those among them that ended with a function error.
    pub function_errors: u64,
    /// Invocations that were refused: nothing ran, another worker may be tried.
    pub refused: u64,
    /// Environments made.
    pub environments_started: u64,
    /// Initialisations that did not end well.
    pub inits_failed: u64,
    /// Environments that were lost while an invocation was handed to them.
    pub environments_lost: u64,
    /// Environments now.
    pub environments: u64,
    /// Idle environments now whose runtime is up.
    pub environments_warm: u64,
    /// Time that functions ran, in milliseconds, as billed.
    pub billed_ms: u64,
    /// Time that first starts of runtimes took, in microseconds.
    pub init_us: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    invocations: AtomicU64,
    function_errors: AtomicU64,
    refused: AtomicU64,
    environments_started: AtomicU64,
    inits_failed: AtomicU64,
    environments_lost: AtomicU64,
    billed_ms: AtomicU64,
    init_us: AtomicU64,
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Meter {
    pub(crate) fn invoked(&self, is_error: bool, billed_ms: u64) {
        add(&self.invocations, 1);
        add(&self.function_errors, u64::from(is_error));
        add(&self.billed_ms, billed_ms);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused, 1);
    }

    /// An environment was made; its first start took this long, or failed.
    pub(crate) fn started(&self, init: Option<Duration>) {
        add(&self.environments_started, 1);
        match init {
            Some(took) => add(&self.init_us, u64::try_from(took.as_micros()).unwrap_or(0)),
            None => add(&self.inits_failed, 1),
        }
    }

    pub(crate) fn lost(&self) {
        add(&self.environments_lost, 1);
    }

    pub(crate) fn read(&self, environments: u64, environments_warm: u64) -> Figures {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            invocations: now(&self.invocations),
            function_errors: now(&self.function_errors),
            refused: now(&self.refused),
            environments_started: now(&self.environments_started),
            inits_failed: now(&self.inits_failed),
            environments_lost: now(&self.environments_lost),
            environments,
            environments_warm,
            billed_ms: now(&self.billed_ms),
            init_us: now(&self.init_us),
        }
    }
}
