//! The first fatal error of a member, for everybody who must know.

use std::io;

use tokio::sync::watch;

use crate::error::Fatal;

/// Where a fatal error is put. The first one stays.
#[derive(Clone, Debug)]
pub(crate) struct Failed(watch::Sender<Option<Fatal>>);

impl Failed {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Notes the error and turns it into what the protocol library takes from a storage.
    pub(crate) fn set(&self, fatal: Fatal) -> io::Error {
        let is_first = self.0.send_if_modified(|current| {
            let is_first = current.is_none();
            if is_first {
                *current = Some(fatal.clone());
            }
            is_first
        });
        if is_first {
            let cause = std::error::Error::source(&fatal).map(ToString::to_string);
            tracing::error!(error = %fatal, cause, "this member of the group cannot go on");
        }
        io::Error::other(fatal)
    }

    pub(crate) fn get(&self) -> Option<Fatal> {
        self.0.borrow().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Fatal>> {
        self.0.subscribe()
    }
}
