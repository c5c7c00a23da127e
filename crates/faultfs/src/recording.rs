//! What a program did to a disk, to be cut anywhere.

use crate::{
    image::Image,
    journal::{Journal, Step},
};

/// A durable state and every step from there, in order.
#[derive(Clone, Debug)]
pub struct Recording {
    base: Image,
    steps: Vec<Step>,
}

/// A recording on its way through its steps.
#[derive(Debug)]
pub struct Replay<'a> {
    journal: Journal,
    steps: std::slice::Iter<'a, Step>,
}

impl Recording {
    pub(crate) const fn new(base: Image) -> Self {
        Self {
            base,
            steps: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A replay that stands before the first step.
    #[must_use]
    pub fn replay(&self) -> Replay<'_> {
        Replay {
            journal: Journal::new(self.base.clone()),
            steps: self.steps.iter(),
        }
    }
}

impl Replay<'_> {
    /// The disk as it is here.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Takes the next step; false at the end.
    pub fn advance(&mut self) -> bool {
        match self.steps.next() {
            Some(step) => {
                self.journal.take(step);
                true
            }
            None => false,
        }
    }
}
