//! Histories that somebody thought of, with what is to be said of them.

use super::*;

const F: &str = "f";

/// Writes a history down, call by call. Times are in milliseconds.
#[derive(Default)]
struct Paper(Vec<Told>);

impl Paper {
    fn call(mut self, client: u32, act: Act, times: (u64, u64), outcome: Outcome) -> Self {
        self.0.push(Told {
            client,
            op: Op::on(F, act),
            begun: ms(times.0),
            end: Some((ms(times.1), Ended::Done(outcome))),
        });
        self
    }

    fn lost(mut self, client: u32, act: Act, begun: u64) -> Self {
        self.0.push(Told {
            client,
            op: Op::on(F, act),
            begun: ms(begun),
            end: Some((ms(begun + 1), Ended::Unknown)),
        });
        self
    }

    fn refused(mut self, act: Act, begun: u64) -> Self {
        self.0.push(Told {
            client: 9,
            op: Op::on(F, act),
            begun: ms(begun),
            end: Some((ms(begun + 1), Ended::Refused)),
        });
        self
    }

    /// A function with description `a`, created by 10 ms, settled and seen by 20 ms with revision 2.
    fn created() -> Self {
        Self::default()
            .call(0, create("a"), (0, 10), latest("a", 1, false))
            .call(0, get(), (12, 20), latest("a", 2, true))
    }

    #[track_caller]
    fn holds(&self) {
        match history(&self.0).check() {
            Ok(Verdict::Linearizable(_)) => {}
            other => panic!("expected an order, got {other:?}"),
        }
    }

    #[track_caller]
    fn fails(&self) -> Violation {
        match history(&self.0).check() {
            Err(violation) => violation,
            Ok(verdict) => panic!("expected a violation, got {verdict:?}"),
        }
    }
}

fn create(marker: &str) -> Act {
    Act::Create {
        marker: marker.to_owned(),
        code: "code".to_owned(),
    }
}

fn describe(marker: &str, expected: Option<u64>) -> Act {
    Act::UpdateConfiguration {
        marker: marker.to_owned(),
        expected: expected.map(revision),
    }
}

fn get() -> Act {
    Act::Get {
        version: Version::Latest,
    }
}

fn publish() -> Act {
    Act::Publish {
        marker: None,
        expected: None,
    }
}

fn alias(act: &str, version: u64, marker: &str) -> Act {
    let (alias, version, marker) = ("live".to_owned(), number(version), marker.to_owned());
    match act {
        "create" => Act::CreateAlias {
            alias,
            version,
            marker,
        },
        _ => Act::UpdateAlias {
            alias,
            version: Some(version),
            marker: Some(marker),
            expected: None,
        },
    }
}

fn shown(version: Version, marker: &str, rev: u64, settled: bool) -> Outcome {
    Outcome::Version(SeenVersion {
        version,
        marker: marker.to_owned(),
        code: "code".to_owned(),
        revision: revision(rev),
        settled: Some(settled),
    })
}

fn latest(marker: &str, rev: u64, settled: bool) -> Outcome {
    shown(Version::Latest, marker, rev, settled)
}

fn shown_alias(version: u64, marker: &str, rev: u64) -> Outcome {
    Outcome::Alias(SeenAlias {
        alias: "live".to_owned(),
        version: number(version),
        marker: marker.to_owned(),
        revision: revision(rev),
    })
}

#[test]
fn reads_during_a_change_may_see_either_but_not_go_back() {
    let changing =
        || Paper::created().call(1, describe("b", None), (30, 60), latest("b", 3, false));
    changing()
        .call(2, get(), (31, 33), latest("a", 2, true))
        .call(2, get(), (35, 37), latest("b", 3, false))
        .call(2, get(), (38, 40), latest("b", 4, true))
        .holds();
    let violation = changing()
        .call(2, get(), (31, 33), latest("b", 3, false))
        .call(2, get(), (35, 37), latest("a", 2, true))
        .fails();
    assert_eq!(violation.function, F);
    let violation = changing()
        .call(2, get(), (61, 63), latest("a", 2, true))
        .fails();
    assert_eq!(
        violation.to_string(),
        "function f: no order of these calls explains what they were answered\n    \
         client 0  0.0..10.0 ms  create \"a\" => $LATEST \"a\", revision 00000001, in progress\n    \
         client 1  30.0..60.0 ms  describe as \"b\" => $LATEST \"b\", revision 00000003, in progress\n  \
         > client 2  61.0..63.0 ms  get $LATEST => $LATEST \"a\", revision 00000002\n  \
         possible before it: $LATEST \"b\" (update begun, revision 00000003); next version 1"
    );
}

