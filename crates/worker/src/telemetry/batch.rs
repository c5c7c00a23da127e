//! What waits for one subscriber, and when it is due.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use runtime_api::subscription::Buffering;
use tokio::time::Instant;

/// How many batches may wait.
const BATCHES_MAX: usize = 2;

/// Records in the order in which they came. Time comes from outside.
#[derive(Debug)]
pub(super) struct Batch {
    buffering: Buffering,
    records: VecDeque<Bytes>,
    bytes: usize,
    /// When the oldest record came.
    since: Option<Instant>,
    dropped: Dropped,
    hurried: bool,
    closed: bool,
}

/// What did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send these; and tell of what was dropped before them.
    Now(Vec<Bytes>, Dropped),
    /// Look again then, or when something has changed.
    At(Instant),
    /// Nothing is there.
    Never,
    /// Nothing will be any more.
    Closed,
}

impl Batch {
    pub(super) const fn new(buffering: Buffering) -> Self {
        Self {
            buffering,
            records: VecDeque::new(),
            bytes: 0,
            since: None,
            dropped: Dropped {
                records: 0,
                bytes: 0,
            },
            hurried: false,
            closed: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether it is due without a wait.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= self.buffering.items_max || self.bytes >= self.buffering.bytes_max
    }

    pub(super) fn push(&mut self, record: Bytes, now: Instant) {
        if self.closed {
            return;
        }
        let room = self.bytes + record.len() <= BATCHES_MAX * self.buffering.bytes_max
            && self.records.len() < BATCHES_MAX * self.buffering.items_max;
        if !room {
            self.dropped.records += 1;
            self.dropped.bytes += u64::try_from(record.len()).unwrap_or(u64::MAX);
            return;
        }
        self.since.get_or_insert(now);
        self.bytes += record.len();
        self.records.push_back(record);
    }

    /// What is there is due, and what comes.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.records = VecDeque::new();
    }

    /// Takes the next batch, if it is due.
    pub(super) fn take(&mut self, now: Instant) -> Due {
        if self.closed {
            return Due::Closed;
        }
        let Some(since) = self.since else {
            return Due::Never;
        };
        let at = since + self.wait();
        if !self.is_full() && now < at {
            return Due::At(at);
        }
        let mut batch = Vec::new();
        let mut size = 0;
        while let Some(record) = self.records.front() {
            let fits = size + record.len() <= self.buffering.bytes_max;
            if !batch.is_empty() && (!fits || batch.len() >= self.buffering.items_max) {
                break;
            }
            size += record.len();
            batch.extend(self.records.pop_front());
        }
        self.bytes -= size;
        self.since = (!self.records.is_empty()).then_some(now);
        Due::Now(batch, std::mem::take(&mut self.dropped))
    }

    /// What was taken could not be sent.
    pub(super) fn lost(&mut self, batch: &[Bytes]) {
        let sizes = batch.iter().map(|record| record.len()).sum::<usize>();
        self.dropped.records += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.dropped.bytes += u64::try_from(sizes).unwrap_or(u64::MAX);
    }

    fn wait(&self) -> Duration {
        if self.hurried {
            Duration::ZERO
        } else {
            self.buffering.timeout
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUFFERING: Buffering = Buffering {
        items_max: 3,
        bytes_max: 10,
        timeout: Duration::from_millis(25),
    };

    fn record(size: usize) -> Bytes {
        vec![b'x'; size].into()
    }

    #[test]
    fn a_batch_is_due_by_number_by_size_and_by_time() {
        let begin = Instant::now();
        let none = Dropped::default();
        let mut batch = Batch::new(BUFFERING);
        assert_eq!(batch.take(begin), Due::Never);
        batch.push(record(1), begin);
        assert_eq!(batch.take(begin), Due::At(begin + BUFFERING.timeout));
        let later = begin + BUFFERING.timeout;
        assert_eq!(batch.take(later), Due::Now(vec![record(1)], none));
        assert_eq!(batch.take(later), Due::Never);
        for _ in 0..4 {
            batch.push(record(1), begin);
        }
        assert_eq!(batch.take(begin), Due::Now(vec![record(1); 3], none));
        assert!(matches!(batch.take(begin), Due::At(_)), "the rest waits");
        batch.push(record(9), begin);
        assert_eq!(
            batch.take(begin),
            Due::Now(vec![record(1), record(9)], none)
        );
        batch.push(record(5), begin);
        batch.push(record(6), begin);
        assert_eq!(batch.take(begin), Due::Now(vec![record(5)], none));
        batch.hurry();
        assert_eq!(batch.take(begin), Due::Now(vec![record(6)], none));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_once() {
        let now = Instant::now();
        let mut batch = Batch::new(BUFFERING);
        for _ in 0..4 {
            batch.push(record(9), now);
        }
        let dropped = Dropped {
            records: 2,
            bytes: 18,
        };
        assert_eq!(batch.take(now), Due::Now(vec![record(9)], dropped));
        batch.lost(&[record(9)]);
        let dropped = Dropped {
            records: 1,
            bytes: 9,
        };
        let later = now + BUFFERING.timeout;
        assert_eq!(batch.take(later), Due::Now(vec![record(9)], dropped));
        batch.push(record(1), now);
        batch.close();
        assert_eq!(batch.take(later), Due::Closed);
    }
}
