//! Judgements of made-up runs. The healthy one holds; every other is it with one thing planted, and one line must see it.

use super::*;
use crate::load::record::{
    Answer, Deployed, Fate, Final, Operation, Outcome as Became, Version, Write,
};

const STEADY: &str = "chaos-steady";
const CHURN: &str = "chaos-churn";
const FRONTENDS: [&str; 3] = ["a2", "b2", "c2"];
const SECOND: Duration = Duration::from_secs(1);

fn version(number: u32) -> Version {
    Version {
        version: number.to_string(),
        word: Some(format!("w{}", number - 1)),
        setting: Some(format!("c{}", number - 1)),
    }
}

fn invoke(id: usize, via: &str, function: &str, at: u64, version: &Version) -> Invoke {
    Invoke {
        id: format!("i{id}"),
        via: via.to_owned(),
        function: function.to_owned(),
        patient: id.is_multiple_of(10),
        start: Moment(at),
        end: Moment(at + 20),
        outcome: Became::Ok,
        status: 200,
        error: None,
        retries: 0,
        answer: Some(Answer {
            id: Some(format!("i{id}")),
            word: version.word.clone(),
            version: Some(version.version.clone()),
            setting: version.setting.clone(),
        }),
    }
}

fn write(op: Operation, subject: &str, value: &str, at: u64) -> Write {
    Write {
        op,
        subject: subject.to_owned(),
        value: value.to_owned(),
        via: "a2".to_owned(),
        start: Moment(at),
        end: Moment(at + 30),
        fate: Fate::Acked,
        status: 200,
        error: None,
        result: None,
    }
}

/// Forty seconds in which everything works: an invocation every 50 ms, an alias every 500 ms, another version at 20 s, and
/// a fault from 5 s to 10 s that nobody feels.
struct Case {
    records: Records,
    played: Vec<Played>,
    remarks: Vec<Remark>,
    cut_short: Option<String>,
}

impl Case {
    fn healthy() -> Self {
        let mut records = Records {
            is_ready: true,
            is_done: true,
            ..Records::default()
        };
        let steady = Version {
            word: Some("steady".to_owned()),
            ..version(1)
        };
        for (function, first) in [(STEADY, steady.clone()), (CHURN, version(1))] {
            records.deployed.push(Deployed {
                function: function.to_owned(),
                result: first,
            });
        }
        for (id, at) in (0..40_000).step_by(50).enumerate() {
            let via = FRONTENDS[id % 3];
            let one = if id % 4 == 0 {
                let number = if at < 20_200 { 1 } else { 2 };
                invoke(id, via, CHURN, at, &version(number))
            } else {
                invoke(id, via, STEADY, at, &steady)
            };
            records.invokes.push(one);
        }
        let mut aliases = std::collections::BTreeMap::new();
        for (number, at) in (0..40_000).step_by(500).enumerate() {
            let name = format!("a{number}");
            records
                .writes
                .push(write(Operation::CreateAlias, &name, "1", at));
            aliases.insert(name, "1".to_owned());
        }
        records.writes.extend([
            write(Operation::UpdateConfiguration, CHURN, "c1", 19_700),
            write(Operation::UpdateCode, CHURN, "w1", 19_800),
            Write {
                result: Some(version(2)),
                ..write(Operation::Publish, CHURN, "w1", 19_900)
            },
            write(Operation::UpdateAlias, "chaos-churn:live", "2", 20_000),
        ]);
        records.finals = FRONTENDS
            .map(|via| Final {
                via: via.to_owned(),
                error: None,
                aliases: aliases.clone(),
                versions: vec![version(1), version(2)],
                live: Some("2".to_owned()),
                setting: Some("c1".to_owned()),
                word: Some("w1".to_owned()),
            })
            .to_vec();
        Self {
            records,
            played: vec![played()],
            remarks: Vec::new(),
            cut_short: None,
        }
    }

    fn judge(&self) -> Judgement {
        judge(&Seen {
            records: &self.records,
            played: &self.played,
            not_tried: &[],
            remarks: &self.remarks,
            load_ended: Moment(40_000),
            cut_short: self.cut_short.clone(),
        })
    }

    /// Invocations from one moment to another fail.
    fn fail(&mut self, from: u64, until: u64, which: impl Fn(&Invoke) -> bool) {
        let hit = |i: &&mut Invoke| (from..until).contains(&i.start.0) && which(i);
        for invoke in self.records.invokes.iter_mut().filter(hit) {
            invoke.outcome = Became::Failed;
            invoke.status = 500;
            invoke.answer = None;
        }
    }

