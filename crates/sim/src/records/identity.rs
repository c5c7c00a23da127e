//! Records of the gRPC API of identities, and its client.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use host::{Clock, net::channel};
use lambda_api::sigv4::{self, SERVICE, Signer};
use parking_lot::Mutex;
use proto::v1::{self as pb, identity_client::IdentityClient};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, transport::Channel};

use super::Verb;
use crate::{
    caller::{Caller, PATIENCE},
    history::registers::{Act, Answer, Fate},
    net::ClientNetwork,
};

/// The authority of every call over a channel.
const AUTHORITY: &str = "node";
/// The trailer of an error that a frontend names.
const ERROR_TYPE: &str = "dunlin-error-type";

/// A client of the gRPC API, with the credentials of a [`Caller`].
pub(crate) struct IdentityCaller {
    pub(crate) caller: Arc<Caller>,
    channels: Mutex<BTreeMap<String, Channel>>,
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A policy of the account; its text has the value.
    Policy,
    /// A user; its path has it.
    User,
    /// A role; the length of its sessions has it.
    Role,
}

/// All kinds.
pub(crate) const KINDS: &[Kind] = &[Kind::Policy, Kind::User, Kind::Role];

/// The shortest session that a role may have.
const SESSION_MIN: u64 = 3600;

impl IdentityCaller {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        Self {
            caller,
            channels: Mutex::default(),
        }
    }

    /// Calls a method of a frontend.
    pub(crate) async fn ask<M, T>(
        &self,
        frontend: &str,
        method: &str,
        message: M,
        call: impl AsyncFnOnce(IdentityClient<Channel>, Request<M>) -> Result<Response<T>, Status>,
    ) -> Result<T, Status> {
        let request = self.sign(frontend, method, message)?;
        let client = IdentityClient::new(self.channel(frontend));
        let answered = tokio::time::timeout(PATIENCE, call(client, request)).await;
        let late = |_| Status::deadline_exceeded(format!("nothing within {PATIENCE:?}"));
        Ok(answered.map_err(late)??.into_inner())
    }

    fn channel(&self, frontend: &str) -> Channel {
        let mut channels = self.channels.lock();
        let made = channels.entry(frontend.to_owned()).or_insert_with(|| {
            channel::channel(Arc::new(ClientNetwork), format!("{frontend}:9001"))
        });
        made.clone()
    }

    fn sign<M>(&self, frontend: &str, method: &str, message: M) -> Result<Request<M>, Status> {
        let region = model::Region::default();
        let credentials = &self.caller.credentials;
        let signer = Signer {
            access_key_id: &credentials.access_key_id,
            secret: &credentials.secret,
            session_token: None,
            region: &region,
            service: SERVICE,
        };
        let path = format!("/dunlin.v1.Identity/{method}");
        let headers = sigv4::sign_call(&path, AUTHORITY, &signer, self.caller.clock.wall())
            .map_err(|error| Status::internal(error.to_string()))?;
        tracing::trace!(frontend, method, "asks");
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request.set_timeout(Duration::from_secs(5));
        Ok(request)
    }
}

impl Kind {
    /// What reports call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::User => "user",
            Self::Role => "role",
        }
    }

    /// What can be done to one.
    pub(crate) fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Policy => &[Verb::Put, Verb::Delete, Verb::Read],
            Self::User => &[Verb::Create, Verb::Delete, Verb::Read],
            Self::Role => &[Verb::Create, Verb::Update, Verb::Delete, Verb::Read],
        }
    }

    /// Makes a call on a record of this kind, and tells its fate.
    pub(crate) async fn call(
        self,
        identity: &IdentityCaller,
        frontend: &str,
        name: &str,
        act: Act,
    ) -> Fate {
        let answered = match self {
            Self::Policy => policy(identity, frontend, name, act).await,
            Self::User => user(identity, frontend, name, act).await,
            Self::Role => role(identity, frontend, name, act).await,
        };
        match (answered, act) {
            (Ok(shown), Act::Read) => Fate::Known(Answer::Shown(shown)),
            (Ok(_), _) => Fate::Known(Answer::Done),
            (Err(status), _) => refusal(&status, act),
        }
    }
}

/// The fate of a call that failed. What no frontend has named may have been done.
pub(crate) fn refusal(status: &Status, act: Act) -> Fate {
    if status.metadata().get(ERROR_TYPE).is_none() {
        return Fate::Unknown;
    }
    match (status.code(), act) {
        (Code::NotFound, Act::Read) => Fate::Known(Answer::Shown(None)),
        (Code::NotFound, _) => Fate::Known(Answer::NotFound),
        (Code::AlreadyExists, Act::Create(_)) => Fate::Known(Answer::Conflict),
        (Code::Internal | Code::Unavailable | Code::Unknown, _) => Fate::Unknown,
        _ => Fate::Refused,
    }
}

