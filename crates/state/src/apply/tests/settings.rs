use std::collections::BTreeSet;

use model::{
    FunctionArn, RevisionId, Setting, SettingChange, SettingKind,
    setting::{
        ConcurrencyBounds, Cors, EventInvokePatch, InvokeMode, PolicyStatement, RecursiveLoop,
        ResourcePolicy, RuntimeManagement, Scaling, UrlAuth, UrlPatch,
    },
};

use super::*;

const BOUNDS: ConcurrencyBounds = ConcurrencyBounds {
    account: 1000,
    unreserved_min: 100,
};

fn configure(name: &str, qualifier: Option<&str>, change: SettingChange) -> Mutation {
    Mutation::Configure {
        function: id(name),
        qualifier: qualifier.map(|q| q.parse().unwrap()),
        change: Box::new(change),
        expected: None,
    }
}

fn arn(name: &str, qualifier: Option<&str>) -> FunctionArn {
    id(name).arn(qualifier.map(|q| q.parse().unwrap()))
}

fn reserve(executions: u32) -> SettingChange {
    SettingChange::Reserve {
        executions,
        bounds: BOUNDS,
    }
}

fn provision(executions: u32) -> SettingChange {
    SettingChange::Provision {
        executions,
        bounds: BOUNDS,
    }
}

fn statement(sid: &str) -> PolicyStatement {
    PolicyStatement {
        sid: Some(sid.to_owned()),
        text: format!("{{\"Sid\":\"{sid}\"}}"),
    }
}

fn add(sid: &str) -> SettingChange {
    SettingChange::AddStatement {
        statement: statement(sid),
        size_max: 20_480,
    }
}

fn remove(sid: &str) -> SettingChange {
    SettingChange::RemoveStatement {
        sid: sid.to_owned(),
    }
}

fn create_url() -> SettingChange {
    SettingChange::CreateUrl {
        auth: UrlAuth::None,
        cors: None,
        invoke_mode: InvokeMode::Buffered,
    }
}

fn retries(n: u8) -> EventInvokePatch {
    EventInvokePatch {
        retries_max: Some(n),
        ..EventInvokePatch::default()
    }
}

/// A function with versions 1 and 2 and an alias `live` of version 1.
fn published() -> Cluster {
    let mut cluster = Cluster::created("f");
    cluster.run(publish("f")).unwrap();
    cluster.run(update_code("f", 2)).unwrap();
    cluster.settle("f");
    cluster.run(publish("f")).unwrap();
    cluster
        .run(create_alias("f", "live", number(1), None))
        .unwrap();
    cluster
}

impl Cluster {
    fn set(
        &mut self,
        qualifier: Option<&str>,
        change: SettingChange,
    ) -> Result<Changed, Rejection> {
        self.run(configure("f", qualifier, change))
    }

    fn entry(&self) -> &FunctionEntry {
        self.catalog.function(&id("f")).unwrap()
    }

    fn policy(&self, qualifier: Option<&str>) -> Option<String> {
        let place = qualifier.map(|q| q.parse().unwrap());
        self.entry().policy(place.as_ref()).map(ToString::to_string)
    }

    fn latest(&self) -> Arc<FunctionVersion> {
        self.entry().latest().unwrap().clone()
    }
}

#[test]
fn statements_come_and_go_each_where_it_stands() {
    let mut cluster = published();
    for qualifier in [None, Some("1"), Some("live")] {
        cluster.set(qualifier, add("a")).unwrap();
        cluster.set(qualifier, add("b")).unwrap();
        let both =
            r#"{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"a"},{"Sid":"b"}]}"#;
        assert_eq!(cluster.policy(qualifier).as_deref(), Some(both));
        assert_eq!(
            cluster.set(qualifier, add("a")),
            Err(Rejection::StatementExists("a".to_owned()))
        );
        assert_eq!(
            cluster.set(qualifier, remove("c")),
            Err(Rejection::StatementNotFound("c".to_owned()))
        );
        cluster.set(qualifier, remove("a")).unwrap();
        cluster.set(qualifier, remove("b")).unwrap();
        assert_eq!(cluster.policy(qualifier), None);
        assert_eq!(
            cluster.set(qualifier, remove("b")),
            Err(Rejection::SettingNotFound {
                kind: SettingKind::Policy,
                resource: arn("f", qualifier),
            })
        );
    }
    assert!(cluster.entry().settings.is_empty());
}

