//! What a frontend is told before it starts.

use std::{collections::HashMap, time::Duration};

use lambda_api::sigv4::Credential;
use model::{AccountId, ByteCount, Limits, Region};

use crate::code_url::CodeUrlKey;

/// How a frontend behaves. Every bound of it is here.
#[derive(Clone)]
pub struct FrontendOptions {
    /// Where a request is that names no region in a credential's scope.
    pub region: Region,
    /// Who may call.
    pub auth: AuthMode,
    /// Whether invocations are recorded in the audit log, besides control calls.
    pub audit_invocations: bool,
    /// What callers may send and keep.
    pub limits: Limits,
    /// Signs the URLs under which code can be downloaded. The same on every frontend of a cluster.
    pub code_url_key: CodeUrlKey,
    /// Whether callers reach the public listener by TLS: the scheme of code URLs.
    pub public_tls: bool,
    /// `host:port` of code URLs where a request does not name the host that it was sent to.
    pub public_address: String,
    /// What hosts of function URLs end with, after the region.
    pub url_suffix: String,
    /// Connections at the same time; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Requests at the same time over all connections; more are refused.
    pub requests_max: usize,
    /// Bytes of request bodies in memory at the same time; requests beyond are refused.
    pub body_bytes_max: ByteCount,
    /// How long a new connection may take until its first request is there.
    pub first_request_max: Duration,
    /// How long a connection may be idle between requests, and a later request's head may take.
    pub idle_max: Duration,
    /// How long a body may make no progress.
    pub body_stall_max: Duration,
}

/// Who may call.
#[derive(Clone)]
pub enum AuthMode {
    /// Anybody, for development: nothing is verified. An access key of twelve digits chooses the account and the
    /// credential's scope the region; without one it is this account, in the cluster's region.
    Open {
        /// The account of callers who name none.
        account: AccountId,
    },
    /// Callers who sign with one of these keys.
    SigV4(KeyRing),
}

/// The access keys of a cluster, by their public halves.
#[derive(Clone, Default)]
pub struct KeyRing(HashMap<String, Credential>);

impl FrontendOptions {
    /// The defaults with a key for code URLs, open to anybody.
    #[must_use]
    pub fn open(code_url_key: CodeUrlKey) -> Self {
        Self {
            region: Region::default(),
            auth: AuthMode::Open {
                account: AccountId::DEFAULT,
            },
            audit_invocations: false,
            limits: Limits::default(),
            code_url_key,
            public_tls: false,
            public_address: String::new(),
            url_suffix: "localhost".to_owned(),
            connections_max: 10_000,
            requests_max: 8192,
            body_bytes_max: ByteCount::mib(1024),
            first_request_max: Duration::from_secs(5),
            idle_max: Duration::from_secs(75),
            body_stall_max: Duration::from_secs(20),
        }
    }
}

impl KeyRing {
    /// What the cluster knows about an access key.
    #[must_use]
    pub fn get(&self, access_key_id: &str) -> Option<&Credential> {
        self.0.get(access_key_id)
    }
}

impl FromIterator<(String, Credential)> for KeyRing {
    fn from_iter<I: IntoIterator<Item = (String, Credential)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}