async fn policy(
    identity: &IdentityCaller,
    frontend: &str,
    name: &str,
    act: Act,
) -> Result<Option<u64>, Status> {
    let policy_name = name.to_owned();
    match act {
        Act::Put(value) => {
            let message = pb::PutPolicyRequest {
                policy_name,
                policy_document: allowing("lambda:GetFunction", &format!("turn-{value}")),
                ..Default::default()
            };
            let put = async |mut c: IdentityClient<_>, r| c.put_policy(r).await;
            identity.ask(frontend, "PutPolicy", message, put).await?;
            Ok(None)
        }
        Act::Delete => {
            let message = pb::DeletePolicyRequest {
                policy_name,
                ..Default::default()
            };
            let delete = async |mut c: IdentityClient<_>, r| c.delete_policy(r).await;
            identity
                .ask(frontend, "DeletePolicy", message, delete)
                .await?;
            Ok(None)
        }
        _ => {
            let message = pb::GetPolicyRequest {
                policy_name,
                ..Default::default()
            };
            let get = async |mut c: IdentityClient<_>, r| c.get_policy(r).await;
            let policy = identity.ask(frontend, "GetPolicy", message, get).await?;
            let after = policy.policy_document.split_once("turn-");
            let digits = after.map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()));
            Ok(digits.and_then(|mut d| d.next()?.parse().ok()))
        }
    }
}

async fn user(
    identity: &IdentityCaller,
    frontend: &str,
    name: &str,
    act: Act,
) -> Result<Option<u64>, Status> {
    let user_name = name.to_owned();
    match act {
        Act::Create(value) => {
            let message = pb::CreateUserRequest {
                user_name,
                path: format!("/{value}/"),
                ..Default::default()
            };
            let create = async |mut c: IdentityClient<_>, r| c.create_user(r).await;
            identity
                .ask(frontend, "CreateUser", message, create)
                .await?;
            Ok(None)
        }
        Act::Delete => {
            let message = pb::DeleteUserRequest {
                user_name,
                ..Default::default()
            };
            let delete = async |mut c: IdentityClient<_>, r| c.delete_user(r).await;
            identity
                .ask(frontend, "DeleteUser", message, delete)
                .await?;
            Ok(None)
        }
        _ => {
            let message = pb::GetUserRequest {
                user_name,
                ..Default::default()
            };
            let get = async |mut c: IdentityClient<_>, r| c.get_user(r).await;
            let user = identity.ask(frontend, "GetUser", message, get).await?;
            Ok(user.path.trim_matches('/').parse().ok())
        }
    }
}

async fn role(
    identity: &IdentityCaller,
    frontend: &str,
    name: &str,
    act: Act,
) -> Result<Option<u64>, Status> {
    let role_name = name.to_owned();
    let session = |value| u32::try_from(SESSION_MIN + value).ok();
    match act {
        Act::Create(value) => {
            let message = pb::CreateRoleRequest {
                role_name,
                assume_role_policy_document: TRUST.to_owned(),
                max_session_duration: session(value),
                ..Default::default()
            };
            let create = async |mut c: IdentityClient<_>, r| c.create_role(r).await;
            identity
                .ask(frontend, "CreateRole", message, create)
                .await?;
            Ok(None)
        }
        Act::Update(value) => {
            let message = pb::UpdateRoleRequest {
                role_name,
                max_session_duration: session(value),
                ..Default::default()
            };
            let update = async |mut c: IdentityClient<_>, r| c.update_role(r).await;
            identity
                .ask(frontend, "UpdateRole", message, update)
                .await?;
            Ok(None)
        }
        Act::Delete => {
            let message = pb::DeleteRoleRequest {
                role_name,
                ..Default::default()
            };
            let delete = async |mut c: IdentityClient<_>, r| c.delete_role(r).await;
            identity
                .ask(frontend, "DeleteRole", message, delete)
                .await?;
            Ok(None)
        }
        _ => {
            let message = pb::GetRoleRequest {
                role_name,
                ..Default::default()
            };
            let get = async |mut c: IdentityClient<_>, r| c.get_role(r).await;
            let role = identity.ask(frontend, "GetRole", message, get).await?;
            Ok(u64::from(role.max_session_duration).checked_sub(SESSION_MIN))
        }
    }
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A policy that allows one action on one function.
pub(crate) fn allowing(action: &str, function: &str) -> String {
    let resource = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": action, "Resource": resource }],
    })
    .to_string()
}
