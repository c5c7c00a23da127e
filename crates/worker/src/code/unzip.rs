//! Unpacks a deployment package. Nothing in a package is trusted: not its paths, its sizes, nor its links.
//!
//! Modes are normalised: 0755 for directories and for files that anybody may execute, 0644 for other files. Symbolic
//! links are made last, so that nothing is ever written through one.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Cursor, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use zip::{ZipArchive, result::ZipError};

/// The most that a package may hold, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// The longest target of a symbolic link.
const TARGET_MAX: u64 = 4096;
/// Directories inside which an absolute link may point: what it finds there belongs to the environment itself.
const ABSOLUTE_TARGETS: [&str; 3] = ["/var/task", "/opt", "/tmp"];

/// Why a package cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnzipError {
    #[error("expected a zip archive")]
    Archive(#[source] ZipError),
    #[error("expected at most {0} entries, got more")]
    TooManyEntries(u64),
    #[error("expected at most {0} bytes unpacked, got more")]
    TooLarge(u64),
    #[error("expected a relative path without `..`, got {0:?}")]
    Path(String),
    #[error("expected files, directories and symbolic links, got something else at {0:?}")]
    Special(String),
    #[error("expected a link that stays inside the package, got {0:?}")]
    Link(String),
    #[error("expected one entry under each path, got several at {0:?}")]
    Collision(String),
    #[error("writing {path:?}")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl UnzipError {
    /// Whether this machine is at fault and not the package.
    pub(crate) fn is_disk(&self) -> bool {
        matches!(self, Self::Disk { .. })
    }
}

/// Unpacks into an empty directory and answers how many bytes that were.
pub(crate) fn unzip(bytes: &[u8], into: &Path, bounds: Bounds) -> Result<u64, UnzipError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(UnzipError::Archive)?;
    if u64::try_from(archive.len()).unwrap_or(u64::MAX) > bounds.entries {
        return Err(UnzipError::TooManyEntries(bounds.entries));
    }
    set_mode(into, 0o755)?;
    let mut written = 0;
    let mut links = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(UnzipError::Archive)?;
        let name = entry.name().map_err(UnzipError::Archive)?.into_owned();
        let path = relative(&name)?;
        match kind(entry.unix_mode(), entry.is_dir()) {
            Kind::Directory => make_directories(into, &path, &name)?,
            Kind::File { executable } => {
                if let Some(parent) = path.parent() {
                    make_directories(into, parent, &name)?;
                }
                let left = bounds.bytes - written;
                written += write_file(&mut entry, &into.join(&path), &name, executable, left)
                    .map_err(|e| match e {
                        UnzipError::TooLarge(_) => UnzipError::TooLarge(bounds.bytes),
                        other => other,
                    })?;
            }
            Kind::Link => {
                let mut target = String::new();
                let read = entry.by_ref().take(TARGET_MAX).read_to_string(&mut target);
                read.map_err(|_| UnzipError::Link(name.clone()))?;
                check_target(&path, &target).ok_or_else(|| UnzipError::Link(name.clone()))?;
                if links.insert(path, target).is_some() {
                    return Err(UnzipError::Collision(name));
                }
            }
            Kind::Special => return Err(UnzipError::Special(name)),
        }
    }
    for (path, target) in &links {
        make_link(into, path, target)?;
    }
    Ok(written)
}

enum Kind {
    Directory,
    File { executable: bool },
    Link,
    Special,
}

fn kind(mode: Option<u32>, is_dir: bool) -> Kind {
    let mode = mode.unwrap_or(0);
    match mode & 0o170_000 {
        0o120_000 => Kind::Link,
        0o040_000 => Kind::Directory,
        0 | 0o100_000 if is_dir => Kind::Directory,
        0 | 0o100_000 => Kind::File {
            executable: mode & 0o111 != 0,
        },
        _ => Kind::Special,
    }
}

