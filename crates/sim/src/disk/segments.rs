//! The segments of a simulated disk.

use std::{collections::BTreeMap, io};

use async_trait::async_trait;
use bytes::Bytes;
use host::{
    Entropy, Segments,
    segments::{Segment, SegmentError},
};

use super::{Loss, faults::Op, journal::Lost, life::Life};

/// What lies on the disk.
#[derive(Default)]
pub(super) struct SegmentArea {
    segments: BTreeMap<u64, Vec<u8>>,
    /// Being written, or of unknown fate since that failed or nobody waited for it: a crash decides.
    unfinished: BTreeMap<u64, Append>,
    /// Removed, and not yet known to the disk itself.
    removed: BTreeMap<u64, Vec<u8>>,
}

struct Append {
    at: usize,
    bytes: Bytes,
}

impl SegmentArea {
    pub(super) fn crash(&mut self, loss: Loss, fate: &dyn Entropy) -> Lost {
        let mut lost = Lost::default();
        for (number, Append { at, bytes }) in std::mem::take(&mut self.unfinished) {
            // As much of it as had reached the file.
            let most = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let reached = usize::try_from(fate.below(most.saturating_add(1))).unwrap_or(0);
            if reached < bytes.len() {
                lost.records += 1;
                lost.torn += u64::from(reached > 0);
            }
            if !self.segments.contains_key(&number) && reached == 0 && fate.below(2) == 0 {
                continue;
            }
            let segment = self.segments.entry(number).or_default();
            segment.truncate(at);
            segment.extend_from_slice(bytes.get(..reached).unwrap_or_default());
        }
        for (number, bytes) in std::mem::take(&mut self.removed) {
            if loss == Loss::Power && fate.below(2) == 0 {
                self.segments.entry(number).or_insert(bytes);
            }
        }
        lost
    }

    pub(super) fn content(&self) -> BTreeMap<u64, Vec<u8>> {
        self.segments.clone()
    }

    fn list(&self) -> Vec<Segment> {
        let all = self.segments.iter().map(|(number, bytes)| Segment {
            number: *number,
            bytes: length(bytes),
        });
        all.collect()
    }

    fn read(&self, number: u64, from: usize, max: usize) -> io::Result<Bytes> {
        let segment = self.segments.get(&number);
        let segment = segment.ok_or(io::ErrorKind::NotFound)?;
        let rest = segment.get(from..).unwrap_or_default();
        Ok(Bytes::copy_from_slice(rest.get(..max).unwrap_or(rest)))
    }

    /// Begins an append, or answers how long the segment is instead.
    fn begin(&mut self, number: u64, at: u64, bytes: Bytes) -> Result<(), u64> {
        let actual = self.segments.get(&number).map_or(0, |s| length(s));
        let at = usize::try_from(at).ok().filter(|_| at <= actual);
        let at = at.ok_or(actual)?;
        self.unfinished.insert(number, Append { at, bytes });
        Ok(())
    }

    fn finish(&mut self, number: u64) {
        if let Some(Append { at, bytes }) = self.unfinished.remove(&number) {
            let segment = self.segments.entry(number).or_default();
            segment.truncate(at);
            segment.extend_from_slice(&bytes);
        }
        // One journal for all directories: what was removed before is durable with what was written now.
        self.removed.clear();
    }

    fn remove(&mut self, number: u64) {
        if let Some(bytes) = self.segments.remove(&number) {
            self.removed.insert(number, bytes);
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The port, for one life.
pub(super) struct SimSegments {
    life: Life,
}

impl SimSegments {
    pub(super) fn new(life: Life) -> Self {
        Self { life }
    }

    fn path(&self, number: u64) -> String {
        self.life.path(&format!("audit/{number:020}.jsonl"))
    }

    async fn operate(&self, op: Op, number: u64, bytes: u64) -> Result<(), SegmentError> {
        self.life
            .operate(op, bytes)
            .await
            .map_err(|source| SegmentError::Disk {
                path: self.path(number).into(),
                source,
            })
    }
}

#[async_trait]
impl Segments for SimSegments {
    async fn list(&self) -> Result<Vec<Segment>, SegmentError> {
        self.operate(Op::Read, 0, 0).await?;
        Ok(self.life.with(|state| state.segments.list()).await)
    }

    async fn read(&self, number: u64, from: u64, max: usize) -> Result<Bytes, SegmentError> {
        self.operate(Op::Read, number, 0).await?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let read = self.life.with(|s| s.segments.read(number, from, max));
        read.await.map_err(|source| SegmentError::Disk {
            path: self.path(number).into(),
            source,
        })
    }

    async fn append(&self, number: u64, at: u64, bytes: Bytes) -> Result<(), SegmentError> {
        let size = length(&bytes);
        let begun = self.life.with(|s| s.segments.begin(number, at, bytes));
        begun.await.map_err(|actual| SegmentError::Changed {
            path: self.path(number).into(),
            expected: at,
            actual,
        })?;
        self.operate(Op::Sync, number, size).await?;
        self.life.with(|s| s.segments.finish(number)).await;
        Ok(())
    }

    async fn remove(&self, number: u64) -> Result<(), SegmentError> {
        self.operate(Op::Remove, number, 0).await?;
        self.life.with(|state| state.segments.remove(number)).await;
        Ok(())
    }
}
