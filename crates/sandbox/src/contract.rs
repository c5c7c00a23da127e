//! The contract of [`Driver`] and [`Sandbox`] as runnable cases: every driver passes all that its report allows.
//!
//! A case gets a [`Fixture`] and answers what is broken, if anything. Some ask of the code inside only that it stays; any
//! driver runs those. In the others it is `/bin/sh` and `/usr/bin/python3`, which the root that a driver provides must
//! have; a driver that [runs no interpreters](Driver::runs_interpreters) cannot be asked those. Waits are for a condition,
//! with a generous limit; only the absence of something (a frozen process makes no progress) is watched for a fixed time.

mod any;
mod beside;
mod life;
mod limits;
mod network;
mod view;

use std::{
    fmt,
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    time::{timeout, timeout_at},
};

pub use self::network::Targets;
use crate::{
    driver::{Command, Driver, Exit, InitCpu, Sandbox, Spec},
    ends::Output,
    network::Resolver,
    report::Piece,
};

/// How long any one thing may take.
const LIMIT: Duration = Duration::from_secs(20);

/// The most log kept of one sandbox.
const LOG_BYTES_MAX: usize = 1 << 20;

/// What a driver does not hold to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(String);

impl Broken {
    /// With what was expected and what came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

macro_rules! broken_from {
    ($($error:ty),*) => {$(
        impl From<$error> for Broken {
            fn from(error: $error) -> Self {
                let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
                Self(format!("{error}{source}"))
            }
        }
    )*};
}
broken_from!(
    io::Error,
    crate::driver::CreateError,
    crate::driver::StartError,
    crate::driver::ControlError,
    model::size::OutOfRange
);

/// The verdict on one case.
pub type Verdict = Result<(), Broken>;

type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// One promise of the contract.
pub struct Case {
    /// What is promised.
    pub name: &'static str,
    /// Pieces without which the promise cannot be made.
    pub needs: &'static [Piece],
    /// What the code inside must do.
    pub code: Code,
    run: for<'a> fn(&'a Fixture<'a>) -> Running<'a>,
}

/// What a case asks of the code inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// That it says `up` and stays.
    Stays,
    /// That it is a program of `/bin/sh` or `/usr/bin/python3`.
    Program,
}

impl Case {
    /// Runs it; `None` if the driver's report lacks a piece it needs, or the driver runs no such code.
    pub async fn run(&self, fixture: &Fixture<'_>) -> Option<Verdict> {
        let driver = fixture.driver;
        let enforced = |piece: &Piece| driver.report().enforces(*piece);
        if !self.needs.iter().all(enforced)
            || (self.code == Code::Program && !driver.runs_interpreters())
        {
            return None;
        }
        Some((self.run)(fixture).await)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    any::CASES
        .iter()
        .chain(beside::CASES)
        .chain(life::CASES)
        .chain(limits::CASES)
        .chain(network::CASES)
        .chain(view::CASES)
}

/// What cases run on.
pub struct Fixture<'a> {
    driver: &'a dyn Driver,
    dir: PathBuf,
    stays: Command,
    made: AtomicU64,
    targets: Option<Targets>,
}

impl<'a> Fixture<'a> {
    /// Makes code, runtime and layer directories below `dir`, readable by everyone.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn new(driver: &'a dyn Driver, dir: &Path) -> io::Result<Self> {
        let files = [
            ("code/handler.txt", "the code"),
            ("runtime/bootstrap", "#!/bin/sh\necho booted\n"),
            ("layer-1/both", "first"),
            ("layer-1/one", "1"),
            ("layer-2/both", "second"),
            ("layer-2/two", "2"),
            ("extra/tool", "a tool"),
        ];
        for (path, text) in files {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, text)?;
        }
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.join("runtime/bootstrap"), executable)?;
        Ok(Self {
            driver,
            dir: dir.to_owned(),
            stays: command(&["/bin/sh", "-c", "echo up; while :; do sleep 1000; done"]),
            made: AtomicU64::new(0),
            targets: None,
        })
    }

    /// The same for a driver with code of its own: `stays` says `up` in its log and then does nothing until it is killed.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn with_code(driver: &'a dyn Driver, dir: &Path, stays: Command) -> io::Result<Self> {
        Ok(Self {
            stays,
            ..Self::new(driver, dir)?
        })
    }

    /// The same, with something to reach for sandboxes with a network policy. The driver has the policies `open`, and `listed`
    /// as [`Targets`] says.
    #[must_use]
    pub fn with_targets(self, targets: Targets) -> Self {
        Self {
            targets: Some(targets),
            ..self
        }
    }

    /// Code that says `up` and stays.
    fn stays(&self) -> &Command {
        &self.stays
    }

    /// A spec of the directories made here, with a fresh id, and with as much CPU as there is: cases are about other
    /// things.
    #[must_use]
    pub fn spec(&self) -> Spec {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let spec = Spec::new(
            format!("contract-{number}"),
            self.dir.join("code"),
            self.dir.join("runtime"),
        );
        Spec {
            init_cpu: InitCpu::Full,
            ..spec
        }
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Makes a sandbox.
    ///
    /// # Errors
    /// [`Broken`] if the driver does not make it, or hands out no log or a strange one.
    pub async fn make(&self, spec: Spec) -> Result<Inside, Broken> {
        let mut sandbox = timeout(LIMIT, self.driver.create(spec))
            .await
            .map_err(|_| late("create"))??;
        let log = sandbox
            .take_logs()
            .ok_or_else(|| Broken::new("a new sandbox has a log"))?;
        let resolver = sandbox.take_resolver();
        Ok(Inside {
            sandbox,
            resolver,
            log,
            text: String::new(),
        })
    }
}

