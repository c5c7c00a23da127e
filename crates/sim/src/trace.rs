//! The trace of a run: every event with its virtual time and node, as lines that are equal for equal runs.

use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
};

use crate::clock::Elapsed;

/// Where the lines of a run go: into a digest, and into a file or to the error output if somebody reads them.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Sink>>);

struct Sink {
    digest: Sha256,
    lines: u64,
    file: Option<Box<dyn Write + Send>>,
}

impl Trace {
    /// A trace that is written to a file, to the error output for `-`, or only digested.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn to(file: Option<&Path>) -> io::Result<Self> {
        let file: Option<Box<dyn Write + Send>> = match file {
            None => None,
            Some(path) if path == Path::new("-") => Some(Box::new(io::stderr())),
            Some(path) => Some(Box::new(BufWriter::new(File::create(path)?))),
        };
        Ok(Self(Arc::new(Mutex::new(Sink {
            digest: Sha256::new(),
            lines: 0,
            file,
        }))))
    }

    /// Makes this the place where events of this process go. `filter` is in the form of `RUST_LOG`.
    ///
    /// # Errors
    /// If the filter cannot be read or there is another subscriber.
    pub(crate) fn install(
        &self,
        filter: &str,
        elapsed: Elapsed,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::builder().parse(filter)?)
            .with_timer(Virtual(elapsed))
            .with_ansi(false)
            .with_writer(self.clone())
            .try_init()
    }

    /// Events so far, and the digest of their lines.
    #[must_use]
    pub fn digest(&self) -> (u64, String) {
        let sink = self.0.lock();
        (sink.lines, hex::encode(sink.digest.clone().finalize()))
    }

    /// Writes out what is buffered.
    pub fn flush(&self) {
        if let Some(file) = &mut self.0.lock().file {
            let _full = file.flush();
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.digest()).finish()
    }
}

/// One event.
pub struct Line(Trace);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sink = self.0.0.lock();
        sink.digest.update(bytes);
        sink.lines += 1;
        match &mut sink.file {
            Some(file) => file.write_all(bytes).map(|()| bytes.len()),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Trace {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}

struct Virtual(Elapsed);

impl FormatTime for Virtual {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let at = self.0.now();
        write!(w, "{:>4}.{:03}", at.as_secs(), at.subsec_millis())
    }
}
