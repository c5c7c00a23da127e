//! `dunlin iam`: accounts, users, roles, policies and access keys, over the gRPC API of any frontend.
//!
//! One file for each kind of them; [`access`] says where and as whom is asked, [`desk`] asks, [`json`] and [`table`] show.

mod access;
mod account;
mod desk;
mod document;
mod grant;
mod json;
mod key;
mod policy;
mod role;
mod table;
#[cfg(test)]
mod tests;
mod user;

use std::{io::Write, process::ExitCode};

use clap::{Args, Subcommand};

use super::{Exit, print, serve};
use access::Access;
use desk::Desk;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what the cluster knows of accounts: a name, limits of their own. Needs a key of a node's configuration
    #[command(subcommand)]
    Account(account::Command),
    /// Make, show and delete users
    #[command(subcommand)]
    User(user::Command),
    /// Make, show, change and delete roles
    #[command(subcommand)]
    Role(role::Command),
    /// Write, show and delete policies that users and roles can have attached
    #[command(subcommand)]
    Policy(policy::Command),
    /// Attach a policy to a user or a role
    Attach(grant::Attachment),
    /// Detach a policy from a user or a role
    Detach(grant::Attachment),
    /// Give a user or a role policies of its own, and take them away
    #[command(subcommand)]
    Inline(grant::Inline),
    /// Bound what the policies of a user or a role can allow
    #[command(subcommand)]
    Boundary(grant::Boundary),
    /// Make, show, switch and delete access keys
    #[command(subcommand)]
    Key(key::Command),
}

/// What a command has to say: to people, and to programs.
struct Said {
    text: String,
    json: serde_json::Value,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let variable = |name: &str| std::env::var(name).ok();
    let runtime = serve::small_runtime()?;
    let said = runtime.block_on(async {
        let mut desk = Desk::open(&arguments.access, &variable)?;
        match &arguments.command {
            Command::Account(command) => account::run(&mut desk, command).await,
            Command::User(command) => user::run(&mut desk, command).await,
            Command::Role(command) => role::run(&mut desk, command).await,
            Command::Policy(command) => policy::run(&mut desk, command).await,
            Command::Attach(attachment) => grant::attach(&mut desk, attachment).await,
            Command::Detach(attachment) => grant::detach(&mut desk, attachment).await,
            Command::Inline(command) => grant::inline(&mut desk, command).await,
            Command::Boundary(command) => grant::boundary(&mut desk, command).await,
            Command::Key(command) => key::run(&mut desk, command).await,
        }
    })?;
    if arguments.access.json {
        print(out, &format!("{:#}\n", said.json))
    } else {
        print(out, &said.text)
    }
}
