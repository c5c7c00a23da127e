//! Where the log of an environment is on disk, and what it is called.
//!
//! `ACCOUNT/REGION/FUNCTION/` has what goes to the function's own group, `/aws/lambda/FUNCTION`. A group that an owner named is
//! `ACCOUNT/REGION/+DIGEST/`, where the file `group` has its name and each function a directory: no function's name begins with
//! a plus. A file is `DAY-VERSION-ENVIRONMENT.log`; from that and its directory follows the name of its stream, the same that
//! the environment itself was told.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use model::{AccountId, Digest, FunctionName, Region, Version};

use super::files::Name;

/// What the own groups of functions are called, before the function's name.
const OWN: &str = "/aws/lambda/";
/// The file with the name of a group.
const GROUP_FILE: &str = "group";
/// What a named group's directory begins with.
const MARK: char = '+';
/// The longest name of a group, which is AWS's too.
const NAME_MAX: u64 = 512;

/// Where somebody's groups are.
pub(crate) fn region(root: &Path, account: AccountId, region: &Region) -> PathBuf {
    root.join(account.as_str()).join(region.as_str())
}

/// Where the files of an environment are.
pub(crate) fn directory(root: &Path, name: &Name) -> PathBuf {
    let function = &name.function;
    let region = region(root, function.account, &function.region);
    match &name.group {
        None => region.join(function.name.as_str()),
        Some(group) => region.join(named(group)).join(function.name.as_str()),
    }
}

/// Makes the directory of an environment's files, and says whose it is.
pub(crate) fn make(root: &Path, name: &Name) -> io::Result<PathBuf> {
    let dir = directory(root, name);
    fs::create_dir_all(&dir)?;
    if let (Some(group), Some(parent)) = (&name.group, dir.parent()) {
        let file = parent.join(GROUP_FILE);
        if !file.try_exists()? {
            fs::write(file, group)?;
        }
    }
    Ok(dir)
}

pub(crate) fn file_name(name: &Name) -> String {
    let version = match name.version {
        Version::Latest => "LATEST".to_owned(),
        Version::LatestPublished => "LATEST.PUBLISHED".to_owned(),
        Version::Number(n) => n.to_string(),
    };
    format!(
        "{}-{version}-{}.log",
        name.at.format("%Y-%m-%d"),
        name.environment
    )
}

/// The directories that have something of a group.
pub(crate) fn of_group(region: &Path, group: &str) -> io::Result<Vec<Directory>> {
    let mut found = Vec::new();
    if let Some(function) = own_function(group) {
        let path = region.join(function.as_str());
        if path.try_exists()? {
            let function = None;
            found.push(Directory { path, function });
        }
    }
    for entry in listed(&region.join(named(group)))? {
        let function = entry.file_name().to_str().map(str::to_owned);
        if entry.file_type()?.is_dir() {
            let path = entry.path();
            found.push(Directory { path, function });
        }
    }
    Ok(found)
}

/// A directory of files of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    /// The function, where the names of streams have it.
    pub(crate) function: Option<String>,
}

/// The group whose directory this is, if it is one.
pub(crate) fn group_of(directory: &Path) -> io::Result<Option<String>> {
    let Some(name) = directory.file_name().and_then(|name| name.to_str()) else {
        return Ok(None);
    };
    if !name.starts_with(MARK) {
        let function: Result<FunctionName, _> = name.parse();
        return Ok(function.ok().map(|function| format!("{OWN}{function}")));
    }
    let file = directory.join(GROUP_FILE);
    match fs::metadata(&file) {
        Ok(found) if found.len() <= NAME_MAX => Ok(fs::read_to_string(file).ok()),
        Ok(_) => Ok(None),
        // It is being made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a directory has; nothing if there is none.
pub(crate) fn listed(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The name of the stream that a file is of, and whether the file is the older half.
pub(crate) fn stream_of(file: &str, function: Option<&str>) -> Option<(String, bool)> {
    let (stem, older) = match file.strip_suffix(".log.1") {
        Some(stem) => (stem, true),
        None => (file.strip_suffix(".log")?, false),
    };
    let (day, rest) = stem.split_at_checked("2026-01-02".len())?;
    let (version, environment) = rest.strip_prefix('-')?.split_once('-')?;
    let version = match version {
        "LATEST" => "$LATEST",
        "LATEST.PUBLISHED" => "$LATEST.PUBLISHED",
        number => number,
    };
    let day = day.replace('-', "/");
    let function = function.unwrap_or_default();
    Some((format!("{day}/{function}[{version}]{environment}"), older))
}

fn own_function(group: &str) -> Option<FunctionName> {
    group.strip_prefix(OWN)?.parse().ok()
}

fn named(group: &str) -> String {
    let digest = Digest::of(group.as_bytes());
    let bytes = digest.as_bytes().iter().take(16);
    bytes.fold(MARK.to_string(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use model::{FunctionId, Timestamp};

    use super::*;

    fn name(group: Option<&str>, version: Version) -> Name {
        Name {
            function: FunctionId {
                account: AccountId::DEFAULT,
                region: Region::default(),
                name: "hello".parse().unwrap(),
            },
            group: group.map(str::to_owned),
            version,
            at: Timestamp(1_767_323_045_123),
            environment: "ab".into(),
            least: None,
        }
    }

    #[test]
    fn a_file_says_its_stream_and_a_directory_its_group() {
        let root = tempfile::tempdir().unwrap();
        let region = region(root.path(), AccountId::DEFAULT, &Region::default());
        for (group, version, stream) in [
            (None, Version::Latest, "2026/01/02/[$LATEST]ab"),
            (
                None,
                Version::Number(12.try_into().unwrap()),
                "2026/01/02/[12]ab",
            ),
            (
                Some("/mine"),
                Version::Latest,
                "2026/01/02/hello[$LATEST]ab",
            ),
            (
                Some("/aws/lambda/hello"),
                Version::LatestPublished,
                "2026/01/02/hello[$LATEST.PUBLISHED]ab",
            ),
        ] {
            let name = name(group, version);
            let dir = make(root.path(), &name).unwrap();
            fs::write(dir.join(file_name(&name)), "").unwrap();
            let group = group.unwrap_or("/aws/lambda/hello");
            let found = of_group(&region, group).unwrap();
            let found: Vec<String> = found
                .iter()
                .flat_map(|dir| {
                    let files = listed(&dir.path).unwrap();
                    files.into_iter().map(|file| {
                        let file = file.file_name().into_string().unwrap();
                        stream_of(&file, dir.function.as_deref()).unwrap().0
                    })
                })
                .collect();
            assert!(found.contains(&stream.to_owned()), "{stream}: {found:?}");
        }
        let groups: Vec<_> = listed(&region)
            .unwrap()
            .iter()
            .map(|entry| group_of(&entry.path()).unwrap().unwrap())
            .collect();
        assert_eq!(groups.len(), 3, "{groups:?}");
        assert!(groups.contains(&"/mine".to_owned()), "{groups:?}");
        assert!(of_group(&region, "/other").unwrap().is_empty());
        assert!(of_group(&region, "/aws/lambda/../..").unwrap().is_empty());
    }

    #[test]
    fn other_files_are_of_no_stream() {
        for file in [
            "group",
            "x.log",
            "2026-01-02-LATEST.log",
            "2026-01-02",
            "é.log",
        ] {
            assert_eq!(stream_of(file, None), None, "{file}");
        }
        let older = stream_of("2026-01-02-3-ab.log.1", None);
        assert_eq!(older, Some(("2026/01/02/[3]ab".to_owned(), true)));
    }
}
