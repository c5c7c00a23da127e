//! Recent changes, for watchers that are a little behind.

use std::{collections::VecDeque, sync::Arc};

use crate::machine::RowChange;

/// The changes of the most recent entries, bounded in number and bytes.
pub(super) struct Changes {
    count_max: usize,
    bytes_max: usize,
    bytes: usize,
    /// All changes of entries after this index are here.
    after: u64,
    recent: VecDeque<(u64, Arc<[RowChange]>)>,
}

impl Changes {
    pub(super) const fn new(count_max: usize, bytes_max: usize) -> Self {
        Self {
            count_max,
            bytes_max,
            bytes: 0,
            after: 0,
            recent: VecDeque::new(),
        }
    }

    /// Forgets everything; the next changes come after this index.
    pub(super) fn begin_after(&mut self, index: u64) {
        self.recent.clear();
        self.bytes = 0;
        self.after = index;
    }

    pub(super) fn push(&mut self, index: u64, changes: Arc<[RowChange]>) {
        self.bytes = self.bytes.saturating_add(size(&changes));
        self.recent.push_back((index, changes));
        while self.recent.len() > self.count_max || self.bytes > self.bytes_max {
            let Some((index, changes)) = self.recent.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(size(&changes));
            self.after = index;
        }
    }

    /// All changes after an index, or none if they are not all here.
    pub(super) fn after(&self, index: u64) -> Option<Vec<(u64, Arc<[RowChange]>)>> {
        if index < self.after {
            return None;
        }
        let from = self.recent.partition_point(|(at, _)| *at <= index);
        Some(self.recent.range(from..).cloned().collect())
    }
}

fn size(changes: &[RowChange]) -> usize {
    let bytes = |change: &RowChange| {
        let value = change.value.as_ref().map_or(0, Vec::len);
        change
            .key
            .len()
            .saturating_add(value)
            .saturating_add(size_of::<RowChange>())
    };
    changes.iter().map(bytes).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(bytes: usize) -> Arc<[RowChange]> {
        Arc::new([RowChange {
            key: b"k".to_vec(),
            value: Some(vec![0; bytes]),
        }])
    }

    fn indices(changes: &Changes, after: u64) -> Option<Vec<u64>> {
        Some(
            changes
                .after(after)?
                .into_iter()
                .map(|(index, _)| index)
                .collect(),
        )
    }

    #[test]
    fn what_is_too_old_is_not_there_and_says_so() {
        let mut changes = Changes::new(3, usize::MAX);
        changes.begin_after(10);
        assert_eq!(indices(&changes, 9), None);
        assert_eq!(indices(&changes, 10), Some(vec![]));
        for index in [12, 15, 16, 20] {
            changes.push(index, change(1));
        }
        // 12 was pushed out: whoever has all up to 12 lacks nothing, whoever has all up to 11 lacks 12.
        assert_eq!(indices(&changes, 11), None);
        assert_eq!(indices(&changes, 12), Some(vec![15, 16, 20]));
        assert_eq!(indices(&changes, 15), Some(vec![16, 20]));
        assert_eq!(indices(&changes, 17), Some(vec![20]));
        assert_eq!(indices(&changes, 20), Some(vec![]));
        assert_eq!(indices(&changes, 99), Some(vec![]));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut changes = Changes::new(usize::MAX, 1_000);
        for index in 1..=10 {
            changes.push(index, change(300));
        }
        let kept = indices(&changes, 10 - 2);
        assert_eq!(kept, Some(vec![9, 10]));
        assert_eq!(indices(&changes, 1), None);
        // One change larger than everything allowed is not kept at all.
        changes.push(11, change(5_000));
        assert_eq!(indices(&changes, 10), None);
        assert_eq!(indices(&changes, 11), Some(vec![]));
    }
}