#[test]
fn a_policy_has_an_end() {
    let mut cluster = published();
    let whole = ResourcePolicy {
        statements: vec![statement("a")],
        ..ResourcePolicy::empty()
    };
    let size = u32::try_from(whole.size()).unwrap();
    let add = |size_max| SettingChange::AddStatement {
        statement: statement("a"),
        size_max,
    };
    assert_eq!(
        cluster.set(None, add(size - 1)),
        Err(Rejection::PolicyTooLarge {
            size: u64::from(size),
            limit: u64::from(size - 1),
        })
    );
    cluster.set(None, add(size)).unwrap();
}

#[test]
fn a_change_of_policy_moves_the_lock_and_nothing_that_runs() {
    let mut cluster = published();
    let before = cluster.latest();
    let stale = before.lock();
    let Ok(Changed::Lock(lock)) = cluster.set(None, add("a")) else {
        panic!("no lock")
    };
    let after = cluster.latest();
    assert_eq!(
        (after.lock(), after.revision_id),
        (lock, before.revision_id)
    );
    assert_ne!(lock, stale);

    let expecting = |expected: RevisionId, change| Mutation::Configure {
        function: id("f"),
        qualifier: None,
        change: Box::new(change),
        expected: Some(expected),
    };
    let policy = ResourcePolicy {
        statements: vec![statement("z")],
        ..ResourcePolicy::empty()
    };
    for change in [
        add("b"),
        remove("a"),
        SettingChange::PutPolicy(policy.clone()),
        SettingChange::DeletePolicy,
    ] {
        assert_eq!(
            cluster.run(expecting(stale, change)),
            Err(Rejection::PolicyRevisionMismatch)
        );
    }
    let put = expecting(lock, SettingChange::PutPolicy(policy));
    let Ok(Changed::Lock(lock)) = cluster.run(put) else {
        panic!("no lock")
    };
    // The lock of a function is one, whatever moved it.
    let update = Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(ConfigPatch::default()),
        expected: Some(before.revision_id),
    };
    assert_eq!(
        cluster.run(update),
        Err(Rejection::RevisionMismatch { alias: false })
    );
    let update = Mutation::UpdateFunctionConfiguration {
        function: id("f"),
        patch: Box::new(ConfigPatch::default()),
        expected: Some(lock),
    };
    assert_eq!(cluster.version(update).touched, None);

    let live = |cluster: &Cluster| {
        let alias = cluster.catalog.alias(&id("f"), &alias_name("live"));
        alias.unwrap().revision_id
    };
    let before = live(&cluster);
    let changed = cluster.set(Some("live"), add("a"));
    assert_ne!(live(&cluster), before);
    assert_eq!(changed, Ok(Changed::Lock(live(&cluster))));
}

#[test]
fn a_policy_change_does_not_keep_an_update_from_its_end() {
    let mut cluster = published();
    let updating = cluster.version(update_code("f", 3));
    cluster.set(None, add("a")).unwrap();
    cluster
        .run(Mutation::Settle {
            version: updating.id.clone(),
            revision: updating.revision_id,
            failure: None,
        })
        .unwrap();
    let latest = cluster.latest();
    assert_eq!(latest.last_update, Some(LastUpdate::Successful));
    assert_eq!(latest.touched, None);
    assert_eq!(cluster.version(publish("f")).touched, None);
}

#[test]
fn reservations_leave_enough_for_the_others() {
    let mut cluster = published();
    cluster.run(create("g", false)).unwrap();
    cluster.run(configure("g", None, reserve(300))).unwrap();
    assert_eq!(
        cluster.set(None, reserve(601)),
        Err(Rejection::UnreservedTooSmall {
            kind: SettingKind::Reserved,
            min: 100
        })
    );
    assert_eq!(
        cluster.set(None, reserve(701)),
        Err(Rejection::ConcurrencyExceeded {
            kind: SettingKind::Reserved,
            unreserved: 700
        })
    );
    cluster.set(None, reserve(600)).unwrap();
    // One's own reservation does not stand in the way of another.
    cluster.set(None, reserve(599)).unwrap();
    let usage = |c: &Cluster| {
        c.catalog
            .usage(model::AccountId::DEFAULT, &model::Region::default())
    };
    assert_eq!(usage(&cluster).reserved, 899);
    cluster.set(None, SettingChange::Unreserve).unwrap();
    cluster.set(None, SettingChange::Unreserve).unwrap();
    assert_eq!(cluster.entry().reserved(), None);
    assert_eq!(usage(&cluster).reserved, 300);
    // Nothing can be had where nothing is left, but nothing can be kept.
    let poor = ConcurrencyBounds {
        account: 10,
        unreserved_min: 100,
    };
    let reserve_poorly = |executions| SettingChange::Reserve {
        executions,
        bounds: poor,
    };
    assert!(cluster.set(None, reserve_poorly(1)).is_err());
    cluster.set(None, reserve_poorly(0)).unwrap();
    assert_eq!(cluster.entry().reserved(), Some(0));
}

