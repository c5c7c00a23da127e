//! The command line.
//!
//! Every command writes what was asked for to standard output and everything else to standard error, and answers an
//! exit code: 0 it is done, 1 it is not, 2 it was asked for wrongly (a usage or a configuration that cannot be).

mod audit_log;
mod authority;
mod chaos;
mod cluster;
mod controller;
mod credentials;
mod dev;
mod doctor;
mod fetch;
mod gossip_key;
mod group;
mod iam;
mod logs;
mod reach;
mod runtime;
mod scratch;
mod secret_key;
mod secrets;
mod serve;
mod server;
mod status;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::config;

/// AWS Lambda on machines of your own.
#[derive(Debug, Parser)]
#[command(name = "dunlin", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one node as a configuration file says
    Server(server::Arguments),
    /// Run a whole cluster in this process, for development
    Dev(dev::Arguments),
    /// Make and rotate the certificates of a cluster's nodes
    #[command(subcommand)]
    Ca(authority::Command),
    /// Make a file with a new key for gossip
    GossipKey(gossip_key::Arguments),
    /// Make a master key
    #[command(subcommand)]
    SecretKey(secret_key::Command),
    /// Change the keys that secrets are sealed under
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Say what this machine lacks to run functions, and what to do
    Doctor(doctor::Arguments),
    /// List, add and remove what a worker runs functions with
    #[command(subcommand)]
    Runtime(runtime::Command),
    /// Show a node's view of its cluster
    Status(status::Arguments),
    /// Show the format of a cluster, and finish its upgrades
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Say who may call a cluster, and what they may do: accounts, users, roles, policies, access keys
    Iam(iam::Arguments),
    /// Show what a function has printed, and follow it
    Logs(logs::Arguments),
    /// Show a frontend's audit log, and prove that nobody changed it
    #[command(subcommand)]
    Audit(audit_log::Command),
    /// Change the controllers' group
    #[command(subcommand)]
    Controller(controller::Command),
    /// Break a cluster on purpose, under load, and tell what held
    #[command(subcommand)]
    Chaos(chaos::Command),
    /// Explain the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// List every key with its kind, default and variable
    Keys,
    /// Print the reference of every key as Markdown
    Reference,
}

/// What went wrong, and which exit code says so.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    cause: anyhow::Error,
}

/// The command was asked for wrongly.
pub(crate) const MISUSED: u8 = 2;
/// The command did not do what was asked.
pub(crate) const FAILED: u8 = 1;

impl Exit {
    pub(crate) fn misused(cause: impl Into<anyhow::Error>) -> Self {
        Self {
            code: MISUSED,
            cause: cause.into(),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Exit {
    fn from(cause: E) -> Self {
        Self {
            code: FAILED,
            cause: cause.into(),
        }
    }
}

/// Does what the command line says.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match cli.command {
        Command::Server(arguments) => server::run(&arguments, &mut out),
        Command::Dev(arguments) => dev::run(&arguments, &mut out),
        Command::Ca(command) => authority::run(&command, &mut out),
        Command::GossipKey(arguments) => gossip_key::run(&arguments, &mut out),
        Command::SecretKey(command) => secret_key::run(&command, &mut out),
        Command::Secrets(command) => secrets::run(&command, &mut out),
        Command::Doctor(arguments) => doctor::run(&arguments, &mut out),
        Command::Runtime(command) => runtime::run(&command, &mut out),
        Command::Status(arguments) => status::run(&arguments, &mut out),
        Command::Cluster(command) => cluster::run(&command, &mut out),
        Command::Iam(arguments) => iam::run(&arguments, &mut out),
        Command::Logs(arguments) => logs::run(&arguments, &mut out),
        Command::Audit(command) => audit_log::run(&command, &mut out),
        Command::Controller(command) => controller::run(&command, &mut out),
        Command::Chaos(command) => chaos::run(&command, &mut out),
        Command::Config(ConfigCommand::Keys) => print(&mut out, &config::document::listing()),
        Command::Config(ConfigCommand::Reference) => print(&mut out, &config::document::markdown()),
    };
    match done {
        Ok(code) => code,
        Err(exit) => {
            let _ = writeln!(io::stderr(), "error: {}", chain(&exit.cause));
            ExitCode::from(exit.code)
        }
    }
}

fn print(out: &mut dyn Write, text: &str) -> Result<ExitCode, Exit> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// An error and its causes, each said once.
fn chain(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
