//! Verification: one pass over the bytes of all segments.
//!
//! The walk goes on after a break, at the next segment, so that one damaged file does not hide what happened to others. It
//! knows no disk: [`crate::verify`] brings it the bytes, and so does whoever starts to append to a log.

use crate::line::{self, Head, NoRecord, Parsed};

/// Breaks that are told apart; more are counted.
const BREAKS_MAX: usize = 100;

/// Where in a log something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The number of the segment.
    pub segment: u64,
    /// The line in it, from 1.
    pub line: u64,
    /// Where the line begins.
    pub byte: u64,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A line that is none of ours.
    #[error("the line is no record")]
    NoRecord,
    /// A segment ends within a line, and is not the last.
    #[error("the file before {0:020} ends within a line")]
    Unended(u64),
    /// A record that was changed.
    #[error("the record was changed: its hash does not fit its content")]
    Changed,
    /// A record is missing, or is not in its place.
    #[error("expected record {expected}, got record {got}")]
    Order {
        /// The next one.
        expected: u64,
        /// The one that stands there.
        got: u64,
    },
    /// A record that follows another one than the one before it.
    #[error("record {0} follows another record than the one before it")]
    Link(u64),
    /// A segment that is named after another record than its first.
    #[error("the file is named after record {named}, and begins with record {got}")]
    Name {
        /// Its name.
        named: u64,
        /// Its first record.
        got: u64,
    },
    /// The beginning of a log is gone.
    #[error(
        "records 1 to {0} are missing, and no later record says that they were removed for want of room"
    )]
    Missing(u64),
    /// The end of a log is gone.
    #[error(
        "the log was cut off: it ends with record {have}, and record {wanted} is known to have been there"
    )]
    CutOff {
        /// Its last record.
        have: u64,
        /// The record that is known.
        wanted: u64,
    },
    /// The record that is known is not the one that is there.
    #[error("record {0} is another one than the one that is known")]
    OtherHead(u64),
    /// The record that is known was removed; nothing can be proven by it.
    #[error(
        "record {0} is not kept any more, so nothing can be proven by its hash; use a later one"
    )]
    NotKept(u64),
}

/// A flaw and its place; none if it is in what is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Where.
    pub spot: Option<Spot>,
    /// What.
    pub flaw: Flaw,
}

/// How the last segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With the end of a line.
    Whole,
    /// With a record whose end of line is missing.
    Unended,
    /// With the beginning of a record: it is being written, or a crash left it.
    Unfinished {
        /// Where it begins.
        at: u64,
        /// How much there is of it.
        bytes: u64,
    },
}

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number of the first record; `None` if there is no record.
    pub first: Option<u64>,
    /// The last record.
    pub head: Option<Head>,
    /// How many records verified.
    pub records: u64,
    /// The highest number of any record, in its place or not.
    pub highest: u64,
    /// What is wrong, in the order of the log.
    pub breaks: Vec<Break>,
    /// Breaks beyond those.
    pub more_breaks: u64,
    /// How the last segment ends.
    pub tail: Tail,
}

/// A walk over a log, from its oldest segment to its newest.
#[derive(Debug)]
pub struct Walk {
    report: Report,
    /// Nothing links what comes next to what was: this was reported.
    adrift: bool,
    /// The record after which the log must begin, at the latest.
    retired: u64,
    /// The number of the first segment.
    begins: Option<u64>,
    wanted: Option<Head>,
}

/// The lines of a segment so far.
struct Lines<'a> {
    segment: u64,
    rest: &'a [u8],
    line: u64,
    byte: u64,
}

impl Walk {
    /// A walk that has seen nothing. `wanted` is a record that must be there.
    #[must_use]
    pub fn new(wanted: Option<Head>) -> Self {
        Self {
            report: Report {
                first: None,
                head: None,
                records: 0,
                highest: 0,
                breaks: Vec::new(),
                more_breaks: 0,
                tail: Tail::Whole,
            },
            adrift: false,
            retired: 0,
            begins: None,
            wanted: wanted.filter(|head| *head != Head::NONE),
        }
    }

    /// A walk that begins somewhere within a log.
    #[must_use]
    pub fn from_within() -> Self {
        Self {
            retired: u64::MAX,
            ..Self::new(None)
        }
    }

