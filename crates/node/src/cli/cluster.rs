//! `dunlin cluster`: what format a cluster writes, and the end of its upgrades.

use std::{fmt::Write as _, io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use proto::{
    FORMATS, announced,
    internal::{
        FinalizeRequest, NodeFormat, NodesBehind, StatusRequest, StatusResponse,
        finalize_response::Result as Answer,
    },
};
use tonic::{Code, Status};

use super::{
    Exit,
    group::{self, Told},
    print, serve, server,
};
use crate::{config::NodeConfig, material::Material};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the format that the cluster writes, and the newest one that each node reads
    Status(Asked),
    /// Finish an upgrade: the cluster writes the newest format of this build from here on, and no older build can come back
    Finalize(Asked),
}

#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Configuration of a controller of the cluster, whose identity is used to ask
    #[arg(long)]
    config: PathBuf,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let (Command::Status(asked) | Command::Finalize(asked)) = command;
    let config = server::read(&asked.config)?;
    let material =
        Material::read(&config, &|name| std::env::var(name).ok()).map_err(Exit::misused)?;
    let runtime = serve::small_runtime()?;
    let said = match command {
        Command::Status(_) => text(&runtime.block_on(status(&config, &material))?),
        Command::Finalize(_) => {
            let format = runtime.block_on(finalize(&config, &material))?;
            format!("the cluster writes format {format}; no build that reads less can come back\n")
        }
    };
    print(out, &said)
}

async fn status(config: &NodeConfig, material: &Material) -> Result<StatusResponse, anyhow::Error> {
    let asked = group::ask(config, material, async |mut client| {
        let answer = client.status(StatusRequest {}).await?;
        Ok(Told::Answer(answer.into_inner()))
    });
    asked.await.context("no controller told its status")
}

async fn finalize(config: &NodeConfig, material: &Material) -> Result<u32, anyhow::Error> {
    let asked = group::ask(config, material, async |mut client| {
        let format = FORMATS.newest;
        let asked = client.finalize(FinalizeRequest { format }).await;
        let answer = asked.map_err(|status| match status.code() {
            Code::Unimplemented => Status::failed_precondition(
                "the build of this controller knows of no formats; upgrade it first",
            ),
            _ => status,
        });
        match answer?.into_inner().result {
            Some(Answer::Format(format)) => Ok(Told::Answer(Ok(format))),
            Some(Answer::Behind(behind)) => Ok(Told::Answer(Err(behind))),
            Some(Answer::NotLeader(hint)) => Ok(Told::Elsewhere(hint)),
            None => Err(Status::internal("it did not do it")),
        }
    });
    match asked.await.context("no controller finished the upgrade")? {
        Ok(format) => Ok(format),
        Err(behind) => bail!("{}", refusal(&behind)),
    }
}

/// Why an upgrade cannot be finished yet, and what to do.
fn refusal(behind: &NodesBehind) -> String {
    let nodes: Vec<String> = behind
        .nodes
        .iter()
        .map(|node| {
            let roles = node.roles.join(",");
            match node.newest {
                0 => format!("{} [{roles}] does not answer", node.name),
                newest => format!("{} [{roles}] reads format {newest}", node.name),
            }
        })
        .collect();
    format!(
        "nothing was changed: not every node reads format {}: {}. Upgrade these nodes; start those that are down, or take \
         controllers that are gone for good out with `dunlin controller leave`",
        behind.format,
        nodes.join("; ")
    )
}

fn text(status: &StatusResponse) -> String {
    let format = announced(status.format);
    let newest = announced(status.newest_format);
    let mut text = format!("cluster  writes format {format}");
    if newest > format {
        let _ = write!(
            text,
            "; {} reads up to {newest}: `dunlin cluster finalize` finishes the upgrade once every node does",
            status.name
        );
    }
    let _ = writeln!(text, "\n\n{:<20} {:<28} NEWEST FORMAT", "NODE", "ROLES");
    // A controller of the group that gossip does not show may be down.
    let unseen = status
        .controllers
        .iter()
        .filter(|c| status.nodes.iter().all(|n| n.name != c.name))
        .map(|c| NodeFormat {
            name: c.name.clone(),
            roles: vec!["controller".to_owned()],
            newest: 0,
        });
    for node in status.nodes.iter().cloned().chain(unseen) {
        let newest = match node.newest {
            0 => "unknown: not seen now".to_owned(),
            newest => newest.to_string(),
        };
        let _ = writeln!(
            text,
            "{:<20} {:<28} {newest}",
            node.name,
            node.roles.join(",")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use proto::internal::ControllerStatus;

    use super::*;

    fn node(name: &str, newest: u32) -> NodeFormat {
        NodeFormat {
            name: name.to_owned(),
            roles: vec!["worker".to_owned(), "frontend".to_owned()],
            newest,
        }
    }

    #[test]
    fn a_refusal_names_the_nodes_and_what_to_do() {
        let said = refusal(&NodesBehind {
            format: 2,
            nodes: vec![node("a", 1), node("b", 0)],
        });
        for part in [
            "format 2",
            "a [worker,frontend] reads format 1",
            "b [worker,frontend] does not answer",
            "dunlin controller leave",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn status_shows_every_node_and_what_is_left_to_do() {
        let mut status = StatusResponse {
            name: "a".to_owned(),
            newest_format: 2,
            controllers: vec![ControllerStatus {
                name: "c".to_owned(),
                ..ControllerStatus::default()
            }],
            nodes: vec![node("a", 2), node("b", 1)],
            ..StatusResponse::default()
        };
        let said = text(&status);
        assert!(
            said.starts_with("cluster  writes format 1; a reads up to 2"),
            "{said}"
        );
        let rows: Vec<Vec<&str>> = said
            .lines()
            .skip(3)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["a", "worker,frontend", "2"]);
        assert_eq!(rows[1], ["b", "worker,frontend", "1"]);
        assert_eq!(rows[2][..3], ["c", "controller", "unknown:"]);
        status.format = 2;
        assert!(!text(&status).contains("finalize"));
    }
}
