//! Where to ask, and as whom.

use std::path::PathBuf;

use clap::Args;
use model::AccountId;

#[derive(Debug, Args)]
pub(super) struct Access {
    /// gRPC address of any frontend (listen.grpc): HOST:PORT, or with http:// or https:// before it
    #[arg(long, global = true, default_value = "127.0.0.1:9001")]
    pub(super) endpoint: String,
    /// Certificates of the authority that the frontend's own must be signed by, in PEM; calls go by TLS then. With https://
    /// and without this, those that this machine trusts
    #[arg(long, global = true)]
    pub(super) ca: Option<PathBuf>,
    /// Account to act on, if it is not that of the access key. Needs a key of a node's configuration
    #[arg(long, global = true)]
    pub(super) account: Option<AccountId>,
    /// Profile of the shared credentials file whose key is used, whatever the environment says
    #[arg(long, global = true)]
    pub(super) profile: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}