#[test]
fn provisioned_concurrency_comes_out_of_the_reservation_or_of_the_account() {
    let mut cluster = published();
    cluster.set(Some("2"), provision(2)).unwrap();
    assert_eq!(
        cluster.set(None, reserve(1)),
        Err(Rejection::ReservedBelowProvisioned {
            reserved: 1,
            provisioned: 2
        })
    );
    cluster.set(None, reserve(5)).unwrap();
    assert_eq!(
        cluster.set(Some("live"), provision(4)),
        Err(Rejection::ProvisionedAboveReserved(5))
    );
    cluster.set(Some("live"), provision(3)).unwrap();
    cluster.set(Some("live"), provision(2)).unwrap();
    assert_eq!(cluster.entry().provisioned(None), 4);

    cluster.set(None, SettingChange::Unreserve).unwrap();
    cluster.run(create("g", false)).unwrap();
    // What f has provisioned is not there for g.
    assert_eq!(
        cluster.run(configure("g", None, reserve(897))),
        Err(Rejection::UnreservedTooSmall {
            kind: SettingKind::Reserved,
            min: 100
        })
    );
    cluster.run(configure("g", None, reserve(896))).unwrap();
    assert_eq!(
        cluster.set(Some("live"), provision(3)),
        Err(Rejection::UnreservedTooSmall {
            kind: SettingKind::Provisioned,
            min: 100
        })
    );
    assert_eq!(
        cluster.set(Some("live"), provision(103)),
        Err(Rejection::ConcurrencyExceeded {
            kind: SettingKind::Provisioned,
            unreserved: 102
        })
    );
    cluster
        .set(Some("live"), SettingChange::Unprovision)
        .unwrap();
    cluster
        .set(Some("live"), SettingChange::Unprovision)
        .unwrap();
    assert_eq!(cluster.entry().provisioned(None), 2);
}

#[test]
fn a_version_is_provisioned_by_itself_or_through_an_alias() {
    let mut cluster = published();
    cluster.set(Some("1"), provision(1)).unwrap();
    assert_eq!(
        cluster.set(Some("live"), provision(1)),
        Err(Rejection::VersionProvisioned)
    );
    cluster.set(Some("1"), SettingChange::Unprovision).unwrap();
    cluster.set(Some("live"), provision(1)).unwrap();
    assert_eq!(
        cluster.set(Some("1"), provision(1)),
        Err(Rejection::AliasProvisioned)
    );
    cluster.set(Some("2"), provision(1)).unwrap();
    let move_alias = Mutation::UpdateAlias {
        function: id("f"),
        name: alias_name("live"),
        version: Some(number(2)),
        canary: None,
        description: None,
        expected: None,
    };
    assert_eq!(
        cluster.run(move_alias.clone()),
        Err(Rejection::VersionProvisioned)
    );
    cluster.set(Some("2"), SettingChange::Unprovision).unwrap();
    cluster.run(move_alias).unwrap();
}

#[test]
fn asynchronous_invocations_are_put_patched_and_deleted() {
    let mut cluster = published();
    let missing = |qualifier| {
        Err(Rejection::SettingNotFound {
            kind: SettingKind::EventInvoke,
            resource: arn("f", qualifier),
        })
    };
    let patch = |n| SettingChange::PatchEventInvoke(retries(n));
    assert_eq!(cluster.set(Some("live"), patch(1)), missing(Some("live")));
    let put = SettingChange::PutEventInvoke(EventInvokePatch {
        age_max_s: Some(60),
        ..retries(0)
    });
    cluster.set(Some("$LATEST"), put).unwrap();
    let Ok(Changed::Setting(setting)) = cluster.set(None, patch(1)) else {
        panic!("no setting")
    };
    let Setting::EventInvoke(patched) = &*setting else {
        panic!("{setting:?}")
    };
    assert_eq!(
        (patched.retries_max, patched.age_max_s),
        (Some(1), Some(60))
    );
    assert_eq!(patched.last_modified, Timestamp(cluster.index * 1000));
    let put = SettingChange::PutEventInvoke(retries(2));
    let Ok(Changed::Setting(setting)) = cluster.set(None, put) else {
        panic!("no setting")
    };
    assert!(matches!(&*setting, Setting::EventInvoke(e) if e.age_max_s.is_none()));
    cluster.set(None, SettingChange::DeleteEventInvoke).unwrap();
    assert_eq!(
        cluster.set(None, SettingChange::DeleteEventInvoke),
        missing(None)
    );
}

