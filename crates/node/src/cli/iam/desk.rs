//! The other end of a command: a frontend, asked over gRPC, each call signed.

use std::{io, sync::Arc, time::Duration};

use anyhow::{anyhow, bail};
use host::{Clock, SystemClock};
use http::Uri;
use hyper_util::rt::TokioIo;
use lambda_api::sigv4::{self, Signer};
use model::{AccountId, Region};
use proto::v1::identity_client::IdentityClient;
use tokio_rustls::TlsConnector;
use tonic::{
    Code, Request, Response, Status,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::access::Access;
use crate::cli::{
    credentials::{self, Credentials},
    reach::{self, Address},
};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// The port of gRPC where none is named.
const PORT: u16 = 9001;
/// The trailer that names an error.
const ERROR_TYPE: &str = "dunlin-error-type";
/// Pages that one list may have.
const PAGES_MAX: usize = 10_000;
/// Items that are asked for at a time.
pub(super) const PAGE: u32 = 1000;

/// A way to ask, as somebody.
pub(super) struct Desk {
    /// The service.
    pub(super) client: IdentityClient<Channel>,
    authority: String,
    credentials: Option<Credentials>,
    region: Region,
    account: Option<AccountId>,
}

impl Desk {
    /// Finds the access key, and gets ready to connect. Nothing is sent yet.
    pub(super) fn open(
        access: &Access,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, anyhow::Error> {
        let credentials = credentials::find(access.profile.as_deref(), variable)?;
        let address = Address::parse(&access.endpoint, access.ca.is_some(), PORT)?;
        let tls = (address.is_secure).then(|| reach::connector(access.ca.as_deref(), b"h2"));
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let region = region.iter().find_map(|name| variable(name)?.parse().ok());
        Ok(Self {
            authority: address.authority.to_string(),
            client: IdentityClient::new(channel(&address, tls.transpose()?)?),
            credentials,
            region: region.unwrap_or_default(),
            account: access.account,
        })
    }

    /// The account to act on, as messages name it.
    pub(super) fn account(&self) -> String {
        let account = self.account.map(|account| account.to_string());
        account.unwrap_or_default()
    }

    /// A call of a method, signed.
    pub(super) fn call<M>(&self, method: &str, message: M) -> Result<Request<M>, anyhow::Error> {
        let mut request = Request::new(message);
        request.set_timeout(CALL);
        let Some(credentials) = &self.credentials else {
            return Ok(request);
        };
        let signer = Signer {
            access_key_id: &credentials.access_key_id,
            secret: &credentials.secret,
            session_token: credentials.session_token.as_deref(),
            region: &self.region,
            service: sigv4::SERVICE,
        };
        let path = format!("/dunlin.v1.Identity/{method}");
        let headers = sigv4::sign_call(&path, &self.authority, &signer, SystemClock.wall())?;
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request.set_timeout(CALL);
        Ok(request)
    }

    /// What a call gave, or why it gave nothing.
    pub(super) fn told<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, anyhow::Error> {
        match answer {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(self.refusal(&status)),
        }
    }

    fn refusal(&self, status: &Status) -> anyhow::Error {
        let name = status.metadata().get(ERROR_TYPE);
        let Some(name) = name.and_then(|name| name.to_str().ok()) else {
            let endpoint = &self.authority;
            let cause = innermost(status);
            return anyhow!(
                "{endpoint}: {cause}; is it the gRPC address (listen.grpc) of a running frontend?"
            );
        };
        if status.code() == Code::Unauthenticated && self.credentials.is_none() {
            return anyhow!(
                "{name}: no access key was found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a --profile of the \
                 shared credentials file"
            );
        }
        anyhow!("{name}: {}", status.message())
    }

    /// Every item of a list, page after page. `ask` fetches the page after a marker.
    pub(super) async fn all<T>(
        &mut self,
        ask: impl AsyncFn(&mut Self, String) -> Result<(Vec<T>, String), anyhow::Error>,
    ) -> Result<Vec<T>, anyhow::Error> {
        let (mut all, mut marker) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let (items, next) = ask(self, marker).await?;
            all.extend(items);
            if next.is_empty() {
                return Ok(all);
            }
            marker = next;
        }
        bail!("the list has no end after {PAGES_MAX} pages")
    }
}

fn channel(address: &Address, tls: Option<TlsConnector>) -> Result<Channel, anyhow::Error> {
    let scheme = if address.is_secure { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{}", address.authority))?;
    let (host, port, tls) = (address.host.clone(), address.port, tls.map(Arc::new));
    let connector = tower::service_fn(move |_: Uri| {
        let (host, tls) = (host.clone(), tls.clone());
        async move {
            let connected = reach::connect(&host, port, tls.as_deref()).await?;
            Ok::<_, io::Error>(TokioIo::new(connected))
        }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

/// What is at the bottom of a call that came to nothing.
fn innermost(status: &Status) -> String {
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut said = status.message().to_owned();
    while let Some(cause) = next {
        said = cause.to_string();
        next = cause.source();
    }
    said
}
