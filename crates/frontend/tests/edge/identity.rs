//! The service that keeps identities.

use http::Method;
use model::{
    AccountId,
    iam::{AccessKeyId, Quota},
};
use proto::v1::{self, identity_client::IdentityClient};
use seal::Place;
use serde_json::{Value, json};
use tonic::{Code, Request, Status, metadata::MetadataMap, transport::Channel};

use crate::{
    access::{closed, signed_by},
    cluster::{Cluster, ring},
    grpc::connect,
};

const OWN: &str = "123456789012";
const OTHER: &str = "210987654321";
/// The key of the node's configuration.
const OPERATOR: (&str, &str) = ("AKID", "s3cret");
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A cluster that wants signatures, and a client of it.
struct Service {
    cluster: Cluster,
    client: IdentityClient<Channel>,
}

/// Calls a method as somebody.
macro_rules! call {
    ($service:expr, $who:expr, $method:ident $name:literal $message:expr) => {{
        let request = $service.signed($who, $name, $message);
        let answer = $service.client.clone().$method(request).await;
        answer.map(tonic::Response::into_inner)
    }};
}

impl Service {
    async fn start() -> Self {
        let cluster = closed().await;
        let client = IdentityClient::new(connect(&cluster).await);
        Self { cluster, client }
    }

    fn signed<M>(&self, who: (&str, &str), method: &str, message: M) -> Request<M> {
        let path = format!("/dunlin.v1.Identity/{method}");
        let host = self.cluster.grpc.to_string();
        let mut request = Request::new(message);
        let headers = signed_by((who.0, who.1, None), &Method::POST, &path, &host, None);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request
    }

    async fn user(&self, name: &str) -> Result<v1::User, Status> {
        call!(self, OPERATOR, create_user "CreateUser" create_user(name))
    }

    async fn key(&self, user: &str) -> Result<v1::NewAccessKey, Status> {
        let user_name = user.to_owned();
        let account = String::new();
        call!(self, OPERATOR, create_access_key "CreateAccessKey" v1::CreateAccessKeyRequest { account, user_name })
    }

    /// A user with one policy of its own and a key.
    async fn user_who_may(&self, name: &str, statements: &Value) -> (String, String) {
        self.user(name).await.unwrap();
        let put = put_user_policy(name, "own", &policy(statements));
        call!(self, OPERATOR, put_user_policy "PutUserPolicy" put).unwrap();
        let made = self.key(name).await.unwrap();
        let id = made.access_key.unwrap().access_key_id;
        (id, made.secret_access_key)
    }
}

fn policy(statements: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn create_user(name: &str) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        user_name: name.to_owned(),
        ..Default::default()
    }
}

fn get_user(name: &str) -> v1::GetUserRequest {
    v1::GetUserRequest {
        user_name: name.to_owned(),
        ..Default::default()
    }
}

fn create_role(name: &str, trust: &str) -> v1::CreateRoleRequest {
    v1::CreateRoleRequest {
        role_name: name.to_owned(),
        assume_role_policy_document: trust.to_owned(),
        ..Default::default()
    }
}

fn put_policy(name: &str, document: &str) -> v1::PutPolicyRequest {
    v1::PutPolicyRequest {
        policy_name: name.to_owned(),
        policy_document: document.to_owned(),
        ..Default::default()
    }
}

fn put_user_policy(user: &str, name: &str, document: &str) -> v1::PutUserPolicyRequest {
    v1::PutUserPolicyRequest {
        user_name: user.to_owned(),
        policy_name: name.to_owned(),
        policy_document: document.to_owned(),
        ..Default::default()
    }
}

fn refused(status: &Status) -> (Code, &str) {
    let name = status.metadata().get("dunlin-error-type");
    (status.code(), name.unwrap().to_str().unwrap())
}