    /// Goes through the next segment.
    pub fn segment(&mut self, number: u64, bytes: &[u8]) {
        // Only the last segment of all may end within a line.
        if std::mem::replace(&mut self.report.tail, Tail::Whole) != Tail::Whole {
            self.broken(None, Flaw::Unended(number));
        }
        self.begins.get_or_insert(number);
        let mut lines = Lines {
            segment: number,
            rest: bytes,
            line: 0,
            byte: 0,
        };
        while let Some((spot, line, ended)) = lines.next() {
            if !ended && line::length(line).is_none() {
                self.report.tail = Tail::Unfinished {
                    at: spot.byte,
                    bytes: u64::try_from(line.len()).unwrap_or(u64::MAX),
                };
                return;
            }
            let taken = match line::parse(line) {
                Ok(parsed) => self.record(&spot, &parsed),
                Err(NoRecord::Form) => Err(Flaw::NoRecord),
                Err(NoRecord::Hash) => Err(Flaw::Changed),
            };
            if let Err(flaw) = taken {
                self.broken(Some(spot), flaw);
                return;
            }
            if !ended {
                self.report.tail = Tail::Unended;
            }
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let have = self.report.head.unwrap_or(Head::NONE).sequence;
        let before = self.begins.unwrap_or(1).saturating_sub(1);
        if self.retired < before {
            self.broken(None, Flaw::Missing(before));
        }
        // Where something is broken, it may be that which hides it.
        if let Some(Head { sequence, .. }) = self.wanted
            && self.report.is_sound()
        {
            let flaw = if sequence > have {
                Flaw::CutOff {
                    have,
                    wanted: sequence,
                }
            } else {
                Flaw::NotKept(sequence)
            };
            self.broken(None, flaw);
        }
        self.report
    }

    /// Takes in the next record, if it is the next.
    fn record(&mut self, spot: &Spot, parsed: &Parsed) -> Result<(), Flaw> {
        let Parsed { head, prev, .. } = parsed;
        let got = head.sequence;
        self.report.highest = self.report.highest.max(got);
        if spot.line == 1 && spot.segment != got {
            let named = spot.segment;
            return Err(Flaw::Name { named, got });
        }
        let before = match (self.report.head, self.begins) {
            _ if self.adrift => None,
            (Some(before), _) => Some(before),
            // The first record of all follows nothing, and the first that is kept what nobody can see.
            (None, Some(1)) => Some(Head::NONE),
            (None, Some(expected)) if expected != got => {
                return Err(Flaw::Order { expected, got });
            }
            (None, _) => None,
        };
        if let Some(before) = before {
            let expected = before.sequence.saturating_add(1);
            if got != expected {
                return Err(Flaw::Order { expected, got });
            }
            if *prev != before.hash {
                return Err(Flaw::Link(got));
            }
        }
        if let Some(wanted) = self.wanted.take_if(|wanted| wanted.sequence == got)
            && wanted.hash != head.hash
        {
            return Err(Flaw::OtherHead(got));
        }
        self.retired = self.retired.max(parsed.retired.unwrap_or(0));
        self.adrift = false;
        self.report.first.get_or_insert(got);
        self.report.head = Some(*head);
        self.report.records += 1;
        Ok(())
    }

    fn broken(&mut self, spot: Option<Spot>, flaw: Flaw) {
        self.adrift = true;
        if self.report.breaks.len() < BREAKS_MAX {
            self.report.breaks.push(Break { spot, flaw });
        } else {
            self.report.more_breaks += 1;
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.breaks.is_empty()
    }
}

impl<'a> Lines<'a> {
    /// The next line without its end, where it is, and whether it has an end.
    fn next(&mut self) -> Option<(Spot, &'a [u8], bool)> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let spot = Spot {
            segment: self.segment,
            line: self.line,
            byte: self.byte,
        };
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end.and_then(|end| self.rest.split_at_checked(end)) {
            Some((line, rest)) => (line, rest.get(1..).unwrap_or_default()),
            None => (self.rest, &[][..]),
        };
        self.byte += u64::try_from(self.rest.len() - rest.len()).unwrap_or(u64::MAX);
        self.rest = rest;
        Some((spot, line, end.is_some()))
    }
}

#[cfg(test)]
mod tests;
