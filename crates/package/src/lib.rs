//! Deployment packages: what a zip must be before anything of it is written anywhere.
//!
//! The same walk serves whoever accepts a package and whoever unpacks it, so that nothing can be unpacked that was not
//! acceptable. A package is refused as a whole:
//!
//! - names: no absolute path, no `..`, no backslash, no NUL, not longer or deeper than a file system takes; no two
//!   entries of one name; nothing beneath an entry that is not a directory;
//! - kinds: files, directories and symbolic links only. A link's target is relative, climbs only at its beginning and
//!   never above the root, and no entry lies beneath a link, so that no path through the package leaves it;
//! - sizes: the sum of what the directory declares, and what inflating really gives, both stay within the limit; an
//!   entry that gives more or less than it declares is damaged; all entries together hold no more compressed bytes than
//!   the zip has, so that entries cannot share their data.
//!
//! There is no limit on the ratio of one entry, because sizes are bounded in bytes before anything is inflated.
//!
//! Walking inflates every byte: it is work for a blocking thread.

use std::io::{Cursor, Read, Seek, SeekFrom};

use model::Limits;
use zip::{ZipArchive, result::ZipError};

mod entry;
mod plan;

use entry::Bounded;
pub use entry::{Entry, Kind};
use plan::{Planned, PlannedKind};

/// The signature that every entry of a zip's directory begins with.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";

/// What a package may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageLimits {
    /// Bytes of the zip.
    pub zipped: u64,
    /// Bytes of all files together.
    pub unzipped: u64,
    /// Entries.
    pub entries: u64,
}

impl From<&Limits> for PackageLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            zipped: limits.code_zipped.0,
            unzipped: limits.code_unzipped.0,
            entries: limits.code_entries,
        }
    }
}

