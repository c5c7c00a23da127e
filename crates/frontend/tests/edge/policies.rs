//! What users may do: policies of their own, boundaries, and the policies of functions.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use host::{Clock, SystemClock};
use http::Method;
use model::{
    AccountId, Generation, Mutation, SettingChange,
    iam::{AccessKeyId, Change, EntityId, EntityName, Grants, Hour, RoleArn, Session},
};
use prost::Message as _;
use seal::{Place, Zeroizing};
use serde_json::{Value, json};

use crate::{
    access::{closed, signed_by},
    cluster::{Cluster, ring},
    http::{Reply, zip},
};

const SECRET: &str = "a secret half of forty characters, so so";
const OWN: &str = "123456789012";
const OTHER: &str = "210987654321";

/// A cluster with a function `hello` of the operator's account and users in two accounts.
struct Accounts {
    cluster: Cluster,
}

fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

fn name(name: &str) -> EntityName {
    name.parse().unwrap()
}

fn policy(statements: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

/// The id of a user's key: as long as ids are, and telling in a failure.
fn key_id(account: &str, user: &str) -> String {
    format!("AKIA{}{:X<12}", &account[..4], user.to_uppercase())
}

impl Accounts {
    async fn start() -> Self {
        let cluster = closed().await;
        let this = Self { cluster };
        for account in [OWN, OTHER] {
            this.data_key(account);
        }
        let create = json!({
            "FunctionName": "hello", "Role": format!("arn:aws:iam::{OWN}:role/r"), "Tags": { "team": "a" },
            "Runtime": "python3.13", "Handler": "h.handler", "Code": { "ZipFile": base64(&zip("v1")) },
        });
        let created = this
            .operator(Method::POST, "/2015-03-31/functions", &create)
            .await;
        assert_eq!(created.status, 201, "{created:?}");
        this
    }

    fn data_key(&self, id: &str) {
        let fresh = ring("m", 1).wrap(account(id), Generation::FIRST, Zeroizing::new([9; 32]));
        self.apply(Mutation::PutDataKey {
            account: account(id),
            generation: Generation::FIRST,
            wrapped: fresh.unwrap(),
        });
    }

    fn apply(&self, mutation: Mutation) {
        self.cluster.controller.apply_quietly(mutation);
    }

    fn change(&self, change: Change) {
        self.apply(Mutation::Iam(Box::new(change)));
    }

    /// A user with a key and these inline policies.
    fn user(&self, of: &str, user: &str, policies: &[String]) {
        self.change(Change::CreateUser {
            account: account(of),
            name: name(user),
            path: "/team/".parse().unwrap(),
        });
        for (place, policy) in policies.iter().enumerate() {
            self.grant(
                of,
                user,
                Grants::PutInline(name(&format!("p{place}")), policy.clone()),
            );
        }
        self.key(of, Some(user), &key_id(of, user));
    }

    fn grant(&self, of: &str, user: &str, change: Grants) {
        let to = EntityId::User(account(of), name(user));
        self.change(Change::Grant { to, change });
    }

    fn key(&self, of: &str, user: Option<&str>, id: &str) {
        let id: AccessKeyId = id.parse().unwrap();
        let data_key = self.cluster.controller.read(|catalog| {
            let key = catalog.newest_data_key(account(of)).cloned();
            ring("m", 1).unwrap(&key.unwrap()).unwrap()
        });
        let place = Place::AccessKey {
            account: account(of),
            id: &id,
        };
        let secret = data_key.seal(place, SECRET.as_bytes()).unwrap();
        self.change(Change::CreateAccessKey {
            id,
            account: account(of),
            user: user.map(name),
            secret,
        });
    }

    /// A call of the operator also brings the frontend's copy up to date.
    async fn operator(&self, method: Method, path: &str, body: &Value) -> Reply {
        self.signed(("AKID", "s3cret"), method, path, body).await
    }

    async fn signed(
        &self,
        (id, secret): (&str, &str),
        method: Method,
        path: &str,
        body: &Value,
    ) -> Reply {
        self.signed_with((id, secret, None), method, path, body)
            .await
    }

    async fn signed_with(
        &self,
        key: (&str, &str, Option<&str>),
        method: Method,
        path: &str,
        body: &Value,
    ) -> Reply {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = signed_by(key, &method, path, "localhost", Some(body.as_bytes()));
        let headers: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
            .collect();
        self.cluster
            .http(method.as_str(), path, &headers, body.as_bytes())
            .await
    }

    /// What a user's call comes to: the status, and the message of an error.
    async fn call(&self, of: &str, user: &str, method: Method, path: &str) -> (u16, String) {
        let ready = self
            .operator(Method::GET, "/2015-03-31/functions", &Value::Null)
            .await;
        assert_eq!(ready.status, 200);
        let id = key_id(of, user);
        let reply = self.signed((&id, SECRET), method, path, &Value::Null).await;
        let message = match reply.status {
            403 => reply.json()["Message"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            _ => String::new(),
        };
        (reply.status, message)
    }
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

const HELLO: &str = "/2015-03-31/functions/hello";

fn foreign() -> String {
    format!("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A{OWN}%3Afunction%3Ahello")
}

fn denied(user: &str, why: &str) -> (u16, String) {
    let message = format!(
        "User: arn:aws:iam::{user} is not authorized to perform: lambda:GetFunction on resource: \
         arn:aws:lambda:us-east-1:{OWN}:function:hello {why}"
    );
    (403, message)
}

#[tokio::test]
async fn users_may_do_what_their_policies_say() {
    let accounts = Accounts::start().await;
    let everything = policy(&json!([allow("*", "*")]));
    let nobody_else = "because no identity-based policy allows the lambda:GetFunction action";

    accounts.user(OWN, "all", std::slice::from_ref(&everything));
    assert_eq!(accounts.call(OWN, "all", Method::GET, HELLO).await.0, 200);

    accounts.user(OWN, "none", &[]);
    let got = accounts.call(OWN, "none", Method::GET, HELLO).await;
    assert_eq!(got, denied(&format!("{OWN}:user/team/none"), nobody_else));

    let deny = policy(&json!([{ "Effect": "Deny", "Action": "lambda:Get*", "Resource": "*" }]));
    accounts.user(OWN, "deny", &[everything.clone(), deny]);
    let got = accounts.call(OWN, "deny", Method::GET, HELLO).await;
    let why = "with an explicit deny in an identity-based policy";
    assert_eq!(got, denied(&format!("{OWN}:user/team/deny"), why));

    // One resource, one action, one condition.
    let narrow = policy(&json!([{
        "Effect": "Allow", "Action": "lambda:GetFunction", "Resource": format!("arn:aws:lambda:*:{OWN}:function:hel*"),
        "Condition": { "StringEquals": { "aws:ResourceTag/team": "a" }, "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } },
    }]));
    accounts.user(OWN, "narrow", &[narrow]);
    assert_eq!(
        accounts.call(OWN, "narrow", Method::GET, HELLO).await.0,
        200
    );
    let configuration = format!("{HELLO}/configuration");
    assert_eq!(
        accounts
            .call(OWN, "narrow", Method::GET, &configuration)
            .await
            .0,
        403
    );
    let retagged = json!({ "Tags": { "team": "b" } });
    let tags =
        format!("/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A{OWN}%3Afunction%3Ahello");
    assert_eq!(
        accounts
            .operator(Method::POST, &tags, &retagged)
            .await
            .status,
        204
    );
    assert_eq!(
        accounts.call(OWN, "narrow", Method::GET, HELLO).await.0,
        403
    );

    // A boundary bounds what the others allow; a policy that is attached allows like one's own.
    accounts.change(Change::PutPolicy {
        account: account(OWN),
        name: name("lists"),
        path: "/".parse().unwrap(),
        document: policy(&json!([allow("lambda:List*", "*")])),
    });
    accounts.user(OWN, "bound", &[]);
    assert_eq!(
        accounts
            .call(OWN, "bound", Method::GET, "/2015-03-31/functions")
            .await
            .0,
        403
    );
    accounts.grant(OWN, "bound", Grants::Attach(name("lists")));
    assert_eq!(
        accounts
            .call(OWN, "bound", Method::GET, "/2015-03-31/functions")
            .await
            .0,
        200
    );
    accounts.grant(OWN, "bound", Grants::PutInline(name("all"), everything));
    accounts.grant(OWN, "bound", Grants::Bound(Some(name("lists"))));
    let got = accounts.call(OWN, "bound", Method::GET, HELLO).await;
    let why = "because no permissions boundary allows the lambda:GetFunction action";
    assert_eq!(got, denied(&format!("{OWN}:user/team/bound"), why));
}

#[tokio::test]
async fn another_account_needs_the_policy_of_the_function_and_its_own() {
    let accounts = Accounts::start().await;
    let everything = policy(&json!([allow("*", "*")]));
    accounts.user(OTHER, "all", std::slice::from_ref(&everything));
    accounts.user(OTHER, "none", &[]);
    accounts.key(OTHER, None, &key_id(OTHER, "root"));

    let why = "because no resource-based policy allows the lambda:GetFunction action";
    let got = accounts.call(OTHER, "all", Method::GET, &foreign()).await;
    assert_eq!(got, denied(&format!("{OTHER}:user/team/all"), why));
    let got = accounts.call(OTHER, "root", Method::GET, &foreign()).await;
    assert_eq!(got, denied(&format!("{OTHER}:root"), why));

    let permission =
        json!({ "StatementId": "s", "Action": "lambda:GetFunction", "Principal": OTHER });
    let path = format!("{HELLO}/policy");
    let added = accounts.operator(Method::POST, &path, &permission).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(
        accounts.call(OTHER, "all", Method::GET, &foreign()).await.0,
        200
    );
    assert_eq!(
        accounts
            .call(OTHER, "root", Method::GET, &foreign())
            .await
            .0,
        200
    );
    let got = accounts.call(OTHER, "none", Method::GET, &foreign()).await;
    let why = "because no identity-based policy allows the lambda:GetFunction action";
    assert_eq!(got, denied(&format!("{OTHER}:user/team/none"), why));
    // It opens what it names, and nothing else.
    let configuration = format!("{}/configuration", foreign());
    assert_eq!(
        accounts
            .call(OTHER, "root", Method::GET, &configuration)
            .await
            .0,
        403
    );
    // A function that is not there looks like one that is not open.
    let missing = foreign().replace("hello", "missing");
    assert_eq!(
        accounts.call(OTHER, "root", Method::GET, &missing).await.0,
        403
    );
}

#[tokio::test]
async fn a_deny_in_the_policy_of_a_function_binds_the_root_too() {
    let accounts = Accounts::start().await;
    let document = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunction",
        "Resource": format!("arn:aws:lambda:us-east-1:{OWN}:function:hello"),
    }]});
    let statement = model::setting::PolicyStatement {
        sid: Some("no".to_owned()),
        text: document["Statement"][0].to_string(),
    };
    accounts.apply(Mutation::Configure {
        function: format!("arn:aws:lambda:us-east-1:{OWN}:function:hello")
            .parse::<model::FunctionArn>()
            .unwrap()
            .id,
        qualifier: None,
        change: Box::new(SettingChange::AddStatement {
            statement,
            size_max: 20_480,
        }),
        expected: None,
    });
    let got = accounts.operator(Method::GET, HELLO, &Value::Null).await;
    assert_eq!(got.status, 200, "{got:?}");
    let path = format!("{HELLO}/invocations");
    let refused = accounts.operator(Method::POST, &path, &json!({})).await;
    assert_eq!(refused.error(), (403, "AccessDeniedException"));
    assert!(
        refused
            .text()
            .contains("with an explicit deny in a resource-based policy")
    );
}

