//! Log files: one for each environment (see [`super::place`]), each line behind the time at which it came.
//!
//! One thread writes for all environments (or each caller for itself, where blocking work is done in place). Its queue is bounded: when the disk cannot keep up, lines are lost rather than
//! invocations delayed, and the file says how many bytes. A file that is full is continued in a second one (`.log.1`, the
//! older half); a function's directory that is full loses its oldest files.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::Thread,
    time::Duration,
};

use host::Tasks;
use model::{ByteCount, FunctionId, Timestamp, Version};
use parking_lot::Mutex;

use super::{level::Level, place};

#[cfg(test)]
mod tests;

/// Messages that may wait for the disk; each holds at most one read of a pipe.
const QUEUE: usize = 512;
/// How long the writer rests when it has written what there was.
const PAUSE: Duration = Duration::from_millis(2);
/// When so many messages wait, its rest is over.
const MANY: usize = QUEUE / 4;
/// The longest line that is kept whole.
pub(super) const LINE_MAX: usize = 64 << 10;

/// How much log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Of one environment, in each of its two files.
    pub per_file: ByteCount,
    /// Of one function.
    pub per_function: ByteCount,
    /// Files of one function.
    pub files_per_function: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            per_file: ByteCount::mib(8),
            per_function: ByteCount::mib(64),
            files_per_function: 200,
        }
    }
}

/// Writes the log files of all environments.
#[derive(Clone)]
pub(crate) struct Files {
    desk: Desk,
    next: Arc<AtomicU64>,
}

/// Where messages go.
#[derive(Clone)]
enum Desk {
    Thread {
        queue: SyncSender<Message>,
        waiting: Arc<AtomicUsize>,
        writer: Thread,
    },
    Here(Arc<Mutex<Writer>>),
}

/// The thread has too much to do.
struct Full;

impl Desk {
    /// Never waits for the thread.
    fn put(&self, message: Message) -> Result<(), Full> {
        match self {
            Self::Thread {
                queue,
                waiting,
                writer,
            } => {
                // Counted first: it must be there when the writer takes it away.
                let before = waiting.fetch_add(1, Ordering::Relaxed);
                let put = queue.try_send(message);
                if put.is_err() {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                }
                if before == MANY {
                    writer.unpark();
                }
                put.map_err(|_| Full)
            }
            Self::Here(writer) => {
                writer.lock().take_in(message);
                Ok(())
            }
        }
    }
}

/// The log file of one environment. Dropping it closes the file.
pub(crate) struct Appender {
    desk: Desk,
    number: u64,
    /// What the writer has not heard of yet: nothing was written, or it had too much to do.
    unopened: Option<Name>,
    lost: u64,
}

/// Which file.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) function: FunctionId,
    /// The log group, if its owner named one.
    pub(crate) group: Option<String>,
    pub(crate) version: Version,
    /// The day on which the environment began.
    pub(crate) at: Timestamp,
    pub(crate) environment: String,
    /// The least level of the function's own records that is kept, if its log is JSON.
    pub(crate) least: Option<Level>,
}

enum Message {
    Open {
        number: u64,
        name: Name,
    },
    Append {
        number: u64,
        at: Timestamp,
        bytes: Vec<u8>,
    },
    Close {
        number: u64,
    },
    Flush(SyncSender<()>),
}

impl Files {
    /// Starts the writer over a directory. Its thread ends with the last handle; there is none if `tasks` do blocking work
    /// in place.
    pub(crate) fn start(dir: PathBuf, retention: Retention, tasks: &Tasks) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let writer = Writer {
            dir,
            retention,
            open: HashMap::new(),
        };
        let desk = if tasks.is_in_place() {
            Desk::Here(Arc::new(Mutex::new(writer)))
        } else {
            let (queue, messages) = sync_channel(QUEUE);
            let waiting = Arc::new(AtomicUsize::new(0));
            let counted = waiting.clone();
            let thread = std::thread::Builder::new()
                .name("log-files".into())
                .spawn(move || writer.run(&messages, &counted))?;
            Desk::Thread {
                queue,
                waiting,
                writer: thread.thread().clone(),
            }
        };
        Ok(Self {
            desk,
            next: Arc::default(),
        })
    }

    /// A file for one environment, made when something is written to it.
    pub(crate) fn open(&self, name: Name) -> Appender {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Appender {
            desk: self.desk.clone(),
            number,
            unopened: Some(name),
            lost: 0,
        }
    }

    /// Returns when everything before is with the operating system. Blocks the thread.
    pub(crate) fn flush(&self) {
        let Desk::Thread { queue, waiting, .. } = &self.desk else {
            return;
        };
        let (done, wait) = sync_channel(1);
        waiting.fetch_add(1, Ordering::Relaxed);
        if queue.send(Message::Flush(done)).is_ok() {
            let _ended = wait.recv();
        }
    }
}

impl Appender {
    /// Answers whether the writer knows of this file.
    fn open(&mut self) -> bool {
        let Some(name) = self.unopened.take() else {
            return true;
        };
        let message = Message::Open {
            number: self.number,
            name: name.clone(),
        };
        let told = self.desk.put(message).is_ok();
        if !told {
            self.unopened = Some(name);
        }
        told
    }

