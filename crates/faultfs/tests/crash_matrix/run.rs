//! One adapter through all its points.

use std::{
    collections::{BTreeMap, HashSet, hash_map::DefaultHasher},
    fmt,
    hash::{Hash as _, Hasher as _},
    path::Path,
};

use faultfs::{Control, Errno, Image, Lasting, Options, Recording, Survival};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    fuse::{Disk, PATIENCE, disk_or_skip},
    model::{Event, Ledger, Progress, progress},
    subject::{Found, Subject},
};

/// Failures that are printed at length.
const SHOWN: usize = 12;

/// The errors that are injected at every step.
const ERRORS: [(&str, Errno, Lasting); 3] = [
    ("eio", Errno::Io, Lasting::Once),
    ("eio-on", Errno::Io, Lasting::UntilHealed),
    ("full-on", Errno::NoSpace, Lasting::UntilHealed),
];

/// The kinds of [`survivals`].
const CUTS: [&str; 5] = ["dropped", "kept", "some", "reordered", "torn"];

pub(crate) struct Run<S> {
    subject: S,
    only: Option<String>,
    disk: Disk,
    runtime: Runtime,
    report: Report,
}

/// What was tried and what failed.
#[derive(Default)]
pub(crate) struct Report {
    /// By subject and kind.
    tried: BTreeMap<(&'static str, &'static str), Tried>,
    pub(crate) failures: Vec<String>,
}

/// Points of one kind on one subject.
#[derive(Clone, Copy, Default)]
struct Tried {
    points: usize,
    /// Of them, those after which the subject began anew. That is allowed for copies, and proves less.
    anew: usize,
}

/// What a subject has to show at least, for its part of the matrix to say something.
pub(crate) struct Floor {
    pub(crate) subject: &'static str,
    /// Points of all kinds.
    pub(crate) points: usize,
    /// Points of each kind of cut.
    pub(crate) cuts: usize,
    /// Points of each kind of error; 0 if it meets none.
    pub(crate) errors: usize,
    /// Of a hundred points, after how many it may begin anew.
    pub(crate) anew_percent: usize,
}

impl<S: Subject> Run<S> {
    /// Nothing where no disk can be mounted.
    pub(crate) fn new(subject: S, only: Option<&str>) -> Option<Self> {
        Some(Self {
            subject,
            only: only.map(str::to_owned),
            disk: disk_or_skip(Options::default())?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            report: Report::default(),
        })
    }

    pub(crate) fn whole(mut self) -> Report {
        let (recording, events) = self.record();
        self.cut_everywhere(&recording, &events);
        if self.subject.meets_errors() {
            self.fail_everywhere(recording.steps().len());
        }
        self.report
    }

    fn control(&self) -> Control {
        self.disk.mount.control()
    }

    fn record(&self) -> (Recording, Vec<Event>) {
        let control = self.control();
        control.record();
        let ledger = Ledger::new(control.clone());
        let work = self.subject.work(self.disk.directory.path(), &ledger);
        self.runtime.block_on(work).unwrap();
        control.wait_until_idle(PATIENCE).unwrap();
        (control.take_recording().unwrap(), ledger.events())
    }

    fn cut_everywhere(&mut self, recording: &Recording, events: &[Event]) {
        let mut seen = HashSet::new();
        let mut replay = recording.replay();
        for cut in 0.. {
            let progress = progress(events, cut);
            let journal = replay.journal();
            for (kind, survival) in survivals(cut) {
                let survivors = journal.survivors(survival);
                let point = format!("{}:{cut}:{survival}", self.subject.name());
                let mut hasher = DefaultHasher::new();
                (progress, journal.version(), &survivors).hash(&mut hasher);
                if !seen.insert(hasher.finish()) || self.is_left_out(&point) {
                    continue;
                }
                let image = journal.after(&survivors);
                let outcome = self.verify(&image, progress);
                self.report.note(self.subject.name(), kind, &point, outcome);
            }
            if !replay.advance() {
                break;
            }
        }
    }

    fn fail_everywhere(&mut self, steps: usize) {
        for (name, errno, lasting) in ERRORS {
            for at in 0..u64::try_from(steps).unwrap() {
                let survival = [Survival::Nothing, Survival::Some(at), Survival::Torn(at)];
                let survival = survival[usize::try_from(at).unwrap() % 3];
                let point = format!("{}:{name}@{at}:{survival}", self.subject.name());
                if self.is_left_out(&point) {
                    continue;
                }
                let outcome = self.fail_at(at, errno, lasting, survival);
                self.report.note(self.subject.name(), name, &point, outcome);
            }
        }
    }