#[test]
fn a_url_has_an_id_of_its_own_and_outlives_its_alias() {
    let mut cluster = published();
    let url = |changed: Result<Changed, Rejection>| match changed {
        Ok(Changed::Setting(setting)) => match &*setting {
            Setting::Url(url) => url.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let own = url(cluster.set(None, create_url()));
    let live = url(cluster.set(Some("live"), create_url()));
    assert_ne!(own.id, live.id);
    assert_eq!(
        cluster.set(Some("live"), create_url()),
        Err(Rejection::SettingExists {
            kind: SettingKind::Url,
            resource: arn("f", Some("live")),
        })
    );
    assert_eq!(
        cluster.set(Some("1"), create_url()),
        Err(Rejection::Misplaced {
            kind: SettingKind::Url,
            resource: arn("f", Some("1")),
        })
    );
    let patch = SettingChange::UpdateUrl(UrlPatch {
        cors: Some(Cors::default()),
        ..UrlPatch::default()
    });
    let patched = url(cluster.set(Some("live"), patch.clone()));
    assert_eq!((patched.id, patched.created), (live.id, live.created));
    assert!(patched.last_modified > live.last_modified);

    cluster.set(Some("live"), add("a")).unwrap();
    cluster
        .run(Mutation::DeleteAlias {
            function: id("f"),
            name: alias_name("live"),
        })
        .unwrap();
    let left: Vec<_> = cluster.entry().settings.keys().cloned().collect();
    let live = Some("live".parse().unwrap());
    assert_eq!(left, [(SettingKind::Url, None), (SettingKind::Url, live)]);
    assert_eq!(
        cluster.set(Some("live"), patch),
        Err(Rejection::AliasNotFound(arn("f", Some("live"))))
    );
    cluster.set(Some("live"), SettingChange::DeleteUrl).unwrap();
    assert!(matches!(
        cluster.set(Some("live"), SettingChange::DeleteUrl),
        Err(Rejection::SettingNotFound { .. })
    ));
}

#[test]
fn what_holds_anyway_is_no_setting() {
    let mut cluster = published();
    let scaled = Scaling {
        environments_min: Some(1),
        environments_max: None,
    };
    for (qualifier, set, default) in [
        (
            None,
            SettingChange::Recurse(RecursiveLoop::Allow),
            SettingChange::Recurse(RecursiveLoop::Terminate),
        ),
        (
            Some("1"),
            SettingChange::ManageRuntime(RuntimeManagement::FunctionUpdate),
            SettingChange::ManageRuntime(RuntimeManagement::Auto),
        ),
        (
            Some("1"),
            SettingChange::Scale(scaled),
            SettingChange::Scale(Scaling::default()),
        ),
    ] {
        let kind = set.kind().unwrap();
        assert_eq!(
            cluster.set(qualifier, default.clone()),
            Ok(Changed::Nothing)
        );
        cluster.set(qualifier, set).unwrap();
        let place = qualifier.map(|q| q.parse().unwrap());
        assert!(cluster.entry().setting(kind, place.as_ref()).is_some());
        cluster.set(qualifier, default).unwrap();
        assert!(cluster.entry().settings.is_empty(), "{kind}");
    }
}

#[test]
fn tags_are_merged_counted_and_measured() {
    let mut cluster = published();
    let tag = |pairs: &[(&str, &str)]| SettingChange::Tag {
        tags: pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        tags_max: 2,
    };
    let before = cluster.latest();
    cluster.set(None, tag(&[("a", "1"), ("b", "2")])).unwrap();
    let tagged = cluster.latest();
    assert_ne!(tagged.lock(), before.lock());
    assert_eq!(tagged.revision_id, before.revision_id);
    assert_eq!(
        cluster.set(None, tag(&[("c", "3")])),
        Err(Rejection::TooManyTags { limit: 2 })
    );
    cluster.set(None, tag(&[("a", "4")])).unwrap();
    let untag = |keys: &[&str]| SettingChange::Untag {
        keys: keys
            .iter()
            .map(|k| (*k).to_owned())
            .collect::<BTreeSet<_>>(),
    };
    cluster.set(None, untag(&["b", "z"])).unwrap();
    assert_eq!(
        cluster.entry().tags,
        BTreeMap::from([("a".to_owned(), "4".to_owned())])
    );
    let lock = cluster.latest().lock();
    cluster.set(None, untag(&["b"])).unwrap();
    assert_eq!(cluster.latest().lock(), lock);
    assert!(matches!(
        cluster.set(None, tag(&[("long", &"x".repeat(25 << 10))])),
        Err(Rejection::TagsTooLarge { .. })
    ));
    cluster.run(update_code("f", 3)).unwrap();
    assert_eq!(
        cluster.set(None, tag(&[("a", "5")])),
        Err(Rejection::UpdateInProgress(arn("f", None)))
    );
    cluster.set(None, untag(&["a"])).unwrap();
}

#[test]
fn settings_need_what_they_belong_to_and_go_with_it() {
    let mut cluster = published();
    assert_eq!(
        cluster.run(configure("g", None, add("a"))),
        Err(Rejection::FunctionNotFound(arn("g", None)))
    );
    assert_eq!(
        cluster.set(Some("7"), add("a")),
        Err(Rejection::FunctionNotFound(arn("f", Some("7"))))
    );
    assert_eq!(
        cluster.set(Some("next"), add("a")),
        Err(Rejection::AliasNotFound(arn("f", Some("next"))))
    );
    for qualifier in [None, Some("2"), Some("live")] {
        cluster.set(qualifier, add("a")).unwrap();
    }
    cluster.set(Some("2"), provision(1)).unwrap();
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: Some(number(2)),
        })
        .unwrap();
    assert_eq!(cluster.entry().settings.len(), 2);
    assert!(cluster.catalog.keeping.is_empty());
    cluster.set(None, reserve(1)).unwrap();
    cluster
        .run(Mutation::DeleteFunction {
            function: id("f"),
            version: None,
        })
        .unwrap();
    assert_eq!(cluster.catalog.records().count(), 0);
    assert!(cluster.catalog.keeping.is_empty());
}

