//! The load: a small program of a stock SDK in the clients' network, and what it tells.
//!
//! [`Load::start`] writes `load.py` beside the results, runs it with a Python that has boto3, and reads its lines on a thread
//! of its own, into [`Records`] and into `load.jsonl`. Ending its standard input ends the load; it then reads back what it
//! was promised and exits.

pub mod record;

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use crate::moment::Began;
pub use record::{Records, Wire};

/// The program.
const PROGRAM: &str = include_str!("load/load.py");
/// How long deploying its functions may take.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long finishing and reading back may take.
const DONE_MAX: Duration = Duration::from_secs(120);
/// How often its state is looked at.
const POLL: Duration = Duration::from_millis(50);
/// The most of its complaints that an error repeats.
const COMPLAINT_MAX: usize = 2000;

/// What the load is told.
#[derive(Clone, Debug, Serialize)]
pub struct Orders {
    /// The frontends.
    pub endpoints: Vec<Endpoint>,
    /// Who signs.
    pub access_key_id: String,
    /// What it signs with.
    pub secret_access_key: String,
    /// For which region.
    pub region: String,
    /// The runtime of its functions.
    pub runtime: String,
    /// Invocations a second.
    pub rate: f64,
    /// Control writes a second.
    pub writes: f64,
    /// Seconds between two changes of the function that changes.
    pub churn_s: f64,
    /// Seconds that a client waits for an answer.
    pub timeout_s: f64,
}

/// A frontend, as clients know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Its node.
    pub name: String,
    /// Its URL.
    pub url: String,
}

/// A running load. Dropping it kills the program.
pub struct Load {
    child: Child,
    stdin: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
    records: Arc<Mutex<Records>>,
    complaints: PathBuf,
}

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such Python.
    #[error("{python} cannot be run; install python3, or name one with --python")]
    NoPython {
        /// Which.
        python: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It has no SDK.
    #[error(
        "{python} has no boto3, which is the load's client; run deploy/local/venv.sh boto3 (it makes .venv), or name a Python that has it with --python"
    )]
    NoSdk {
        /// Which.
        python: String,
    },
    /// A file or a pipe failed.
    #[error("could not {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It ended before its time.
    #[error("the load ended by itself ({status}): {said}")]
    Ended {
        /// How.
        status: String,
        /// The end of what it complained about.
        said: String,
    },
    /// It does not come to an end.
    #[error("the load did not {what} within {limit:?}; it said: {said}")]
    Late {
        /// What it was to do.
        what: &'static str,
        /// How long it had.
        limit: Duration,
        /// The end of what it complained about.
        said: String,
    },
}

