//! Segments: what was appended is there, and what was not is behind it, where the next append replaces it.

use std::path::Path;

use bytes::Bytes;
use host::{DirectorySegments, Segments as _};

use crate::{
    model::{Ledger, Progress, bytes},
    subject::{Found, Subject},
};

const SIZES: [usize; 5] = [10, 700, 5000, 40_000, 4096];
/// Appends of the script.
const APPENDS: usize = 40;
/// Appends to one segment.
const WIDTH: usize = 8;
/// Segments that are kept.
const KEPT: usize = 2;
/// The segment that a restarted process begins.
const AFTER: u32 = 1000;

pub(crate) struct Appends;

impl Subject for Appends {
    fn name(&self) -> &'static str {
        "segments"
    }

    async fn work(&self, directory: &Path, ledger: &Ledger) -> Result<(), String> {
        let mut first_error = Ok(());
        let segments = open(directory);
        for number in 0..APPENDS {
            let step = ledger.begin(1);
            let (segment, at) = place(number);
            let mut outcome = segments.append(segment, at, content(number)).await;
            if let Err(error) = outcome {
                first_error = first_error.and(Err(format!("{error:?}")));
                // The audit log leaves the disk alone for a while, and tries again at the same place.
                outcome = segments.append(segment, at, content(number)).await;
            }
            if outcome.is_err() {
                return first_error;
            }
            ledger.acknowledge(step);
            if at == 0
                && let Some(old) = segment.checked_sub(KEPT as u64).filter(|old| *old > 0)
            {
                first_error =
                    first_error.and(segments.remove(old).await.map_err(|e| format!("{e:?}")));
            }
        }
        first_error
    }

    async fn verify(&self, directory: &Path, progress: Progress) -> Result<Found, String> {
        let segments = open(directory);
        let listed = segments
            .list()
            .await
            .map_err(|e| format!("does not list: {e:?}"))?;
        for number in 0..progress.acknowledged {
            let (segment, at) = place(number);
            if !listed.iter().any(|s| s.number == segment) {
                let (newest, _) = place(progress.begun.saturating_sub(1));
                if segment + (KEPT as u64) <= newest {
                    continue;
                }
                return Err(format!("segment {segment} with append {number} is gone"));
            }
            let expected = content(number);
            match segments.read(segment, at, expected.len()).await {
                Ok(found) if found == expected => {}
                other => {
                    let other = other.map(|found| found.len());
                    return Err(format!("append {number} of {progress:?}: {other:?}"));
                }
            }
        }
        // Whoever goes on knows how far the last segment is good, and replaces the rest.
        let (segment, at) = place(progress.acknowledged);
        let next = content(progress.acknowledged);
        segments
            .append(segment, at, next.clone())
            .await
            .map_err(|e| format!("does not go on: {e:?}"))?;
        let whole = segments.read(segment, at, usize::MAX >> 1).await;
        match whole {
            Ok(found) if found == next => Ok(Found::Whole),
            other => Err(format!("what came next reads as {other:.200?}")),
        }
    }

    async fn go_on(&self, directory: &Path) -> Result<(), String> {
        let segments = open(directory);
        let appended = segments.append(AFTER.into(), 0, content(1000));
        appended.await.map_err(|e| format!("does not go on: {e:?}"))
    }

    async fn went_on(&self, directory: &Path) -> Result<(), String> {
        let expected = content(1000);
        match open(directory).read(AFTER.into(), 0, expected.len()).await {
            Ok(found) if found == expected => Ok(()),
            other => Err(format!("what was appended after a restart: {other:.200?}")),
        }
    }
}

fn open(directory: &Path) -> DirectorySegments {
    DirectorySegments::new(&directory.join("segments"), "jsonl")
}

fn content(number: usize) -> Bytes {
    bytes(number, SIZES[number % SIZES.len()]).into()
}

/// The segment of an append, and where in it.
fn place(number: usize) -> (u64, u64) {
    let first = number / WIDTH * WIDTH;
    let at: usize = (first..number).map(|n| content(n).len()).sum();
    ((number / WIDTH + 1) as u64, at as u64)
}