/// What an acceptable package holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Entries of every kind.
    pub entries: u64,
    /// Bytes of all files together, as inflated.
    pub unzipped: u64,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Not a zip, a damaged one, or one that needs what is not supported here (encryption, rare compressions).
    #[error("the package is not a readable zip")]
    Unreadable(#[source] ZipError),
    /// A zip without any file.
    #[error("the package has no files")]
    Empty,
    /// Too large as uploaded.
    #[error("expected a package of at most {limit} bytes, got {size}")]
    ZippedTooLarge {
        /// The most that is allowed.
        limit: u64,
        /// What came.
        size: u64,
    },
    /// Too large once unpacked.
    #[error("expected a package of at most {limit} bytes once unpacked")]
    UnzippedTooLarge {
        /// The most that is allowed.
        limit: u64,
    },
    /// Too many entries.
    #[error("expected a package of at most {limit} entries")]
    TooManyEntries {
        /// The most that is allowed.
        limit: u64,
    },
    /// An entry with a name that cannot be unpacked safely.
    #[error("the entry {name:?} has an unsafe name: {why}")]
    UnsafeName {
        /// The name as far as it can be shown.
        name: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// Two entries with one name.
    #[error("two entries have the name {name:?}")]
    Duplicate {
        /// The name; empty if the zip's own directory hides it.
        name: String,
    },
    /// An entry beneath another one that is not a directory.
    #[error("the entry {name:?} lies beneath {parent:?}, which is not a directory")]
    BeneathNonDirectory {
        /// The entry.
        name: String,
        /// The entry above it.
        parent: String,
    },
    /// A device, a pipe or a socket.
    #[error("the entry {name:?} is neither file, directory nor symbolic link (mode {mode:o})")]
    SpecialFile {
        /// The entry.
        name: String,
        /// Its mode.
        mode: u32,
    },
    /// A symbolic link that may lead out of the package.
    #[error("the symbolic link {name:?} leads out of the package")]
    EscapingLink {
        /// The link.
        name: String,
    },
    /// Entries that together claim more compressed bytes than the zip has.
    #[error("entries of the package share their data")]
    SharedData,
    /// An entry that does not inflate to what it declares.
    #[error("the entry {name:?} is damaged")]
    Damaged {
        /// The entry.
        name: String,
        /// What reading it said, if it failed.
        #[source]
        source: Option<std::io::Error>,
    },
}

/// Why a walk over a package ended early.
#[derive(Debug, thiserror::Error)]
pub enum WalkError<E> {
    /// The package is not acceptable.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The visitor gave up.
    #[error("an entry could not be taken")]
    Visitor(#[source] E),
}

/// Checks a whole package, by inflating every byte of it.
///
/// # Errors
/// [`PackageError`]: the package must be refused.
pub fn inspect(zip: &[u8], limits: &PackageLimits) -> Result<Summary, PackageError> {
    let size = u64::try_from(zip.len()).unwrap_or(u64::MAX);
    if size > limits.zipped {
        return Err(PackageError::ZippedTooLarge {
            limit: limits.zipped,
            size,
        });
    }
    // Reading the directory costs memory by the entry, before it can be counted. Files that hold zips themselves have
    // signatures too, which is why twice the limit is still no reason to refuse.
    if count(zip, DIRECTORY_ENTRY) > limits.entries.saturating_mul(2) {
        return Err(PackageError::TooManyEntries {
            limit: limits.entries,
        });
    }
    let walked = for_each_entry(Cursor::new(zip), limits, |_| {
        Ok::<_, std::convert::Infallible>(())
    });
    walked.map_err(|error| match error {
        WalkError::Package(error) => error,
        WalkError::Visitor(never) => match never {},
    })
}

/// Walks over the entries of a package: names and kinds of all entries are checked before the first is visited,
/// contents as they are read. Directories come before what lies in them if the package has entries for them; it need
/// not. What the visitor leaves unread is read and checked after it.
///
/// Only the count of entries and their sizes are limited here: a package of untrusted origin goes through [`inspect`]
/// first, which also limits what reading its directory costs.
///
/// # Errors
/// [`WalkError::Package`] if the package is not acceptable, though some entries may have been visited by then;
/// [`WalkError::Visitor`] with the visitor's own error.
pub fn for_each_entry<R, E>(
    mut zip: R,
    limits: &PackageLimits,
    mut visit: impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<Summary, WalkError<E>>
where
    R: Read + Seek,
{
    let size = zip
        .seek(SeekFrom::End(0))
        .map_err(|e| PackageError::Unreadable(e.into()))?;
    let mut archive = ZipArchive::new(zip).map_err(PackageError::Unreadable)?;
    let planned = plan::plan(&mut archive, size, limits)?;
    let mut summary = Summary::default();
    for entry in planned {
        summary.entries += 1;
        summary.unzipped += visit_one(&mut archive, entry, &mut visit)?;
    }
    Ok(summary)
}

fn visit_one<R, E>(
    archive: &mut ZipArchive<R>,
    planned: Planned,
    visit: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<u64, WalkError<E>>
where
    R: Read + Seek,
{
    let Planned {
        index,
        path,
        mode,
        kind,
        size,
    } = planned;
    let content = archive.by_index(index).map_err(PackageError::Unreadable)?;
    let mut content = Bounded::new(content, size);
    match kind {
        PlannedKind::Directory => {
            content.finish(&path)?;
            visit(Entry {
                path: &path,
                mode,
                kind: Kind::Directory,
            })
            .map_err(WalkError::Visitor)?;
            Ok(0)
        }
        PlannedKind::Symlink => {
            let target = content.read_link_target(&path)?;
            plan::check_link(&path, &target)?;
            visit(Entry {
                path: &path,
                mode,
                kind: Kind::Symlink { target: &target },
            })
            .map_err(WalkError::Visitor)?;
            Ok(0)
        }
        PlannedKind::File => {
            let visited = visit(Entry {
                path: &path,
                mode,
                kind: Kind::File {
                    size,
                    content: &mut content,
                },
            });
            // A visitor that failed because the entry is damaged is not to blame.
            content.failure(&path)?;
            visited.map_err(WalkError::Visitor)?;
            content.finish(&path)?;
            Ok(size)
        }
    }
}

fn count(haystack: &[u8], needle: &[u8]) -> u64 {
    let found = haystack
        .windows(needle.len())
        .filter(|window| *window == needle)
        .count();
    u64::try_from(found).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
