//! The directory that packs lie in, one directory each.

use std::{
    fmt, fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use model::Digest;

use super::{MANIFEST, Manifest, ManifestError, Pack, manifest::LENGTH_MAX};

/// The most packs of a directory.
const PACKS_MAX: usize = 64;
/// The most files and directories of a pack.
const ENTRIES_MAX: usize = 100_000;
/// What the name of a directory begins with while a pack is copied into it.
const HALF_DONE: char = '.';

/// The name of a pack, which is that of its directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// A text that names no pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a name of 1 to 64 lower-case letters, digits, dots and hyphens that begins with a letter, got {0:?}"
)]
pub struct NameError(String);

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if begins && text.len() <= 64 && text.chars().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a directory of packs, or one of them, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Something cannot be read or written.
    #[error("{path}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory without a manifest, or with one that is none.
    #[error("{path}")]
    Manifest {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// A pack that is there already.
    #[error("there is a pack {0} already; `dunlin runtime remove {0}` takes it away")]
    Taken(Name),
    /// A pack that is not there.
    #[error("there is no pack {name} in {dir}")]
    Absent {
        /// What was asked for.
        name: Name,
        /// Where.
        dir: PathBuf,
    },
    /// Too many of something.
    #[error("expected at most {max} {what}, got more in {path}")]
    Many {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
        /// Where.
        path: PathBuf,
    },
    /// What no pack may have inside.
    #[error("{0}: expected files, directories, and links that stay inside the pack")]
    Kind(PathBuf),
}

impl ShelfError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// A directory of packs.
#[derive(Clone, Debug)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// The packs in this directory, which need not exist.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    /// Every pack in order of name, or what is wrong with it.
    ///
    /// # Errors
    /// [`ShelfError`] if the directory cannot be read, or has too many packs.
    pub fn all(&self) -> Result<Vec<Result<Pack, ShelfError>>, ShelfError> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(ShelfError::io(&self.0))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(ShelfError::io(&self.0))?;
            let is_dir = fs::metadata(entry.path()).is_ok_and(|m| m.is_dir());
            let name = entry.file_name().to_string_lossy().parse::<Name>();
            if let (true, Ok(name)) = (is_dir, name) {
                names.push(name);
            }
            if names.len() > PACKS_MAX {
                return Err(self.many("packs", PACKS_MAX));
            }
        }
        names.sort();
        Ok(names.into_iter().map(|name| self.read(name)).collect())
    }

    /// Copies a directory in as a pack.
    ///
    /// # Errors
    /// [`ShelfError`] if it is none, or if there is one of this name.
    pub fn add(&self, name: Name, from: &Path) -> Result<Pack, ShelfError> {
        read(name.clone(), from)?;
        let place = self.0.join(&name.0);
        if fs::symlink_metadata(&place).is_ok() {
            return Err(ShelfError::Taken(name));
        }
        fs::create_dir_all(&self.0).map_err(ShelfError::io(&self.0))?;
        let half = self.0.join(format!("{HALF_DONE}{name}"));
        clear(&half)?;
        let copied = Copying {
            from,
            to: &half,
            entries: 0,
        }
        .run();
        let done = copied.and_then(|()| fs::rename(&half, &place).map_err(ShelfError::io(&place)));
        if let Err(error) = done {
            clear(&half)?;
            return Err(error);
        }
        self.read(name)
    }

    /// Takes a pack away. What a worker has started goes on.
    ///
    /// # Errors
    /// [`ShelfError`] if it is not there or cannot be taken away.
    pub fn remove(&self, name: Name) -> Result<(), ShelfError> {
        let place = self.0.join(&name.0);
        if fs::symlink_metadata(&place).is_err() {
            return Err(ShelfError::Absent {
                name,
                dir: self.0.clone(),
            });
        }
        // By its other name first, so that nobody sees a half of it.
        let half = self.0.join(format!("{HALF_DONE}{name}"));
        clear(&half)?;
        fs::rename(&place, &half).map_err(ShelfError::io(&place))?;
        clear(&half)
    }

    fn read(&self, name: Name) -> Result<Pack, ShelfError> {
        let dir = self.0.join(&name.0);
        read(name, &dir)
    }

    fn many(&self, what: &'static str, max: usize) -> ShelfError {
        ShelfError::Many {
            what,
            max,
            path: self.0.clone(),
        }
    }
}

