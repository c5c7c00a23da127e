//! The section `registries`.

use std::path::PathBuf;

use super::{SecretSource, chosen_source, scope::Sheet};

/// Where functions of container images come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registries {
    /// Those that are listed.
    pub hosts: Vec<Registry>,
    /// Whether others are asked too.
    pub others: bool,
}

/// One registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// `HOST[:PORT]`.
    pub host: String,
    /// By HTTP without TLS.
    pub plain: bool,
    /// A name, and where its password is.
    pub credentials: Option<(String, SecretSource)>,
    /// Authorities to trust beside the machine's.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn registries(sheet: &Sheet) -> Option<Registries> {
    let others = sheet.section("registries").boolean("others");
    let mut hosts: Vec<Registry> = Vec::new();
    for row in &sheet.rows("registries.hosts") {
        let host = row.parse::<String>("host");
        let plain = row.boolean("plain");
        let ca_file = row.path("ca_file");
        let username = row.parse::<String>("username");
        // Read before anything else is decided: a key that nobody reads counts as unknown.
        let (file, variable) = (row.path("password_file"), row.parse("password_env"));
        let has_password = row.is_written("password_file") || row.is_written("password_env");
        let credentials = match username {
            Some(name) => {
                let source =
                    chosen_source(row, ("password_file", file), ("password_env", variable));
                source.map(|source| (name, source))
            }
            None if has_password => {
                row.refuse_all("expected a username beside the password, got none");
                None
            }
            None => None,
        };
        let (Some(host), Some(plain)) = (host, plain) else {
            continue;
        };
        let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        if host.is_empty() || !host.bytes().all(is_host) {
            row.refuse("host", format!("expected HOST[:PORT], got {host:?}"));
        }
        if hosts.iter().any(|known| known.host == host) {
            row.refuse("host", format!("{host} is given twice"));
        }
        if plain && ca_file.is_some() {
            row.refuse("ca_file", "expected no authorities where there is no TLS");
        }
        hosts.push(Registry {
            host,
            plain,
            credentials,
            ca_file,
        });
    }
    Some(Registries {
        hosts,
        others: others?,
    })
}
