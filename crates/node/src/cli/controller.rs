//! `dunlin controller`: changes of the controllers' group.

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use host::{
    Clock, SystemClock, TlsNetwork,
    net::{Channels, TlsOptions},
};
use model::{NodeName, Role};
use proto::internal::{
    LeaveRequest, catalog_client::CatalogClient, leave_response::Result as Answer,
};

use super::{Exit, print, serve, server};
use crate::{config::NodeConfig, material::Material};

/// How long one controller may take: the leader waits for its group.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);
/// How often a hint at the leader is followed.
const HINTS_MAX: usize = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take a controller out of the group, for good: one that was stopped, or that is lost with its disk. To take one in,
    /// start it with the role and the cluster's seeds: it joins by itself
    Leave(Leave),
}

#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// Name of the controller that leaves
    name: NodeName,
    /// Configuration of a controller of the cluster, whose identity is used to ask
    #[arg(long)]
    config: PathBuf,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let Command::Leave(arguments) = command;
    let config = server::read(&arguments.config)?;
    let material =
        Material::read(&config, &|name| std::env::var(name).ok()).map_err(Exit::misused)?;
    serve::small_runtime()?.block_on(leave(&config, &material, &arguments.name))?;
    print(
        out,
        &format!(
            "{} is no controller of this cluster any more\n",
            arguments.name
        ),
    )
}

async fn leave(
    config: &NodeConfig,
    material: &Material,
    name: &NodeName,
) -> Result<(), anyhow::Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = TlsOptions {
        cluster: config.cluster.name.clone(),
        credentials: material.credentials.clone(),
        public: None,
    };
    let channels = Channels::new(Arc::new(TlsNetwork::new(options, clock)?));
    let mut refusals = Vec::new();
    for known in config.cluster.initial_controllers.values() {
        match ask(&channels, known, name).await {
            Ok(()) => return Ok(()),
            Err(refusal) => refusals.push(format!("{known}: {refusal}")),
        }
    }
    bail!("no controller took {name} out: {}", refusals.join("; "))
}

/// Asks one controller, and then whom it hints at.
async fn ask(channels: &Channels, first: &str, name: &NodeName) -> Result<(), anyhow::Error> {
    let mut address = first.to_owned();
    for _ in 0..HINTS_MAX {
        let mut client = CatalogClient::new(channels.get_to(&address, Role::Controller));
        let asked = client.leave(LeaveRequest {
            name: name.to_string(),
        });
        let answer = tokio::time::timeout(ATTEMPT_MAX, asked)
            .await
            .with_context(|| format!("no answer within {ATTEMPT_MAX:?}"))?
            .map_err(|status| anyhow::anyhow!("{}", status.message()))?;
        match answer.into_inner().result {
            Some(Answer::Done(true)) => return Ok(()),
            Some(Answer::NotLeader(hint)) if !hint.address.is_empty() => address = hint.address,
            Some(Answer::NotLeader(_)) => bail!("it knows no leader"),
            Some(Answer::Done(false)) | None => bail!("it did not do it"),
        }
    }
    bail!("the leader changes too often; try again")
}
