//! What configuration only names: certificates, gossip keys, the secret halves of access keys, master keys.
//!
//! Everything is read before anything binds, so that a missing file is told at the start and not at the first use.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use hmac::{Hmac, Mac};
use host::net::{Credentials, PublicFiles};
use lambda_api::sigv4::{Credential, Secret};
use model::{MasterKeyId, Role};
use seal::{InvalidKeyRing, InvalidMasterKey, KeyRing, MasterKey, Zeroizing};
use sha2::Sha256;

use crate::config::{Auth, MasterKeyFile, NodeConfig, Registries, SecretSource};

/// What is secret or proves who a node is. Not printable.
pub struct Material {
    /// Who the node is to other nodes.
    pub credentials: Credentials,
    /// What it shows to callers; plain TCP without.
    pub public: Option<PublicFiles>,
    /// The cluster's gossip keys: the first one seals, any opens.
    pub gossip_keys: Vec<GossipKey>,
    /// Who may call; `None` lets everybody in.
    pub access_keys: Option<Vec<(String, Credential)>>,
    /// What opens secrets; on frontends only.
    pub master_keys: Option<Arc<KeyRing>>,
    /// The secret of the object store's access key, if there is a store.
    pub object_store: Option<Secret>,
    /// How registries of container images are reached; `None` if none are asked.
    pub registries: Option<image::Registries>,
}

/// A key of the cluster.
pub type GossipKey = [u8; 32];

/// More than any form of a master key takes.
const MASTER_KEY_FILE_MAX: usize = 256;

/// Why something that configuration names cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A file cannot be read.
    #[error("{key}: {path} cannot be read; {make}")]
    File {
        /// The configuration key that names it.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// How it comes about.
        make: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that holds no gossip key.
    #[error(
        "cluster.gossip_key_files: expected 64 hexadecimal digits in {0}, as `dunlin gossip-key` writes them"
    )]
    GossipKey(PathBuf),
    /// A secret that is empty.
    #[error("{section}: the secret of {id} is empty")]
    EmptySecret {
        /// The section of the configuration.
        section: &'static str,
        /// The access key id.
        id: String,
    },
    /// A variable that is not set.
    #[error("{section}: variable {variable} with the secret of {id} is not set")]
    Variable {
        /// The section of the configuration.
        section: &'static str,
        /// The access key id.
        id: String,
        /// The variable.
        variable: String,
    },
    /// A master key whose variable is not set.
    #[error("secrets.master_keys: variable {variable} with master key {id} is not set")]
    MasterKeyVariable {
        /// The key's id.
        id: MasterKeyId,
        /// The variable.
        variable: String,
    },
    /// A master key that others can have.
    #[error(
        "secrets.master_keys: {path} has mode {mode:o}, so that others can read or change it; set it with `chmod 0600 {path}`"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What should be a master key is none.
    #[error(
        "secrets.master_keys: {id} is no master key; make one with `dunlin secret-key new FILE`"
    )]
    MasterKey {
        /// The key's id.
        id: MasterKeyId,
        /// Why.
        #[source]
        source: InvalidMasterKey,
    },
    /// The master keys together.
    #[error("secrets.master_keys: the keys cannot be used")]
    KeyRing(#[from] InvalidKeyRing),
}

impl Material {
    /// Reads everything that a configuration names. `variable` answers the value of an environment variable.
    ///
    /// # Errors
    /// [`MaterialError`], which says how to make what is missing.
    pub fn read(
        config: &NodeConfig,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, MaterialError> {
        let gossip_keys = config.cluster.gossip_key_files.iter();
        let access_keys = match &config.auth {
            Auth::Open => None,
            Auth::SigV4(keys) => {
                let read = keys.iter().map(|key| {
                    let secret = secret("auth.keys", &key.id, &key.secret, variable)?;
                    let credential = Credential {
                        secret: Secret::new(&secret),
                        account: key.account,
                        session: None,
                    };
                    Ok((key.id.clone(), credential))
                });
                Some(read.collect::<Result<_, MaterialError>>()?)
            }
        };
        let object_store = config.s3.as_ref().map(|s3| {
            let secret = secret("s3", &s3.access_key_id, &s3.secret, variable)?;
            Ok::<_, MaterialError>(Secret::new(&secret))
        });
        for file in ["node.pem", "node.key", "ca.pem"] {
            read(
                "cluster.identity_dir",
                &config.cluster.identity_dir.join(file),
                "make it with `dunlin ca issue`",
            )?;
        }
        Ok(Self {
            credentials: Credentials::in_directory(&config.cluster.identity_dir),
            public: config.listen.tls.as_ref().map(|tls| PublicFiles {
                certificate: tls.cert.clone(),
                key: tls.key.clone(),
            }),
            gossip_keys: gossip_keys
                .map(|p| gossip_key(p))
                .collect::<Result<_, _>>()?,
            access_keys,
            master_keys: match config.node.roles.has(Role::Frontend) {
                true => Some(Arc::new(key_ring(&config.master_keys, variable)?)),
                false => None,
            },
            object_store: object_store.transpose()?,
            registries: Some(registries(&config.registries, variable)?),
        })
    }

    /// A key for one purpose that every node of the cluster derives alike. It changes with the first gossip key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let base = self.gossip_keys.first().copied().unwrap_or_default();
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(&base).map_or([0; 32], |mut mac| {
            mac.update(b"dunlin/");
            mac.update(purpose.as_bytes());
            mac.finalize().into_bytes().into()
        })
    }
}

