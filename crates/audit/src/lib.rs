//! The audit log of one frontend: who asked for what, from where, and what became of it.
//!
//! A record is one line of JSON that carries the hash of the record before it and its own ([`line`]); so the records are a
//! chain, and whoever knows one hash of it can prove that nothing before was changed, taken out or put in ([`Walk`]). The
//! chain goes on across files and restarts. [`Recorder`] writes it: callers bring an [`Event`] and get an answer when it is
//! on disk. [`page`] reads it.
//!
//! What this crate is not: it knows no operation of any API and decides nothing about who may call. It does not protect the
//! log from whoever owns the disk: such a one can write a whole new chain, and is found out only by a hash that was kept
//! elsewhere.
//!
//! Invariants: a record is numbered, linked and written by one task; nothing is appended behind bytes that were not
//! synced; what cannot be recorded is refused before it is done; every queue has a bound.

mod batch;
pub mod line;
mod page;
mod record;
mod recorder;
mod resume;
#[cfg(test)]
mod testing;
mod walk;
mod writer;

pub use line::Head;
pub use page::{Cursor, Filter, InvalidCursor, Page, page};
pub use record::{Api, Call, Event, Outcome, clipped};
pub use recorder::{Figures, Options, Place, Recorder, Unrecorded};
pub use walk::{Break, Flaw, Report, Spot, Tail, Walk};

use bytes::{Bytes, BytesMut};
use host::{
    Segments,
    segments::{Segment, SegmentError},
};

/// How much of a segment is read at a time.
const CHUNK: usize = 1 << 20;

/// Verifies all segments of an audit log. `wanted` is a head that was seen before: its record must be there.
///
/// # Errors
/// [`SegmentError`] if a segment cannot be read. What is wrong with the chain is in the [`Report`].
pub async fn verify(segments: &dyn Segments, wanted: Option<Head>) -> Result<Report, SegmentError> {
    let mut walk = Walk::new(wanted);
    for segment in segments.list().await? {
        walk.segment(segment.number, &whole(segments, &segment).await?);
    }
    Ok(walk.finish())
}

/// Everything that was in a segment when it was listed; segments have a bounded size.
async fn whole(segments: &dyn Segments, segment: &Segment) -> Result<Bytes, SegmentError> {
    let mut bytes = BytesMut::new();
    loop {
        let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let chunk = segments.read(segment.number, at, CHUNK).await?;
        bytes.extend_from_slice(&chunk);
        if chunk.len() < CHUNK {
            return Ok(bytes.freeze());
        }
    }
}