    /// The broken lines, of faults and of promises.
    fn broken(&self) -> Vec<&'static str> {
        let judgement = self.judge();
        let lines = judgement.faults.iter().flat_map(|fault| &fault.lines);
        let lines = lines.chain(&judgement.promises);
        lines.filter(|line| !line.held).map(|l| l.name).collect()
    }
}

fn played() -> Played {
    let leader = |name: &str, term| {
        Some(Leadership {
            name: name.to_owned(),
            term,
        })
    };
    Played {
        kind: "kill".to_owned(),
        what: "kill a1 at once".to_owned(),
        victims: vec!["a1".to_owned()],
        limits: Limits::default(),
        begins: Moment(5000),
        holds: Moment(5010),
        ends: Moment(10_000),
        over: Moment(10_050),
        ready: Some(Moment(11_000)),
        leaders: (leader("a1", 1), leader("b1", 2)),
        leader_change: true,
        trouble: None,
        happened: true,
    }
}

#[test]
fn a_run_in_which_all_works_holds() {
    let judgement = Case::healthy().judge();
    assert_eq!(Case::healthy().broken(), [""; 0]);
    assert_eq!(judgement.verdict, Verdict::Held);
    assert_eq!(judgement.totals.invokes, 800);
    assert_eq!(judgement.totals.leader_changes, 1);
    assert_eq!(judgement.faults[0].judged, 700);
    assert_eq!(judgement.faults[0].blast_radius, [""; 0]);
}

#[test]
fn failures_count_by_when_they_began() {
    // Half of what begins in the grace may fail, but not more, and nothing after it.
    let single = |i: &Invoke| !i.patient;
    let mut case = Case::healthy();
    case.fail(6000, 7000, single);
    assert_eq!(case.broken(), [""; 0]);
    case.fail(5000, 7000, single);
    assert_eq!(case.broken(), ["success at once"]);
    let mut case = Case::healthy();
    case.fail(9000, 9100, single);
    assert_eq!(case.broken(), ["success"]);
    let shown = &case.judge().faults[0].lines[1];
    assert!(shown.examples[0].contains("0:09.0") && shown.examples[0].contains("500"));
    let mut case = Case::healthy();
    case.fail(5000, 7000, |i| i.patient);
    assert_eq!(case.broken(), ["success with the SDK's retries"]);
    // What is under way when it begins is felt at once, by this fault and not by the one before.
    let mut case = Case::healthy();
    let mut next = played();
    (next.begins, next.holds) = (Moment(20_000), Moment(20_010));
    (next.ends, next.over, next.ready) = (Moment(21_000), Moment(21_000), Some(Moment(21_000)));
    case.played.push(next);
    case.fail(19_950, 20_000, single);
    let spoiled = case.records.invokes.iter_mut().filter(|i| !is_ok(i));
    spoiled.for_each(|i| i.end = Moment(24_000));
    assert_eq!(case.broken(), [""; 0]);
    // Before the fault nobody is judged for it.
    let mut case = Case::healthy();
    case.fail(1000, 4000, |_| true);
    assert_eq!(case.broken(), [""; 0]);
}

#[test]
fn clients_of_a_frontend_that_is_hit_are_not_judged() {
    let mut case = Case::healthy();
    case.played[0].victims.push("c2".to_owned());
    case.fail(5000, 10_050, |i| i.via == "c2");
    assert_eq!(case.broken(), [""; 0]);
    assert_eq!(case.judge().faults[0].blast_radius, ["c2"]);
    // But it must recover with the others.
    case.fail(5000, 25_000, |i| i.via == "c2");
    assert_eq!(case.broken(), ["recovered after"]);
}

#[test]
fn what_the_client_did_not_try_is_not_judged() {
    let mut case = Case::healthy();
    for invoke in &mut case.records.invokes[200..300] {
        invoke.outcome = Became::Skipped;
        invoke.answer = None;
    }
    assert_eq!(
        case.broken(),
        ["longest gap"],
        "but that nothing succeeded is seen"
    );
    assert_eq!(case.judge().faults[0].judged, 600);
}