/// Any change to a setting, sensible or not.
pub(super) fn any_change() -> impl Strategy<Value = Mutation> {
    let name = prop::sample::select(vec!["f", "g"]);
    let qualifier = prop::sample::select(vec![
        None,
        Some("$LATEST"),
        Some("1"),
        Some("2"),
        Some("live"),
        Some("next"),
    ]);
    let policy = ResourcePolicy {
        statements: vec![statement("x"), statement("y")],
        ..ResourcePolicy::empty()
    };
    let scaling = Scaling {
        environments_min: None,
        environments_max: Some(3),
    };
    let tags = |key: &str| SettingChange::Tag {
        tags: [(key.to_owned(), String::new())].into(),
        tags_max: 2,
    };
    let change = prop::sample::select(vec![
        add("a"),
        add("b"),
        remove("a"),
        SettingChange::PutPolicy(policy),
        SettingChange::DeletePolicy,
        reserve(0),
        reserve(500),
        SettingChange::Unreserve,
        provision(1),
        provision(400),
        SettingChange::Unprovision,
        SettingChange::PutEventInvoke(retries(0)),
        SettingChange::PatchEventInvoke(retries(1)),
        SettingChange::DeleteEventInvoke,
        create_url(),
        SettingChange::UpdateUrl(UrlPatch::default()),
        SettingChange::DeleteUrl,
        SettingChange::ManageRuntime(RuntimeManagement::FunctionUpdate),
        SettingChange::ManageRuntime(RuntimeManagement::Auto),
        SettingChange::Recurse(RecursiveLoop::Allow),
        SettingChange::Recurse(RecursiveLoop::Terminate),
        SettingChange::Scale(scaling),
        SettingChange::Scale(Scaling::default()),
        tags("t"),
        tags("u"),
        tags("v"),
        SettingChange::Untag {
            keys: ["t".to_owned()].into(),
        },
    ]);
    (name, qualifier, change).prop_map(|(n, q, c)| configure(n, q, c))
}
