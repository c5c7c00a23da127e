//! Records that were written and not synced: what a crash leaves of them, and what can be told of it afterwards.

use std::ops::AddAssign;

use host::Entropy;

use super::Loss;

/// A record that knows its checksum and can be written by half.
pub(super) trait Record {
    /// Differs between any two records that are not the same.
    fn checksum(&self) -> u64;

    /// Takes away the end of it, as an interrupted write does.
    fn tear(&mut self, fate: &dyn Entropy);
}

/// Records in the order in which they were written.
#[derive(Debug)]
pub(super) struct Journal<R> {
    next: u64,
    lines: Vec<Line<R>>,
}

#[derive(Debug)]
struct Line<R> {
    number: u64,
    sum: u64,
    record: R,
}

/// What a crash took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Records that are not there any more, for whatever reason.
    pub(super) records: u64,
    /// Of these, those that were half written.
    pub(super) torn: u64,
    /// Of these, those that were whole, behind one that was not there.
    pub(super) reordered: u64,
}

impl AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.torn += other.torn;
        self.reordered += other.reordered;
    }
}

impl<R> Default for Journal<R> {
    fn default() -> Self {
        Self {
            next: 0,
            lines: Vec::new(),
        }
    }
}

impl<R: Record> Journal<R> {
    pub(super) fn push(&mut self, record: R) {
        self.lines.push(Line {
            number: self.next,
            sum: record.checksum(),
            record,
        });
        self.next += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &R> {
        self.lines.iter().map(|line| &line.record)
    }

    /// Takes out the oldest records: they are on the disk now.
    pub(super) fn take(&mut self, count: usize) -> Vec<R> {
        let count = count.min(self.lines.len());
        self.lines.drain(..count).map(|line| line.record).collect()
    }

    /// Loses what a crash loses, and takes out what is read back after it: the records up to the first that is missing or
    /// does not match its checksum.
    pub(super) fn crash(&mut self, loss: Loss, fate: &dyn Entropy) -> (Vec<R>, Lost) {
        let first = self.lines.first().map_or(self.next, |line| line.number);
        let written = self.next - first;
        let lines = std::mem::take(&mut self.lines);
        self.next = 0;
        let left = survivors(lines, loss, fate);
        let mut lost = Lost::default();
        let mut read = Vec::new();
        let mut expected = first;
        for line in left {
            if line.record.checksum() != line.sum {
                lost.torn += 1;
            } else if line.number == expected {
                expected += 1;
                read.push(line.record);
            } else {
                lost.reordered += 1;
            }
        }
        lost.records = written - (expected - first);
        (read, lost)
    }
}

/// The lines that lie on the disk after a crash, the last of them perhaps by half.
fn survivors<R: Record>(mut lines: Vec<Line<R>>, loss: Loss, fate: &dyn Entropy) -> Vec<Line<R>> {
    if lines.is_empty() {
        return lines;
    }
    let scattered = loss == Loss::Power && fate.below(2) == 0;
    if scattered {
        lines.retain(|_| fate.below(3) != 0);
    } else {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let kept = fate.below(count.saturating_add(1));
        lines.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }
    let torn = loss == Loss::Power && fate.below(2) == 0;
    if let (true, Some(last)) = (torn, lines.last_mut()) {
        last.record.tear(fate);
    }
    lines
}