    /// The script with an error; then a restart and more work; then a cut.
    fn fail_at(
        &self,
        at: u64,
        errno: Errno,
        lasting: Lasting,
        survival: Survival,
    ) -> Result<Found, String> {
        let control = self.control();
        let directory = self.disk.directory.path();
        control.replace(&Image::default(), PATIENCE).unwrap();
        control.record();
        control.fail_at(at, errno, lasting);
        let ledger = Ledger::new(control.clone());
        // An error that does not stop the script was survived.
        let _ = self.runtime.block_on(self.subject.work(directory, &ledger));
        control.wait_until_idle(PATIENCE).unwrap();
        control.heal();
        let progress = ledger.progress();
        // After a failed sync of a file, the page cache is a lie: nothing good comes of it before the machine restarts.
        let may_restart = control.usage().failed_syncs == 0;
        if may_restart {
            self.runtime
                .block_on(self.subject.go_on(directory))
                .map_err(|e| format!("after a restart: {e}"))?;
            control.wait_until_idle(PATIENCE).unwrap();
        }
        control.power_cut(survival);
        control.restore_power(PATIENCE).unwrap();
        let image = control.image();
        if may_restart {
            let directory = materialise(&image);
            let went_on = self.subject.went_on(directory.path());
            self.runtime.block_on(went_on)?;
            return Ok(Found::Whole);
        }
        self.verify(&image, progress)
    }

    fn verify(&self, image: &Image, progress: Progress) -> Result<Found, String> {
        let directory = materialise(image);
        self.runtime
            .block_on(self.subject.verify(directory.path(), progress))
    }

    fn is_left_out(&self, point: &str) -> bool {
        self.only.as_ref().is_some_and(|only| only != point)
    }
}

/// What is tried before one step, with its kind.
fn survivals(cut: usize) -> [(&'static str, Survival); 8] {
    let seed = u64::try_from(cut).unwrap() * 10;
    [
        ("dropped", Survival::Nothing),
        ("kept", Survival::Everything),
        ("some", Survival::Some(seed)),
        ("some", Survival::Some(seed + 1)),
        ("reordered", Survival::Reordered(seed)),
        ("reordered", Survival::Reordered(seed + 1)),
        ("torn", Survival::Torn(seed)),
        ("torn", Survival::Torn(seed + 1)),
    ]
}

fn materialise(image: &Image) -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    let directory = directory.unwrap();
    image.materialise(directory.path()).unwrap();
    directory
}

impl Report {
    fn note(
        &mut self,
        subject: &'static str,
        kind: &'static str,
        point: &str,
        outcome: Result<Found, String>,
    ) {
        let tried = self.tried.entry((subject, kind)).or_default();
        tried.points += 1;
        tried.anew += usize::from(outcome == Ok(Found::Anew));
        if let Err(why) = outcome {
            self.failures.push(format!(
                "{point}: {why}\n  FAULTFS_POINT={point} cargo test -p faultfs --test crash_matrix -- --nocapture"
            ));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.tried.extend(other.tried);
        self.failures.extend(other.failures);
    }

    pub(crate) fn points(&self) -> usize {
        self.sum(|_| true).points
    }

    /// Where less was tried than has to be, or a subject began anew more often than it may.
    pub(crate) fn shortfalls(&self, floors: &[Floor]) -> Vec<String> {
        let mut short = Vec::new();
        let cuts = CUTS.map(|kind| (kind, true));
        let errors = ERRORS.map(|(kind, ..)| (kind, false));
        for floor in floors {
            let name = floor.subject;
            for (kind, is_cut) in cuts.into_iter().chain(errors) {
                let least = if is_cut { floor.cuts } else { floor.errors };
                let points = self.sum(|key| key == (name, kind)).points;
                if points < least {
                    short.push(format!(
                        "expected at least {least} points of {name} {kind}, tried {points}"
                    ));
                }
            }
            let all = self.sum(|(subject, _)| subject == name);
            if all.points < floor.points {
                short.push(format!(
                    "expected at least {} points of {name}, tried {}",
                    floor.points, all.points
                ));
            }
            if all.anew * 100 > all.points * floor.anew_percent {
                short.push(format!(
                    "expected {name} to begin anew after at most {} % of its points, it did after {} of {}",
                    floor.anew_percent, all.anew, all.points
                ));
            }
        }
        short
    }

    fn sum(&self, which: impl Fn((&str, &str)) -> bool) -> Tried {
        let those = self.tried.iter().filter(|(key, _)| which(**key));
        those.fold(Tried::default(), |sum, (_, tried)| Tried {
            points: sum.points + tried.points,
            anew: sum.anew + tried.anew,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.iter().take(SHOWN) {
            writeln!(f, "FAILED {failure}")?;
        }
        for ((subject, kind), Tried { points, anew }) in &self.tried {
            write!(f, "{points:6} {subject} {kind}")?;
            match anew {
                0 => writeln!(f)?,
                anew => writeln!(f, ", begun anew after {anew}")?,
            }
        }
        write!(
            f,
            "{:6} points, {} failed",
            self.points(),
            self.failures.len()
        )
    }
}