/// The path of an entry. Empty and `.` parts mean nothing; what leads up or to the root is refused.
fn relative(name: &str) -> Result<PathBuf, UnzipError> {
    let bad = || UnzipError::Path(name.chars().take(300).collect());
    if name.contains('\0') {
        return Err(bad());
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(bad()),
        }
    }
    Ok(path)
}

/// Whether a link at `path` may point there: it never leads out of the package on its way.
fn check_target(path: &Path, target: &str) -> Option<()> {
    if target.is_empty() || target.contains('\0') {
        return None;
    }
    let target = Path::new(target);
    if target.is_absolute() {
        let plain = target
            .components()
            .all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        let inside = ABSOLUTE_TARGETS.iter().any(|root| target.starts_with(root));
        return (plain && inside).then_some(());
    }
    let mut depth = path.components().count().checked_sub(1)?;
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1)?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(())
}

fn make_directories(into: &Path, path: &Path, name: &str) -> Result<(), UnzipError> {
    let mut at = into.to_owned();
    for part in path.components() {
        at.push(part);
        match fs::create_dir(&at) {
            Ok(()) => set_mode(&at, 0o755)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = fs::symlink_metadata(&at).map_err(|e| disk(&at, e))?;
                if !found.is_dir() {
                    return Err(UnzipError::Collision(name.to_owned()));
                }
            }
            Err(error) => return Err(disk(&at, error)),
        }
    }
    Ok(())
}

fn write_file(
    entry: &mut impl Read,
    path: &Path,
    name: &str,
    executable: bool,
    left: u64,
) -> Result<u64, UnzipError> {
    let mode = if executable { 0o755 } else { 0o644 };
    // `create_new` follows no link and overwrites nothing.
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(UnzipError::Collision(name.to_owned()));
        }
        Err(error) => return Err(disk(path, error)),
    };
    let mut written = 0u64;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = entry
            .read(&mut buffer)
            .map_err(|e| UnzipError::Archive(ZipError::Io(e)))?;
        let Some(chunk) = buffer.get(..n).filter(|c| !c.is_empty()) else {
            break;
        };
        written += u64::try_from(n).unwrap_or(u64::MAX);
        if written > left {
            return Err(UnzipError::TooLarge(left));
        }
        file.write_all(chunk).map_err(|e| disk(path, e))?;
    }
    // The mode of `open` went through the umask.
    set_mode_of(&file, path, mode)?;
    Ok(written)
}

fn make_link(into: &Path, path: &Path, target: &str) -> Result<(), UnzipError> {
    let name = || path.to_string_lossy().into_owned();
    // Its parents are made like everybody's; a link made before is no directory, so nothing goes through it.
    if let Some(parent) = path.parent() {
        make_directories(into, parent, &name())?;
    }
    let at = into.join(path);
    match std::os::unix::fs::symlink(target, &at) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(UnzipError::Collision(name()))
        }
        Err(error) => Err(disk(&at, error)),
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), UnzipError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| disk(path, e))
}

fn set_mode_of(file: &File, path: &Path, mode: u32) -> Result<(), UnzipError> {
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(|e| disk(path, e))
}

