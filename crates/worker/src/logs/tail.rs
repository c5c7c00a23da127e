//! The last bytes of something.

/// Keeps the last `max` bytes of what is pushed, in at most twice that space.
#[derive(Debug)]
pub(crate) struct Tail {
    max: usize,
    bytes: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, new: &[u8]) {
        let from = new.len().saturating_sub(self.max);
        let kept = new.get(from..).unwrap_or_default();
        if self.bytes.len() + kept.len() > self.max * 2 {
            self.cut(self.max.saturating_sub(kept.len()));
        }
        self.bytes.extend_from_slice(kept);
    }

    /// The last bytes; it is empty afterwards.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.cut(self.max);
        std::mem::take(&mut self.bytes)
    }

    fn cut(&mut self, to: usize) {
        let surplus = self.bytes.len().saturating_sub(to);
        self.bytes.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_end_of_everything(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..30), max in 0usize..40) {
            let mut tail = Tail::new(max);
            let mut all = Vec::new();
            for part in &parts {
                tail.push(part);
                all.extend_from_slice(part);
                prop_assert!(tail.bytes.len() <= max * 2);
            }
            let expected = all[all.len().saturating_sub(max)..].to_vec();
            prop_assert_eq!(tail.take(), expected);
            prop_assert_eq!(tail.take(), Vec::<u8>::new());
        }
    }
}