    /// Adds bytes that came at this time. Never waits.
    pub(crate) fn append(&mut self, at: Timestamp, bytes: &[u8]) {
        let mut all = Vec::with_capacity(bytes.len());
        if self.lost > 0 {
            let note = format!(
                "\n[{} bytes of log were lost: the disk could not keep up]\n",
                self.lost
            );
            all.extend_from_slice(note.as_bytes());
        }
        all.extend_from_slice(bytes);
        let message = Message::Append {
            number: self.number,
            at,
            bytes: all,
        };
        if self.open() && self.desk.put(message).is_ok() {
            self.lost = 0;
        } else {
            self.lost += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // A file whose closing is lost stays open until the writer ends.
        let _may_be_full = self.desk.put(Message::Close {
            number: self.number,
        });
    }
}

struct Writer {
    dir: PathBuf,
    retention: Retention,
    open: HashMap<u64, Open>,
}

struct Open {
    name: Name,
    file: Option<Current>,
    /// The beginning of a line that has not ended yet.
    partial: Vec<u8>,
    /// A failure was reported: more of the same helps nobody.
    failed: bool,
}

struct Current {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Writer {
    fn run(mut self, messages: &Receiver<Message>, waiting: &AtomicUsize) {
        while let Ok(message) = messages.recv() {
            waiting.fetch_sub(1, Ordering::Relaxed);
            self.take_in(message);
            for message in messages.try_iter() {
                waiting.fetch_sub(1, Ordering::Relaxed);
                self.take_in(message);
            }
            // Who writes meanwhile need not wake this thread, which costs an invocation more than what it writes.
            std::thread::park_timeout(PAUSE);
        }
    }

    fn take_in(&mut self, message: Message) {
        match message {
            Message::Open { number, name } => {
                let open = Open {
                    name,
                    file: None,
                    partial: Vec::new(),
                    failed: false,
                };
                self.open.insert(number, open);
            }
            Message::Append { number, at, bytes } => self.append(number, at, &bytes),
            Message::Close { number } => {
                if let Some(mut open) = self.open.remove(&number)
                    && !open.partial.is_empty()
                {
                    let mut line = std::mem::take(&mut open.partial);
                    line.push(b'\n');
                    let _last = open.write(&self.dir, self.retention, &line);
                }
            }
            Message::Flush(done) => drop(done.send(())),
        }
    }

    fn append(&mut self, number: u64, at: Timestamp, bytes: &[u8]) {
        let Some(open) = self.open.get_mut(&number) else {
            return;
        };
        let lines = stamped(&mut open.partial, at, bytes, open.name.least);
        if lines.is_empty() {
            return;
        }
        if let Err(error) = open.write(&self.dir, self.retention, &lines)
            && !std::mem::replace(&mut open.failed, true)
        {
            tracing::error!(
                dir = %self.dir.display(), %error,
                "the log of a function cannot be written; check the disk and its free space"
            );
        }
    }
}

impl Open {
    fn write(&mut self, dir: &Path, retention: Retention, lines: &[u8]) -> io::Result<()> {
        let current = match self.file.take() {
            Some(current) if current.size < retention.per_file.0 => self.file.insert(current),
            Some(full) => {
                let mut older = full.path.clone().into_os_string();
                older.push(".1");
                fs::rename(&full.path, older)?;
                self.file.insert(Current::open(full.path)?)
            }
            None => {
                let dir = place::make(dir, &self.name)?;
                make_room(&dir, retention)?;
                self.file
                    .insert(Current::open(dir.join(place::file_name(&self.name)))?)
            }
        };
        current.file.write_all(lines)?;
        current.size += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

impl Current {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size })
    }
}

/// Whole lines behind their times. What follows the last line's end stays in `partial`.
/// Records below the least level are left out.
fn stamped(partial: &mut Vec<u8>, at: Timestamp, bytes: &[u8], least: Option<Level>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let stamp = at.to_rfc3339();
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        if partial.is_empty() {
            partial.extend_from_slice(stamp.as_bytes());
            partial.push(b'\t');
        }
        partial.extend_from_slice(piece);
        if partial.len() > LINE_MAX && !partial.ends_with(b"\n") {
            partial.push(b'\n');
        }
        if partial.ends_with(b"\n") {
            if least.is_some_and(|least| least.is_above(partial.get(stamp.len() + 1..))) {
                partial.clear();
            } else {
                out.append(partial);
            }
        }
    }
    out
}

/// Removes a function's oldest files until one more may come.
fn make_room(dir: &Path, retention: Retention) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        files.push((found.modified()?, entry.path(), found.len()));
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, _, size)| size).sum();
    let mut count = files.len();
    for (_, path, size) in files {
        if count < retention.files_per_function && total < retention.per_function.0 {
            break;
        }
        fs::remove_file(path)?;
        total -= size;
        count -= 1;
    }
    Ok(())
}
