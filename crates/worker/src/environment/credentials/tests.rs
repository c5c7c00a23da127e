use host::SeededEntropy;
use model::{
    Generation,
    function::OptionalConfig,
    iam::{Hour, InvalidSession},
};
use runtime_api::Credentials as _;
use seal::Token;
use serde_json::Value;

use super::*;
use crate::fixture;

const HOUR: u64 = 3_600_000;
const NOW: u64 = 1_764_000_000_000 / HOUR * HOUR + 60_000;

struct Hands(Mutex<u64>);

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        Timestamp(*self.0.lock())
    }
}

/// A version, and what issues for it.
struct Scene {
    version: FunctionVersion,
    hands: Arc<Hands>,
    entropy: Arc<dyn Entropy>,
}

impl Scene {
    fn new() -> Self {
        Self {
            version: fixture::version("python3.13", "app.handler"),
            hands: Arc::new(Hands(Mutex::new(NOW))),
            entropy: Arc::new(SeededEntropy::new(1)),
        }
    }

    fn with_snapshots() -> Self {
        let mut scene = Self::new();
        scene.version.id.version = "1".parse().unwrap();
        let optional = OptionalConfig {
            snap_start: true,
            ..OptionalConfig::default()
        };
        scene.version.config.optional = Some(Box::new(optional));
        scene
    }

    fn credentials(&self, key: Option<&Arc<RoleKey>>) -> Credentials {
        let clock: Arc<dyn Clock> = self.hands.clone();
        Credentials::new(&self.version, key, &clock, &self.entropy)
    }

    fn pass(&self, millis: u64) {
        *self.hands.0.lock() += millis;
    }
}

fn key(hour: Hour) -> Arc<RoleKey> {
    Arc::new(
        RoleKey::from_bytes(Generation::FIRST, hour, &[7; 32])
            .ok()
            .unwrap(),
    )
}

fn now() -> Hour {
    Hour::of(Timestamp(NOW))
}

/// What a token says, once it is proven by the key of this hour.
fn proven(token: &str, hour: Hour) -> Session {
    let token = Token::parse(token).ok().unwrap();
    assert!(key(hour).prove(&token).is_ok());
    let message = pb::Session::decode(token.claims()).unwrap();
    message.try_into().unwrap()
}

fn variables(credentials: Credentials) -> Issued {
    match credentials {
        Credentials::Variables(issued) => issued,
        Credentials::None | Credentials::Endpoint(_) => panic!("expected variables"),
    }
}

fn endpoint(credentials: &Credentials) -> &Arc<Endpoint> {
    credentials.endpoint().expect("an endpoint")
}

fn asked(endpoint: &Endpoint) -> Value {
    let document = endpoint.document(endpoint.token().as_bytes());
    serde_json::from_slice(&document.expect("credentials")).unwrap()
}

#[test]
fn an_environment_is_its_functions_role_for_twelve_hours() {
    let scene = Scene::new();
    let credentials = scene.credentials(Some(&key(now())));
    let until = credentials.good_until().unwrap();
    assert_eq!(until, Timestamp(NOW + 11 * HOUR));
    let issued = variables(credentials);
    let session = proven(issued.credentials.session_token(), now());
    assert_eq!(
        session.arn(),
        "arn:aws:sts::000000000000:assumed-role/r/hello"
    );
    let function = session.function.clone().unwrap().to_string();
    assert_eq!(
        function,
        "arn:aws:lambda:us-east-1:000000000000:function:hello"
    );
    let key_id = issued.access_key.as_str();
    assert!(issued.access_key.is_of_session(), "{key_id}");
    assert_eq!(session.check(key_id, Timestamp(NOW)), Ok(()));
    assert_eq!(
        session.check(key_id, Timestamp(NOW + 12 * HOUR - 1)),
        Ok(())
    );
    assert_eq!(
        session.check(key_id, Timestamp(NOW + 12 * HOUR)),
        Err(InvalidSession::Over)
    );
}

#[test]
fn two_environments_have_two_sessions() {
    let scene = Scene::new();
    let one = variables(scene.credentials(Some(&key(now()))));
    let other = variables(scene.credentials(Some(&key(now()))));
    assert_ne!(one.access_key, other.access_key);
    assert_ne!(
        one.credentials.secret_access_key(),
        other.credentials.secret_access_key()
    );
}

#[test]
fn a_worker_that_is_in_another_hour_issues_sessions_that_count() {
    for (at, expected) in [
        (now().start().0 - 120_000, now().start()),
        (now().end().0 + 120_000, now().end()),
    ] {
        let scene = Scene::new();
        *scene.hands.0.lock() = at;
        let issued = variables(scene.credentials(Some(&key(now()))));
        let session = proven(issued.credentials.session_token(), now());
        assert_eq!(session.issued, expected);
        assert_eq!(
            session.check(issued.access_key.as_str(), now().end()),
            Ok(())
        );
    }
}

#[test]
fn without_a_key_or_a_role_there_are_none() {
    let mut scene = Scene::new();
    let none = scene.credentials(None);
    assert!(matches!(none, Credentials::None) && none.good_until().is_none());
    scene.version.config.role = "r".to_owned();
    let none = scene.credentials(Some(&key(now())));
    assert!(matches!(none, Credentials::None));
}

#[test]
fn what_starts_from_a_snapshot_asks_for_them() {
    let scene = Scene::with_snapshots();
    let credentials = scene.credentials(Some(&key(now())));
    assert_eq!(credentials.good_until(), None);
    let endpoint = endpoint(&credentials);
    assert_eq!(endpoint.token().len(), 64);
    assert!(endpoint.document(b"").is_none());
    assert!(endpoint.document(b"another token").is_none());
    let got = asked(endpoint);
    let session = proven(got["Token"].as_str().unwrap(), now());
    assert_eq!(got["AccessKeyId"], session.access_key.as_str());
    assert_eq!(got["SecretAccessKey"].as_str().unwrap().len(), 40);
    let expires = session.expires.format("%Y-%m-%dT%H:%M:%SZ");
    assert_eq!(got["Expiration"], *expires);
    let mut latest = Scene::with_snapshots();
    latest.version.id.version = Version::Latest;
    let credentials = latest.credentials(Some(&key(now())));
    assert!(matches!(credentials, Credentials::Variables(_)));
}

#[test]
fn whoever_asks_gets_new_ones_in_time() {
    let scene = Scene::with_snapshots();
    let credentials = scene.credentials(Some(&key(now())));
    let endpoint = endpoint(&credentials);
    let first = asked(endpoint);
    scene.pass(11 * HOUR + HOUR * 3 / 4);
    assert_eq!(asked(endpoint), first, "15 minutes are left");
    let later = Hour(now().0 + 11);
    endpoint.renew(key(later));
    scene.pass(1);
    let second = asked(endpoint);
    assert_ne!(second, first);
    let session = proven(second["Token"].as_str().unwrap(), later);
    assert_eq!(session.hour, later);
    assert_eq!(asked(endpoint), second);
}

#[test]
fn whoever_asks_before_there_is_a_key_gets_none_yet() {
    let scene = Scene::with_snapshots();
    let credentials = scene.credentials(None);
    let endpoint = endpoint(&credentials);
    assert!(endpoint.document(endpoint.token().as_bytes()).is_none());
    endpoint.renew(key(now()));
    asked(endpoint);
}
