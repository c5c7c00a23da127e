//! Environment variables: sealed before they leave the frontend, opened for those who may see them.

use model::{
    AccountId, DataKey, FunctionId, Generation, Mutation, Region, WrappedKey,
    function::{Environment, StoredEnvironment},
    iam::Hour,
};
use prost::Message;
use proto::internal as pb;
use seal::{Place, RoleKey, TextKey, Token};
use serde_json::{Value, json};

use crate::cluster::{Cluster, ring};

const HELLO: &str = "/2015-03-31/functions/hello";
const CANARY: &str = "canary-5f2d1c";
const ROLE: &str = "arn:aws:iam::000000000000:role/r";

fn environment(value: &str) -> Value {
    json!({ "Environment": { "Variables": { "TOKEN": value } } })
}

fn hello() -> FunctionId {
    FunctionId {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: "hello".parse().unwrap(),
    }
}

fn holds(cluster: &Cluster, text: &str) -> bool {
    let bytes = cluster.controller.bytes();
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

async fn shown(cluster: &Cluster, path: &str) -> Value {
    let got = cluster.get(path).await;
    assert_eq!(got.status, 200, "{got:?}");
    got.json()
}

fn data_key(cluster: &Cluster) -> DataKey {
    let key = |catalog: &state::Catalog| {
        let key = catalog.data_key(AccountId::DEFAULT, Generation::FIRST);
        key.map(|k| (**k).clone())
    };
    cluster.controller.read(key).unwrap()
}

/// Wraps the account's data key anew, as it is told.
fn rewrap(cluster: &Cluster, new: WrappedKey) {
    let old = data_key(cluster);
    cluster.controller.apply_quietly(Mutation::RewrapDataKey {
        account: old.account,
        generation: old.generation,
        old: old.wrapped,
        new,
    });
}

#[tokio::test]
async fn variables_leave_the_frontend_sealed_and_come_back_open() {
    let cluster = Cluster::start().await;
    let created = cluster.create("hello", &environment(CANARY)).await;
    assert_eq!(created.json()["Environment"]["Variables"]["TOKEN"], CANARY);
    for (path, pointer) in [
        (
            HELLO.to_owned(),
            "/Configuration/Environment/Variables/TOKEN",
        ),
        (
            format!("{HELLO}/configuration"),
            "/Environment/Variables/TOKEN",
        ),
        (
            "/2015-03-31/functions".to_owned(),
            "/Functions/0/Environment/Variables/TOKEN",
        ),
        (
            format!("{HELLO}/versions"),
            "/Versions/0/Environment/Variables/TOKEN",
        ),
    ] {
        let shown = shown(&cluster, &path).await;
        assert_eq!(
            shown.pointer(pointer),
            Some(&json!(CANARY)),
            "{path}: {shown}"
        );
    }
    let second = "canary-of-the-update";
    let updated = cluster
        .send(
            "PUT",
            &format!("{HELLO}/configuration"),
            &environment(second),
        )
        .await;
    assert_eq!(updated.json()["Environment"]["Variables"]["TOKEN"], second);
    assert!(!holds(&cluster, CANARY) && !holds(&cluster, second) && !holds(&cluster, "TOKEN"));
    assert!(
        holds(&cluster, "hello"),
        "the search finds what is in clear"
    );

    let empty = json!({ "Environment": { "Variables": {} } });
    let cleared = cluster
        .send("PUT", &format!("{HELLO}/configuration"), &empty)
        .await;
    assert_eq!(cleared.json()["Environment"], json!({ "Variables": {} }));
}

#[tokio::test]
async fn an_unchanged_environment_publishes_the_version_that_is_there() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &environment(CANARY)).await;
    let nothing = json!({});
    let publish = || cluster.send("POST", HELLO_VERSIONS, &nothing);
    assert_eq!(publish().await.json()["Version"], "1");
    cluster
        .send(
            "PUT",
            &format!("{HELLO}/configuration"),
            &environment(CANARY),
        )
        .await;
    assert_eq!(publish().await.json()["Version"], "1");
    cluster
        .send(
            "PUT",
            &format!("{HELLO}/configuration"),
            &environment("other"),
        )
        .await;
    let second = publish().await.json();
    assert_eq!(second["Version"], "2");
    assert_eq!(second["Environment"]["Variables"]["TOKEN"], "other");
}

const HELLO_VERSIONS: &str = "/2015-03-31/functions/hello/versions";

#[tokio::test]
async fn a_worker_gets_the_key_of_one_environment() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &environment(CANARY)).await;
    cluster.create("other", &environment("of the other")).await;
    let run = |name: &str| format!("/2015-03-31/functions/{name}/invocations");
    assert_eq!(
        cluster.http("POST", &run("hello"), &[], b"1").await.status,
        200
    );
    let head = cluster.worker.heads.lock().remove(0);
    let key = TextKey::from_bytes(&head.environment_key).unwrap();
    let sealed = |name: &str| {
        let id = FunctionId {
            name: name.parse().unwrap(),
            ..hello()
        };
        let environment = |catalog: &state::Catalog| {
            let latest = catalog.function(&id).unwrap().latest().unwrap();
            latest.config.environment.clone()
        };
        match cluster.controller.read(environment) {
            Some(StoredEnvironment::Sealed(sealed)) => sealed,
            other => panic!("expected it sealed, got {other:?}"),
        }
    };
    let id = hello();
    let text = seal::open_with(&key, Place::Environment(&id), &sealed("hello")).unwrap();
    let variables = pb::EnvironmentVariables::decode(text.as_slice()).unwrap();
    assert_eq!(Environment::from(variables).0["TOKEN"], CANARY);
    for place in [
        hello(),
        FunctionId {
            name: "other".parse().unwrap(),
            ..hello()
        },
    ] {
        let other = seal::open_with(&key, Place::Environment(&place), &sealed("other"));
        assert!(other.is_err());
    }
}