/// Reads the passwords of registries.
fn registries(
    told: &Registries,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<image::Registries, MaterialError> {
    let listed = told.hosts.iter().map(|host| {
        let credentials = host.credentials.as_ref().map(|(username, source)| {
            Ok::<_, MaterialError>(image::Credentials {
                username: username.clone(),
                password: secret("registries.hosts", &host.host, source, variable)?,
            })
        });
        let registry = image::Registry {
            plain: host.plain,
            credentials: credentials.transpose()?,
            ca_file: host.ca_file.clone(),
        };
        Ok((host.host.clone(), registry))
    });
    Ok(image::Registries {
        listed: listed.collect::<Result<_, MaterialError>>()?,
        others: told.others,
        plain_loopback: false,
    })
}

/// Reads master keys, the current one first.
///
/// # Errors
/// [`MaterialError`].
pub fn key_ring(
    keys: &[MasterKeyFile],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<KeyRing, MaterialError> {
    let read = keys.iter().map(|key| {
        let written = match &key.source {
            SecretSource::File(path) => private_bytes(path)?,
            SecretSource::Variable(name) => {
                let value = variable(name).ok_or_else(|| MaterialError::MasterKeyVariable {
                    id: key.id.clone(),
                    variable: name.clone(),
                })?;
                Zeroizing::new(value.into_bytes())
            }
        };
        let master = MasterKey::parse(&written).map_err(|source| MaterialError::MasterKey {
            id: key.id.clone(),
            source,
        })?;
        Ok((key.id.clone(), master))
    });
    Ok(KeyRing::new(read.collect::<Result<_, MaterialError>>()?)?)
}

/// The content of a file that others can neither read nor change; its group may read it.
fn private_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, MaterialError> {
    let failed = |source| MaterialError::File {
        key: "secrets.master_keys.file",
        path: path.to_owned(),
        make: "make it with `dunlin secret-key new` and copy it to every frontend",
        source,
    };
    // Of the open file, so that it is the one that is read.
    let file = std::fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o037 != 0 {
        return Err(MaterialError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MASTER_KEY_FILE_MAX));
    let limit = u64::try_from(MASTER_KEY_FILE_MAX).unwrap_or(u64::MAX);
    io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn secret(
    section: &'static str,
    id: &str,
    source: &SecretSource,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, MaterialError> {
    let text = match source {
        SecretSource::File(path) => read(
            section,
            path,
            "put the secret access key into it, readable by this service only",
        )?,
        SecretSource::Variable(name) => variable(name).ok_or_else(|| MaterialError::Variable {
            section,
            id: id.to_owned(),
            variable: name.clone(),
        })?,
    };
    let text = text.trim_end();
    if text.is_empty() {
        return Err(MaterialError::EmptySecret {
            section,
            id: id.to_owned(),
        });
    }
    Ok(text.to_owned())
}

fn gossip_key(path: &Path) -> Result<GossipKey, MaterialError> {
    let text = read(
        "cluster.gossip_key_files",
        path,
        "make it with `dunlin gossip-key` and copy it to every node",
    )?;
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim(), &mut key)
        .map_err(|_| MaterialError::GossipKey(path.to_owned()))?;
    Ok(key)
}

fn read(key: &'static str, path: &Path, make: &'static str) -> Result<String, MaterialError> {
    std::fs::read_to_string(path).map_err(|source| MaterialError::File {
        key,
        path: path.to_owned(),
        make,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const MASTER: &str = "5e0fbd5e4cf5b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f80\n";

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for file in ["node.pem", "node.key", "ca.pem"] {
                place.write(file, "x");
            }
            place.write("gossip.key", &format!("{}\n", "0a".repeat(32)));
            place.write("secret", "s3cret\n");
            place.write("master.key", MASTER);
            place.chmod("master.key", 0o640);
            place
        }

        fn chmod(&self, name: &str, mode: u32) {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(self.0.path().join(name), mode).unwrap();
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(name), text).unwrap();
        }

        fn read(&self, secret: &str) -> Result<Material, String> {
            self.read_with(secret, "file = \"master.key\"")
        }

        fn read_with(&self, secret: &str, master: &str) -> Result<Material, String> {
            let text = format!(
                "[node]\nname = \"a\"\ndata_dir = \"d\"\n[cluster]\ninitial_controllers = [\"a=h:1\"]\n\
                 gossip_key_files = [\"gossip.key\"]\nidentity_dir = \".\"\n\
                 [[auth.keys]]\naccess_key_id = \"AKIA\"\n{secret}\n\
                 [[secrets.master_keys]]\nid = \"2026\"\n{master}\n"
            );
            let config = config::parse(&self.0.path().join("dunlin.toml"), &text, &[]).unwrap();
            let variable = |name: &str| match name {
                "SET" => Some("from-variable".to_owned()),
                "MASTER" => Some(MASTER.to_owned()),
                _ => None,
            };
            Material::read(&config, &variable).map_err(|e| e.to_string())
        }
    }

    #[track_caller]
    fn refused(read: Result<Material, String>, expected: &str) {
        let Err(text) = read else {
            panic!("it was taken, not refused with {expected}");
        };
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn secrets_come_from_files_and_variables() {
        let place = Place::new();
        for (source, expected) in [
            ("secret_file = \"secret\"", "s3cret"),
            ("secret_env = \"SET\"", "from-variable"),
        ] {
            let material = place.read(source).unwrap();
            let keys = material.access_keys.unwrap();
            assert_eq!(keys[0].0, "AKIA");
            assert!(keys[0].1.secret.is(expected));
            assert_eq!(material.gossip_keys, [[10; 32]]);
        }
    }

    #[test]
    fn what_is_missing_or_empty_is_told_with_its_remedy() {
        let place = Place::new();
        refused(
            place.read("secret_env = \"UNSET\""),
            "variable UNSET with the secret of AKIA is not set",
        );
        refused(
            place.read("secret_file = \"nowhere\""),
            "nowhere cannot be read",
        );
        place.write("secret", " \n");
        refused(
            place.read("secret_file = \"secret\""),
            "the secret of AKIA is empty",
        );
        place.write("gossip.key", "0a0a");
        refused(
            place.read("secret_env = \"SET\""),
            "expected 64 hexadecimal digits",
        );
        std::fs::remove_file(place.0.path().join("node.key")).unwrap();
        refused(
            place.read("secret_env = \"SET\""),
            "make it with `dunlin ca issue`",
        );
    }

    #[test]
    fn master_keys_come_from_private_files_and_from_variables() {
        let place = Place::new();
        let read = |master: &str| place.read_with("secret_env = \"SET\"", master);
        for source in ["file = \"master.key\"", "env = \"MASTER\""] {
            let ring = read(source).unwrap().master_keys.unwrap();
            assert_eq!(ring.current().as_str(), "2026");
        }
        refused(
            read("env = \"UNSET\""),
            "variable UNSET with master key 2026 is not set",
        );
        refused(read("env = \"SET\""), "2026 is no master key");
        refused(read("file = \"nowhere\""), "`dunlin secret-key new`");
        for mode in [0o644, 0o604, 0o660, 0o620, 0o602] {
            place.chmod("master.key", mode);
            refused(
                read("file = \"master.key\""),
                "so that others can read or change it",
            );
        }
        for mode in [0o600, 0o400, 0o440] {
            place.chmod("master.key", mode);
            assert!(read("file = \"master.key\"").is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn the_object_store_has_a_secret_of_its_own() {
        let place = Place::new();
        assert!(
            place
                .read("secret_env = \"SET\"")
                .unwrap()
                .object_store
                .is_none()
        );
        let s3 = |secret: &str| {
            place.read(&format!(
                "secret_env = \"SET\"\n[s3]\nendpoint = \"http://h\"\naccess_key_id = \"STORE\"\n{secret}"
            ))
        };
        let material = s3("secret_file = \"secret\"").unwrap();
        assert!(material.object_store.unwrap().is("s3cret"));
        refused(
            s3("secret_env = \"UNSET\""),
            "s3: variable UNSET with the secret of STORE is not set",
        );
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_cluster() {
        let place = Place::new();
        let material = place.read("secret_env = \"SET\"").unwrap();
        assert_eq!(material.derive("one"), material.derive("one"));
        assert_ne!(material.derive("one"), material.derive("two"));
        place.write("gossip.key", &"0b".repeat(32));
        let other = place.read("secret_env = \"SET\"").unwrap();
        assert_ne!(material.derive("one"), other.derive("one"));
    }
}