#[test]
fn an_update_that_ended_does_not_begin_again() {
    Paper::created()
        .call(1, get(), (30, 31), latest("a", 1, false))
        .fails();
    Paper::created()
        .call(1, describe("b", None), (30, 31), latest("b", 3, false))
        .call(1, describe("c", None), (32, 33), Outcome::Conflict)
        .call(1, get(), (34, 35), latest("b", 4, true))
        .call(1, describe("d", None), (36, 37), latest("d", 5, false))
        .holds();
    Paper::created()
        .call(1, describe("c", None), (30, 31), Outcome::Conflict)
        .fails();
}

#[test]
fn a_lost_change_comes_at_any_time_or_never_but_once() {
    let lost = || Paper::created().lost(1, describe("b", None), 30);
    lost()
        .call(2, get(), (900, 901), latest("a", 2, true))
        .holds();
    lost()
        .call(2, get(), (900, 901), latest("a", 2, true))
        .call(2, get(), (910, 911), latest("b", 3, false))
        .holds();
    lost()
        .call(2, describe("c", None), (40, 45), latest("c", 3, false))
        .call(2, get(), (50, 51), latest("b", 4, false))
        .holds();
    lost()
        .call(2, get(), (40, 41), latest("b", 3, false))
        .call(2, describe("c", None), (45, 48), latest("c", 5, false))
        .call(2, get(), (50, 51), latest("b", 6, false))
        .fails();
    // It may be what a change is refused for.
    lost()
        .call(2, describe("c", None), (40, 45), Outcome::Conflict)
        .holds();
    let conditional = describe("c", Some(2));
    lost()
        .call(
            2,
            conditional.clone(),
            (40, 45),
            Outcome::PreconditionFailed,
        )
        .holds();
    Paper::created()
        .call(2, conditional, (40, 45), Outcome::PreconditionFailed)
        .fails();
}

#[test]
fn what_was_refused_never_happens() {
    let refused = || Paper::created().refused(describe("b", None), 30);
    refused()
        .call(2, get(), (40, 41), latest("a", 2, true))
        .holds();
    refused()
        .call(2, get(), (40, 41), latest("b", 3, false))
        .fails();
}

#[test]
fn a_call_that_has_not_ended_is_unknown() {
    let mut paper = Paper::created().lost(1, describe("b", None), 30);
    paper.0.last_mut().unwrap().end = None;
    let paper = paper.call(2, get(), (40, 41), latest("b", 3, false));
    paper.holds();
    let counts = history(&paper.0).counts();
    assert_eq!((counts.invoked, counts.done, counts.pending), (4, 3, 1));
}

#[test]
fn of_two_changes_under_one_condition_one_is_made() {
    let both = |second: Outcome| {
        Paper::created()
            .call(1, describe("b", Some(2)), (30, 50), latest("b", 3, false))
            .call(2, describe("c", Some(2)), (31, 51), second)
    };
    both(Outcome::PreconditionFailed).holds();
    both(latest("c", 4, false)).fails();
    both(Outcome::Conflict).fails();
}

#[test]
fn the_dead_stay_dead() {
    let deleted = || Paper::created().call(1, Act::Delete, (30, 40), Outcome::Nothing);
    deleted()
        .call(2, get(), (35, 36), latest("a", 2, true))
        .call(2, get(), (37, 45), Outcome::NotFound)
        .call(2, Act::Delete, (46, 47), Outcome::NotFound)
        .holds();
    deleted()
        .call(2, get(), (41, 42), latest("a", 2, true))
        .fails();
    deleted()
        .call(2, get(), (41, 42), Outcome::NotFound)
        .call(2, create("b"), (43, 44), latest("b", 3, false))
        .call(2, create("c"), (45, 46), Outcome::Conflict)
        .holds();
    // What was acknowledged is not lost, either.
    Paper::created()
        .call(2, get(), (41, 42), Outcome::NotFound)
        .fails();
}

