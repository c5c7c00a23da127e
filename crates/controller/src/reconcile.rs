//! Background work that compares what is with what should be.
//!
//! Each reconciler wakes when something was applied and every few seconds besides. It takes no input but the state, does
//! what is missing, and may do it twice without harm.

mod blobs;
mod images;
mod mappings;
mod settle;

use std::{sync::Arc, time::Duration};

use host::task::Kind;

use crate::Shared;

/// How often a reconciler looks without being woken.
const PERIOD: Duration = Duration::from_secs(5);
/// The same while something waits for its time.
const SOON: Duration = Duration::from_secs(1);

/// Starts every reconciler.
pub(crate) fn spawn(shared: &Arc<Shared>) {
    let tasks = &shared.ports.tasks;
    let settling = shared.clone();
    tasks.spawn(Kind::Background, "settle", async move {
        let mut applied = settling.replica.applied();
        let mut versions = settle::Settling::default();
        loop {
            versions.run(&settling).await;
            let period = if versions.is_waiting() { SOON } else { PERIOD };
            if let Ok(Err(_)) = tokio::time::timeout(period, applied.changed()).await {
                return; // The replica has stopped.
            }
        }
    });
    let bringing = shared.clone();
    tasks.spawn(Kind::Background, "settle-images", async move {
        let mut applied = bringing.replica.applied();
        let mut images = images::Images::default();
        loop {
            images.run(&bringing).await;
            if images.is_waiting() {
                tokio::time::sleep(SOON).await;
            } else if let Ok(Err(_)) = tokio::time::timeout(PERIOD, applied.changed()).await {
                return; // The replica has stopped.
            }
        }
    });
    let mapping = shared.clone();
    tasks.spawn(Kind::Background, "settle-mappings", async move {
        let mut applied = mapping.replica.applied();
        loop {
            mappings::run(&mapping).await;
            if let Ok(Err(_)) = tokio::time::timeout(PERIOD, applied.changed()).await {
                return; // The replica has stopped.
            }
        }
    });
    let fetching = shared.clone();
    tasks.spawn(Kind::Background, "fetch-blobs", async move {
        let mut applied = fetching.replica.applied();
        let mut blobs = blobs::Fetching::default();
        loop {
            blobs.run(&fetching).await;
            if let Ok(Err(_)) = tokio::time::timeout(PERIOD, applied.changed()).await {
                return; // The replica has stopped.
            }
        }
    });
}
