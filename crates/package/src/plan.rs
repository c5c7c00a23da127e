//! The first pass: everything that a zip's directory says is judged before anything is inflated.

use std::{
    cmp::Ordering,
    io::{Read, Seek},
};

use zip::ZipArchive;

use super::{PackageError, PackageLimits};

/// Longest path, in bytes: what Linux takes, without its final NUL.
const PATH_MAX: usize = 4095;
/// Longest name between two slashes, in bytes.
const NAME_MAX: usize = 255;
/// Most names in a path.
const DEPTH_MAX: usize = 128;

const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;
const PERMISSIONS: u32 = 0o777;

/// An entry that may be visited.
pub(super) struct Planned {
    pub(super) index: usize,
    pub(super) path: String,
    pub(super) mode: Option<u32>,
    pub(super) kind: PlannedKind,
    /// The declared size; nothing but that many bytes is taken for the entry.
    pub(super) size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PlannedKind {
    Directory,
    File,
    Symlink,
}

/// The entries of a zip of `zip_size` bytes, parents before children.
pub(super) fn plan<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    zip_size: u64,
    limits: &PackageLimits,
) -> Result<Vec<Planned>, PackageError> {
    if u64::try_from(archive.len()).unwrap_or(u64::MAX) > limits.entries {
        return Err(PackageError::TooManyEntries {
            limit: limits.entries,
        });
    }
    if archive.has_duplicate_names() {
        return Err(PackageError::Duplicate {
            name: String::new(),
        });
    }
    let (mut unzipped, mut zipped) = (0_u64, 0_u64);
    let mut planned = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive
            .by_index_data(index)
            .map_err(PackageError::Unreadable)?;
        let name = match std::str::from_utf8(entry.name_raw()) {
            Ok(name) => name.to_owned(),
            Err(_) => entry.name().map_err(PackageError::Unreadable)?.into_owned(),
        };
        let (path, slash) = check_name(&name)?;
        let mode = entry.external_attributes() >> 16;
        let kind = kind(&name, mode, slash)?;
        unzipped = unzipped.saturating_add(entry.size());
        zipped = zipped.saturating_add(entry.compressed_size());
        if unzipped > limits.unzipped {
            return Err(PackageError::UnzippedTooLarge {
                limit: limits.unzipped,
            });
        }
        if zipped > zip_size {
            return Err(PackageError::SharedData);
        }
        // The root itself has an entry in some zips.
        if path.is_empty() && kind == PlannedKind::Directory {
            continue;
        }
        if path.is_empty() {
            return Err(unsafe_name(&name, "it names nothing"));
        }
        let mode = (mode != 0).then_some(mode & PERMISSIONS);
        planned.push(Planned {
            index,
            path,
            mode,
            kind,
            size: entry.size(),
        });
    }
    if planned
        .iter()
        .all(|entry| entry.kind == PlannedKind::Directory)
    {
        return Err(PackageError::Empty);
    }
    planned.sort_unstable_by(|a, b| compare(&a.path, &b.path));
    check_tree(&planned)?;
    Ok(planned)
}

/// A link may climb at its beginning only: behind a name, which may be another link, `..` would climb from wherever that
/// leads. The directories above a link are real ones, because no entry lies beneath a link.
pub(super) fn check_link(path: &str, target: &str) -> Result<(), PackageError> {
    let escaping = || PackageError::EscapingLink {
        name: path.to_owned(),
    };
    if target.is_empty() || target.starts_with('/') || target.contains(['\0', '\\']) {
        return Err(escaping());
    }
    let mut height = path.matches('/').count();
    let mut descended = false;
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." if descended => return Err(escaping()),
            ".." => height = height.checked_sub(1).ok_or_else(escaping)?,
            _ => descended = true,
        }
    }
    Ok(())
}

/// The path without `.` and doubled slashes, and whether the name ends with a slash.
fn check_name(name: &str) -> Result<(String, bool), PackageError> {
    for (bad, why) in [
        ('\0', "it has a NUL in it"),
        ('\\', "it has a backslash in it"),
    ] {
        if name.contains(bad) {
            return Err(unsafe_name(name, why));
        }
    }
    if name.starts_with('/') {
        return Err(unsafe_name(name, "it is an absolute path"));
    }
    if name.len() > PATH_MAX {
        return Err(unsafe_name(name, "it is too long"));
    }
    let names: Vec<&str> = name
        .split('/')
        .filter(|n| !n.is_empty() && *n != ".")
        .collect();
    if names.contains(&"..") {
        return Err(unsafe_name(name, "it climbs with `..`"));
    }
    if names.len() > DEPTH_MAX || names.iter().any(|n| n.len() > NAME_MAX) {
        return Err(unsafe_name(
            name,
            "it is too deep, or a name in it is too long",
        ));
    }
    Ok((names.join("/"), name.ends_with('/')))
}

/// The kind that the mode's type says; without a type, a name that ends with a slash is a directory.
fn kind(name: &str, mode: u32, slash: bool) -> Result<PlannedKind, PackageError> {
    match (mode & TYPE_MASK, slash) {
        (0 | DIRECTORY, true) | (DIRECTORY, false) => Ok(PlannedKind::Directory),
        (0 | REGULAR, false) => Ok(PlannedKind::File),
        (SYMLINK, false) => Ok(PlannedKind::Symlink),
        _ => Err(PackageError::SpecialFile {
            name: shown(name),
            mode,
        }),
    }
}

/// By path, `/` before every other character: what lies beneath a path follows right behind it.
fn compare(a: &str, b: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

fn check_tree(sorted: &[Planned]) -> Result<(), PackageError> {
    for pair in sorted.windows(2) {
        let [first, second] = pair else { continue };
        let Some(rest) = second.path.strip_prefix(&first.path) else {
            continue;
        };
        if rest.is_empty() {
            return Err(PackageError::Duplicate {
                name: shown(&second.path),
            });
        }
        if rest.starts_with('/') && first.kind != PlannedKind::Directory {
            return Err(PackageError::BeneathNonDirectory {
                name: shown(&second.path),
                parent: shown(&first.path),
            });
        }
    }
    Ok(())
}

fn unsafe_name(name: &str, why: &'static str) -> PackageError {
    PackageError::UnsafeName {
        name: shown(name),
        why,
    }
}

fn shown(name: &str) -> String {
    name.chars().take(200).collect()
}
