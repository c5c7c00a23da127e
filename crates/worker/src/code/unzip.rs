//! Writes a deployment package out. What a package may be is settled by the `package` crate, by the same walk that
//! accepted it; here it only becomes files.
//!
//! Modes are normalised: 0755 for directories and for files that anybody may execute, 0644 for other files. Symbolic
//! links are made last, so that nothing is ever written through one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Cursor, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use package::{Kind, PackageLimits, WalkError};

/// What could not be written.
#[derive(Debug, thiserror::Error)]
#[error("writing {path:?}")]
pub(crate) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Why a package cannot be unpacked.
pub(crate) type UnzipError = WalkError<WriteError>;

/// Unpacks into an empty directory and answers how many bytes that were.
pub(crate) fn unzip(bytes: &[u8], into: &Path, limits: &PackageLimits) -> Result<u64, UnzipError> {
    set_mode(into, 0o755).map_err(WalkError::Visitor)?;
    let mut links = Vec::new();
    let summary = package::for_each_entry(Cursor::new(bytes), limits, |entry| match entry.kind {
        Kind::Directory => make_directories(into, Path::new(entry.path)),
        Kind::File { content, .. } => {
            let executable = entry.mode.is_some_and(|mode| mode & 0o111 != 0);
            write_file(into, Path::new(entry.path), executable, content)
        }
        Kind::Symlink { target } => {
            links.push((entry.path.to_owned(), target.to_owned()));
            Ok(())
        }
    })?;
    for (path, target) in &links {
        make_link(into, Path::new(path), target).map_err(WalkError::Visitor)?;
    }
    Ok(summary.unzipped)
}

fn make_directories(into: &Path, path: &Path) -> Result<(), WriteError> {
    let mut at = into.to_owned();
    for part in path.components() {
        at.push(part);
        match fs::create_dir(&at) {
            Ok(()) => set_mode(&at, 0o755)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&at, error)),
        }
    }
    Ok(())
}

fn write_file(
    into: &Path,
    path: &Path,
    executable: bool,
    content: &mut dyn Read,
) -> Result<(), WriteError> {
    if let Some(parent) = path.parent() {
        make_directories(into, parent)?;
    }
    let at = into.join(path);
    let mode = if executable { 0o755 } else { 0o644 };
    // `create_new` follows no link and overwrites nothing.
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&at);
    let mut file = opened.map_err(|e| failed(&at, e))?;
    io::copy(content, &mut file).map_err(|e| failed(&at, e))?;
    // The mode of `open` went through the umask.
    set_mode_of(&file, &at, mode)
}

fn make_link(into: &Path, path: &Path, target: &str) -> Result<(), WriteError> {
    if let Some(parent) = path.parent() {
        make_directories(into, parent)?;
    }
    let at = into.join(path);
    std::os::unix::fs::symlink(target, &at).map_err(|e| failed(&at, e))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), WriteError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| failed(path, e))
}

fn set_mode_of(file: &File, path: &Path, mode: u32) -> Result<(), WriteError> {
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(|e| failed(path, e))
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use model::Limits;
    use package::PackageError;
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    use super::*;

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
        unzip(
            &pack(entries),
            &inside,
            &PackageLimits::from(&Limits::default()),
        )?;
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
            ("lib/link", 0o120_777, b"deep/data.txt"),
        ])
        .unwrap();
        let task = dir.path().join("task");
        assert_eq!(mode_of(&task), 0o755);
        assert_eq!(mode_of(&task.join("app.py")), 0o644);
        assert_eq!(mode_of(&task.join("bootstrap")), 0o755);
        assert_eq!(mode_of(&task.join("lib/deep")), 0o755);
        assert_eq!(mode_of(&task.join("empty")), 0o755);
        assert_eq!(fs::read_to_string(task.join("lib/link")).unwrap(), "data");
    }

    #[test]
    fn what_the_rules_refuse_writes_nothing_outside() {
        for entries in [
            &[("../evil", 0o100_644, &b"x"[..])][..],
            &[("/etc/evil", 0o100_644, b"x")],
            &[("link", 0o120_777, b"/etc/passwd")],
            &[
                ("dir", 0o120_777, b"lib"),
                ("lib/a", 0o100_644, b"a"),
                ("dir/b", 0o100_644, b"b"),
            ],
            &[("a", 0o100_644, b"1"), ("./a", 0o100_644, b"2")],
        ] {
            let refused = check(entries);
            assert!(
                matches!(refused, Err(WalkError::Package(_))),
                "{entries:?}: {refused:?}"
            );
        }
    }

    #[test]
    fn sizes_are_those_that_accepted_the_package() {
        let bytes = pack(&[
            ("a", 0o100_644, &[b'x'; 600]),
            ("b", 0o100_644, &[b'x'; 600]),
        ]);
        let unpack = |unzipped| {
            let dir = tempfile::tempdir().unwrap();
            unzip(
                &bytes,
                dir.path(),
                &PackageLimits {
                    zipped: 1 << 20,
                    unzipped,
                    entries: 10,
                },
            )
        };
        let refused = unpack(1000);
        assert!(
            matches!(
                refused,
                Err(WalkError::Package(PackageError::UnzippedTooLarge {
                    limit: 1000
                }))
            ),
            "{refused:?}"
        );
        assert_eq!(unpack(1200).unwrap(), 1200);
    }

    #[test]
    fn a_directory_that_is_not_there_is_this_machines_fault() {
        let nowhere = Path::new("/nonexistent/task");
        let refused = unzip(
            &pack(&[("a", 0o100_644, b"x")]),
            nowhere,
            &PackageLimits::from(&Limits::default()),
        );
        assert!(matches!(refused, Err(WalkError::Visitor(_))), "{refused:?}");
    }
}
