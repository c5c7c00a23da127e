//! Blobs: one that was put is there, and no reader sees a part of one.

use std::path::Path;

use bytes::Bytes;
use host::{Blobs as _, DirectoryBlobs, blobs::BlobError};
use model::Digest;

use crate::{
    model::{Ledger, Progress, bytes},
    subject::{Found, Subject},
};

const SIZES: [usize; 6] = [10, 700, 5000, 70_000, 4096, 300];
/// Blobs of the script; those above are put after an error.
const BLOBS: usize = 30;

pub(crate) struct Packages;

impl Subject for Packages {
    fn name(&self) -> &'static str {
        "blobs"
    }

    async fn work(&self, directory: &Path, ledger: &Ledger) -> Result<(), String> {
        let mut first_error = Ok(());
        let blobs = open(directory).await?;
        for number in 0..BLOBS {
            let (digest, content) = blob(number);
            let step = ledger.begin(1);
            let mut outcome = blobs.put(digest, content.clone()).await;
            if let Err(error) = outcome {
                first_error = first_error.and(Err(format!("{error:?}")));
                // Whoever uploads tries again.
                outcome = blobs.put(digest, content).await;
            }
            if outcome.is_err() {
                return first_error;
            }
            ledger.acknowledge(step);
            let twice = blob(number / 2);
            blobs
                .put(twice.0, twice.1)
                .await
                .map_err(|e| format!("{e:?}"))?;
        }
        first_error
    }

    async fn verify(&self, directory: &Path, progress: Progress) -> Result<Found, String> {
        let blobs = open(directory).await?;
        for number in 0..BLOBS {
            let (digest, content) = blob(number);
            let must_be_there = number < progress.acknowledged;
            match blobs.get(digest).await {
                Ok(found) if found == content => {}
                Err(BlobError::NotFound(_)) if !must_be_there => {}
                other => {
                    let other = other.map(|found| found.len());
                    return Err(format!(
                        "blob {number} of {} acknowledged and {} begun: {other:?}",
                        progress.acknowledged, progress.begun
                    ));
                }
            }
        }
        for digest in blobs
            .list()
            .await
            .map_err(|e| format!("does not list: {e:?}"))?
        {
            blobs
                .get(digest)
                .await
                .map_err(|e| format!("{digest} is listed, but: {e:?}"))?;
        }
        let left = std::fs::read_dir(directory.join("blobs/unfinished"));
        match left.map(Iterator::count) {
            Ok(0) => {}
            other => return Err(format!("expected nothing unfinished, got {other:?}")),
        }
        put(&blobs, BLOBS + 1).await?;
        Ok(Found::Whole)
    }

    async fn go_on(&self, directory: &Path) -> Result<(), String> {
        let blobs = open(directory).await?;
        for number in 0..=BLOBS {
            put(&blobs, number).await?;
        }
        Ok(())
    }

    async fn went_on(&self, directory: &Path) -> Result<(), String> {
        let blobs = open(directory).await?;
        for number in 0..=BLOBS {
            let got = blobs.get(blob(number).0).await;
            got.map_err(|e| format!("blob {number}, put after a restart: {e:?}"))?;
        }
        Ok(())
    }
}

async fn open(directory: &Path) -> Result<DirectoryBlobs, String> {
    let blobs = DirectoryBlobs::open(&directory.join("blobs")).await;
    blobs.map_err(|e| format!("does not open: {e:?}"))
}

async fn put(blobs: &DirectoryBlobs, number: usize) -> Result<(), String> {
    let (digest, content) = blob(number);
    let put = blobs.put(digest, content).await;
    put.map_err(|e| format!("blob {number} cannot be put: {e:?}"))
}

fn blob(number: usize) -> (Digest, Bytes) {
    let content = Bytes::from(bytes(number, SIZES[number % SIZES.len()]));
    (Digest::of(&content), content)
}