fn disk(path: &Path, source: io::Error) -> UnzipError {
    UnzipError::Disk {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    use super::*;

    const ROOMY: Bounds = Bounds {
        bytes: 1 << 20,
        entries: 100,
    };

    /// Name, mode with its file type, content.
    fn pack(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in entries {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .unix_permissions(*mode);
            match mode & 0o170_000 {
                0o040_000 => zip.add_directory(*name, options).unwrap(),
                0o120_000 => zip
                    .add_symlink(*name, std::str::from_utf8(content).unwrap(), options)
                    .unwrap(),
                _ => {
                    zip.start_file(*name, options).unwrap();
                    zip.write_all(content).unwrap();
                }
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn check(entries: &[(&str, u32, &[u8])]) -> Result<tempfile::TempDir, UnzipError> {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("task");
        fs::create_dir(&inside).unwrap();
        unzip(&pack(entries), &inside, ROOMY)?;
        Ok(dir)
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn files_keep_their_execute_bit_and_nothing_else() {
        let dir = check(&[
            ("app.py", 0o100_600, b"x = 1\n"),
            ("bootstrap", 0o104_711, b"#!/bin/sh\n"),
            ("lib/deep/data.txt", 0o100_644, b"data"),
            ("empty/", 0o040_700, b""),
            ("lib/link", 0o120_777, b"deep/../deep/data.txt"),
            ("abs", 0o120_777, b"/opt/lib"),
        ])
        .unwrap();
        let task = dir.path().join("task");
        assert_eq!(mode_of(&task), 0o755);
        assert_eq!(mode_of(&task.join("app.py")), 0o644);
        assert_eq!(mode_of(&task.join("bootstrap")), 0o755);
        assert_eq!(mode_of(&task.join("lib/deep")), 0o755);
        assert_eq!(mode_of(&task.join("empty")), 0o755);
        assert_eq!(fs::read_to_string(task.join("lib/link")).unwrap(), "data");
        assert_eq!(
            fs::read_link(task.join("abs")).unwrap(),
            Path::new("/opt/lib")
        );
    }

    #[test]
    fn a_package_cannot_write_outside() {
        for name in ["../evil", "/etc/evil", "a/../../evil"] {
            match check(&[(name, 0o100_644, b"x")]) {
                Err(UnzipError::Path(_)) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn links_cannot_lead_outside_nor_be_written_through() {
        for target in [
            "..",
            "../x",
            "/etc/passwd",
            "a/../../x",
            "",
            "/opt/../etc/passwd",
            "/optional",
        ] {
            let got = check(&[("link", 0o120_777, target.as_bytes())]);
            assert!(matches!(got, Err(UnzipError::Link(_))), "{target}");
        }
        let through = check(&[
            ("dir", 0o120_777, b"lib"),
            ("lib/a", 0o100_644, b"a"),
            ("dir/b", 0o100_644, b"b"),
        ]);
        assert!(matches!(through, Err(UnzipError::Collision(_))));
        let chained = check(&[("a/b", 0o120_777, b"../c"), ("a", 0o120_777, b"/tmp")]);
        assert!(matches!(chained, Err(UnzipError::Collision(_))));
    }

    #[test]
    fn devices_and_pipes_are_refused() {
        assert!(matches!(kind(Some(0o010_644), false), Kind::Special));
        assert!(matches!(kind(Some(0o020_644), false), Kind::Special));
        assert!(matches!(kind(Some(0o140_644), false), Kind::Special));
        assert!(matches!(
            kind(None, false),
            Kind::File { executable: false }
        ));
        assert!(matches!(kind(None, true), Kind::Directory));
    }

    #[test]
    fn sizes_are_bounded_by_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = pack(&[
            ("a", 0o100_644, &[b'x'; 600]),
            ("b", 0o100_644, &[b'x'; 600]),
        ]);
        let got = unzip(
            &bytes,
            dir.path(),
            Bounds {
                bytes: 1000,
                entries: 10,
            },
        );
        assert!(matches!(got, Err(UnzipError::TooLarge(1000))), "{got:?}");
        let got = unzip(
            &bytes,
            dir.path(),
            Bounds {
                bytes: 1 << 20,
                entries: 1,
            },
        );
        assert!(matches!(got, Err(UnzipError::TooManyEntries(1))));
        let other = tempfile::tempdir().unwrap();
        assert_eq!(
            unzip(
                &bytes,
                other.path(),
                Bounds {
                    bytes: 1200,
                    entries: 2
                }
            )
            .unwrap(),
            1200
        );
    }

    #[test]
    fn the_same_path_twice_is_refused() {
        let got = check(&[("a", 0o100_644, b"1"), ("./a", 0o100_644, b"2")]);
        assert!(matches!(got, Err(UnzipError::Collision(_))), "{got:?}");
        let got = check(&[("a", 0o100_644, b"1"), ("a/b", 0o100_644, b"2")]);
        assert!(matches!(got, Err(UnzipError::Collision(_))), "{got:?}");
    }
}