#[test]
fn gaps_and_slowness_are_seen() {
    let mut case = Case::healthy();
    let gap = |i: &Invoke| (12_000..16_000).contains(&i.end.0);
    case.records.invokes.retain(|i| !gap(i));
    assert_eq!(case.broken(), ["longest gap"]);
    let mut case = Case::healthy();
    for invoke in case
        .records
        .invokes
        .iter_mut()
        .filter(|i| i.start.0 > 30_000)
    {
        invoke.end = invoke.start.plus(SECOND * 4);
    }
    assert!(case.broken().contains(&"p99"));
    let mut case = Case::healthy();
    let gap = |w: &Write| w.op == Operation::CreateAlias && (12_000..18_000).contains(&w.end.0);
    for write in case.records.writes.iter_mut().filter(|w| gap(w)) {
        write.fate = Fate::Unknown;
    }
    assert_eq!(case.broken(), ["longest gap of writes"]);
}

#[test]
fn recovery_is_the_begin_of_the_first_clean_stretch() {
    let frontends = FRONTENDS.map(str::to_owned).into();
    let at = |case: &Case| recovered_at(&case.records, &frontends, Moment(10_050));
    let case = Case::healthy();
    // An invocation through each frontend, and a write, must have come back.
    assert_eq!(at(&case), Some(Moment(10_530)));
    let mut case = Case::healthy();
    case.fail(10_000, 13_000, |i| i.via == "b2");
    assert!(
        (13_000..13_600).contains(&at(&case).unwrap().0),
        "{:?}",
        at(&case)
    );
    // What fails later is another matter.
    case.fail(30_000, 31_000, |_| true);
    assert!((13_000..13_600).contains(&at(&case).unwrap().0));
    case.fail(10_000, 40_000, |i| i.via == "b2");
    assert_eq!(at(&case), None);
    assert!(case.broken().contains(&"recovered after"));
    // Not long enough ago to know.
    let mut case = Case::healthy();
    case.records.invokes.retain(|i| i.start.0 < 11_000);
    assert_eq!(at(&case), None);
    let mut case = Case::healthy();
    case.played[0].ready = None;
    assert_eq!(case.broken(), ["recovered after"]);
}

#[test]
fn refused_writes_must_be_refused_quickly() {
    let mut case = Case::healthy();
    case.played[0].limits.writes = Writes::Refused;
    case.played[0].limits.grace = SECOND;
    let during = |w: &Write| (5000..10_000).contains(&w.start.0);
    for write in case.records.writes.iter_mut().filter(|w| during(w)) {
        write.fate = Fate::Unknown;
        write.status = 503;
    }
    assert_eq!(case.broken(), ["acknowledged writes lost"; 0]);
    for write in case.records.writes.iter_mut().filter(|w| during(w)) {
        write.end = write.start.plus(SECOND * 2);
    }
    assert_eq!(case.broken(), ["slowest refusal of a write"]);
    let mut case = Case::healthy();
    case.played[0].limits.writes = Writes::Any;
    case.records.writes.retain(|w| !during(w));
    assert_eq!(case.broken(), [""; 0]);
}

use crate::scenario::Writes;

#[test]
fn a_lost_write_is_seen_wherever_it_is_lost() {
    let lost = [
        "acknowledged writes lost",
        "reads that differ from the last write",
    ];
    let mut case = Case::healthy();
    case.records.finals[1].aliases.remove("a7");
    assert_eq!(case.broken(), lost);
    let mut case = Case::healthy();
    for last in &mut case.records.finals {
        last.aliases.remove("a7");
    }
    assert_eq!(case.broken(), lost[..1], "all agree, and all are wrong");
    // It was never promised.
    for fate in [Fate::Unknown, Fate::Refused] {
        let a7 = |w: &&mut Write| w.subject == "a7";
        case.records.writes.iter_mut().find(a7).unwrap().fate = fate;
        assert_eq!(case.broken(), [""; 0]);
    }
    let mut case = Case::healthy();
    let deleted = write(Operation::DeleteAlias, "a7", "", 30_000);
    case.records.writes.push(deleted);
    assert_eq!(case.broken(), lost[..1], "deleted and there");
    let mut case = Case::healthy();
    for last in &mut case.records.finals {
        last.versions.pop();
    }
    assert_eq!(case.broken(), lost[..1]);
    assert_eq!(case.judge().verdict, Verdict::Broken);
}

