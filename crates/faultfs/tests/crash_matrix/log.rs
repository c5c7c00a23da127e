//! The Raft log: a batch is whole and in order, and there once it was acknowledged.

use std::{collections::BTreeMap, path::Path};

use host::{
    LogEngine as _, RedbLog,
    log::{LogError, LogOp},
};

use crate::{
    model::{Ledger, Progress, bytes, check},
    subject::{Found, Subject},
};

const GROUPS: [u64; 3] = [1, 2, 9];
const META: [&str; 2] = ["vote", "after"];

/// Batches that are applied at the same time, one after the other otherwise.
type Together = Vec<(u64, Vec<LogOp>)>;

/// What a group holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    entries: BTreeMap<u64, Vec<u8>>,
    meta: BTreeMap<&'static str, Vec<u8>>,
}

type State = BTreeMap<u64, Group>;

pub(crate) struct Log;

impl Subject for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn work(&self, directory: &Path, ledger: &Ledger) -> Result<(), String> {
        let text = |error: LogError| format!("{error:?}");
        let log = RedbLog::open(&directory.join("log")).await.map_err(text)?;
        for together in script() {
            let first = ledger.begin(together.len());
            let count = together.len();
            let batches = together
                .into_iter()
                .map(|(group, ops)| log.apply(group, ops));
            let outcomes = join(batches.collect()).await;
            for (step, outcome) in (first..first + count).zip(outcomes) {
                if let Err(error) = outcome {
                    // From the first error on, there is no second answer.
                    let later = log.apply(1, vec![vote(77)]).await;
                    assert!(later.is_err(), "a log answered after an error");
                    return Err(text(error));
                }
                ledger.acknowledge(step);
            }
        }
        Ok(())
    }

    async fn verify(&self, directory: &Path, progress: Progress) -> Result<Found, String> {
        let log = RedbLog::open(&directory.join("log"))
            .await
            .map_err(|e| format!("does not open: {e:?}"))?;
        let found = read(&log)
            .await
            .map_err(|e| format!("does not read: {e:?}"))?;
        check("log", &states(), &found, progress)?;
        // It is not only there, it works.
        log.apply(
            9,
            vec![LogOp::SetMeta {
                key: "vote",
                bytes: b"works".to_vec(),
            }],
        )
        .await
        .map_err(|e| format!("does not go on: {e:?}"))?;
        Ok(Found::Whole)
    }

    async fn go_on(&self, directory: &Path) -> Result<(), String> {
        let log = RedbLog::open(&directory.join("log"))
            .await
            .map_err(|e| format!("does not open again: {e:?}"))?;
        let op = LogOp::SetMeta {
            key: "after",
            bytes: b"the error".to_vec(),
        };
        log.apply(9, vec![op])
            .await
            .map_err(|e| format!("does not go on: {e:?}"))
    }

    async fn went_on(&self, directory: &Path) -> Result<(), String> {
        let log = RedbLog::open(&directory.join("log"))
            .await
            .map_err(|e| format!("does not open: {e:?}"))?;
        match log.meta(9, "after").await {
            Ok(Some(bytes)) if bytes == b"the error" => Ok(()),
            other => Err(format!(
                "what was acknowledged after a restart is lost: {other:?}"
            )),
        }
    }
}

fn vote(number: usize) -> LogOp {
    LogOp::SetMeta {
        key: "vote",
        bytes: bytes(number, 12),
    }
}

fn append(group: u64, index: u64, len: usize) -> LogOp {
    let seed = usize::try_from(group * 1000 + index).unwrap();
    LogOp::Append {
        index,
        bytes: bytes(seed, len),
    }
}

/// What a follower does: votes, appends of all sizes, a conflict that truncates, a purge after a snapshot, and two groups
/// under one barrier.
fn script() -> Vec<Together> {
    let mut script: Vec<Together> = vec![vec![(1, vec![vote(1)])]];
    for index in 1..=14 {
        let len = [40, 700, 5000, 90][usize::try_from(index).unwrap() % 4];
        let mut ops = vec![append(1, index, len)];
        if index % 5 == 0 {
            ops.push(vote(usize::try_from(index).unwrap()));
        }
        script.push(vec![(1, ops)]);
    }
    let conflict = vec![
        LogOp::TruncateFrom(11),
        append(1, 11, 333),
        append(1, 12, 20),
    ];
    script.push(vec![(1, conflict)]);
    script.push(vec![
        (2, vec![vote(2), append(2, 1, 60)]),
        (1, vec![append(1, 13, 100)]),
    ]);
    script.push(vec![(1, vec![LogOp::PurgeTo(8)])]);
    script.push(vec![(1, vec![append(1, 14, 40_000), append(1, 15, 100)])]);
    for index in 2..=9 {
        let other = (1, vec![append(1, 14 + index, 50)]);
        script.push(vec![(2, vec![append(2, index, 200)]), other]);
    }
    script.push(vec![
        (2, vec![LogOp::PurgeTo(9)]),
        (1, vec![LogOp::TruncateFrom(20)]),
    ]);
    script
}

/// The state before the first batch and after each.
fn states() -> Vec<State> {
    let empty: State = GROUPS.map(|group| (group, Group::default())).into();
    let mut states = vec![empty.clone()];
    let mut state = empty;
    for (group, ops) in script().into_iter().flatten() {
        let group = state.get_mut(&group).unwrap();
        for op in ops {
            match op {
                LogOp::Append { index, bytes } => {
                    group.entries.insert(index, bytes);
                }
                LogOp::TruncateFrom(index) => group.entries.retain(|at, _| *at < index),
                LogOp::PurgeTo(index) => group.entries.retain(|at, _| *at > index),
                LogOp::SetMeta { key, bytes } => {
                    group.meta.insert(key, bytes);
                }
            }
        }
        states.push(state.clone());
    }
    states
}

async fn read(log: &RedbLog) -> Result<State, LogError> {
    let mut state = State::new();
    for group in GROUPS {
        let mut held = Group::default();
        if let Some((first, last)) = log.bounds(group).await? {
            held.entries = log
                .entries(group, first, last + 1)
                .await?
                .into_iter()
                .collect();
        }
        for key in META {
            if let Some(bytes) = log.meta(group, key).await? {
                held.meta.insert(key, bytes);
            }
        }
        state.insert(group, held);
    }
    Ok(state)
}

/// Awaits all at once, begun in order.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_ready = true;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    futures
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
