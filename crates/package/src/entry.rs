//! One entry of a package, and its content read under supervision.

use std::io::{self, Read};

use super::PackageError;

/// Longest target of a symbolic link, in bytes.
const LINK_MAX: u64 = 4095;

/// One entry of a package.
pub struct Entry<'a> {
    /// Its path: relative, with `/` between names, without `.` and `..`.
    pub path: &'a str,
    /// Its permission bits (the low nine), if the zip has any.
    pub mode: Option<u32>,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What an entry is.
pub enum Kind<'a> {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// How many bytes it has.
        size: u64,
        /// Its bytes. Reading fails where the entry turns out to be damaged.
        content: &'a mut dyn Read,
    },
    /// A symbolic link.
    Symlink {
        /// What it points to: a relative path that stays within the package.
        target: &'a str,
    },
}

/// Reads exactly as many bytes as an entry declares, and keeps in mind what went wrong.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    ended: bool,
    failed: Option<Option<io::Error>>,
}

impl<R: Read> Bounded<R> {
    pub(super) const fn new(inner: R, size: u64) -> Self {
        Self {
            inner,
            left: size,
            ended: false,
            failed: None,
        }
    }

    /// Reads what is left.
    pub(super) fn finish(&mut self, path: &str) -> Result<(), PackageError> {
        let mut buffer = [0; 16 << 10];
        while matches!(self.read(&mut buffer), Ok(1..)) {}
        self.failure(path)
    }

    /// What went wrong so far.
    pub(super) fn failure(&mut self, path: &str) -> Result<(), PackageError> {
        match self.failed.take() {
            Some(source) => Err(PackageError::Damaged {
                name: path.to_owned(),
                source,
            }),
            None => Ok(()),
        }
    }

    pub(super) fn read_link_target(&mut self, path: &str) -> Result<String, PackageError> {
        if self.left > LINK_MAX {
            return Err(PackageError::EscapingLink {
                name: path.to_owned(),
            });
        }
        let mut target = Vec::new();
        let read = self.read_to_end(&mut target);
        self.failure(path)?;
        read.map_err(|e| PackageError::Damaged {
            name: path.to_owned(),
            source: Some(e),
        })?;
        String::from_utf8(target).map_err(|_| PackageError::EscapingLink {
            name: path.to_owned(),
        })
    }

    fn fail(&mut self, source: Option<io::Error>) -> io::Error {
        self.ended = true;
        let kind = source
            .as_ref()
            .map_or(io::ErrorKind::InvalidData, io::Error::kind);
        self.failed = Some(source);
        io::Error::new(kind, "the entry is damaged")
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let n = match self.inner.read(buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => return Err(self.fail(Some(e))),
        };
        if n == 0 {
            self.ended = true;
            return if self.left == 0 {
                Ok(0)
            } else {
                Err(self.fail(None))
            };
        }
        match self.left.checked_sub(u64::try_from(n).unwrap_or(u64::MAX)) {
            Some(left) => self.left = left,
            None => return Err(self.fail(None)),
        }
        Ok(n)
    }
}
