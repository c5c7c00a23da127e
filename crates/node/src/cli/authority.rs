//! `dunlin ca`: the authority of a cluster and the certificates of its nodes.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::{Args, Subcommand};
use host::{
    Clock, SystemClock, SystemEntropy,
    certificate::{AUTHORITY_KEY_FILE, Authority, NodeCertificateRequest},
};
use model::{NodeName, Role};

use super::{Exit, print};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the authority of a new cluster
    Init(Init),
    /// Issue a node its certificate and key
    Issue(Issue),
    /// Begin to replace the authority: a new one signs, both are trusted
    Rotate(Directory),
    /// End the replacement: only the newest authority is trusted
    Retire(Directory),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Directory for ca.pem and ca.key; keep it away from the nodes
    directory: PathBuf,
    /// Name of the cluster, as in cluster.name
    #[arg(long, default_value = "dunlin")]
    cluster: String,
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// Directory of the authority
    directory: PathBuf,
    /// Name of the node, as in node.name
    #[arg(long)]
    node: NodeName,
    /// What the node may act as: controller, worker, frontend
    #[arg(long, value_delimiter = ',', required = true)]
    roles: Vec<Role>,
    /// Directory for ca.pem, node.pem and node.key, as in cluster.identity_dir
    #[arg(long)]
    out: PathBuf,
    /// DNS name or IP address to add; nodes do not look at them, other tools may
    #[arg(long)]
    san: Vec<String>,
    /// How many days it lasts
    #[arg(long, default_value_t = 365)]
    days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Directory {
    /// Directory of the authority
    directory: PathBuf,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let text = match command {
        Command::Init(arguments) => init(arguments)?,
        Command::Issue(arguments) => issue(arguments)?,
        Command::Rotate(arguments) => rotate(arguments)?,
        Command::Retire(arguments) => retire(arguments)?,
    };
    print(out, &text)
}

fn init(arguments: &Init) -> Result<String, anyhow::Error> {
    let key = arguments.directory.join(AUTHORITY_KEY_FILE);
    if key.try_exists()? {
        bail!(
            "{} is there already; to replace an authority use `dunlin ca rotate`",
            key.display()
        );
    }
    Authority::generate(
        &arguments.cluster,
        SystemClock.wall(),
        &SystemEntropy::new(),
    )?
    .save(&arguments.directory)?;
    Ok(format!(
        "the authority of cluster {} is in {dir}\nnext: dunlin ca issue {dir} --node NAME --roles controller,worker,frontend --out DIR\n",
        arguments.cluster,
        dir = arguments.directory.display()
    ))
}

fn issue(arguments: &Issue) -> Result<String, anyhow::Error> {
    let request = NodeCertificateRequest {
        name: arguments.node.clone(),
        roles: arguments.roles.iter().copied().collect(),
        alternative_names: arguments.san.clone(),
        valid_days: arguments.days,
    };
    let certificate = Authority::load(&arguments.directory)?.issue(
        &request,
        SystemClock.wall(),
        &SystemEntropy::new(),
    )?;
    certificate.save(&arguments.out)?;
    Ok(format!(
        "the identity of node {} [{}] is in {}, good until {}\n",
        arguments.node,
        request.roles,
        arguments.out.display(),
        certificate.expires_at()?.to_rfc3339()
    ))
}

fn rotate(arguments: &Directory) -> Result<String, anyhow::Error> {
    let next =
        Authority::load(&arguments.directory)?.rotate(SystemClock.wall(), &SystemEntropy::new())?;
    next.save(&arguments.directory)?;
    Ok(format!(
        "a new authority signs, the old one is still trusted\n\
         next: copy {dir}/ca.pem into every node's identity directory, then issue every node a certificate anew, then\n\
         `dunlin ca retire {dir}` and copy ca.pem once more; running nodes notice by themselves\n",
        dir = arguments.directory.display()
    ))
}

fn retire(arguments: &Directory) -> Result<String, anyhow::Error> {
    let mut authority = Authority::load(&arguments.directory)?;
    authority.retire();
    authority.save(&arguments.directory)?;
    Ok(format!(
        "only the newest authority is trusted\nnext: copy {}/ca.pem into every node's identity directory\n",
        arguments.directory.display()
    ))
}
