//! `dunlin controller`: changes of the controllers' group.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use model::NodeName;
use proto::internal::{LeaveRequest, leave_response::Result as Answer};
use tonic::Status;

use super::{
    Exit,
    group::{self, Told},
    print, serve, server,
};
use crate::{config::NodeConfig, material::Material};

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
    let asked = group::ask(config, material, async |mut client| {
        let request = LeaveRequest {
            name: name.to_string(),
        };
        match client.leave(request).await?.into_inner().result {
            Some(Answer::Done(true)) => Ok(Told::Answer(())),
            Some(Answer::NotLeader(hint)) => Ok(Told::Elsewhere(hint)),
            Some(Answer::Done(false)) | None => Err(Status::internal("it did not do it")),
        }
    });
    asked
        .await
        .with_context(|| format!("no controller took {name} out"))
}
