//! `dunlin status`: a node's view of its cluster.

use std::{fmt::Write as _, io::Write, process::ExitCode};

use anyhow::Context;
use clap::Args;

use super::{Exit, fetch, print, serve};
use crate::admin::status::{MemberStatus, Status};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Admin address of any node
    #[arg(long, default_value = "127.0.0.1:9020")]
    endpoint: String,
    /// Print what the node answered, as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let answer = serve::small_runtime()?.block_on(fetch::get(&arguments.endpoint, "/status"))?;
    if arguments.json {
        return print(out, &answer);
    }
    let status: Status =
        serde_json::from_str(&answer).context("the answer is not the status of a node")?;
    print(out, &text(&status))
}

pub(crate) fn text(status: &Status) -> String {
    let Status {
        node,
        cluster,
        catalog,
        members,
        readiness,
    } = status;
    let mut text = String::new();
    let ready = if readiness.ready {
        "ready".to_owned()
    } else {
        format!("not ready: {}", readiness.reasons.join("; "))
    };
    let _ = writeln!(
        text,
        "node     {} in zone {} [{}], {ready}",
        node.name,
        node.zone,
        node.roles.join(",")
    );
    let _ = writeln!(
        text,
        "cluster  {}, leader {}, term {}, applied {}",
        cluster.name,
        cluster.leader.as_deref().unwrap_or("unknown"),
        cluster.term,
        cluster.applied
    );
    let _ = writeln!(
        text,
        "format   {}, this node reads up to {}",
        cluster.format, node.newest_format
    );
    let _ = writeln!(
        text,
        "catalog  revision {}, {} functions, {}",
        catalog.revision,
        catalog.functions,
        if catalog.following {
            "followed"
        } else {
            "local copy, no controller streams"
        }
    );
    let _ = writeln!(
        text,
        "\n{:<20} {:<12} {:<28} {:<9} {:>10} {:>12} {:>6}  ADDRESS",
        "NODE", "ZONE", "ROLES", "STATE", "SLOTS FREE", "MEMORY FREE", "READS"
    );
    for member in members {
        let _ = writeln!(text, "{}", line(member, cluster.leader.as_deref()));
    }
    text
}

fn line(member: &MemberStatus, leader: Option<&str>) -> String {
    let leads = leader == Some(member.name.as_str());
    let name = format!("{}{}", member.name, if leads { "*" } else { "" });
    let state = if member.draining { "draining" } else { "up" };
    let (slots, memory) = member.capacity.as_ref().map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |c| {
            (
                format!("{}/{}", c.slots_free, c.slots),
                format!("{} MiB", c.memory_free_bytes >> 20),
            )
        },
    );
    format!(
        "{name:<20} {:<12} {:<28} {state:<9} {slots:>10} {memory:>12} {:>6}  {}",
        member.zone,
        member.roles.join(","),
        member.newest_format,
        member.address
    )
}