fn read(name: Name, dir: &Path) -> Result<Pack, ShelfError> {
    let path = dir.join(MANIFEST);
    let length = fs::metadata(&path).map_err(ShelfError::io(&path))?.len();
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| ShelfError::Manifest { path, source }
    };
    if length > LENGTH_MAX as u64 {
        return Err(wrong(&path)(ManifestError::Length("all")));
    }
    let text = fs::read_to_string(&path).map_err(ShelfError::io(&path))?;
    let manifest: Manifest = text.parse().map_err(wrong(&path))?;
    let mut identity = text;
    list(dir, dir, &mut 0, &mut identity)?;
    Ok(Pack {
        name,
        manifest,
        dir: std::path::absolute(dir).map_err(ShelfError::io(dir))?,
        fingerprint: Digest::of(identity.as_bytes()),
    })
}

/// Appends every file below `dir` with its length, in order of name.
fn list(root: &Path, dir: &Path, entries: &mut usize, into: &mut String) -> Result<(), ShelfError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(ShelfError::io(dir))? {
        paths.push(entry.map_err(ShelfError::io(dir))?.path());
        count(root, entries)?;
    }
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path).map_err(ShelfError::io(&path))?;
        if metadata.is_dir() {
            list(root, &path, entries, into)?;
        } else {
            let within = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
            into.push_str(&format!("\n{within} {}", metadata.len()));
        }
    }
    Ok(())
}

fn count(root: &Path, entries: &mut usize) -> Result<(), ShelfError> {
    *entries += 1;
    if *entries > ENTRIES_MAX {
        return Err(ShelfError::Many {
            what: "files",
            max: ENTRIES_MAX,
            path: root.to_owned(),
        });
    }
    Ok(())
}

fn clear(dir: &Path) -> Result<(), ShelfError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ShelfError::io(dir)(error)),
        _ => Ok(()),
    }
}

/// Copies a tree so that everybody may read it, as the code in a sandbox is nobody.
struct Copying<'a> {
    from: &'a Path,
    to: &'a Path,
    entries: usize,
}

impl Copying<'_> {
    fn run(&mut self) -> Result<(), ShelfError> {
        self.copy_dir(Path::new(""))
    }

    fn copy_dir(&mut self, within: &Path) -> Result<(), ShelfError> {
        let (from, to) = (self.from.join(within), self.to.join(within));
        fs::create_dir(&to).map_err(ShelfError::io(&to))?;
        mode(&to, 0o755)?;
        for entry in fs::read_dir(&from).map_err(ShelfError::io(&from))? {
            let entry = entry.map_err(ShelfError::io(&from))?;
            count(self.from, &mut self.entries)?;
            let within = within.join(entry.file_name());
            let kind = entry.file_type().map_err(ShelfError::io(&entry.path()))?;
            if kind.is_dir() {
                self.copy_dir(&within)?;
            } else {
                self.copy(&within, kind)?;
            }
        }
        Ok(())
    }

    fn copy(&self, within: &Path, kind: fs::FileType) -> Result<(), ShelfError> {
        let (from, to) = (self.from.join(within), self.to.join(within));
        if kind.is_symlink() {
            let target = fs::read_link(&from).map_err(ShelfError::io(&from))?;
            if !stays_inside(within, &target) {
                return Err(ShelfError::Kind(from));
            }
            return symlink(target, &to).map_err(ShelfError::io(&to));
        }
        if !kind.is_file() {
            return Err(ShelfError::Kind(from));
        }
        fs::copy(&from, &to).map_err(ShelfError::io(&from))?;
        let metadata = fs::metadata(&from).map_err(ShelfError::io(&from))?;
        // A JVM's archive of classes is only for files of the same time.
        let time = metadata.modified().map_err(ShelfError::io(&from))?;
        let copy = fs::File::options().write(true).open(&to);
        copy.and_then(|file| file.set_modified(time))
            .map_err(ShelfError::io(&to))?;
        let runs = metadata.permissions().mode() & 0o111 != 0;
        mode(&to, if runs { 0o755 } else { 0o644 })
    }
}

