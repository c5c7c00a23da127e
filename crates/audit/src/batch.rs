//! Records that go to disk under one sync.

use bytes::{BufMut, Bytes, BytesMut};
use host::segments::Segment;
use model::{ByteCount, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    line::{self, Head, LINE_MAX},
    record::Event,
    recorder::{Unrecorded, Waiting},
};

/// Records under one sync at most.
const RECORDS_MAX: u64 = 1024;
/// Bytes under one sync at most, give or take one record.
const BYTES_MAX: usize = 1 << 20;

/// Records that are numbered and linked, and who waits for them.
pub(crate) struct Batch {
    /// The number of the first one.
    pub(crate) first: u64,
    /// The last one.
    pub(crate) head: Head,
    pub(crate) records: u64,
    bytes: BytesMut,
    waiting: Vec<oneshot::Sender<Result<(), Unrecorded>>>,
    flushes: Vec<oneshot::Sender<()>>,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Batch {
    /// An empty batch behind a record.
    pub(crate) fn after(head: Head) -> Self {
        Self {
            first: head.sequence.saturating_add(1),
            head,
            records: 0,
            bytes: BytesMut::new(),
            waiting: Vec::new(),
            flushes: Vec::new(),
            permits: Vec::new(),
        }
    }

    /// Adds what somebody wants to be recorded.
    pub(crate) fn add(&mut self, writer: &line::Writer, waiting: Waiting) {
        let Waiting {
            time,
            event,
            done,
            permit,
        } = waiting;
        let added = self.push(writer, time, event);
        self.permits.extend(permit);
        match (added, done) {
            (Ok(()), done) => self.waiting.extend(done),
            (Err(unrecorded), Some(done)) => drop(done.send(Err(unrecorded))),
            (Err(error), None) => tracing::error!(%error, "an event is not in the audit log"),
        }
    }

    /// Adds an event that nobody waits for.
    pub(crate) fn push(
        &mut self,
        writer: &line::Writer,
        time: Timestamp,
        event: Event,
    ) -> Result<(), Unrecorded> {
        let short = |line: &[u8]| line.len() <= LINE_MAX;
        let encoded = line::encode(self.head, writer, time, &event)
            .ok()
            .filter(|(line, _)| short(line))
            .or_else(|| line::encode(self.head, writer, time, &event.shortened()).ok())
            .filter(|(line, _)| short(line));
        let (line, head) = encoded.ok_or(Unrecorded::TooLong)?;
        self.bytes.put_slice(&line);
        self.head = head;
        self.records += 1;
        Ok(())
    }

    /// Adds somebody who wants to know when it is on disk.
    pub(crate) fn answer(&mut self, flush: oneshot::Sender<()>) {
        self.flushes.push(flush);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.records >= RECORDS_MAX || self.bytes.len() >= BYTES_MAX
    }

    /// Whether somebody waits.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.waiting.is_empty() || !self.flushes.is_empty()
    }

    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Its lines, behind what the segment lacks.
    pub(crate) fn bytes(&self, before: &[u8]) -> Bytes {
        [before, &self.bytes].concat().into()
    }

    /// It cannot be brought to disk now: nobody waits for it any more.
    pub(crate) fn failed(&mut self, why: &Unrecorded) {
        for waiting in self.waiting.drain(..) {
            // Whoever is gone needs no answer.
            let _gone = waiting.send(Err(why.clone()));
        }
        self.flushes.clear();
    }

    /// It is on disk.
    pub(crate) fn written(self) {
        for waiting in self.waiting {
            let _gone = waiting.send(Ok(()));
        }
        for flush in self.flushes {
            let _gone = flush.send(());
        }
    }
}

/// The oldest segments that have to go, if one more begins: how many.
pub(crate) fn surplus(segments: &[Segment], keep_bytes: ByteCount, keep_segments: usize) -> usize {
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut count = segments.len() + 1;
    let mut surplus = 0;
    for segment in segments {
        if bytes <= keep_bytes.0 && count <= keep_segments.max(1) {
            break;
        }
        bytes = bytes.saturating_sub(segment.bytes);
        count -= 1;
        surplus += 1;
    }
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_until_there_is_room() {
        let segments = [(1, 10), (5, 20), (9, 30)].map(|(number, bytes)| Segment { number, bytes });
        let check = |bytes, count, expected| {
            assert_eq!(
                surplus(&segments, ByteCount(bytes), count),
                expected,
                "{bytes} bytes, {count} segments"
            );
        };
        check(60, 4, 0);
        check(59, 4, 1);
        check(49, 4, 2);
        check(0, 4, 3);
        check(60, 3, 1);
        check(60, 1, 3);
        check(60, 0, 3);
        assert_eq!(surplus(&[], ByteCount(0), 1), 0);
    }
}