/// A sandbox with its log.
pub struct Inside {
    /// The sandbox.
    pub sandbox: Box<dyn Sandbox>,
    resolver: Option<Resolver>,
    log: Box<dyn Output>,
    text: String,
}

impl Inside {
    /// Starts a shell script.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub async fn shell(&self, script: &str) -> Verdict {
        self.start(&["/bin/sh", "-c", script]).await
    }

    /// Starts a Python program, isolated from the environment.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub async fn python(&self, program: &str) -> Verdict {
        self.start(&["/usr/bin/python3", "-I", "-u", "-c", program])
            .await
    }

    async fn start(&self, argv: &[&str]) -> Verdict {
        timeout(LIMIT, self.sandbox.start(command(argv)))
            .await
            .map_err(|_| late("start"))?
            .map_err(Into::into)
    }

    /// Starts the code that stays, and waits until it says that it is up.
    async fn stay(&mut self, fixture: &Fixture<'_>) -> Verdict {
        timeout(LIMIT, self.sandbox.start(fixture.stays().clone()))
            .await
            .map_err(|_| late("start"))??;
        self.logged("up").await.map(drop)
    }

    /// Waits for the end of the runtime process.
    ///
    /// # Errors
    /// [`Broken`] if it does not come.
    pub async fn exit(&self) -> Result<Exit, Broken> {
        timeout(LIMIT, self.sandbox.wait_exit())
            .await
            .map_err(|_| late("exit"))
    }

    /// Waits for the end of the runtime process and demands how it ended.
    async fn exits(&mut self, expected: Exit) -> Verdict {
        let exit = self.exit().await?;
        if exit == expected {
            return Ok(());
        }
        let log = self.log_now().await;
        Err(Broken::new(format!(
            "expected {expected:?}, got {exit:?}; the log says: {log}"
        )))
    }

    /// Waits until the log holds a text, and answers the log up to now.
    ///
    /// # Errors
    /// [`Broken`] if it does not come, with the log.
    pub async fn logged(&mut self, wanted: &str) -> Result<&str, Broken> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !self.text.contains(wanted) {
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(true)) => {}
                other => {
                    return Err(Broken::new(format!(
                        "expected `{wanted}` in the log ({other:?}): {}",
                        self.text
                    )));
                }
            }
        }
        Ok(&self.text)
    }

    /// Reads what is in the log now, forgets it, and answers it.
    pub async fn log_now(&mut self) -> String {
        while let Ok(Ok(true)) = timeout(Duration::ZERO, self.read()).await {}
        std::mem::take(&mut self.text)
    }

    /// Waits until the log ends.
    async fn log_ends(&mut self) -> Verdict {
        let ended = timeout(LIMIT, async {
            while self.read().await? {}
            Ok::<(), io::Error>(())
        })
        .await;
        ended
            .map_err(|_| late("end of the log"))?
            .map_err(Into::into)
    }

    /// Whether nothing is logged for a while.
    async fn is_silent_for(&mut self, time: Duration) -> bool {
        timeout(time, self.read()).await.is_err()
    }

    /// Reads once; `false` at the end.
    async fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0_u8; 4096];
        let count = self.log.read(&mut buffer).await?;
        if self.text.len() < LOG_BYTES_MAX {
            let more = buffer.get(..count).unwrap_or_default();
            self.text.push_str(&String::from_utf8_lossy(more));
        }
        Ok(count > 0)
    }
}

/// Waits until something holds; answers whether it does.
async fn until(holds: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, waiting).await.is_ok()
}

fn command(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(|&a| a.to_owned()).collect(),
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        cwd: "/tmp".into(),
    }
}

fn late(what: &str) -> Broken {
    Broken::new(format!("{what} took longer than {LIMIT:?}"))
}

/// Demands that something holds.
fn demand(holds: bool, promise: impl Into<String>) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(Broken::new(promise))
    }
}

macro_rules! case {
    ($name:literal, $run:ident) => {
        $crate::contract::case!($name, $run, [], Program)
    };
    ($name:literal, $run:ident, [$($need:ident),*]) => {
        $crate::contract::case!($name, $run, [$($need),*], Program)
    };
    ($name:literal, $run:ident, [$($need:ident),*], $code:ident) => {
        $crate::contract::Case {
            name: $name,
            needs: &[$($crate::report::Piece::$need),*],
            code: $crate::contract::Code::$code,
            run: |fixture| Box::pin($run(fixture)),
        }
    };
}
use case;
