//! Why an image is not there.

use std::{io, path::PathBuf, time::Duration};

use model::{Digest, ErrorKind, Failure};

/// Why an image is not there. The texts say what the owner of the function does next.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The registry has no such image, or none of its parts.
    #[error("{what} does not exist; push the image again, then update the function's code")]
    Missing {
        /// What was asked for.
        what: String,
    },
    /// The registry does not let this cluster read it.
    #[error(
        "registry {registry} refuses to give {what} ({detail}); write credentials that may read it into the section `registries` of \
         every frontend and worker, start them again, then create or update the function again"
    )]
    Denied {
        /// Whom was asked.
        registry: String,
        /// What was asked for.
        what: String,
        /// What it says.
        detail: String,
    },
    /// It is no image that can run here.
    #[error("{0}")]
    Invalid(String),
    /// The registry gave other bytes than it was asked for.
    #[error(
        "expected content with digest sha256:{expected} from the registry, got sha256:{actual}; push the image again"
    )]
    Mismatch {
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The registry cannot be reached, or its answer broke off.
    #[error("registry {registry} cannot be reached")]
    Unreachable {
        /// Where it should be.
        registry: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry has trouble of its own.
    #[error("registry {registry} answered {status}: {detail}")]
    Trouble {
        /// Where it is.
        registry: String,
        /// The status of its answer.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// It is on its way.
    #[error("the image is on its way: {0}")]
    OnItsWay(String),
    /// Too many are on their way.
    #[error("{0} images are on their way to this worker, and more have to wait")]
    Busy(usize),
    /// It took too long.
    #[error("expected the image within {0:?}; is the registry slow?")]
    Deadline(Duration),
    /// This machine's disk.
    #[error("image store at {path} failed; check the disk and its free space")]
    Disk {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Failure for ImageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::Denied { .. } => ErrorKind::Denied,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Mismatch { .. }
            | Self::Unreachable { .. }
            | Self::Trouble { .. }
            | Self::OnItsWay(_)
            | Self::Disk { .. } => ErrorKind::Unavailable,
            Self::Busy(_) => ErrorKind::Throttled,
            Self::Deadline(_) => ErrorKind::Deadline,
        }
    }
}

impl ImageError {
    /// Whether asking again soon may help.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Mismatch { .. } | Self::Unreachable { .. } | Self::Trouble { .. }
        )
    }

    /// The error and what is behind it, in one line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
