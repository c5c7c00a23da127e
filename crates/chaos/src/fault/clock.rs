//! Wall clocks jump.
//!
//! Linux has no namespace for the wall clock, and a node has no switch for it, so its clock can only be moved from between
//! it and its C library. [`Faketime`] finds `libfaketime`, which does that, and says with which environment a node has to
//! be started; without it this fault is unsupported, and says so. The monotonic clock is left alone, as by a real jump.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use host::{Clock as _, SystemClock};
use serde::Deserialize;

use super::{
    FaultError, Span, Step, Target, Unsupported, Who,
    act::{Act, Kind, Scene, list},
    together::together,
    who::phrase,
};

/// Where distributions put the library.
const PLACES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];

/// Where Linux shows the shared memory of processes.
const SHARED_MEMORY: &str = "/dev/shm";

/// How long a clock may take to show that it moved.
const MOVES_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Parameters of `clock-step`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// Whose clock.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// How far it jumps.
    pub by: Step,
    /// How long it stays off, before it jumps back. 15 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

fn lasts() -> Span {
    Span(Duration::from_secs(15))
}

/// The library that can move a process's wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faketime {
    library: PathBuf,
}

impl Faketime {
    /// Finds it on this machine.
    ///
    /// # Errors
    /// Why wall clocks cannot be moved here, as the rest of a sentence.
    pub fn find() -> Result<Self, String> {
        let there = |place: &&Path| place.try_exists().unwrap_or(false);
        let found = PLACES.iter().map(Path::new).find(there).map(|place| Self {
            library: place.to_owned(),
        });
        found.ok_or_else(|| {
            "Linux cannot give a process a wall clock of its own; install libfaketime".to_owned()
        })
    }

    /// The environment in which a node starts whose clock is as far off as `file` says, and the content of a file that says
    /// "not at all". Write that before the node starts.
    #[must_use]
    pub fn environment(&self, file: &Path) -> (Vec<(&'static str, PathBuf)>, &'static str) {
        let variables = vec![
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_owned()),
            ("FAKETIME_NO_CACHE", PathBuf::from("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", PathBuf::from("1")),
        ];
        (variables, TRUE_TIME)
    }

    /// Takes away what the library made in shared memory for a process that is gone: it does not do so itself when its
    /// process is killed.
    pub fn forget(&self, process: u32) {
        for name in ["faketime_shm_", "sem.faketime_sem_"] {
            let file = Path::new(SHARED_MEMORY).join(format!("{name}{process}"));
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(file = %file.display(), %error, "shared memory is left");
                }
                _ => {}
            }
        }
    }
}

const TRUE_TIME: &str = "+0\n";

struct Stepping {
    victims: Vec<String>,
    files: Vec<PathBuf>,
    fault: ClockStep,
}

impl ClockStep {
    fn sentence(&self, who: &str) -> String {
        format!(
            "move the wall clock of {who} by {} for {}",
            self.by, self.lasts
        )
    }
}

impl Kind for ClockStep {
    fn name(&self) -> &'static str {
        "clock-step"
    }

    fn describe(&self) -> String {
        self.sentence(&phrase(&self.who, self.count))
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        let victims = self.who.choose(scene, self.count)?;
        let file = |node: &String| {
            scene
                .target
                .clock(node)
                .map_err(|reason| Unsupported::NoClock {
                    node: node.clone(),
                    reason,
                })
        };
        Ok(Box::new(Stepping {
            files: victims.iter().map(file).collect::<Result<_, _>>()?,
            victims,
            fault: self.clone(),
        }))
    }
}

impl Stepping {
    /// Every file is written whole, at once: the library may read it at any moment.
    fn write(&self, text: &str) -> Result<(), FaultError> {
        self.files.iter().try_for_each(|file| {
            let fresh = file.with_extension("fresh");
            std::fs::write(&fresh, text)
                .and_then(|()| std::fs::rename(&fresh, file))
                .map_err(|source| FaultError::File {
                    path: file.display().to_string(),
                    source,
                })
        })
    }
}

/// Waits until a node shows a time that is not ours any more: a file that nobody reads moves no clock. What it shows was so
/// between our question and its answer, so a time outside of that is another clock's.
async fn moved(target: &dyn Target, node: &str, back: bool) -> Result<(), FaultError> {
    let looks = async {
        loop {
            let asked = SystemClock.wall();
            let shown = target.wall(node).await;
            let answered = SystemClock.wall();
            if shown.is_some_and(|at| if back { at < asked } else { at > answered }) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let late = |_| FaultError::ClockStays {
        node: node.to_owned(),
        patience: MOVES_MAX,
    };
    tokio::time::timeout(MOVES_MAX, looks).await.map_err(late)
}

#[async_trait]
impl Act for Stepping {
    fn describe(&self) -> String {
        self.fault.sentence(&list(&self.victims))
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        let Step { back, by } = self.fault.by;
        let sign = if back { '-' } else { '+' };
        self.write(&format!(
            "{sign}{}.{:03}\n",
            by.as_secs(),
            by.subsec_millis()
        ))?;
        together(self.victims.iter().map(|node| moved(target, node, back))).await
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.fault.lasts.0).await;
        Ok(())
    }

    async fn end(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        self.write(TRUE_TIME)
    }
}
