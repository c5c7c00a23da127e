//! The faults, one after the other.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use host::SeededEntropy;
use tokio::sync::watch;

use crate::{
    fault::{self, Phase, Prepared, Target, Unsupported},
    load::Load,
    moment::{Began, Moment},
    scenario::{Scenario, Step},
    verdict::{NotTried, Played, recovered_at},
    watched::Watched,
};

/// How often recovery is looked for.
const POLL: Duration = Duration::from_millis(200);
/// What is waited for a recovery that is late already, so that the next fault does not meet the last one's ruins.
const LATE: Duration = Duration::from_secs(30);

/// Who plays the faults.
pub(super) struct Director<'a> {
    pub(super) cluster: Arc<dyn Watched>,
    pub(super) scenario: &'a Scenario,
    /// Whether what does not fit the cluster is left out.
    pub(super) skip_unfit: bool,
    pub(super) entropy: SeededEntropy,
    pub(super) began: Began,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) frontends: BTreeSet<String>,
}

/// What came of the steps.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) played: Vec<Played>,
    pub(super) not_tried: Vec<NotTried>,
    /// Why not all were played, if so.
    pub(super) cut_short: Option<String>,
}

/// When each phase came.
#[derive(Clone, Copy, Debug, Default)]
struct Phases {
    begins: Moment,
    holds: Option<Moment>,
    ends: Moment,
    over: Moment,
}

impl Director<'_> {
    /// Plays all steps.
    pub(super) async fn play(
        &self,
        steps: &[Step],
        load: &mut Load,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Course {
        let mut course = Course::default();
        let mut stopped = self.wait(self.scenario.warmup).await;
        for (number, step) in (1..).zip(steps) {
            if stopped {
                break;
            }
            if let Err(error) = load.check() {
                course.cut_short = Some(error.to_string());
                return course;
            }
            let around = format!("{number}/{}", steps.len());
            let target: Arc<dyn Target> = self.cluster.clone();
            let prepared = step.fault.prepare(&target, &self.entropy).await;
            if let Some(needs) = self.unfit(&prepared) {
                let now = self.began.moment();
                say(&format!(
                    "{now} [{around}] {}: not tried, needs {needs}",
                    step.fault
                ));
                course.leave_out(step, needs);
                continue;
            }
            let one = self.step(step, prepared, &around, load, say).await;
            let happened = one.trouble.is_none();
            course.played.push(one);
            stopped = *self.stop.borrow();
            if happened && !stopped {
                stopped = self.wait(self.scenario.settle).await;
            }
        }
        course.cut_short = stopped.then(|| "it was told to stop".to_owned());
        course
    }

    /// What the cluster lacks for a fault that is to be left out.
    fn unfit(&self, prepared: &Result<Prepared, Unsupported>) -> Option<String> {
        let unsupported = prepared.as_ref().err().filter(|_| self.skip_unfit)?;
        unsupported.needs()
    }

    async fn step(
        &self,
        step: &Step,
        prepared: Result<Prepared, Unsupported>,
        around: &str,
        load: &Load,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Played {
        let before = self.cluster.leadership().await;
        let now = self.began.moment();
        let mut played = Played {
            kind: step.fault.name().to_owned(),
            what: step.fault.to_string(),
            victims: Vec::new(),
            limits: step.limits,
            begins: now,
            holds: now,
            ends: now,
            over: now,
            ready: None,
            leaders: (before, None),
            leader_change: step.leader_change,
            trouble: None,
            happened: prepared.is_ok(),
        };
        match prepared {
            Err(unsupported) => {
                let hint = match unsupported.needs() {
                    Some(_) => "; --skip-unfit leaves such faults out",
                    None => "",
                };
                played.trouble = Some(format!("did not happen: {unsupported}{hint}"));
                say(&format!("{now} [{around}] {}: {unsupported}", played.what));
            }
            Ok(prepared) => {
                played.what = prepared.describe();
                played.victims = prepared.victims().to_vec();
                say(&format!("{now} [{around}] {}", played.what));
                self.suffer(prepared, &mut played, load, say).await;
            }
        }
        played
    }

    async fn suffer(
        &self,
        prepared: Prepared,
        played: &mut Played,
        load: &Load,
        say: &mut (dyn FnMut(&str) + Send),
    ) {
        let mut phases = Phases::default();
        let went = prepared
            .play(self.stopped(), |phase| {
                phases.note(phase, self.began.moment())
            })
            .await;
        played.begins = phases.begins;
        played.holds = phases.holds.unwrap_or(phases.ends);
        played.ends = phases.ends;
        played.over = phases.over;
        played.trouble = trouble(&went);
        let healed = self.recover(played, load).await;
        played.leaders.1 = self.cluster.leadership().await;
        let now = self.began.moment();
        let leader = played.leaders.1.as_ref();
        let leads = leader.map_or("nobody leads".to_owned(), |l| format!("{} leads", l.name));
        match (&played.trouble, healed) {
            (Some(trouble), _) => say(&format!("{now} {trouble}; {leads}")),
            (None, Some(at)) => {
                let took = at.since(played.over).as_secs_f64();
                say(&format!(
                    "{now} recovered {took:.1} s after it was healed; {leads}"
                ));
            }
            (None, None) => say(&format!("{now} not recovered; {leads}")),
        }
    }

    /// Waits until every node is ready and everything works through every frontend. Answers since when.
    async fn recover(&self, played: &mut Played, load: &Load) -> Option<Moment> {
        let deadline = played.over.plus(played.limits.recovery).plus(LATE);
        let records = load.records();
        loop {
            if played.ready.is_none() {
                if self.cluster.unready().await.is_empty() {
                    played.ready = Some(self.began.moment());
                } else {
                    self.start_again(&played.victims).await;
                }
            }
            let works = recovered_at(&records.lock(), &self.frontends, played.over);
            if let (Some(ready), Some(works)) = (played.ready, works) {
                return Some(ready.max(works));
            }
            let stopped = self.wait(POLL).await;
            if stopped || self.began.moment() > deadline {
                return None;
            }
        }
    }

    /// Starts victims that ended after their fault did, as whatever supervises a node would: one whose disk failed drains
    /// first, which takes as long as its work under way.
    async fn start_again(&self, victims: &[String]) {
        for victim in victims {
            if self.cluster.is_up(victim).await {
                continue;
            }
            if let Err(error) = self.cluster.start(victim).await {
                tracing::warn!(%error, "a victim could not be started again");
            }
        }
    }

    /// Waits so long, or until the run is told to stop. Answers whether it is.
    async fn wait(&self, long: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => true,
            () = tokio::time::sleep(long) => false,
        }
    }

    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left to say so.
            std::future::pending::<()>().await;
        }
    }
}