#[test]
fn numbers_of_versions_are_not_used_again_in_the_life_of_a_function() {
    let published = || {
        Paper::created()
            .call(1, publish(), (30, 31), shown(number(1), "a", 10, true))
            .call(1, describe("b", None), (32, 33), latest("b", 11, false))
            .call(1, get(), (34, 35), latest("b", 12, true))
    };
    published()
        .call(1, publish(), (36, 37), shown(number(2), "b", 13, true))
        .call(1, publish(), (38, 39), shown(number(2), "b", 13, true))
        .holds();
    published()
        .call(1, publish(), (36, 37), shown(number(1), "b", 13, true))
        .fails();
    published()
        .call(1, publish(), (36, 37), shown(number(3), "b", 13, true))
        .fails();
    let gone = || {
        published().call(
            1,
            Act::DeleteVersion { version: 1 },
            (36, 37),
            Outcome::Nothing,
        )
    };
    gone()
        .call(1, publish(), (38, 39), shown(number(2), "b", 13, true))
        .holds();
    gone()
        .call(1, publish(), (38, 39), shown(number(1), "b", 13, true))
        .fails();
    // A new life counts from 1 again.
    gone()
        .call(1, Act::Delete, (40, 41), Outcome::Nothing)
        .call(1, create("c"), (42, 43), latest("c", 20, false))
        .call(1, publish(), (44, 45), Outcome::Conflict)
        .call(1, get(), (46, 47), latest("c", 21, true))
        .call(1, publish(), (48, 49), shown(number(1), "c", 22, true))
        .holds();
}

#[test]
fn a_version_never_changes() {
    let one = Act::Get { version: number(1) };
    let published =
        || Paper::created().call(1, publish(), (30, 31), shown(number(1), "a", 10, true));
    published()
        .call(1, one.clone(), (32, 33), shown(number(1), "a", 10, true))
        .call(
            1,
            Act::Get { version: number(2) },
            (34, 35),
            Outcome::NotFound,
        )
        .holds();
    published()
        .call(1, one.clone(), (32, 33), shown(number(1), "a", 11, true))
        .fails();
    published()
        .call(1, one, (32, 33), Outcome::NotFound)
        .fails();
}

#[test]
fn aliases_name_versions_that_are_there() {
    let published =
        || Paper::created().call(1, publish(), (30, 31), shown(number(1), "a", 10, true));
    let look = Act::GetAlias {
        alias: "live".to_owned(),
    };
    let aliased = || {
        published().call(
            1,
            alias("create", 1, "x"),
            (32, 33),
            shown_alias(1, "x", 20),
        )
    };
    aliased()
        .call(2, look.clone(), (34, 35), shown_alias(1, "x", 20))
        .call(2, alias("create", 1, "y"), (36, 37), Outcome::Conflict)
        .call(2, alias("update", 2, "z"), (38, 39), Outcome::NotFound)
        .call(
            2,
            Act::DeleteVersion { version: 1 },
            (40, 41),
            Outcome::Conflict,
        )
        .call(2, Act::ListAliases, (42, 43), {
            let Outcome::Alias(seen) = shown_alias(1, "x", 20) else {
                panic!("expected an alias");
            };
            Outcome::Aliases(vec![seen])
        })
        .holds();
    published()
        .call(
            1,
            alias("create", 2, "x"),
            (32, 33),
            shown_alias(2, "x", 20),
        )
        .fails();
    aliased()
        .call(2, look.clone(), (34, 35), Outcome::NotFound)
        .fails();
    aliased()
        .call(
            2,
            Act::DeleteVersion { version: 1 },
            (36, 37),
            Outcome::Nothing,
        )
        .fails();
    // With the function its aliases go.
    aliased()
        .call(2, Act::Delete, (36, 37), Outcome::Nothing)
        .call(2, create("b"), (38, 39), latest("b", 30, false))
        .call(2, look, (40, 41), Outcome::NotFound)
        .holds();
}

#[test]
fn a_deletion_of_nothing_may_have_come_later_and_deleted_something() {
    let delete = Act::DeleteAlias {
        alias: "live".to_owned(),
    };
    let look = Act::GetAlias {
        alias: "live".to_owned(),
    };
    Paper::created()
        .call(1, publish(), (30, 31), shown(number(1), "a", 10, true))
        .call(1, delete, (32, 50), Outcome::Nothing)
        .call(
            2,
            alias("create", 1, "x"),
            (33, 34),
            shown_alias(1, "x", 20),
        )
        .call(2, look, (35, 36), Outcome::NotFound)
        .holds();
}

