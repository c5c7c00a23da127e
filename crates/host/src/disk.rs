//! What every adapter on a local disk needs: directories that survive a power loss, and work off the async threads.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

/// How often a lock that a dead process still holds is tried again.
pub(crate) const LOCK_ATTEMPTS: u32 = 100;
/// How long to wait between two attempts.
pub(crate) const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Creates a directory, and what is missing above it, for this user only.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        Some(_) | None => Ok(()),
    }
}

/// Makes names that were created, renamed or removed in a directory survive a power loss.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Runs blocking work on the thread pool for it; a panic in it comes back as an error.
pub(crate) async fn blocking<T, F>(work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => Err(io::Error::other(join)),
    }
}

/// Runs engine code that may panic on a damaged file; the panic comes back as an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(payload) => {
            let text = payload
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_else(|| "no message".to_owned());
            Err(io::Error::other(format!("storage engine panicked: {text}")))
        }
    }
}
