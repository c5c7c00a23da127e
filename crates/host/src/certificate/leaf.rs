//! A node's certificate with its key.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use model::{NodeName, Roles, Timestamp};

use super::{BUNDLE_FILE, CertificateError, NODE_FILE, NODE_KEY_FILE, expires_at};
use crate::disk;

/// What a certificate shall say.
#[derive(Clone, Debug)]
pub struct NodeCertificateRequest {
    /// The node's name.
    pub name: NodeName,
    /// What it may act as.
    pub roles: Roles,
    /// DNS names and IP addresses besides; nodes do not look at them, other tools may.
    pub alternative_names: Vec<String>,
    /// For how many days from now, 1 to 3650.
    pub valid_days: u32,
}

/// A node's certificate, its key, and the authorities it trusts, as PEM texts.
#[derive(Clone)]
pub struct NodeCertificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) bundle: String,
}

impl NodeCertificate {
    /// Writes the three files of a node into a directory, each at once; the key readable by its owner only.
    ///
    /// # Errors
    /// [`CertificateError::File`] if the disk refuses.
    pub fn save(&self, directory: &Path) -> Result<(), CertificateError> {
        write(directory, BUNDLE_FILE, &self.bundle, 0o644)?;
        write(directory, NODE_KEY_FILE, &self.key, 0o600)?;
        write(directory, NODE_FILE, &self.certificate, 0o644)
    }

    /// Reads the three files of a node.
    ///
    /// # Errors
    /// [`CertificateError::File`] if one cannot be read.
    pub fn load(directory: &Path) -> Result<Self, CertificateError> {
        Ok(Self {
            certificate: read(&directory.join(NODE_FILE))?,
            key: read(&directory.join(NODE_KEY_FILE))?,
            bundle: read(&directory.join(BUNDLE_FILE))?,
        })
    }

    /// The certificate, in PEM form.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// The certificates of the authorities it trusts, in PEM form.
    #[must_use]
    pub fn bundle_pem(&self) -> &str {
        &self.bundle
    }

    /// When the certificate ends.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`] if what was loaded is no certificate.
    pub fn expires_at(&self) -> Result<Timestamp, CertificateError> {
        expires_at(&self.certificate)
    }
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCertificate")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

pub(crate) fn read(path: &Path) -> Result<String, CertificateError> {
    fs::read_to_string(path).map_err(|source| CertificateError::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file beside its place, with its mode from the first byte on, and moves it there.
pub(super) fn write(
    directory: &Path,
    name: &str,
    text: &str,
    mode: u32,
) -> Result<(), CertificateError> {
    let path = directory.join(name);
    let unfinished = directory.join(format!(".{name}.new"));
    let attempt = || -> io::Result<()> {
        disk::create_directory(directory)?;
        match fs::remove_file(&unfinished) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        disk::sync_directory(directory)
    };
    attempt().map_err(|source| CertificateError::File { path, source })
}
