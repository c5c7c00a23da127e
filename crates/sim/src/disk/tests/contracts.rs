//! What any adapter must hold, at many speeds of the disk.

use std::time::Duration;

use host::{
    blobs::contract as blobs, log::contract as log, segments::contract as segments,
    store::contract as store,
};

use super::disk;
use crate::disk::DiskFault;

#[tokio::test(start_paused = true)]
async fn the_log_keeps_its_contract() {
    for seed in 0..8 {
        let mount = || disk(seed).mount().log;
        log::reads_what_was_applied(&*mount()).await;
        log::truncates_and_purges(&*mount()).await;
        log::applies_in_the_order_of_calls(&*mount()).await;
        let one = disk(seed);
        log::is_there_after_a_restart(async || one.mount().log).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_keeps_its_contract() {
    for seed in 0..4 {
        let mount = || disk(seed).mount().store;
        store::reads_what_was_applied(&*mount()).await;
        store::ranges_in_key_order(&*mount()).await;
        store::clears_one_table(&*mount()).await;
        store::refuses_large_values(&*mount()).await;
        store::batches_are_seen_whole(&*mount()).await;
        let one = disk(seed);
        store::is_there_after_a_restart(async || one.mount().store).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_blobs_keep_their_contract() {
    for seed in 0..4 {
        let mount = || disk(seed).mount().blobs;
        blobs::gives_back_what_was_put(&*mount()).await;
        blobs::refuses_bytes_of_another_digest(&*mount()).await;
        blobs::takes_the_same_blob_from_many(&*mount()).await;
        let one = disk(seed);
        blobs::is_there_after_a_restart(async || one.mount().blobs).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_segments_keep_their_contract() {
    for seed in 0..4 {
        let mount = || disk(seed).mount().segments;
        segments::reads_what_was_appended(&*mount()).await;
        segments::appends_at_the_end_only(&*mount()).await;
        let one = disk(seed);
        segments::is_there_after_a_restart(async || one.mount().segments).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_keeps_them_too() {
    let slow = || {
        let disk = disk(9);
        disk.inject(DiskFault::Slow(Duration::from_millis(40)));
        disk
    };
    log::applies_in_the_order_of_calls(&*slow().mount().log).await;
    store::batches_are_seen_whole(&*slow().mount().store).await;
    blobs::takes_the_same_blob_from_many(&*slow().mount().blobs).await;
    let one = slow();
    log::is_there_after_a_restart(async || one.mount().log).await;
}
