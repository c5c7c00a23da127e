//! The time between a mount and the crash or the mount that ends it.

use std::{io, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};

use super::{Hit, Shared, State, faults::Op};

/// How soon an operation notices that a stall was mended.
const STEP: Duration = Duration::from_millis(20);

/// The way of a mounted port to its disk.
#[derive(Clone)]
pub(super) struct Life {
    shared: Arc<Shared>,
    number: u64,
}

impl Life {
    pub(super) fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self { shared, number }
    }

    /// Where a file of this disk would be, for texts.
    pub(super) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.shared.name)
    }

    /// Looks at the disk or changes it. Never returns once this life is over.
    pub(super) async fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        match self.try_with(f) {
            Some(value) => value,
            None => std::future::pending().await,
        }
    }

    /// Takes the time that an operation takes, and fails if it fails. Never returns once this life is over.
    pub(super) async fn operate(&self, op: Op, bytes: u64) -> io::Result<()> {
        let latency = self.with(|state| state.faults.latency(op, bytes)).await;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        while let Some(left) = self.with(|state| state.faults.stalled()).await {
            tokio::time::sleep(left.min(STEP)).await;
        }
        self.with(|state| state.faults.strike(op)).await
    }

    /// Counts a flipped bit that was found.
    pub(super) fn found_flip(&self) {
        self.try_with(|state| state.faults.count(Hit::Flip, 1));
    }

    /// Notes that the store cannot be believed.
    pub(super) fn found_damaged_store(&self) {
        self.try_with(|state| state.store.found_damage());
    }

    fn try_with<T>(&self, f: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state: MutexGuard<'_, State> = self.shared.state.lock();
        (state.life == self.number).then(|| f(&mut state))
    }
}

/// Why a log or a store is dead, in a form that every later caller can be given.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// An operation failed.
    Failed(io::ErrorKind, String),
    /// A record does not match its checksum.
    Damaged(String),
}

impl Reason {
    pub(super) fn failed(error: &io::Error) -> Self {
        Self::Failed(error.kind(), error.to_string())
    }
}

/// The first reason why a log or a store is dead.
#[derive(Default)]
pub(super) struct Poison(Mutex<Option<Reason>>);

impl Poison {
    /// Fails if it is dead.
    pub(super) fn check(&self) -> Result<(), Reason> {
        self.0.lock().clone().map_or(Ok(()), Err)
    }

    /// Kills it and answers the first reason.
    pub(super) fn set(&self, reason: Reason) -> Reason {
        self.0.lock().get_or_insert(reason).clone()
    }
}
