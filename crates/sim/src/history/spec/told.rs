//! States as operators read them.

use std::fmt;

use model::RevisionId;

use super::{Phase, State, Text};
use crate::history::op::Short;

/// A state in words.
pub(in crate::history) struct Told<'a>(
    pub(in crate::history) &'a State,
    pub(in crate::history) &'a [String],
);

impl Told<'_> {
    fn text(&self, text: Text) -> &str {
        let at = usize::try_from(text.0).unwrap_or(usize::MAX);
        self.1.get(at).map_or("?", String::as_str)
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(function) = &self.0.0 else {
            return f.write_str("there is no such function");
        };
        let (word, revision) = match function.latest.phase {
            Phase::Begun(r) => ("begun", r),
            Phase::Ended(r) => ("ended", r),
        };
        let marker = self.text(function.latest.marker);
        write!(f, "$LATEST {marker:?} (update {word}{})", Under(revision))?;
        for v in &function.versions {
            if v.marker == Text(u32::MAX) {
                write!(f, "; {} of no interest", v.number)?;
                continue;
            }
            write!(
                f,
                "; {} {:?}{}",
                v.number,
                self.text(v.marker),
                Under(v.revision)
            )?;
        }
        for a in &function.aliases {
            let (name, marker) = (self.text(a.name), self.text(a.marker));
            write!(
                f,
                "; {name} -> {} {marker:?}{}",
                a.version,
                Under(a.revision)
            )?;
        }
        write!(f, "; next version {}", function.next)
    }
}

struct Under(Option<RevisionId>);

impl fmt::Display for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(revision) => write!(f, ", revision {}", Short(revision)),
            None => f.write_str(", revision not known"),
        }
    }
}
