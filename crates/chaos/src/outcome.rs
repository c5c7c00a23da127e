//! What came of a run, in the shape of `result.json` (docs/chaos.md explains it).

use model::Timestamp;
use serde::Serialize;

use crate::{
    load::{
        Records,
        record::{Fate, Outcome as Became},
    },
    moment::Moment,
    verdict::{
        FaultJudgement, Judgement, Leadership, Line, NotTried, Played, Remark, Seen, is_ok,
        percentile,
    },
};

/// The format of `result.json`. A reader may rely on what a format has; a field may be added without another number.
pub const FORMAT: u32 = 1;
/// How long a bucket of the series is, in milliseconds.
pub(crate) const BUCKET_MS: u64 = 1000;

/// A run, what was judged of it, and what clients felt second by second.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// [`FORMAT`].
    pub format: u32,
    /// Which run.
    #[serde(flatten)]
    pub about: About,
    /// What was judged; `faults` are in [`Outcome::faults`].
    #[serde(skip)]
    pub judgement: Judgement,
    /// The verdict in one word.
    pub verdict: &'static str,
    /// Why the run says nothing; empty unless it is invalid.
    pub invalid: Vec<String>,
    /// The faults, in the order that they were played.
    pub faults: Vec<FaultOutcome>,
    /// The faults that were left out, because they do not fit the cluster.
    pub not_tried: Vec<NotTried>,
    /// What was promised for all the time.
    pub promises: Vec<Line>,
    /// What nodes did that they should not.
    pub remarks: Vec<Remark>,
    /// How many attempts there were.
    pub totals: crate::verdict::Totals,
    /// What clients felt, a bucket a second.
    pub series: Vec<Bucket>,
}

/// Which run.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// The scenario's name.
    pub scenario: String,
    /// What it is for.
    pub summary: String,
    /// What chance drew from.
    pub seed: u64,
    /// The version of the program.
    pub version: String,
    /// `local`, or the name of an operator's cluster.
    pub target: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub began_wall_ms: u64,
    /// How long it took, in milliseconds.
    #[serde(rename = "took_ms")]
    pub took: Moment,
    /// How many faults were to be played.
    pub steps: usize,
}

/// A fault and what was seen around it. Times are milliseconds since the run began.
#[derive(Clone, Debug, Serialize)]
pub struct FaultOutcome {
    /// Its kind.
    pub kind: String,
    /// What it did to whom.
    pub what: String,
    /// Whom it hit.
    pub victims: Vec<String>,
    /// When it began.
    pub begins_ms: Moment,
    /// When it was in force.
    pub holds_ms: Moment,
    /// When its end began.
    pub ends_ms: Moment,
    /// When everything was healed.
    pub over_ms: Moment,
    /// When every node was ready again.
    pub ready_ms: Option<Moment>,
    /// Who led before.
    pub leader_before: Option<Leadership>,
    /// Who led after.
    pub leader_after: Option<Leadership>,
    /// Why it did not happen, or was not healed, as it should.
    pub trouble: Option<String>,
    /// What was measured.
    #[serde(flatten)]
    pub judgement: FaultJudgement,
}

/// A second of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When it begins.
    pub at_ms: u64,
    /// Invocations that began in it and succeeded.
    pub ok: u32,
    /// Those that were refused with a 429.
    pub throttled: u32,
    /// Those that failed or were not answered.
    pub failed: u32,
    /// The median of what those that succeeded took, in milliseconds.
    pub p50_ms: Option<u64>,
    /// The 99th percentile of that.
    pub p99_ms: Option<u64>,
    /// Control writes that were acknowledged in it.
    pub acked: u32,
    /// Control writes that began in it and were not.
    pub refused: u32,
}

impl Outcome {
    /// Puts a run together.
    #[must_use]
    pub fn new(about: About, seen: &Seen<'_>, judgement: Judgement) -> Self {
        let faults = seen.played.iter().zip(&judgement.faults);
        Self {
            format: FORMAT,
            verdict: judgement.verdict.as_str(),
            invalid: judgement.invalid.clone(),
            faults: faults
                .map(|(played, judged)| fault(played, judged))
                .collect(),
            not_tried: seen.not_tried.to_vec(),
            promises: judgement.promises.clone(),
            remarks: seen.remarks.to_vec(),
            totals: judgement.totals.clone(),
            series: series(seen.records, seen.load_ended),
            judgement,
            about,
        }
    }

    /// The command that plays the same faults again.
    #[must_use]
    pub fn replay(&self) -> String {
        format!(
            "dunlin chaos run {} --seed {}",
            self.about.scenario, self.about.seed
        )
    }

    /// When it began, for people.
    #[must_use]
    pub fn began(&self) -> String {
        Timestamp(self.about.began_wall_ms).to_rfc3339()
    }
}

fn fault(played: &Played, judged: &FaultJudgement) -> FaultOutcome {
    FaultOutcome {
        kind: played.kind.clone(),
        what: played.what.clone(),
        victims: played.victims.clone(),
        begins_ms: played.begins,
        holds_ms: played.holds,
        ends_ms: played.ends,
        over_ms: played.over,
        ready_ms: played.ready,
        leader_before: played.leaders.0.clone(),
        leader_after: played.leaders.1.clone(),
        trouble: played.trouble.clone(),
        judgement: judged.clone(),
    }
}

/// What was felt, second by second, until the load ended.
fn series(records: &Records, until: Moment) -> Vec<Bucket> {
    let count = until.0 / BUCKET_MS + 1;
    let mut buckets: Vec<Bucket> = (0..count)
        .map(|number| Bucket {
            at_ms: number * BUCKET_MS,
            ..Bucket::default()
        })
        .collect();
    let mut took: Vec<Vec<u64>> = buckets.iter().map(|_| Vec::new()).collect();
    let number = |at: Moment| usize::try_from(at.0 / BUCKET_MS).unwrap_or(usize::MAX);
    for invoke in &records.invokes {
        let at = number(invoke.start);
        let Some(bucket) = buckets.get_mut(at) else {
            continue;
        };
        match invoke.outcome {
            Became::Ok => bucket.ok += 1,
            Became::Throttled => bucket.throttled += 1,
            Became::Failed | Became::Unanswered => bucket.failed += 1,
            Became::Skipped => {}
        }
        if let Some(took) = took.get_mut(at).filter(|_| is_ok(invoke)) {
            took.push(invoke.end.0.saturating_sub(invoke.start.0));
        }
    }
    for write in &records.writes {
        let acked = write.fate == Fate::Acked;
        let at = if acked { write.end } else { write.start };
        if let Some(bucket) = buckets.get_mut(number(at)) {
            if acked {
                bucket.acked += 1;
            } else {
                bucket.refused += 1;
            }
        }
    }
    for (bucket, mut took) in buckets.iter_mut().zip(took) {
        took.sort_unstable();
        bucket.p50_ms = percentile(&took, 0.5);
        bucket.p99_ms = percentile(&took, 0.99);
    }
    buckets
}
