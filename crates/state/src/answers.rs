//! Answers that were given, so that a command proposed twice is done once.

use std::collections::{BTreeMap, VecDeque};

use model::{
    Revision, Timestamp,
    mutation::{Changed, Rejection},
};

/// The name of one request, the same for every attempt: 128 random bits, or zero for commands that are idempotent by nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(pub u128);

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which request.
    pub key: IdempotencyKey,
    /// The leader's time of the command.
    pub at: Timestamp,
    /// Where it was applied.
    pub revision: Revision,
    /// What it did.
    pub result: Result<Changed, Rejection>,
}

/// How many answers are kept. A frontend gives up on a request within seconds, so this is minutes at full write rate.
pub const ANSWERS_KEPT: usize = 4096;

#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    by_key: BTreeMap<IdempotencyKey, Answer>,
    // Oldest first, by revision: the same on every node, so that all forget the same ones.
    order: VecDeque<(Revision, IdempotencyKey)>,
}

impl Answers {
    pub(crate) fn get(&self, key: IdempotencyKey) -> Option<&Answer> {
        self.by_key.get(&key)
    }

    /// Adds an answer; gives back the keys that are forgotten for it.
    pub(crate) fn remember(&mut self, answer: Answer) -> Vec<IdempotencyKey> {
        self.put(answer);
        let mut forgotten = Vec::new();
        while self.by_key.len() > ANSWERS_KEPT {
            let Some((_, key)) = self.order.pop_front() else {
                break;
            };
            if self.by_key.remove(&key).is_some() {
                forgotten.push(key);
            }
        }
        forgotten
    }

    /// Adds an answer that a record holds, at its place in the order.
    pub(crate) fn put(&mut self, answer: Answer) {
        let entry = (answer.revision, answer.key);
        let at = self.order.partition_point(|e| *e < entry);
        if self.order.get(at) != Some(&entry) {
            self.order.insert(at, entry);
        }
        self.by_key.insert(answer.key, answer);
    }

    pub(crate) fn forget(&mut self, key: IdempotencyKey) {
        if let Some(answer) = self.by_key.remove(&key) {
            self.order.retain(|e| *e != (answer.revision, key));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Answer> {
        self.by_key.values()
    }
}