#[test]
fn a_list_of_functions_is_a_read_of_each() {
    let list = |functions: &[(&str, &str, u64)], complete| Told {
        client: 5,
        op: Op::ListFunctions,
        begun: ms(40),
        end: Some((
            ms(41),
            Ended::Done(Outcome::Functions(Listed {
                functions: functions
                    .iter()
                    .map(|(name, marker, rev)| {
                        let Outcome::Version(seen) = latest(marker, *rev, true) else {
                            panic!("expected a version");
                        };
                        ((*name).to_owned(), seen)
                    })
                    .collect(),
                complete,
            })),
        )),
    };
    let with = |told| {
        let mut paper = Paper::created();
        paper.0.push(told);
        paper
    };
    with(list(&[("f", "a", 2)], true)).holds();
    with(list(&[], false)).holds();
    with(list(&[], true)).fails();
    with(list(&[("f", "b", 2)], true)).fails();
    let stranger = with(list(&[("f", "a", 2), ("g", "x", 7)], true)).fails();
    assert_eq!(stranger.function, "g");
}

#[test]
fn a_revision_means_one_content() {
    let violation = Paper::created()
        .call(1, describe("b", None), (30, 31), latest("b", 2, false))
        .fails();
    assert_eq!(
        violation.claim,
        "revision 00000002 was shown with two contents"
    );
    assert_eq!(violation.calls.len(), 2);
}

#[test]
fn without_steps_nothing_is_decided() {
    let paper = Paper::created();
    let Ok(Verdict::Undecided { functions, effort }) = history(&paper.0).check_within(2) else {
        panic!(
            "expected no decision, got {:?}",
            history(&paper.0).check_within(2)
        );
    };
    assert_eq!((functions, effort.functions), (vec![F.to_owned()], 1));
}

#[test]
fn only_the_first_end_counts_and_clones_share() {
    let history = History::new();
    let clone = history.clone();
    let call = clone.invoke(0, Op::on(F, get()), ms(1));
    history.refused(call, ms(2));
    clone.done(call, latest("x", 1, true), ms(3));
    assert_eq!((history.counts().refused, history.counts().done), (1, 0));
    assert!(matches!(history.check(), Ok(Verdict::Linearizable(_))));
}

#[test]
fn answers_are_read_as_the_api_gives_them() {
    let body = serde_json::json!({
        "FunctionName": "f", "Version": "$LATEST", "Description": "a", "CodeSha256": "code",
        "RevisionId": revision(1).to_string(), "State": "Pending",
    });
    let seen = latest("a", 1, false);
    let op = |act| Op::on(F, act);
    let done = |outcome| Reading::Done(outcome);
    assert_eq!(
        Reading::of(&op(create("a")), 201, &body),
        done(seen.clone())
    );
    let nested = serde_json::json!({ "Configuration": body, "Tags": {} });
    assert_eq!(Reading::of(&op(get()), 200, &nested), done(seen.clone()));
    let list = serde_json::json!({ "Functions": [body], "NextMarker": "more" });
    let Outcome::Version(seen) = seen else {
        panic!("expected a version");
    };
    let listed = Listed {
        functions: vec![("f".to_owned(), seen)],
        complete: false,
    };
    assert_eq!(
        Reading::of(&Op::ListFunctions, 200, &list),
        done(Outcome::Functions(listed))
    );
    let nothing = serde_json::Value::Null;
    assert_eq!(
        Reading::of(&op(Act::Delete), 204, &nothing),
        done(Outcome::Nothing)
    );
    assert_eq!(
        Reading::of(&op(get()), 404, &nothing),
        done(Outcome::NotFound)
    );
    assert_eq!(
        Reading::of(&op(Act::Delete), 429, &nothing),
        Reading::Refused
    );
    assert_eq!(
        Reading::of(&op(Act::Delete), 503, &nothing),
        Reading::Unknown
    );
    assert_eq!(Reading::of(&op(get()), 503, &nothing), Reading::Refused);
    assert_eq!(
        Reading::of(&op(create("a")), 201, &nothing),
        Reading::Unknown
    );
    let alias_body = serde_json::json!({
        "Name": "live", "FunctionVersion": "3", "Description": "x",
        "RevisionId": revision(4).to_string(),
    });
    assert_eq!(
        Reading::of(&op(alias("create", 3, "x")), 201, &alias_body),
        done(shown_alias(3, "x", 4))
    );
}