fn mode(path: &Path, mode: u32) -> Result<(), ShelfError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(ShelfError::io(path))
}

/// Whether a link at this place in a pack leads to another place in it.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.parent().map_or(0, |dir| dir.components().count());
    target.components().all(|component| match component {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::ParentDir if depth > 0 => {
            depth -= 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::manifest::tests::JAVA, *};

    fn source() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MANIFEST), JAVA).unwrap();
        fs::create_dir_all(dir.path().join("lib/deep")).unwrap();
        fs::write(dir.path().join("lib/deep/a.jar"), "jar").unwrap();
        fs::set_permissions(
            dir.path().join("lib/deep/a.jar"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        symlink("deep/a.jar", dir.path().join("lib/b.jar")).unwrap();
        dir
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_pack_is_added_listed_and_removed() {
        let (from, place) = (source(), tempfile::tempdir().unwrap());
        let shelf = Shelf::new(place.path().join("packs"));
        assert!(
            shelf.all().unwrap().is_empty(),
            "a directory that is not there has none"
        );
        let added = shelf.add(name("java"), from.path()).unwrap();
        assert_eq!(added.name, name("java"));
        assert!(
            added.serves("java17".parse().unwrap()) && !added.serves("java21".parse().unwrap())
        );
        let jar = added.dir().join("lib/b.jar");
        assert_eq!(fs::read_to_string(&jar).unwrap(), "jar");
        assert_eq!(
            fs::metadata(jar).unwrap().permissions().mode() & 0o777,
            0o644
        );
        let all: Vec<Pack> = shelf
            .all()
            .unwrap()
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(all, std::slice::from_ref(&added));

        assert!(matches!(
            shelf.add(name("java"), from.path()),
            Err(ShelfError::Taken(_))
        ));
        fs::write(from.path().join("lib/more"), "").unwrap();
        let other = shelf.add(name("other"), from.path()).unwrap();
        assert_ne!(other.fingerprint(), added.fingerprint());

        shelf.remove(name("java")).unwrap();
        assert!(matches!(
            shelf.remove(name("java")),
            Err(ShelfError::Absent { .. })
        ));
        assert_eq!(shelf.all().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_pack_is_told_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(place.path().join("packs"));
        let from = source();
        symlink("../../../etc", from.path().join("lib/out")).unwrap();
        assert!(matches!(
            shelf.add(name("x"), from.path()),
            Err(ShelfError::Kind(_))
        ));
        assert!(shelf.all().unwrap().is_empty());
        fs::remove_file(from.path().join(MANIFEST)).unwrap();
        assert!(matches!(
            shelf.add(name("x"), from.path()),
            Err(ShelfError::Io { .. })
        ));
        // One that was put there by hand does not hide the others.
        shelf.add(name("good"), source().path()).unwrap();
        fs::create_dir(place.path().join("packs/bad")).unwrap();
        let all = shelf.all().unwrap();
        assert_eq!(
            all.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [false, true]
        );
        for text in ["", ".x", "a/b", "..", "A", "1a", &"a".repeat(65)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn links_stay_inside() {
        let check = |link: &str, target: &str| stays_inside(Path::new(link), Path::new(target));
        assert!(check("lib/b", "a") && check("lib/b", "../a") && check("b", "./lib/a"));
        assert!(!check("lib/b", "../../a") && !check("b", "/etc") && !check("b", "lib/../../x"));
    }
}