impl Course {
    fn leave_out(&mut self, step: &Step, needs: String) {
        let what = step.fault.to_string();
        let same = |other: &&mut NotTried| (&other.what, &other.needs) == (&what, &needs);
        match self.not_tried.iter_mut().find(same) {
            Some(left_out) => left_out.times += 1,
            None => self.not_tried.push(NotTried {
                kind: step.fault.name().to_owned(),
                what,
                needs,
                times: 1,
            }),
        }
    }
}

impl Phases {
    const fn note(&mut self, phase: Phase, at: Moment) {
        match phase {
            Phase::Begins => self.begins = at,
            Phase::Holds => self.holds = Some(at),
            Phase::Ends => self.ends = at,
            Phase::Over => self.over = at,
        }
    }
}

fn trouble(went: &fault::Played) -> Option<String> {
    let told = |what: &str, error: &fault::FaultError| {
        let error: &dyn std::error::Error = error;
        let causes = std::iter::successors(Some(error), |error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        format!("{what}: {}", causes.join(": "))
    };
    let happened = went
        .happened
        .as_ref()
        .err()
        .map(|e| told("did not happen as it should", e));
    let healed = went
        .healed
        .as_ref()
        .err()
        .map(|e| told("was not healed", e));
    let stopped = went.stopped.then(|| "was cut short".to_owned());
    let troubles: Vec<_> = [happened, healed, stopped].into_iter().flatten().collect();
    (!troubles.is_empty()).then(|| troubles.join("; "))
}