#[tokio::test]
async fn a_user_a_role_and_a_policy_live_and_die() {
    let service = Service::start().await;
    let everything = policy(&json!([allow("*", "*")]));
    let alice = service.user("alice").await.unwrap();
    assert_eq!(alice.arn, format!("arn:aws:iam::{OWN}:user/alice"));
    assert!(alice.user_id.starts_with("AIDA") && alice.create_date.ends_with('Z'));
    let again = service.user("alice").await.unwrap_err();
    assert_eq!(
        refused(&again),
        (Code::AlreadyExists, "EntityAlreadyExists")
    );
    assert!(again.message().contains(&format!("{OWN}/user/alice")));

    let role = v1::CreateRoleRequest {
        path: "/service-role/".to_owned(),
        max_session_duration: Some(7200),
        ..create_role("r", &format!("  {TRUST}\n"))
    };
    let role = call!(service, OPERATOR, create_role "CreateRole" role).unwrap();
    assert_eq!(role.arn, format!("arn:aws:iam::{OWN}:role/service-role/r"));
    assert_eq!(role.assume_role_policy_document, TRUST);
    assert_eq!(role.max_session_duration, 7200);
    let update = v1::UpdateRoleRequest {
        role_name: "r".to_owned(),
        max_session_duration: Some(3600),
        ..Default::default()
    };
    let role = call!(service, OPERATOR, update_role "UpdateRole" update).unwrap();
    assert_eq!(role.max_session_duration, 3600);
    assert_eq!(role.assume_role_policy_document, TRUST);

    let made =
        call!(service, OPERATOR, put_policy "PutPolicy" put_policy("p", &everything)).unwrap();
    let attach = v1::AttachRolePolicyRequest {
        role_name: "r".to_owned(),
        policy_name: "p".to_owned(),
        ..Default::default()
    };
    let role = call!(service, OPERATOR, attach_role_policy "AttachRolePolicy" attach).unwrap();
    assert_eq!(role.attached_policies, ["p"]);
    let bound = v1::PutUserPermissionsBoundaryRequest {
        user_name: "alice".to_owned(),
        policy_name: "p".to_owned(),
        ..Default::default()
    };
    call!(service, OPERATOR, put_user_permissions_boundary "PutUserPermissionsBoundary" bound)
        .unwrap();
    let own = put_user_policy("alice", "own", &everything);
    let alice = call!(service, OPERATOR, put_user_policy "PutUserPolicy" own).unwrap();
    assert_eq!(alice.permissions_boundary, "p");
    assert_eq!(alice.inline_policies["own"], made.policy_document);

    let delete = v1::DeletePolicyRequest {
        policy_name: "p".to_owned(),
        ..Default::default()
    };
    let in_use = call!(service, OPERATOR, delete_policy "DeletePolicy" delete.clone()).unwrap_err();
    assert_eq!(
        refused(&in_use),
        (Code::FailedPrecondition, "DeleteConflict")
    );
    let unbound = v1::DeleteUserPermissionsBoundaryRequest {
        user_name: "alice".to_owned(),
        ..Default::default()
    };
    call!(service, OPERATOR, delete_user_permissions_boundary "DeleteUserPermissionsBoundary" unbound)
        .unwrap();
    let gone = v1::DeleteRoleRequest {
        role_name: "r".to_owned(),
        ..Default::default()
    };
    call!(service, OPERATOR, delete_role "DeleteRole" gone).unwrap();
    call!(service, OPERATOR, delete_policy "DeletePolicy" delete).unwrap();
    let gone = v1::DeleteUserRequest {
        user_name: "alice".to_owned(),
        ..Default::default()
    };
    call!(service, OPERATOR, delete_user "DeleteUser" gone.clone()).unwrap();
    for missing in [
        call!(service, OPERATOR, delete_user "DeleteUser" gone).map(|_| ()),
        call!(service, OPERATOR, get_user "GetUser" get_user("alice")).map(|_| ()),
    ] {
        let missing = missing.unwrap_err();
        assert_eq!(refused(&missing), (Code::NotFound, "NoSuchEntity"));
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_it_is_proposed() {
    let service = Service::start().await;
    service.user("alice").await.unwrap();
    let long = "n".repeat(65);
    let session = v1::CreateRoleRequest {
        max_session_duration: Some(60),
        ..create_role("r", TRUST)
    };
    let account = v1::CreateUserRequest {
        account: "12".to_owned(),
        ..create_user("u")
    };
    let invalid = [
        (
            service.user(&long).await.map(|_| ()),
            "user_name: expected at most 64",
        ),
        (
            service.user("").await.map(|_| ()),
            "user_name: expected a name",
        ),
        (
            service.user("a/b").await.map(|_| ()),
            "user_name: expected a name",
        ),
        (
            call!(service, OPERATOR, create_role "CreateRole" session).map(|_| ()),
            "max_session_duration: expected 3600 to 43200 seconds",
        ),
        (
            call!(service, OPERATOR, create_user "CreateUser" account).map(|_| ()),
            "account: expected twelve digits",
        ),
    ];
    for (result, said) in invalid {
        let status = result.unwrap_err();
        assert_eq!(refused(&status), (Code::InvalidArgument, "ValidationError"));
        assert!(status.message().starts_with(said), "{status}");
    }
    for (result, said) in [
        (
            call!(service, OPERATOR, put_policy "PutPolicy" put_policy("p", "{")).map(|_| ()),
            "policy_document: expected JSON",
        ),
        (
            call!(service, OPERATOR, put_policy "PutPolicy" put_policy("p", TRUST)).map(|_| ()),
            "policy_document: at $.Statement[0]",
        ),
        (
            call!(service, OPERATOR, create_role "CreateRole" create_role("r", "")).map(|_| ()),
            "assume_role_policy_document: expected JSON",
        ),
        (
            call!(service, OPERATOR, put_user_policy "PutUserPolicy" put_user_policy("alice", "p", "[]")).map(|_| ()),
            "policy_document: at $",
        ),
    ] {
        let status = result.unwrap_err();
        assert_eq!(
            refused(&status),
            (Code::InvalidArgument, "MalformedPolicyDocument")
        );
        assert!(status.message().starts_with(said), "{status}");
    }
    let long = policy(&json!([allow(
        &format!("a:{}", "b".repeat(Quota::UserInline.limit())),
        "*"
    )]));
    let long = put_user_policy("alice", "p", &long);
    let status = call!(service, OPERATOR, put_user_policy "PutUserPolicy" long).unwrap_err();
    assert_eq!(refused(&status), (Code::ResourceExhausted, "LimitExceeded"));
    let huge = put_policy("p", &" ".repeat(300 << 10));
    let status = call!(service, OPERATOR, put_policy "PutPolicy" huge).unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

#[tokio::test]
async fn a_secret_is_told_once_and_leaves_sealed() {
    let service = Service::start().await;
    service.user("alice").await.unwrap();
    let made = service.key("alice").await.unwrap();
    let secret = made.secret_access_key.clone();
    assert_eq!(secret.len(), 40);
    let key = made.access_key.unwrap();
    assert_eq!(
        (key.user_name.as_str(), key.status.as_str()),
        ("alice", "Active")
    );
    assert!(key.access_key_id.starts_with("AKIA") && key.access_key_id.len() == 20);
    // It opens for that key, and stands nowhere in clear.
    let (account, id): (AccountId, AccessKeyId) =
        (OWN.parse().unwrap(), key.access_key_id.parse().unwrap());
    let (data_key, sealed) = service.cluster.controller.read(|catalog| {
        let data_key = catalog.newest_data_key(account).cloned().unwrap();
        let key = catalog.access_key(&id).unwrap();
        (ring("m", 1).unwrap(&data_key).unwrap(), key.secret.clone())
    });
    let place = Place::AccessKey { account, id: &id };
    let opened = data_key.open(place, &sealed).unwrap();
    assert_eq!(opened.as_slice(), secret.as_bytes());
    let bytes = service.cluster.controller.bytes();
    assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
    let log = service.cluster.log().await;
    assert!(
        log.contains(&key.access_key_id) && !log.contains(&secret),
        "{log}"
    );

    // Two and no more; one that does not work counts.
    let second = service.key("alice").await.unwrap().access_key.unwrap();
    let off = v1::UpdateAccessKeyRequest {
        access_key_id: second.access_key_id.clone(),
        status: "Inactive".to_owned(),
        ..Default::default()
    };
    let off = call!(service, OPERATOR, update_access_key "UpdateAccessKey" off).unwrap();
    assert_eq!(off.status, "Inactive");
    let third = service.key("alice").await.unwrap_err();
    assert_eq!(refused(&third), (Code::ResourceExhausted, "LimitExceeded"));
    assert!(third.message().contains("2 access keys"), "{third}");
    let list = v1::ListAccessKeysRequest {
        user_name: "alice".to_owned(),
        ..Default::default()
    };
    let listed = call!(service, OPERATOR, list_access_keys "ListAccessKeys" list).unwrap();
    assert_eq!(listed.access_keys.len(), 2);
    let delete = v1::DeleteAccessKeyRequest {
        access_key_id: second.access_key_id,
        ..Default::default()
    };
    call!(service, OPERATOR, delete_access_key "DeleteAccessKey" delete.clone()).unwrap();
    let gone = call!(service, OPERATOR, delete_access_key "DeleteAccessKey" delete).unwrap_err();
    assert_eq!(refused(&gone), (Code::NotFound, "NoSuchEntity"));
    let nobody = service.key("nobody").await.unwrap_err();
    assert_eq!(refused(&nobody), (Code::NotFound, "NoSuchEntity"));
}

#[tokio::test]
async fn a_user_may_what_their_policy_says() {
    let service = Service::start().await;
    let own = format!("arn:aws:iam::{OWN}:user/alice");
    let (id, secret) = service
        .user_who_may(
            "alice",
            &json!([
                allow("iam:GetUser", &own),
                allow("iam:CreateUser", &format!("arn:aws:iam::{OWN}:user/team/*"))
            ]),
        )
        .await;
    let alice = (id.as_str(), secret.as_str());
    service.user("bob").await.unwrap();
    assert!(call!(service, alice, get_user "GetUser" get_user("alice")).is_ok());
    // What is there and what is not is the same to somebody who may see neither.
    for name in ["bob", "nobody"] {
        let denied = call!(service, alice, get_user "GetUser" get_user(name)).unwrap_err();
        assert_eq!(
            refused(&denied),
            (Code::PermissionDenied, "AccessDeniedException")
        );
        assert_eq!(
            denied.message(),
            format!(
                "User: {own} is not authorized to perform: iam:GetUser on resource: arn:aws:iam::{OWN}:user/{name} because \
                 no identity-based policy allows the iam:GetUser action"
            )
        );
    }
    let at = |path: &str, name: &str| v1::CreateUserRequest {
        path: path.to_owned(),
        ..create_user(name)
    };
    assert!(call!(service, alice, create_user "CreateUser" at("/team/", "carol")).is_ok());
    for path in ["", "/other/"] {
        assert!(call!(service, alice, create_user "CreateUser" at(path, "dave")).is_err());
    }
    let everybody = call!(service, alice, list_users "ListUsers" v1::ListUsersRequest::default());
    assert_eq!(everybody.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn nobody_gets_above_themselves() {
    let service = Service::start().await;
    // Whoever may do everything in an account is still not its root, and not the operator.
    let (id, secret) = service
        .user_who_may("admin", &json!([allow("*", "*")]))
        .await;
    let admin = (id.as_str(), secret.as_str());
    assert!(call!(service, admin, create_user "CreateUser" create_user("made")).is_ok());
    let root = service.key("").await.unwrap();
    let root_id = root.access_key.clone().unwrap().access_key_id;
    let roots = v1::CreateAccessKeyRequest::default();
    let list = v1::ListAccessKeysRequest::default();
    let off = v1::UpdateAccessKeyRequest {
        access_key_id: root_id.clone(),
        status: "Inactive".to_owned(),
        ..Default::default()
    };
    let delete = v1::DeleteAccessKeyRequest {
        access_key_id: root_id.clone(),
        ..Default::default()
    };
    for denied in [
        call!(service, admin, create_access_key "CreateAccessKey" roots.clone()).map(|_| ()),
        call!(service, admin, list_access_keys "ListAccessKeys" list.clone()).map(|_| ()),
        call!(service, admin, update_access_key "UpdateAccessKey" off.clone()).map(|_| ()),
        call!(service, admin, delete_access_key "DeleteAccessKey" delete.clone()).map(|_| ()),
    ] {
        let denied = denied.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied, "{denied}");
        assert!(
            denied.message().contains("access keys of the root"),
            "{denied}"
        );
    }
    // The root itself may, and has two keys at most.
    let root = (root_id.as_str(), root.secret_access_key.as_str());
    let second = call!(service, root, create_access_key "CreateAccessKey" roots.clone());
    assert!(second.is_ok());
    let third = call!(service, root, create_access_key "CreateAccessKey" roots);
    assert_eq!(third.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(
        call!(service, root, list_access_keys "ListAccessKeys" list)
            .unwrap()
            .access_keys
            .len(),
        2
    );

    // Another account, and accounts themselves, are the operator's.
    let elsewhere = v1::CreateUserRequest {
        account: OTHER.to_owned(),
        ..create_user("theirs")
    };
    let put = v1::PutAccountRequest {
        account: OWN.to_owned(),
        name: "mine".to_owned(),
        ..Default::default()
    };
    let accounts = v1::ListAccountsRequest::default();
    for who in [admin, root] {
        for denied in [
            call!(service, who, create_user "CreateUser" elsewhere.clone()).map(|_| ()),
            call!(service, who, put_account "PutAccount" put.clone()).map(|_| ()),
            call!(service, who, list_accounts "ListAccounts" accounts.clone()).map(|_| ()),
        ] {
            let denied = denied.unwrap_err();
            assert_eq!(denied.code(), Code::PermissionDenied, "{denied}");
        }
    }
    call!(service, OPERATOR, create_user "CreateUser" elsewhere).unwrap();
    call!(service, OPERATOR, put_account "PutAccount" put).unwrap();
    let listed = call!(service, OPERATOR, list_accounts "ListAccounts" accounts).unwrap();
    assert_eq!(listed.accounts.len(), 1);
    // Everybody may see what is said of their own.
    let own = v1::GetAccountRequest::default();
    let got = call!(service, admin, get_account "GetAccount" own).unwrap();
    assert_eq!(got.name, "mine");
    // A key of another account is not there.
    let foreign = v1::UpdateAccessKeyRequest {
        account: OTHER.to_owned(),
        ..off
    };
    let missing = call!(service, OPERATOR, update_access_key "UpdateAccessKey" foreign);
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let service = Service::start().await;
    for name in ["a", "b", "c", "+"] {
        service.user(name).await.unwrap();
    }
    let (mut names, mut marker) = (Vec::new(), String::new());
    for _ in 0..2 {
        let list = v1::ListUsersRequest {
            marker,
            max_items: 2,
            ..Default::default()
        };
        let page = call!(service, OPERATOR, list_users "ListUsers" list).unwrap();
        names.extend(page.users.into_iter().map(|user| user.user_name));
        marker = page.next_marker;
    }
    assert_eq!(names, ["+", "a", "b", "c"]);
    assert_eq!(marker, "");
    let bad = v1::ListUsersRequest {
        marker: "none of ours".to_owned(),
        ..Default::default()
    };
    let bad = call!(service, OPERATOR, list_users "ListUsers" bad).unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn every_call_is_in_the_audit_log() {
    let service = Service::start().await;
    service.user("alice").await.unwrap();
    // On disk before it was answered.
    let log = service.cluster.log_on_disk();
    assert!(log.contains("iam:CreateUser"), "{log}");
    service.user("alice").await.unwrap_err();
    let own = put_user_policy("alice", "own", &policy(&json!([allow("a:b", "*")])));
    call!(service, OPERATOR, put_user_policy "PutUserPolicy" own).unwrap();
    call!(service, ("AKID", "wrong"), get_user "GetUser" get_user("alice")).unwrap_err();
    let calls = service.cluster.calls().await;
    let some = |members: &[&str]| -> Vec<Value> {
        let of = |call: &Value| members.iter().map(|m| call[m].clone()).collect();
        calls.iter().map(of).collect()
    };
    let arn = format!("arn:aws:iam::{OWN}:user/alice");
    let target = format!("{OWN}/user/alice");
    assert_eq!(
        json!(some(&[
            "operation",
            "outcome",
            "error",
            "target",
            "resource",
            "caller"
        ])),
        json!([
            [
                "iam:CreateUser",
                "done",
                null,
                target,
                arn,
                format!("{OWN}/AKID")
            ],
            [
                "iam:CreateUser",
                "failed",
                "EntityAlreadyExists",
                target,
                arn,
                format!("{OWN}/AKID")
            ],
            [
                "iam:PutUserPolicy",
                "done",
                null,
                target,
                arn,
                format!("{OWN}/AKID")
            ],
            [
                "iam:GetUser",
                "failed",
                "InvalidSignatureException",
                null,
                null,
                null
            ],
        ])
    );
    assert_eq!(
        calls[2]["parameters"],
        json!({
            "UserName": "alice", "PolicyName": "own",
            "PolicyDocument":
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}"#,
        })
    );
}

/// An attempt that is made again, because its answer was lost, finds what the first one did.
#[tokio::test]
async fn attempts_of_one_call_are_done_once() {
    let service = Service::start().await;
    let attempt = |id: &str| {
        let mut request = service.signed(OPERATOR, "CreateUser", create_user("alice"));
        let metadata = request.metadata_mut();
        metadata.insert("amz-sdk-invocation-id", id.parse().unwrap());
        request
    };
    let mut client = service.client.clone();
    let id = "0f0f0f0f-0000-4000-8000-000000000001";
    let first = client.create_user(attempt(id)).await.unwrap().into_inner();
    let again = client.create_user(attempt(id)).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = "0f0f0f0f-0000-4000-8000-000000000002";
    assert!(client.create_user(attempt(other)).await.is_err());
}

#[tokio::test]
async fn without_controllers_nothing_is_changed_and_soon_said() {
    let service = Service::start().await;
    service.cluster.controller.leads(false);
    let late = service.user("alice").await.unwrap_err();
    assert_eq!(
        refused(&late),
        (Code::Unavailable, "ServiceUnavailableException")
    );
}

#[tokio::test]
async fn an_open_cluster_asks_for_no_key() {
    let cluster = Cluster::start().await;
    let mut client = IdentityClient::new(connect(&cluster).await);
    let made = client.create_user(create_user("alice")).await.unwrap();
    let arn = made.into_inner().arn;
    assert_eq!(arn, "arn:aws:iam::000000000000:user/alice");
    let elsewhere = v1::CreateUserRequest {
        account: OTHER.to_owned(),
        ..create_user("alice")
    };
    assert!(client.create_user(elsewhere).await.is_ok());
}
