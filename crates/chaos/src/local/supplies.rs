//! What the nodes of a local cluster need before they start: an authority, certificates, keys, configuration. All but the
//! configuration is made by the program itself, as an operator would.

use std::{
    fs,
    io::{self, Write},
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use host::{Entropy, SystemEntropy};
use model::Role;
use serde::Deserialize;

use super::{ADMIN, GRPC, INTERNAL, LocalOptions, PUBLIC};
use crate::fault::Member;

/// The cluster's name, which its certificates carry.
const CLUSTER: &str = "chaos";
/// The only account.
const ACCOUNT: &str = "000000000000";

/// Who may call a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who signs.
    pub access_key_id: String,
    /// What it signs with.
    pub secret_access_key: String,
    /// For which region.
    pub region: String,
}

/// Why something that nodes need could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SuppliesError {
    /// A file.
    #[error("could not write {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program did not do it.
    #[error("`dunlin {command}` failed: {said}")]
    Program {
        /// What it was told.
        command: String,
        /// What it said.
        said: String,
    },
    /// Nothing can be sandboxed here.
    #[error("no function can run here: the sandbox lacks {0}; `dunlin doctor` says what to do")]
    NoSandbox(String),
}

#[derive(Deserialize)]
struct Diagnosis {
    sandbox: SandboxSummary,
}

#[derive(Deserialize)]
struct SandboxSummary {
    waivable: Vec<String>,
    essential: Vec<String>,
}

pub(super) fn node_directory(directory: &Path, node: &str) -> PathBuf {
    directory.join("nodes").join(node)
}

pub(super) fn config_file(node_directory: &Path) -> PathBuf {
    node_directory.join("dunlin.toml")
}

pub(super) fn data_directory(node_directory: &Path) -> PathBuf {
    node_directory.join("data")
}

/// Where the content of a disk that can be broken goes when it is taken down.
pub(super) fn backing_directory(node_directory: &Path) -> PathBuf {
    node_directory.join("disk")
}

/// What the caller's environment says about nodes is not about these.
pub(super) fn forget_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DUNLIN_") {
            command.env_remove(name);
        }
    }
}

/// Makes everything.
pub(super) fn make(
    options: &LocalOptions,
    placed: &[(Member, Ipv4Addr)],
) -> Result<Credentials, SuppliesError> {
    let directory = &options.directory;
    let run = |arguments: &[&str]| run(&options.program, arguments);
    let text = |path: PathBuf| path.display().to_string();
    create(directory)?;
    let walls = missing_walls(&options.program)?;
    let authority = text(directory.join("ca"));
    run(&["ca", "init", &authority, "--cluster", CLUSTER])?;
    run(&["gossip-key", &text(directory.join("gossip.key"))])?;
    run(&["secret-key", "new", &text(directory.join("master.key"))])?;
    let credentials = Credentials {
        access_key_id: format!("AKIA{:016X}", SystemEntropy::new().next_u64()),
        secret_access_key: format!("{:032x}", SystemEntropy::new().next_u128()),
        region: "us-east-1".to_owned(),
    };
    write_private(&directory.join("secret"), &credentials.secret_access_key)?;
    for (member, address) in placed {
        let node = node_directory(directory, &member.name);
        create(&node)?;
        let roles: Vec<_> = member.roles.iter().map(Role::as_str).collect();
        let (roles, out) = (roles.join(","), text(node.join("identity")));
        run(&[
            "ca",
            "issue",
            &authority,
            "--node",
            &member.name,
            "--roles",
            &roles,
            "--out",
            &out,
            "--san",
            &address.to_string(),
        ])?;
        let config = config(directory, member, *address, placed, &credentials, &walls);
        write_private(&config_file(&node), &config)?;
    }
    Ok(credentials)
}

fn config(
    directory: &Path,
    member: &Member,
    address: Ipv4Addr,
    placed: &[(Member, Ipv4Addr)],
    credentials: &Credentials,
    walls: &[String],
) -> String {
    let node = node_directory(directory, &member.name);
    let roles: Vec<_> = member.roles.iter().map(Role::as_str).collect();
    let controllers = placed.iter().filter(|(m, _)| m.is(Role::Controller));
    let controllers: Vec<_> = controllers
        .map(|(m, address)| format!("{}={address}:{INTERNAL}", m.name))
        .collect();
    let seeds: Vec<_> = placed
        .iter()
        .map(|(_, a)| format!("{a}:{INTERNAL}"))
        .collect();
    format!(
        "[node]\nname = {name:?}\nzone = {zone:?}\nroles = {roles:?}\ndata_dir = {data:?}\n\
         [listen]\npublic = \"{address}:{PUBLIC}\"\ngrpc = \"{address}:{GRPC}\"\n\
         internal = \"{address}:{INTERNAL}\"\nadmin = {ADMIN:?}\n\
         [cluster]\nname = {CLUSTER:?}\ninitial_controllers = {controllers:?}\nseeds = {seeds:?}\n\
         gossip_key_files = [{gossip:?}]\nidentity_dir = {identity:?}\n\
         [auth]\nmode = \"sigv4\"\n\
         [[auth.keys]]\naccess_key_id = {key:?}\nsecret_file = {secret:?}\naccount = {ACCOUNT:?}\n\
         {master}\
         [worker]\nnearest_runtime = true\n\
         [sandbox]\nallow_missing = {walls:?}\n\
         [log]\nformat = \"text\"\nlevel = \"info\"\n",
        name = member.name,
        zone = member.zone,
        data = data_directory(&node),
        gossip = directory.join("gossip.key"),
        identity = node.join("identity"),
        key = credentials.access_key_id,
        secret = directory.join("secret"),
        master = if member.is(Role::Frontend) {
            let file = directory.join("master.key");
            format!("[[secrets.master_keys]]\nid = \"chaos\"\nfile = {file:?}\n")
        } else {
            String::new()
        },
    )
}

/// The pieces of a sandbox that this machine lacks and that may be waived.
fn missing_walls(program: &Path) -> Result<Vec<String>, SuppliesError> {
    let mut command = Command::new(program);
    forget_variables(&mut command);
    let failed = |said: String| SuppliesError::Program {
        command: "doctor --json".to_owned(),
        said,
    };
    let output = command.args(["doctor", "--json"]).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let diagnosis: Diagnosis = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))?;
    let SandboxSummary {
        waivable,
        essential,
    } = diagnosis.sandbox;
    if essential.is_empty() {
        return Ok(waivable);
    }
    Err(SuppliesError::NoSandbox(essential.join(", ")))
}

fn run(program: &Path, arguments: &[&str]) -> Result<(), SuppliesError> {
    let failed = |said: String| SuppliesError::Program {
        command: arguments.join(" "),
        said,
    };
    let mut command = Command::new(program);
    forget_variables(&mut command);
    let output = command.args(arguments).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

pub(super) fn create(directory: &Path) -> Result<(), SuppliesError> {
    fs::create_dir_all(directory).map_err(|source| SuppliesError::File {
        path: directory.display().to_string(),
        source,
    })
}

fn write_private(path: &Path, text: &str) -> Result<(), SuppliesError> {
    let write = || {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|source| SuppliesError::File {
        path: path.display().to_string(),
        source,
    })
}