#[tokio::test]
async fn a_worker_gets_the_key_of_one_role_and_no_other() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let count = |catalog: &state::Catalog| catalog.data_keys().count();
    assert_eq!(cluster.controller.read(count), 1);
    let run = format!("{HELLO}/invocations");
    assert_eq!(cluster.http("POST", &run, &[], b"1").await.status, 200);
    let head = cluster.worker.heads.lock().remove(0);
    assert!(head.environment_key.is_empty());
    let sent = head.role_key.unwrap();
    assert_eq!(sent.generation, 1);
    let sent = RoleKey::from_bytes(Generation::FIRST, Hour(sent.hour), &sent.key);
    let (sent, key) = (
        sent.ok().unwrap(),
        ring("m", 1).unwrap(&data_key(&cluster)).unwrap(),
    );
    let session = sent.issue(b"claims");
    let token = Token::parse(session.session_token()).ok().unwrap();
    let proves = |role: &str, hour: Hour| {
        let key = key.role_key(&role.parse().unwrap(), hour);
        key.prove(&token).is_ok()
    };
    assert!(proves(ROLE, sent.hour()));
    assert!(!proves(ROLE, Hour(sent.hour().0 + 1)));
    assert!(!proves("arn:aws:iam::000000000000:role/admin", sent.hour()));
}

#[tokio::test]
async fn a_function_with_a_role_of_another_account_has_no_role_key() {
    let cluster = Cluster::start().await;
    let elsewhere = json!({ "Role": "arn:aws:iam::000000000001:role/r" });
    cluster.create("hello", &elsewhere).await;
    let run = format!("{HELLO}/invocations");
    assert_eq!(cluster.http("POST", &run, &[], b"1").await.status, 200);
    assert_eq!(cluster.worker.heads.lock()[0].role_key, None);
}

#[tokio::test]
async fn the_key_of_another_frontend_that_was_earlier_is_used() {
    let cluster = Cluster::start().await;
    let wrapped = ring("m", 1)
        .wrap(
            AccountId::DEFAULT,
            Generation::FIRST,
            seal::Zeroizing::new([3; 32]),
        )
        .unwrap();
    // This frontend has not heard of it when it proposes its own.
    cluster.controller.apply_quietly(Mutation::PutDataKey {
        account: AccountId::DEFAULT,
        generation: Generation::FIRST,
        wrapped: wrapped.clone(),
    });
    let created = cluster.create("hello", &environment(CANARY)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(data_key(&cluster).wrapped, wrapped);
    let got = shown(&cluster, &format!("{HELLO}/configuration")).await;
    assert_eq!(got["Environment"]["Variables"]["TOKEN"], CANARY);
}

#[tokio::test]
async fn without_the_key_the_configuration_is_shown_and_nothing_runs() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &environment(CANARY)).await;
    let wrapped = |id: &str, byte| {
        let key = seal::Zeroizing::new([byte; 32]);
        let ring = ring(id, byte);
        ring.wrap(AccountId::DEFAULT, Generation::FIRST, key)
            .unwrap()
    };
    for (wrapped, code, refusal) in [
        (
            wrapped("gone", 2),
            "NotFoundException",
            "KMSNotFoundException",
        ),
        (
            wrapped("m", 2),
            "InvalidCiphertextException",
            "KMSInvalidStateException",
        ),
    ] {
        rewrap(&cluster, wrapped);
        let got = shown(&cluster, &format!("{HELLO}/configuration")).await;
        assert_eq!(got["FunctionName"], "hello");
        let environment = &got["Environment"];
        assert_eq!(environment["Error"]["ErrorCode"], code, "{environment}");
        assert!(environment.get("Variables").is_none());
        let run = cluster
            .http("POST", &format!("{HELLO}/invocations"), &[], b"1")
            .await;
        assert_eq!(run.error(), (502, refusal));
    }
    assert_eq!(cluster.worker.seen(), 0);
    let refused = cluster.create("second", &environment("x")).await;
    assert_eq!(refused.status, 502, "{refused:?}");
    let plain = cluster.create("third", &json!({})).await;
    assert_eq!(plain.status, 201, "{plain:?}");
}

#[tokio::test]
async fn functions_from_before_there_were_keys_go_on() {
    let cluster = Cluster::start().await;
    cluster.create("hello", &json!({})).await;
    let patch = model::function::ConfigPatch {
        environment: Some(Environment([("TOKEN".to_owned(), "old".to_owned())].into()).into()),
        ..Default::default()
    };
    cluster
        .controller
        .apply_quietly(Mutation::UpdateFunctionConfiguration {
            function: hello(),
            patch: Box::new(patch),
            expected: None,
        });
    cluster.controller.settle(None);
    let got = shown(&cluster, &format!("{HELLO}/configuration")).await;
    assert_eq!(got["Environment"]["Variables"]["TOKEN"], "old");
    let run = format!("{HELLO}/invocations");
    assert_eq!(cluster.http("POST", &run, &[], b"1").await.status, 200);
}
