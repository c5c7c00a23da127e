//! An operator's own cluster: its endpoints, who may call it, and the commands that hurt its nodes.
//!
//! Only faults that the commands allow can be played; the links between the nodes and their disks are not ours. A file
//! describes it:
//!
//! ```toml
//! name = "staging"
//! access_key_id = "AKIA0123456789ABCDEF"
//! secret_file = "secret"
//!
//! [hooks]
//! kill = "ssh {host} systemctl kill -s KILL dunlin"
//! start = "ssh {host} systemctl start dunlin"
//!
//! [[node]]
//! name = "a1"
//! zone = "a"
//! roles = ["controller", "worker", "frontend"]
//! host = "a1.example.org"
//! endpoint = "http://a1.example.org:9000"
//! admin = "a1.example.org:9020"
//! ```

mod cluster;
mod hooks;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use model::{Role, Roles};
use serde::{Deserialize, Deserializer, de::Error as _};

pub use cluster::StagingCluster;
pub use hooks::{Action, Hooks};

use crate::{fault::Member, load::Endpoint};

/// An operator's cluster, as its file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staging {
    name: String,
    #[serde(default = "region")]
    region: String,
    access_key_id: String,
    secret_file: PathBuf,
    /// What the load's functions run on.
    runtime: Option<String>,
    #[serde(default)]
    hooks: Hooks,
    node: Vec<StagingNode>,
}

/// One node of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagingNode {
    name: String,
    zone: String,
    #[serde(deserialize_with = "roles")]
    roles: Roles,
    /// What `{host}` is in a command; the name unless told.
    host: Option<String>,
    /// Where clients reach it, if it is a frontend.
    endpoint: Option<String>,
    /// Its admin endpoint, by which leaders and readiness are known.
    admin: Option<String>,
}

/// Why an operator's cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The description makes no sense.
    #[error("target {path}: {problem}")]
    Invalid {
        /// Which.
        path: String,
        /// Why not.
        problem: String,
    },
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn roles<'de, D: Deserializer<'de>>(from: D) -> Result<Roles, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    let parsed = names.iter().map(|name| name.parse::<Role>());
    parsed
        .collect::<Result<Roles, _>>()
        .map_err(D::Error::custom)
}

impl Staging {
    /// Reads the description. A relative `secret_file` is beside it.
    ///
    /// # Errors
    /// [`StagingError`].
    pub fn read(file: &Path) -> Result<Self, StagingError> {
        let path = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|source| StagingError::Read {
            path: path.clone(),
            source,
        })?;
        let invalid = |problem: String| StagingError::Invalid {
            path: path.clone(),
            problem,
        };
        let mut this: Self = toml::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        this.check().map_err(invalid)?;
        if let Some(folder) = file.parent() {
            this.secret_file = folder.join(&this.secret_file);
        }
        Ok(this)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its nodes.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let member = |node: &StagingNode| Member {
            name: node.name.clone(),
            zone: node.zone.clone(),
            roles: node.roles,
        };
        self.node.iter().map(member).collect()
    }

    /// Its frontends.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |node: &StagingNode| {
            Some(Endpoint {
                name: node.name.clone(),
                url: node.endpoint.clone()?,
            })
        };
        self.node.iter().filter_map(endpoint).collect()
    }

    /// Access key, secret and region.
    ///
    /// # Errors
    /// [`StagingError::Read`] if the secret cannot be.
    pub fn credentials(&self) -> Result<[String; 3], StagingError> {
        let secret = std::fs::read_to_string(&self.secret_file);
        let secret = secret.map_err(|source| StagingError::Read {
            path: self.secret_file.display().to_string(),
            source,
        })?;
        Ok([
            self.access_key_id.clone(),
            secret.trim().to_owned(),
            self.region.clone(),
        ])
    }

    /// The runtime that the load's functions are to have, if its workers lack the usual one.
    #[must_use]
    pub fn runtime(&self) -> Option<&str> {
        self.runtime.as_deref()
    }

    /// The commands.
    #[must_use]
    pub const fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// The command that does this to a node; nothing if there is none.
    #[must_use]
    pub fn command(&self, action: Action, node: &str) -> Option<String> {
        let node = self.node.iter().find(|n| n.name == node)?;
        self.hooks.command(action, node)
    }

    /// The cluster itself. Nothing is asked of it yet.
    #[must_use]
    pub fn connect(&self) -> StagingCluster {
        StagingCluster::new(self.clone())
    }

    fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for node in &self.node {
            if !names.insert(&node.name) {
                return Err(format!("expected every node once, got {} again", node.name));
            }
            // They are put into commands that a shell reads.
            for text in [&node.name, &node.zone].into_iter().chain(&node.host) {
                let plain = |c: char| c.is_ascii_alphanumeric() || ".-_@:/".contains(c);
                if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
                    return Err(format!(
                        "expected names, zones and hosts of [A-Za-z0-9._@:/-], got {text:?}"
                    ));
                }
            }
            if node.endpoint.is_some() != node.roles.has(Role::Frontend) {
                return Err(format!(
                    "expected an endpoint of frontends, and only of them; see {}",
                    node.name
                ));
            }
        }
        if self.endpoints().is_empty() {
            return Err("expected at least one frontend".to_owned());
        }
        self.hooks.check()
    }
}

impl StagingNode {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn zone(&self) -> &str {
        &self.zone
    }

    pub(crate) fn host(&self) -> &str {
        self.host.as_ref().unwrap_or(&self.name)
    }
}
