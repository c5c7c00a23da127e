//! One node's process.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::{LocalError, disk::LocalDisk};
use crate::{
    fabric::Fabric,
    fault::{Faketime, TargetError, Verb},
    verdict::Remark,
};

/// How long a process may take to be gone after a SIGKILL.
const DEATH_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// How many panics one log is searched for.
const PANICS_MAX: usize = 20;

/// A node that may run.
pub(super) struct Node {
    name: String,
    program: PathBuf,
    directory: PathBuf,
    fabric: Arc<Fabric>,
    faketime: Option<Faketime>,
    process: Mutex<Process>,
    /// Whether it may end by itself: its disk is broken, say.
    excused: Arc<AtomicBool>,
    disk: OnceLock<Arc<LocalDisk>>,
}

#[derive(Default)]
struct Process {
    child: Option<Child>,
    /// Whether it was told to end.
    told: bool,
    /// How it ended by itself, each time.
    exits: Vec<String>,
}

impl Node {
    pub(super) fn new(
        name: String,
        program: PathBuf,
        directory: PathBuf,
        fabric: Arc<Fabric>,
        faketime: Option<Faketime>,
    ) -> Self {
        Self {
            name,
            program,
            directory,
            fabric,
            faketime,
            process: Mutex::default(),
            excused: Arc::default(),
            disk: OnceLock::new(),
        }
    }

    /// Puts a disk that can be broken under its data. Called once, before it starts.
    pub(super) fn mount_disk(&self, seed: u64) -> Result<(), LocalError> {
        let at = super::supplies::data_directory(&self.directory);
        let backing = super::supplies::backing_directory(&self.directory);
        for folder in [&at, &backing] {
            super::supplies::create(folder)?;
        }
        let disk = LocalDisk::mount(&self.name, &at, &backing, self.excused.clone(), seed)?;
        // It is called once.
        let _first = self.disk.set(Arc::new(disk));
        Ok(())
    }

    /// The disk under its data, if it can be broken.
    pub(super) fn disk(&self) -> Option<&Arc<LocalDisk>> {
        self.disk.get()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file that says how far its wall clock is off.
    pub(super) fn clock_file(&self) -> PathBuf {
        self.directory.join("clock")
    }

    /// Whether its process runs.
    pub(super) fn is_up(&self) -> bool {
        self.reap(&mut self.process.lock())
    }

    /// Starts it, unless it is up.
    pub(super) fn start(&self) -> Result<(), TargetError> {
        let mut process = self.process.lock();
        if self.reap(&mut process) {
            return Ok(());
        }
        let child = self.spawn().map_err(|e| self.error(Verb::Start, e))?;
        process.child = Some(child);
        process.told = false;
        self.excused.store(false, Ordering::Release);
        Ok(())
    }

    /// Kills it and returns when it is gone.
    pub(super) async fn kill(&self) -> Result<(), TargetError> {
        self.kill_now();
        if self.gone_by(Instant::now() + DEATH_MAX).await {
            return Ok(());
        }
        Err(self.error(Verb::Kill, io::Error::other("it does not die")))
    }

    /// Kills it and does not wait.
    pub(super) fn kill_now(&self) {
        self.signal(Signal::KILL, true);
    }

    /// Asks it to drain and to end.
    pub(super) fn ask_to_end(&self) {
        self.signal(Signal::TERM, true);
    }

    /// Waits until it is gone, or it is that late. Answers whether it is.
    pub(super) async fn gone_by(&self, deadline: Instant) -> bool {
        while self.is_up() {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    pub(super) fn pause(&self) -> Result<(), TargetError> {
        if self.signal(Signal::STOP, false) {
            return Ok(());
        }
        Err(self.error(Verb::Pause, io::Error::other("it does not run")))
    }

    pub(super) fn resume(&self) -> Result<(), TargetError> {
        self.signal(Signal::CONT, false);
        Ok(())
    }

    /// Takes its data away.
    pub(super) fn wipe(&self) -> Result<(), TargetError> {
        if self.is_up() {
            return Err(self.error(Verb::Wipe, io::Error::other("it runs")));
        }
        if let Some(disk) = self.disk() {
            return disk.replace();
        }
        let data = super::supplies::data_directory(&self.directory);
        match fs::remove_dir_all(data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.error(Verb::Wipe, error))
            }
            _ => Ok(()),
        }
    }

    /// What it did that it should not: ended by itself, panicked.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        let remark = |text: String| Remark {
            node: self.name.clone(),
            text,
        };
        let log = self.log();
        let panics = log.lines().filter(|line| line.contains("panicked at"));
        let panics = panics
            .take(PANICS_MAX)
            .map(|line| remark(line.trim().to_owned()));
        let exits = self.process.lock().exits.clone();
        exits.into_iter().map(remark).chain(panics).collect()
    }

    /// How it ended, with the last words of its log.
    pub(super) fn obituary(&self) -> String {
        let exits = self.process.lock().exits.join("; ");
        let log = self.log();
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        format!(
            "node {} ended ({exits}): {}",
            self.name,
            last.unwrap_or("(no log)")
        )
    }

    fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("node.log")
    }

    fn spawn(&self) -> io::Result<Child> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let command = self.fabric.command(&self.name, &self.program);
        let mut command = command.map_err(io::Error::other)?;
        command
            .arg("server")
            .arg("--config")
            .arg(super::supplies::config_file(&self.directory))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        super::supplies::forget_variables(&mut command);
        if let Some(faketime) = &self.faketime {
            let file = self.clock_file();
            let (variables, true_time) = faketime.environment(&file);
            if !Path::new(&file).try_exists()? {
                fs::write(&file, true_time)?;
            }
            command.envs(variables);
        }
        command.spawn()
    }

    /// Whether there was somebody to signal.
    fn signal(&self, signal: Signal, ends: bool) -> bool {
        let mut process = self.process.lock();
        if !self.reap(&mut process) {
            return false;
        }
        process.told |= ends;
        // It is our child and was not waited for, so that number is still its own.
        let pid = process.child.as_ref().map(Pid::from_child);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Whether it runs; takes note if it ended by itself.
    fn reap(&self, process: &mut Process) -> bool {
        let Some(child) = &mut process.child else {
            return false;
        };
        let ended: Option<ExitStatus> = child.try_wait().unwrap_or_default();
        let Some(status) = ended else { return true };
        if let Some(faketime) = &self.faketime {
            faketime.forget(child.id());
        }
        process.child = None;
        if !process.told && !self.excused.load(Ordering::Acquire) {
            process.exits.push(format!("it ended by itself: {status}"));
        }
        false
    }

    fn error(&self, verb: Verb, source: io::Error) -> TargetError {
        TargetError::new(verb, &self.name, source)
    }
}
