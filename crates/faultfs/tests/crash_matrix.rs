//! The real adapters of a node's disks under every cut and error that a disk can come up with.
//!
//! A script runs once on a mounted disk that records. Then, without a mount, the power goes before every single step of the
//! recording, and what was not synced is dropped, kept, torn or reordered; the adapter opens what is left in a plain
//! directory, and everything that was acknowledged must be there, nothing half. Then the script runs again for every step
//! with an error injected at it, and once more with the process restarted after the error and the power cut after that.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may give up, and says what it tried"
)]

#[path = "crash_matrix/blobs.rs"]
mod blobs;
mod fuse;
#[path = "crash_matrix/log.rs"]
mod log;
#[path = "crash_matrix/model.rs"]
mod model;
#[path = "crash_matrix/run.rs"]
mod run;
#[path = "crash_matrix/segments.rs"]
mod segments;
#[path = "crash_matrix/store.rs"]
mod store;
#[path = "crash_matrix/subject.rs"]
mod subject;

use run::{Floor, Report, Run};

/// Fewer points than these prove too little. A script that shrank, or a kind of cut that no longer differs from another, shows
/// here; so does an engine that takes to giving up what it should read.
const FLOORS: [Floor; 4] = [
    Floor {
        subject: "log",
        points: 1400,
        cuts: 50,
        errors: 200,
        anew_percent: 0,
    },
    Floor {
        subject: "blobs",
        points: 950,
        cuts: 12,
        errors: 220,
        anew_percent: 0,
    },
    Floor {
        subject: "segments",
        points: 500,
        cuts: 12,
        errors: 90,
        anew_percent: 0,
    },
    // sled refuses what it cannot make sense of; that store is set aside, and a new one is made from the log.
    Floor {
        subject: "store",
        points: 400,
        cuts: 35,
        errors: 0,
        anew_percent: 33,
    },
];

#[test]
fn whatever_was_acknowledged_survives() {
    let only = std::env::var("FAULTFS_POINT").ok();
    let mut report = Report::default();
    let subjects = std::thread::scope(|scope| {
        let log = scope.spawn(|| Run::new(log::Log, only.as_deref()).map(Run::whole));
        let store = scope.spawn(|| Run::new(store::Tables, only.as_deref()).map(Run::whole));
        let blobs = scope.spawn(|| Run::new(blobs::Packages, only.as_deref()).map(Run::whole));
        let segments = scope.spawn(|| Run::new(segments::Appends, only.as_deref()).map(Run::whole));
        [log, store, blobs, segments].map(|run| run.join().unwrap())
    });
    for subject in subjects {
        match subject {
            Some(part) => report.add(part),
            // The machine has no FUSE, and that has been said.
            None => return,
        }
    }
    eprintln!("{report}");
    assert!(
        report.failures.is_empty(),
        "{} points failed",
        report.failures.len()
    );
    if only.is_some() {
        assert_eq!(report.points(), 1, "expected FAULTFS_POINT to be a point");
        return;
    }
    let short = report.shortfalls(&FLOORS);
    assert!(short.is_empty(), "{}", short.join("\n"));
}