#[tokio::test]
async fn passing_a_role_needs_leave() {
    let accounts = Accounts::start().await;
    let lambda = allow("lambda:*", "*");
    let pass = json!({
        "Effect": "Allow", "Action": "iam:PassRole", "Resource": format!("arn:aws:iam::{OWN}:role/good"),
        "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } },
    });
    accounts.user(OWN, "pass", &[policy(&json!([lambda, pass]))]);
    let configuration = format!("{HELLO}/configuration");
    for (role, status) in [("good", 200), ("bad", 403)] {
        let ready = accounts.operator(Method::GET, HELLO, &Value::Null).await;
        assert_eq!(ready.status, 200);
        let body = json!({ "Role": format!("arn:aws:iam::{OWN}:role/{role}") });
        let id = key_id(OWN, "pass");
        let reply = accounts
            .signed((&id, SECRET), Method::PUT, &configuration, &body)
            .await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
}

#[tokio::test]
async fn a_key_works_while_it_is_active_and_its_user_there() {
    let accounts = Accounts::start().await;
    accounts.user(OWN, "all", &[policy(&json!([allow("*", "*")]))]);
    let id = key_id(OWN, "all");
    assert_eq!(accounts.call(OWN, "all", Method::GET, HELLO).await.0, 200);
    let wrong = accounts
        .signed((&id, "wrong"), Method::GET, HELLO, &Value::Null)
        .await;
    assert_eq!(wrong.error(), (403, "InvalidSignatureException"));

    for (active, status) in [(false, 403), (true, 200)] {
        accounts.change(Change::SetAccessKey {
            id: id.parse().unwrap(),
            account: account(OWN),
            active,
        });
        assert_eq!(
            accounts.call(OWN, "all", Method::GET, HELLO).await.0,
            status
        );
    }
    accounts.change(Change::Delete {
        id: EntityId::User(account(OWN), name("all")),
        account: account(OWN),
    });
    let ready = accounts.operator(Method::GET, HELLO, &Value::Null).await;
    assert_eq!(ready.status, 200);
    let gone = accounts
        .signed((&id, SECRET), Method::GET, HELLO, &Value::Null)
        .await;
    assert_eq!(gone.error(), (403, "UnrecognizedClientException"));
}

#[tokio::test]
async fn lambda_must_be_able_to_become_the_role() {
    let accounts = Accounts::start().await;
    let trust = |who: Value, condition: Value| {
        policy(&json!([{
            "Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole", "Condition": condition,
        }]))
    };
    let lambda = json!({ "Service": "lambda.amazonaws.com" });
    let of = |account: &str| json!({ "StringEquals": { "aws:SourceAccount": account } });
    let roles = [
        ("good", trust(lambda.clone(), json!({}))),
        ("ours", trust(lambda.clone(), of(OWN))),
        ("theirs", trust(lambda, of(OTHER))),
        (
            "people",
            trust(
                json!({ "AWS": format!("arn:aws:iam::{OWN}:root") }),
                json!({}),
            ),
        ),
    ];
    for (role, trust) in roles {
        accounts.change(Change::CreateRole {
            account: account(OWN),
            name: name(role),
            path: "/".parse().unwrap(),
            trust,
            session_max_s: 3600,
        });
    }
    // Brings the frontend's copy up to date.
    let got = accounts.operator(Method::GET, HELLO, &Value::Null).await;
    assert_eq!(got.status, 200, "{got:?}");
    // One that is not kept here, or that stands elsewhere, trusts whom it likes.
    for (role, taken) in [
        ("good", true),
        ("ours", true),
        ("unmade", true),
        ("elsewhere/people", true),
        ("theirs", false),
        ("people", false),
    ] {
        let role = format!("arn:aws:iam::{OWN}:role/{role}");
        let create = json!({
            "FunctionName": format!("of-{}", role.replace([':', '/'], "-")), "Role": &role,
            "Runtime": "python3.13", "Handler": "h.handler", "Code": { "ZipFile": base64(&zip("v1")) },
        });
        let (functions, configuration) =
            ("/2015-03-31/functions", format!("{HELLO}/configuration"));
        let update = json!({ "Role": &role });
        for (method, path, body, done) in [
            (Method::POST, functions, create, 201),
            (Method::PUT, &*configuration, update, 200),
        ] {
            let got = accounts.operator(method, path, &body).await;
            if taken {
                assert_eq!(got.status, done, "{role}: {got:?}");
            } else {
                assert_eq!(got.error(), (400, "InvalidParameterValueException"));
                let said = "The role defined for the function cannot be assumed by Lambda.";
                assert!(got.text().contains(said), "{role}: {got:?}");
            }
        }
    }
}

const ROLE: &str = "arn:aws:iam::123456789012:role/service-role/worker";

impl Accounts {
    fn role(&self) {
        self.change(Change::CreateRole {
            account: account(OWN),
            name: name("worker"),
            path: "/service-role/".parse().unwrap(),
            trust: policy(&json!([])),
            session_max_s: 3600,
        });
        self.change(Change::Grant {
            to: EntityId::Role(account(OWN), name("worker")),
            change: Grants::PutInline(name("p"), policy(&json!([allow("lambda:*", "*")]))),
        });
    }

    /// A session that began so many minutes ago, for an hour: secret and token.
    fn session(&self, minutes_ago: u64, bound: Option<Value>) -> (String, String) {
        let now = SystemClock.wall().as_millis();
        let issued = model::Timestamp(now - minutes_ago * 60_000);
        let role: RoleArn = ROLE.parse().unwrap();
        let key = self.cluster.controller.read(|catalog| {
            let key = catalog.newest_data_key(account(OWN)).cloned();
            ring("m", 1).unwrap(&key.unwrap()).unwrap()
        });
        let hour = Hour::of(issued);
        let session = Session {
            name: "hello".parse().unwrap(),
            access_key: SESSION_KEY.parse().unwrap(),
            generation: key.generation(),
            hour,
            issued,
            expires: issued.plus(Duration::from_secs(3600)),
            policy: bound.map(|statements| policy(&statements)),
            function: None,
            role: role.clone(),
        };
        let claims = proto::internal::Session::from(&session).encode_to_vec();
        let issued = key.role_key(&role, hour).issue(&claims);
        (
            issued.secret_access_key().to_owned(),
            issued.session_token().to_owned(),
        )
    }

    /// A call of a session after one of the operator.
    async fn call_as(&self, key: (&str, &str, Option<&str>)) -> Reply {
        let ready = self.operator(Method::GET, HELLO, &Value::Null).await;
        assert_eq!(ready.status, 200);
        self.signed_with(key, Method::GET, HELLO, &Value::Null)
            .await
    }
}

const SESSION_KEY: &str = "ASIAAAAABBBBCCCCDDDD";

#[tokio::test]
async fn a_session_is_its_role_while_it_lasts() {
    let accounts = Accounts::start().await;
    let (secret, token) = accounts.session(0, None);
    let key = (SESSION_KEY, &*secret, Some(&*token));

    // Of a role that is not there: nobody says what it may.
    let denied = accounts.call_as(key).await;
    assert_eq!(denied.error(), (403, "AccessDeniedException"));
    let who = "User: arn:aws:sts::123456789012:assumed-role/worker/hello is not authorized";
    assert!(denied.text().contains(who), "{denied:?}");
    accounts.role();
    assert_eq!(accounts.call_as(key).await.status, 200);

    // The policy of a session bounds its role.
    let (bound_secret, bound) = accounts.session(0, Some(json!([allow("lambda:Invoke*", "*")])));
    let refused = accounts
        .call_as((SESSION_KEY, &bound_secret, Some(&bound)))
        .await;
    assert_eq!(refused.error(), (403, "AccessDeniedException"));
    assert!(
        refused.text().contains("because no session policy allows"),
        "{refused:?}"
    );

    let (old_secret, old) = accounts.session(61, None);
    let expired = accounts
        .call_as((SESSION_KEY, &old_secret, Some(&old)))
        .await;
    assert_eq!(expired.error(), (403, "ExpiredTokenException"));

    let mut forged = token.clone().into_bytes();
    forged[20] ^= 1;
    let forged = String::from_utf8(forged).unwrap();
    // It says that its account is one that has no data key.
    let raw = STANDARD.decode(&token).unwrap();
    let stranger = raw.windows(12).position(|w| w == OWN.as_bytes()).unwrap();
    let mut elsewhere = raw;
    elsewhere[stranger] = b'3';
    let elsewhere = STANDARD.encode(elsewhere);

    let unknown = (403, "UnrecognizedClientException");
    for (key, error) in [
        ((SESSION_KEY, &*secret, Some(&*elsewhere)), unknown),
        ((SESSION_KEY, &*secret, Some(&*forged)), unknown),
        ((SESSION_KEY, &*secret, None), unknown),
        (("ASIAAAAABBBBCCCCDDDE", &*secret, Some(&*token)), unknown),
        (
            (SESSION_KEY, "wrong", Some(&*token)),
            (403, "InvalidSignatureException"),
        ),
        (("AKID", "s3cret", Some(&*token)), unknown),
    ] {
        assert_eq!(accounts.call_as(key).await.error(), error, "{key:?}");
    }
}

#[tokio::test]
async fn an_account_has_limits_of_its_own() {
    let accounts = Accounts::start().await;
    let settings = "/2016-08-19/account-settings";
    let limits = async || {
        let shown = accounts.operator(Method::GET, settings, &Value::Null).await;
        shown.json()["AccountLimit"].clone()
    };
    assert_eq!(limits().await["ConcurrentExecutions"], 1000);
    let own = [("concurrent_executions", 0), ("code_storage", 1000)];
    accounts.change(Change::PutAccount {
        account: account(OWN),
        name: "first".to_owned(),
        limits: own.map(|(key, value)| (key.to_owned(), value)).into(),
    });
    let shown = limits().await;
    let expected = (&json!(0), &json!(1000));
    assert_eq!(
        (&shown["ConcurrentExecutions"], &shown["TotalCodeSize"]),
        expected
    );

    let invoked = accounts
        .operator(Method::POST, &format!("{HELLO}/invocations"), &json!({}))
        .await;
    assert_eq!(invoked.error(), (429, "TooManyRequestsException"));
    let large = vec![b'x'; 2000];
    let package = json!({ "ZipFile": base64(&zip(&String::from_utf8(large).unwrap())) });
    accounts.change(Change::PutAccount {
        account: account(OWN),
        name: "first".to_owned(),
        limits: [("code_storage".to_owned(), 1)].into(),
    });
    assert_eq!(limits().await["TotalCodeSize"], 1);
    let refused = accounts
        .operator(Method::PUT, &format!("{HELLO}/code"), &package)
        .await;
    assert_eq!(refused.error(), (400, "CodeStorageExceededException"));
}
