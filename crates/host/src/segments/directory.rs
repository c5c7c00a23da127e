//! Segments as files, by number.
//!
//! A file is held open while it is appended to and compared with what is known of it before every append: bytes that
//! somebody else wrote, cut off or took away are noticed by the next append. After an error the file is opened anew, so
//! that its next sync reports what happens from then on.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Segment, SegmentError, Segments};
use crate::disk;

/// A directory of segments: `NUMBER.EXTENSION`, the number with 20 digits. It is made by the first append.
#[derive(Debug)]
pub struct DirectorySegments {
    files: Arc<Files>,
}

#[derive(Debug)]
struct Files {
    root: PathBuf,
    extension: &'static str,
    /// The segment that was appended to last.
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    number: u64,
    file: File,
    size: u64,
}

impl DirectorySegments {
    /// The segments in a directory. Nothing is touched yet.
    #[must_use]
    pub fn new(root: &Path, extension: &'static str) -> Self {
        let files = Files {
            root: root.to_owned(),
            extension,
            current: Mutex::new(None),
        };
        Self {
            files: Arc::new(files),
        }
    }

    async fn run<T, F>(&self, path: PathBuf, work: F) -> Result<T, SegmentError>
    where
        T: Send + 'static,
        F: FnOnce(&Files) -> io::Result<T> + Send + 'static,
    {
        let files = self.files.clone();
        disk::blocking(move || work(&files))
            .await
            .map_err(|source| SegmentError::Disk { path, source })
    }
}

#[async_trait]
impl Segments for DirectorySegments {
    async fn list(&self) -> Result<Vec<Segment>, SegmentError> {
        self.run(self.files.root.clone(), Files::list).await
    }

    async fn read(&self, number: u64, from: u64, max: usize) -> Result<Bytes, SegmentError> {
        self.run(self.files.path(number), move |files| {
            files.read(number, from, max)
        })
        .await
    }

    async fn append(&self, number: u64, at: u64, bytes: Bytes) -> Result<(), SegmentError> {
        let path = self.files.path(number);
        let appended = self
            .run(path.clone(), move |files| files.append(number, at, &bytes))
            .await?;
        appended.map_err(|actual| SegmentError::Changed {
            path,
            expected: at,
            actual,
        })
    }

    async fn remove(&self, number: u64) -> Result<(), SegmentError> {
        self.run(
            self.files.path(number),
            move |files| match fs::remove_file(files.path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        )
        .await
    }
}

impl Files {
    fn path(&self, number: u64) -> PathBuf {
        self.root.join(format!("{number:020}.{}", self.extension))
    }

    fn number(&self, name: &str) -> Option<u64> {
        let (digits, extension) = name.split_once('.')?;
        let number = (digits.len() == 20 && extension == self.extension).then(|| digits.parse());
        number?.ok()
    }

    fn list(&self) -> io::Result<Vec<Segment>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut segments = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A file that nobody here made is none of our business.
            let Some(number) = entry.file_name().to_str().and_then(|n| self.number(n)) else {
                continue;
            };
            let bytes = entry.metadata()?.len();
            segments.push(Segment { number, bytes });
        }
        segments.sort_unstable_by_key(|segment| segment.number);
        Ok(segments)
    }

    fn read(&self, number: u64, from: u64, max: usize) -> io::Result<Bytes> {
        let mut file = File::open(self.path(number))?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(u64::try_from(max).unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Appends, or answers how long the segment is instead.
    fn append(&self, number: u64, at: u64, bytes: &[u8]) -> io::Result<Result<(), u64>> {
        // Nothing is kept of a file that had an error: it is taken out first.
        let mut current = self.current.lock();
        let mut open = match current.take() {
            Some(open) if open.number == number => {
                let found = open.file.metadata()?;
                let actual = if found.nlink() == 0 { 0 } else { found.len() };
                if actual != open.size || actual != at {
                    return Ok(Err(actual));
                }
                open
            }
            _ => match self.open(number, at == 0)? {
                Some(open) if open.size >= at => open,
                shorter => return Ok(Err(shorter.map_or(0, |open| open.size))),
            },
        };
        if open.size > at {
            open.file.set_len(at)?;
        }
        open.file.write_all(bytes)?;
        open.file.sync_data()?;
        open.size = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        *current = Some(open);
        Ok(Ok(()))
    }

    /// Opens a segment; `None` if there is none and none shall be made.
    fn open(&self, number: u64, make: bool) -> io::Result<Option<Current>> {
        if make && !self.root.try_exists()? {
            disk::create_directory(&self.root)?;
        }
        let opened = OpenOptions::new()
            .append(true)
            .create(make)
            .mode(0o600)
            .open(self.path(number));
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
            opened => opened?,
        };
        let size = file.metadata()?.len();
        if size == 0 {
            // Nothing was ever answered about it: its name may not be on disk yet.
            disk::sync_directory(&self.root)?;
        }
        Ok(Some(Current { number, file, size }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::contract;

    fn open(root: &Path) -> Arc<dyn Segments> {
        Arc::new(DirectorySegments::new(root, "jsonl"))
    }

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let places: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        contract::reads_what_was_appended(&*open(&places[0].path().join("new"))).await;
        contract::appends_at_the_end_only(&*open(places[1].path())).await;
        contract::is_there_after_a_restart(async || open(places[2].path())).await;
    }

    #[tokio::test]
    async fn files_of_others_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        for name in ["1.jsonl", "00000000000000000001.json", "notes"] {
            fs::write(place.path().join(name), "x").unwrap();
        }
        let segments = open(place.path());
        assert!(segments.list().await.unwrap().is_empty());
        segments.append(1, 0, "a\n".into()).await.unwrap();
        let file = place.path().join("00000000000000000001.jsonl");
        assert_eq!(fs::read(&file).unwrap(), b"a\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn what_others_do_to_a_segment_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("00000000000000000001.jsonl");
        type Meddling = fn(&Path);
        let meddlings: [(Meddling, u64); 4] = [
            (|f| fs::write(f, "a").unwrap(), 1),
            (|f| fs::write(f, "a\nb\n").unwrap(), 4),
            (|f| fs::remove_file(f).unwrap(), 0),
            (|f| fs::rename(f, f.with_extension("old")).unwrap(), 2),
        ];
        for (meddle, left) in meddlings {
            fs::write(&file, "").unwrap();
            let segments = open(place.path());
            segments.append(1, 0, "a\n".into()).await.unwrap();
            meddle(&file);
            let refused = segments.append(1, 2, "b\n".into()).await;
            if left == 2 {
                // Under another name it still is the same file, and keeps what is appended.
                refused.unwrap();
                continue;
            }
            assert!(
                matches!(refused, Err(SegmentError::Changed { expected: 2, actual, .. }) if actual == left),
                "{refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_named_and_used_once_it_can() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("audit");
        fs::write(&root, "in the way").unwrap();
        let segments = open(&root);
        let error = segments.append(1, 0, "a\n".into()).await.unwrap_err();
        assert!(error.to_string().contains("audit"), "{error}");
        fs::remove_file(&root).unwrap();
        segments.append(1, 0, "a\n".into()).await.unwrap();
    }
}
