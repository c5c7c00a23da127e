//! Reading a log a page at a time.
//!
//! A page is bounded by what it answers and by what it looks at: a filter that fits nothing costs many pages, none of them
//! much. Nothing is verified here.

use std::{fmt, str::FromStr};

use host::{
    Segments,
    segments::{Segment, SegmentError},
};
use model::Timestamp;
use serde::Deserialize;

use crate::line::LINE_MAX;

/// How much is read at a time; more than any line.
const CHUNK: usize = 4 * LINE_MAX;
/// How much one page looks at, give or take a chunk.
const LOOK_MAX: usize = 4 << 20;
/// How much one page answers, give or take a chunk.
const ANSWER_MAX: usize = 1 << 20;

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this time and later.
    pub since: Option<Timestamp>,
    /// Those of calls of this operation.
    pub operation: Option<String>,
    /// Those of calls of this account.
    pub account: Option<String>,
}

/// A place in a log from which to read on. Written `SEGMENT-BYTE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    segment: u64,
    byte: u64,
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a cursor as the page before named it, got {0:?}")]
pub struct InvalidCursor(pub String);

/// Some records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Lines as they stand in the log.
    pub records: Vec<String>,
    /// Where the next page begins; `None` at the end of the log.
    pub next: Option<Cursor>,
}

#[derive(Deserialize)]
struct Shown<'a> {
    time: &'a str,
    operation: Option<&'a str>,
    account: Option<&'a str>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.segment, self.byte)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parsed = s.split_once('-').and_then(|(segment, byte)| {
            Some(Self {
                segment: segment.parse().ok()?,
                byte: byte.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| InvalidCursor(s.chars().take(100).collect()))
    }
}

impl Filter {
    fn lets_pass(&self, line: &[u8]) -> bool {
        if *self == Self::default() {
            return true;
        }
        // What cannot be read is shown: whoever looks should see it.
        let Ok(shown) = serde_json::from_slice::<Shown<'_>>(line) else {
            return true;
        };
        let is = |wanted: &Option<String>, got: Option<&str>| {
            wanted.as_deref().is_none_or(|w| Some(w) == got)
        };
        // Times are written so that their order is that of their texts.
        self.since
            .is_none_or(|since| shown.time >= since.to_rfc3339().as_str())
            && is(&self.operation, shown.operation)
            && is(&self.account, shown.account)
    }
}

/// The records from a place on that a filter lets pass, at most `limit`.
///
/// # Errors
/// [`SegmentError`] if a segment cannot be read.
pub async fn page(
    segments: &dyn Segments,
    filter: &Filter,
    from: Cursor,
    limit: usize,
) -> Result<Page, SegmentError> {
    let mut page = Page {
        records: Vec::new(),
        next: None,
    };
    let (mut looked, mut answered) = (0, 0);
    for Segment { number, bytes } in segments.list().await? {
        let mut at = match number.cmp(&from.segment) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal => from.byte,
            std::cmp::Ordering::Greater => 0,
        };
        while at < bytes {
            if page.records.len() >= limit || looked >= LOOK_MAX || answered >= ANSWER_MAX {
                page.next = Some(Cursor {
                    segment: number,
                    byte: at,
                });
                return Ok(page);
            }
            let chunk = segments.read(number, at, CHUNK).await?;
            looked += chunk.len();
            let mut taken = 0;
            for line in chunk.split_inclusive(|byte| *byte == b'\n') {
                // One that is not whole is read again, from its beginning.
                if page.records.len() >= limit || !line.ends_with(b"\n") {
                    break;
                }
                taken += line.len();
                let line = line.trim_ascii_end();
                if filter.lets_pass(line) {
                    answered += line.len();
                    page.records
                        .push(String::from_utf8_lossy(line).into_owned());
                }
            }
            if taken == 0 {
                if chunk.len() < CHUNK {
                    // The end of a segment that ends within a line.
                    break;
                }
                // No line of ours is that long.
                taken = chunk.len();
            }
            at = at.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