/// The Python that is asked for, or `.venv/bin/python` here, or `python3`; checked to have boto3.
///
/// # Errors
/// [`LoadError::NoPython`], [`LoadError::NoSdk`].
pub fn find_python(asked: Option<&Path>) -> Result<PathBuf, LoadError> {
    let own = Path::new(".venv/bin/python");
    let python = match asked {
        Some(python) => python.to_owned(),
        None if own.try_exists().unwrap_or(false) => {
            std::path::absolute(own).unwrap_or_else(|_| own.to_owned())
        }
        None => PathBuf::from("python3"),
    };
    let shown = python.display().to_string();
    let asked = Command::new(&python)
        .args(["-c", "import boto3"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match asked {
        Err(source) => Err(LoadError::NoPython {
            python: shown,
            source,
        }),
        Ok(status) if !status.success() => Err(LoadError::NoSdk { python: shown }),
        Ok(_) => Ok(python),
    }
}

impl Load {
    /// Starts the program with `command`, which runs a Python where clients live, and gives it its orders. Files go to
    /// `out`.
    ///
    /// # Errors
    /// [`LoadError::System`].
    pub fn start(
        mut command: Command,
        orders: &Orders,
        out: &Path,
        began: Began,
    ) -> Result<Self, LoadError> {
        let system = |doing| move |source| LoadError::System { doing, source };
        let program = out.join("load.py");
        std::fs::write(&program, PROGRAM).map_err(system("write the load's program"))?;
        let complaints = out.join("load.log");
        let log = File::create(&complaints).map_err(system("make the load's log"))?;
        let file =
            File::create(out.join("load.jsonl")).map_err(system("make the load's record"))?;
        let mut child = command
            .args(["-B", "-u"])
            .arg(&program)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(system("start the load"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let records = Arc::new(Mutex::new(Records::default()));
        let mut this = Self {
            child,
            stdin,
            reader: None,
            records: records.clone(),
            complaints,
        };
        if let Some(stdout) = stdout {
            let read = move || read(stdout, file, &records, began);
            let reader = std::thread::Builder::new().name("load-reader".to_owned());
            this.reader = Some(
                reader
                    .spawn(read)
                    .map_err(system("read the load's lines"))?,
            );
        }
        let line = serde_json::to_string(orders)
            .map_err(|error| system("write the load's orders")(error.into()))?;
        if let Some(stdin) = &mut this.stdin {
            writeln!(stdin, "{line}").map_err(system("write the load's orders"))?;
        }
        Ok(this)
    }

    /// What it has told until now.
    #[must_use]
    pub fn records(&self) -> Arc<Mutex<Records>> {
        self.records.clone()
    }

    /// Waits until its functions answer and it works.
    ///
    /// # Errors
    /// [`LoadError::Ended`], [`LoadError::Late`].
    pub async fn ready(&mut self) -> Result<(), LoadError> {
        self.until(READY_MAX, "become ready", |records| records.is_ready)
            .await
    }

    /// Whether it ended by itself.
    ///
    /// # Errors
    /// [`LoadError::Ended`] if so.
    pub fn check(&mut self) -> Result<(), LoadError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(LoadError::Ended {
                status: status.to_string(),
                said: self.said(),
            }),
            Err(source) => Err(LoadError::System {
                doing: "look after the load",
                source,
            }),
        }
    }

    /// Ends the load, lets it read back, and answers everything that it told.
    ///
    /// # Errors
    /// [`LoadError::Ended`], [`LoadError::Late`].
    pub async fn finish(mut self) -> Result<Records, LoadError> {
        drop(self.stdin.take());
        let done = self
            .until(DONE_MAX, "finish", |records| records.is_done)
            .await;
        self.end();
        done?;
        let records = std::mem::take(&mut *self.records.lock());
        Ok(records)
    }

    async fn until(
        &mut self,
        limit: Duration,
        what: &'static str,
        is: impl Fn(&Records) -> bool,
    ) -> Result<(), LoadError> {
        let deadline = Instant::now() + limit;
        loop {
            // Its end is looked at first: what it told before it is read then.
            let ended = self.check();
            if ended.is_err()
                && let Some(reader) = self.reader.take()
            {
                // A reader that panicked has read what it has.
                let _read = reader.join();
            }
            if is(&self.records.lock()) {
                return Ok(());
            }
            ended?;
            if Instant::now() > deadline {
                return Err(LoadError::Late {
                    what,
                    limit,
                    said: self.said(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.complaints).unwrap_or_default();
        let skip = text.chars().count().saturating_sub(COMPLAINT_MAX);
        let end: String = text.chars().skip(skip).collect();
        let end = end.trim();
        if end.is_empty() {
            "nothing".to_owned()
        } else {
            end.to_owned()
        }
    }

    fn end(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _read = reader.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

fn read(stdout: impl std::io::Read, mut file: File, records: &Mutex<Records>, began: Began) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        if let Err(error) = writeln!(file, "{line}") {
            tracing::warn!(%error, "a line of the load is not kept");
        }
        match serde_json::from_str::<Wire>(&line) {
            Ok(told) => records.lock().add(told, began),
            Err(error) => {
                tracing::warn!(%error, line, "a line of the load is not understood");
                records.lock().not_understood += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_without_an_sdk_is_told_apart_from_none() {
        let none = find_python(Some(Path::new("/nowhere/python"))).unwrap_err();
        assert!(matches!(none, LoadError::NoPython { .. }), "{none}");
        // A program that runs and imports nothing.
        let bare = find_python(Some(Path::new("false"))).unwrap_err();
        assert!(
            bare.to_string().contains("deploy/local/venv.sh boto3"),
            "{bare}"
        );
        assert!(find_python(Some(Path::new("true"))).is_ok());
    }
}
