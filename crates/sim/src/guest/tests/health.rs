//! A worker of bad health makes sandboxes late, or none, and finds frozen ones dead; once it is well again it does not.

use std::{path::Path, sync::Arc, time::Duration};

use host::SeededEntropy;
use sandbox::{ControlError, CreateError, Driver, Sandbox, Spec};
use tokio::time::Instant;

use super::harness;
use crate::guest::{Guests, Health, Illness};

fn worker(health: &Health) -> Arc<Guests> {
    let entropy = Arc::new(SeededEntropy::new(1));
    Guests::in_health("w1", entropy, harness::ledger(), health.clone())
}

async fn make(guests: &Guests, id: &str) -> Result<Box<dyn Sandbox>, CreateError> {
    let nowhere = Path::new("/nowhere");
    guests.create(Spec::new(id, nowhere, nowhere)).await
}

#[tokio::test(start_paused = true)]
async fn a_slow_worker_takes_longer_until_it_is_well() {
    let health = Health::default();
    let guests = worker(&health);
    health.sicken(Illness::SlowStarts(Duration::from_secs(2)));
    let begun = Instant::now();
    make(&guests, "one").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(health.felt(), 1);
    health.recover();
    let begun = Instant::now();
    make(&guests, "other").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(health.felt(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_fails_and_what_was_frozen_is_dead() {
    let health = Health::default();
    let guests = worker(&health);
    let frozen = make(&guests, "frozen").await.unwrap();
    frozen.freeze().await.unwrap();
    health.sicken(Illness::NoSandboxes(100));
    let failed = make(&guests, "one").await.err();
    assert!(matches!(failed, Some(CreateError::Setup { .. })));
    health.sicken(Illness::DeadAfterFreezing(100));
    assert!(matches!(frozen.thaw().await, Err(ControlError::Gone)));
    health.recover();
    assert!(matches!(frozen.thaw().await, Err(ControlError::Gone)));
    assert_eq!(health.felt(), 2);
}
