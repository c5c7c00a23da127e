//! Where a log goes on: at the end of its chain, if that verifies.

use bytes::Bytes;
use host::{
    Segments,
    segments::{Segment, SegmentError},
};

use crate::{
    line::Head,
    record::{Event, clipped},
    walk::{Report, Tail, Walk},
    whole,
};

/// How much of an unfinished record is quoted.
const QUOTE_MAX: usize = 1024;
/// Segments that are verified before a log is continued: the whole log may be long.
const SEGMENTS_VERIFIED: usize = 2;

/// The end of a log.
#[derive(Debug)]
pub(crate) struct End {
    /// The last record; numbers go on from here.
    pub(crate) head: Head,
    /// What is there. The last one has the bytes behind which it is continued.
    pub(crate) segments: Vec<Segment>,
    /// The next record begins a segment.
    pub(crate) anew: bool,
    /// The last record lacks its end of line.
    pub(crate) unended: bool,
    /// What the next records have to say of it.
    pub(crate) notices: Vec<Event>,
    /// How many breaks there are.
    pub(crate) breaks: u64,
}

/// Finds the end of a log.
pub(crate) async fn find(segments: &dyn Segments) -> Result<End, SegmentError> {
    let all = segments.list().await?;
    let begin = all.len().saturating_sub(SEGMENTS_VERIFIED);
    let mut walk = match begin {
        0 => Walk::new(None),
        _ => Walk::from_within(),
    };
    let mut last = Bytes::new();
    for segment in all.get(begin..).unwrap_or_default() {
        last = whole(segments, segment).await?;
        walk.segment(segment.number, &last);
    }
    Ok(judge(all, &walk.finish(), &last))
}

fn judge(segments: Vec<Segment>, report: &Report, last: &[u8]) -> End {
    let mut end = End {
        head: report.head.unwrap_or(Head::NONE),
        anew: segments.is_empty(),
        segments,
        unended: report.tail == Tail::Unended,
        notices: Vec::new(),
        breaks: 0,
    };
    let Some(newest) = end.segments.last_mut() else {
        return end;
    };
    if let Tail::Unfinished { at, bytes } = report.tail {
        tracing::info!(
            segment = newest.number,
            bytes,
            "the audit log ended within a record, as a crash leaves it"
        );
        let at_index = usize::try_from(at).unwrap_or(usize::MAX);
        let text = String::from_utf8_lossy(last.get(at_index..).unwrap_or_default());
        end.notices.push(Event::Torn {
            bytes,
            text: clipped(&text, QUOTE_MAX),
        });
        newest.bytes = at;
    }
    let broken = match report.breaks.first() {
        Some(found) => {
            let spot = found.spot;
            let segment = spot.map_or(newest.number, |spot| spot.segment);
            Some((
                segment,
                spot.map_or(0, |spot| spot.line),
                found.flaw.to_string(),
            ))
        }
        // It was made for a record that never came to disk; or its records are gone, and more with them.
        None if newest.bytes == 0 && newest.number != end.head.sequence.saturating_add(1) => {
            Some((newest.number, 0, "its records are gone".to_owned()))
        }
        None => None,
    };
    if let Some((segment, line, reason)) = broken {
        tracing::error!(
            segment,
            line,
            reason,
            "the audit log does not verify: it was changed, or the disk lost a part of it; keep a copy of its files and run \
             `dunlin audit verify`. A new segment begins that names the break"
        );
        end.breaks = u64::try_from(report.breaks.len())
            .unwrap_or(u64::MAX)
            .max(1);
        // No number is given twice, nor one by which a segment is named already.
        end.head.sequence = report.highest.max(newest.number).max(end.head.sequence);
        end.anew = true;
        end.notices.push(Event::Broken {
            segment,
            line,
            reason,
        });
    }
    end
}
