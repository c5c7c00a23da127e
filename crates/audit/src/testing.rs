//! Segments in memory that can be broken, and calls to record.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use host::{
    Clock, Segments,
    segments::{Segment, SegmentError},
};
use model::{Incarnation, Timestamp};
use parking_lot::Mutex;

use crate::{
    line::{Head, Writer, encode},
    record::{Api, Call, Event, Outcome},
};

pub(crate) const NOW: Timestamp = Timestamp(1_767_323_045_123);

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    segments: Mutex<BTreeMap<u64, Vec<u8>>>,
    fails: AtomicBool,
    slow: AtomicBool,
    appends: AtomicU64,
}

impl Memory {
    pub(crate) fn holding(segments: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Self {
        let memory = Self::default();
        *memory.0.segments.lock() = segments.into_iter().collect();
        memory
    }

    pub(crate) fn content(&self) -> BTreeMap<u64, Vec<u8>> {
        self.0.segments.lock().clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut BTreeMap<u64, Vec<u8>>)) {
        change(&mut self.0.segments.lock());
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn slow(&self, slow: bool) {
        self.0.slow.store(slow, Ordering::SeqCst);
    }

    pub(crate) fn appends(&self) -> u64 {
        self.0.appends.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), SegmentError> {
        if self.0.fails.load(Ordering::SeqCst) {
            return Err(SegmentError::Disk {
                path: "memory".into(),
                source: io::ErrorKind::StorageFull.into(),
            });
        }
        Ok(())
    }
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap()
}

#[async_trait]
impl Segments for Memory {
    async fn list(&self) -> Result<Vec<Segment>, SegmentError> {
        self.check()?;
        let segments = self.0.segments.lock();
        let all = segments.iter().map(|(number, bytes)| Segment {
            number: *number,
            bytes: length(bytes),
        });
        Ok(all.collect())
    }

    async fn read(&self, number: u64, from: u64, max: usize) -> Result<Bytes, SegmentError> {
        self.check()?;
        let segments = self.0.segments.lock();
        let from = usize::try_from(from).unwrap();
        let rest = segments[&number].get(from..).unwrap_or_default();
        Ok(rest.iter().take(max).copied().collect())
    }

    async fn append(&self, number: u64, at: u64, bytes: Bytes) -> Result<(), SegmentError> {
        while self.0.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut segments = self.0.segments.lock();
        let segment = segments.entry(number).or_default();
        let actual = length(segment);
        if self.check().is_err() {
            // As a disk that fills up does.
            segment.extend_from_slice(&bytes[..bytes.len() / 2]);
        }
        self.check()?;
        if actual < at {
            return Err(SegmentError::Changed {
                path: "memory".into(),
                expected: at,
                actual,
            });
        }
        segment.truncate(usize::try_from(at).unwrap());
        segment.extend_from_slice(&bytes);
        self.0.appends.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn remove(&self, number: u64) -> Result<(), SegmentError> {
        self.check()?;
        self.0.segments.lock().remove(&number);
        Ok(())
    }
}

pub(crate) struct Stopped;

impl Clock for Stopped {
    fn wall(&self) -> Timestamp {
        NOW
    }
}

pub(crate) fn writer() -> Writer {
    Writer {
        node: "a".parse().unwrap(),
        incarnation: Incarnation(u64::MAX),
    }
}

pub(crate) fn call(request_id: &str, operation: &str) -> Event {
    Event::Call(Box::new(Call {
        request_id: request_id.to_owned(),
        api: Api::Aws,
        operation: operation.to_owned(),
        account: Some("123456789012".to_owned()),
        caller: Some("123456789012/AKID".to_owned()),
        principal: Some("arn:aws:iam::123456789012:user/a".to_owned()),
        access_key: Some("AKID".to_owned()),
        source: "127.0.0.1:1".to_owned(),
        user_agent: Some("a \",\"hash\":\"\n\u{1f600}".to_owned()),
        region: Some("us-east-1".to_owned()),
        target: None,
        resource: None,
        parameters: [("MemorySize", 128.into())].into(),
        outcome: Outcome::Failed,
        status: Some(404),
        error: Some("ResourceNotFoundException".to_owned()),
        took_ms: 3,
    }))
}

/// Segments with so many records each.
pub(crate) fn chain(counts: &[usize]) -> (BTreeMap<u64, Vec<u8>>, Head) {
    let mut head = Head::NONE;
    let mut segments = BTreeMap::new();
    for count in counts {
        let mut bytes = Vec::new();
        let number = head.sequence + 1;
        for _ in 0..*count {
            let event = call(&format!("r{}", head.sequence + 1), "GetFunction");
            let (line, next) = encode(head, &writer(), NOW, &event).unwrap();
            bytes.extend(line);
            head = next;
        }
        segments.insert(number, bytes);
    }
    (segments, head)
}