#[test]
fn the_last_acknowledged_value_is_read_or_one_that_may_have_followed() {
    let mut case = Case::healthy();
    let live = |case: &mut Case, value: &str| {
        for last in &mut case.records.finals {
            last.live = Some(value.to_owned());
        }
    };
    live(&mut case, "1");
    assert_eq!(case.broken(), ["reads that differ from the last write"]);
    live(&mut case, "3");
    assert_eq!(case.broken(), ["reads that differ from the last write"]);
    let mut later = write(Operation::UpdateAlias, "chaos-churn:live", "3", 30_000);
    later.fate = Fate::Unknown;
    case.records.writes.push(later);
    assert_eq!(case.broken(), [""; 0], "it may have happened");
    live(&mut case, "2");
    assert_eq!(case.broken(), [""; 0], "or not");
    let mut case = Case::healthy();
    case.records.finals[2].error = Some("refused".to_owned());
    assert_eq!(case.broken(), ["reads that differ from the last write"]);
    case.records.finals.clear();
    assert_eq!(case.broken(), ["reads that differ from the last write"]);
}

#[test]
fn a_wrong_answer_is_seen() {
    let plant = |how: fn(&mut Answer), at: usize| {
        let mut case = Case::healthy();
        how(case.records.invokes[at].answer.as_mut().unwrap());
        case.broken()
    };
    // Number 4 is of the function that changes, number 5 of the other.
    for at in [4, 5] {
        for how in [
            (|a| a.id = Some("i999".to_owned())) as fn(&mut Answer),
            |a| a.word = Some("w7".to_owned()),
            |a| a.setting = None,
            |a| a.version = None,
        ] {
            assert_eq!(plant(how, at), ["wrong answers"]);
        }
    }
    let mut case = Case::healthy();
    case.records.finals[0].versions[1].setting = Some("c9".to_owned());
    assert!(
        case.broken().contains(&"wrong answers"),
        "a version is one thing for ever"
    );
}

#[test]
fn time_does_not_go_back() {
    let mut case = Case::healthy();
    let old = version(1);
    let at = 604;
    let via = case.records.invokes[at].via.clone();
    case.records.invokes[at] = invoke(at, &via, CHURN, 30_200, &old);
    let broken = case.broken();
    assert_eq!(
        broken,
        [
            "answers older than before",
            "stale answers of a healthy cluster"
        ]
    );
    // A fault that hits another node excuses what is stale, not what goes back.
    case.played[0].begins = Moment(29_000);
    case.played[0].over = Moment(31_000);
    case.played[0].ready = Some(Moment(31_000));
    assert_eq!(case.broken(), ["answers older than before"]);
    case.played[0].victims = vec![via];
    assert_eq!(case.broken(), [""; 0]);
}

#[test]
fn a_panic_breaks_a_run() {
    let mut case = Case::healthy();
    case.remarks.push(Remark {
        node: "a1".to_owned(),
        text: "thread panicked at x".to_owned(),
    });
    assert_eq!(case.broken(), ["panics and exits"]);
    assert_eq!(case.judge().verdict.exit_code(), 1);
}

#[test]
fn a_run_that_says_nothing_is_invalid() {
    let check = |change: fn(&mut Case), told: &str| {
        let mut case = Case::healthy();
        change(&mut case);
        let judgement = case.judge();
        assert_eq!(
            judgement.verdict,
            Verdict::Invalid,
            "{told}: {:?}",
            case.broken()
        );
        assert_eq!(judgement.verdict.exit_code(), 2);
        assert!(
            judgement.invalid.iter().any(|why| why.contains(told)),
            "{:?}",
            judgement.invalid
        );
    };
    check(|case| case.played.clear(), "no fault was played");
    check(
        |case| case.played[0].leaders.1 = case.played[0].leaders.0.clone(),
        "another leader than a1",
    );
    check(
        |case| {
            // Nobody waits for a recovery from what never began; that must not look broken.
            case.played[0].trouble = Some("did not happen: no disk".to_owned());
            case.played[0].happened = false;
            case.played[0].ready = None;
        },
        "no disk",
    );
    check(
        |case| case.cut_short = Some("it was told to stop".to_owned()),
        "told to stop",
    );
    check(|case| case.records.not_understood = 1, "not understood");
    check(|case| case.fail(0, 40_000, |_| true), "at least half");
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let values: Vec<u32> = (1..=100).collect();
    assert_eq!(percentile(&values, 0.99), Some(99));
    assert_eq!(percentile(&values, 0.5), Some(50));
    assert_eq!(percentile(&values, 1.0), Some(100));
    assert_eq!(percentile(&[7], 0.01), Some(7));
    assert_eq!(percentile::<u32>(&[], 0.5), None);
}

#[test]
fn a_share_that_is_not_whole_does_not_look_so() {
    assert_eq!(percent(0.999_99), "99.99 %");
    assert_eq!(percent(1.0), "100 %");
    assert!((share(0, 0) - 1.0).abs() < f64::EPSILON);
}
