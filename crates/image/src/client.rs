//! A client of registries: the read half of the OCI distribution protocol.
//!
//! Each request has a connection of its own. What a manifest names is hashed as it arrives; a download that breaks off goes on
//! where it was, a bounded number of times, each later than the one before.

mod session;
mod wire;

use std::{io, path::Path, time::Duration};

use host::Tasks;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use model::{Architecture, Digest};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncSeekExt as _, AsyncWriteExt as _},
    sync::Semaphore,
};

use crate::{
    ImageError, Reference, Registries, TrustError,
    manifest::{self, Blob, Configuration, Found, Manifest},
    registries::Ways,
};
use session::Session;
use wire::{Bytes, read_whole};

/// How long the look at an image may take, before anything of it is downloaded.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// Tags that are resolved at a time: each may hold a manifest and a configuration in memory.
const LOOKS_MAX: usize = 32;
/// How long nothing may arrive.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The largest manifest and the largest configuration.
const DOCUMENT_MAX: u64 = 4 << 20;
/// How often a download is begun or gone on with.
const TRIES: u32 = 5;
/// The wait before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// A client of registries.
pub struct Client {
    ways: Ways,
    tasks: Tasks,
    looks: Semaphore,
}

/// An image, before its layers are there.
#[derive(Debug)]
pub(crate) struct Described {
    /// The digest of the manifest for one architecture.
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) configuration: Configuration,
}

impl Client {
    /// A client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`TrustError`] if a file with authorities cannot be read.
    pub fn new(registries: &Registries, tasks: Tasks) -> Result<Self, TrustError> {
        Ok(Self {
            ways: Ways::new(registries)?,
            tasks,
            looks: Semaphore::new(LOOKS_MAX),
        })
    }

    /// The digest of what an image is now, for one architecture: it names the same bytes for ever. That its configuration can
    /// be read and fits is checked too.
    ///
    /// # Errors
    /// [`ImageError`].
    pub async fn resolve(
        &self,
        reference: &Reference,
        architecture: Architecture,
    ) -> Result<Digest, ImageError> {
        // The semaphore is never closed.
        let turn = tokio::time::timeout(LOOK_MAX, self.looks.acquire()).await;
        let _turn = turn.map_err(|_| ImageError::Deadline(LOOK_MAX))?;
        let session = self.session(reference)?;
        Ok(session.describe(reference, architecture).await?.digest)
    }

    pub(crate) fn session(&self, reference: &Reference) -> Result<Session<'_>, ImageError> {
        let way = self.ways.of(&reference.registry).ok_or_else(|| {
            ImageError::Invalid(format!(
                "registry {} is not listed; add it to the section `registries` of every frontend and worker, or allow others there",
                reference.registry
            ))
        })?;
        Ok(Session::new(self, way.clone(), reference))
    }
}

impl Session<'_> {
    /// Manifest and configuration of an image.
    pub(crate) async fn describe(
        &self,
        reference: &Reference,
        architecture: Architecture,
    ) -> Result<Described, ImageError> {
        let mut pause = PAUSE;
        let look = async {
            loop {
                match self.look(reference, architecture).await {
                    Err(error) if error.may_pass() => {
                        tracing::debug!(image = %reference, error = %error.text(), "an image is looked at again");
                        if pause > PAUSE * 4 {
                            return Err(error);
                        }
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                    done => return done,
                }
            }
        };
        tokio::time::timeout(LOOK_MAX, look)
            .await
            .unwrap_or(Err(ImageError::Deadline(LOOK_MAX)))
    }

    async fn look(
        &self,
        reference: &Reference,
        architecture: Architecture,
    ) -> Result<Described, ImageError> {
        let (mut digest, bytes) = self.manifest(&reference.name(), reference.digest).await?;
        let manifest = match manifest::read(&bytes, architecture)? {
            Found::Manifest(manifest) => manifest,
            Found::Elsewhere(chosen) => {
                digest = chosen;
                let (_, bytes) = self
                    .manifest(&format!("sha256:{chosen}"), Some(chosen))
                    .await?;
                match manifest::read(&bytes, architecture)? {
                    Found::Manifest(manifest) => manifest,
                    Found::Elsewhere(_) => {
                        return Err(ImageError::Invalid(
                            "expected a list of manifests, got a list of lists".to_owned(),
                        ));
                    }
                }
            }
        };
        let wanted = manifest.config;
        let path = format!("blobs/sha256:{}", wanted.digest);
        let response = self.ask(&path, None, 0).await?;
        let bytes = read_whole(response.into_body(), DOCUMENT_MAX)
            .await
            .map_err(|e| self.broken(e))?;
        same(wanted.digest, Digest::of(&bytes))?;
        let configuration = manifest::configuration(&bytes, architecture, manifest.layers.len())?;
        Ok(Described {
            digest,
            manifest,
            configuration,
        })
    }

    async fn manifest(
        &self,
        name: &str,
        expected: Option<Digest>,
    ) -> Result<(Digest, Bytes), ImageError> {
        let path = format!("manifests/{name}");
        let response = self.ask(&path, Some(manifest::ACCEPT), 0).await?;
        let bytes = read_whole(response.into_body(), DOCUMENT_MAX)
            .await
            .map_err(|e| self.broken(e))?;
        let actual = Digest::of(&bytes);
        if let Some(expected) = expected {
            same(expected, actual)?;
        }
        Ok((actual, bytes))
    }

    /// Downloads a part into a file, verified. `arrived` hears of every byte that counts.
    pub(crate) async fn download(
        &self,
        blob: Blob,
        path: &Path,
        arrived: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ImageError> {
        let disk = |source| ImageError::Disk {
            path: path.to_owned(),
            source,
        };
        let file = tokio::fs::File::create(path).await.map_err(disk)?;
        let mut download = Download {
            file,
            hash: Sha256::new(),
            have: 0,
        };
        let mut pause = PAUSE;
        for attempt in 1.. {
            let ended = match self.go_on(blob, &mut download, path, arrived).await {
                Ok(()) => {
                    let actual = Digest::from_bytes(download.hash.clone().finalize().into());
                    same(blob.digest, actual)
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => break,
                Err(error) if error.may_pass() && attempt < TRIES => {
                    tracing::info!(digest = %blob.digest, have = download.have, size = blob.size, error = %error.text(),
                        "a layer is downloaded further");
                    if matches!(error, ImageError::Mismatch { .. }) {
                        download.start_over().await.map_err(disk)?;
                    }
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        download.file.flush().await.map_err(disk)
    }

    async fn go_on(
        &self,
        blob: Blob,
        download: &mut Download,
        path: &Path,
        arrived: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ImageError> {
        let disk = |source| ImageError::Disk {
            path: path.to_owned(),
            source,
        };
        if download.have == blob.size {
            return Ok(());
        }
        let asked = format!("blobs/sha256:{}", blob.digest);
        let response = self.ask(&asked, None, download.have).await?;
        if download.have > 0 && !continues(&response, download.have) {
            download.start_over().await.map_err(disk)?;
        }
        let mut body = response.into_body();
        loop {
            let frame = tokio::time::timeout(SILENCE_MAX, body.frame()).await;
            let frame = frame.map_err(|_| self.broken(io::Error::from(io::ErrorKind::TimedOut)))?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|e| self.broken(e))?.into_data() else {
                continue;
            };
            let more = u64::try_from(data.len()).unwrap_or(u64::MAX);
            if download.have.saturating_add(more) > blob.size {
                return Err(ImageError::Invalid(format!(
                    "expected {} bytes of sha256:{} as the image's manifest says, got more; push the image again",
                    blob.size, blob.digest
                )));
            }
            download.hash.update(&data);
            download.file.write_all(&data).await.map_err(disk)?;
            download.have += more;
            arrived(more);
        }
        if download.have < blob.size {
            return Err(self.broken(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        Ok(())
    }
}

/// A file that grows.
struct Download {
    file: tokio::fs::File,
    hash: Sha256,
    have: u64,
}

impl Download {
    async fn start_over(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.hash = Sha256::new();
        self.have = 0;
        Ok(())
    }
}

/// Whether an answer begins where a download stopped.
fn continues(response: &http::Response<Incoming>, have: u64) -> bool {
    let range = response.headers().get(http::header::CONTENT_RANGE);
    let begins = range.and_then(|r| {
        r.to_str()
            .ok()?
            .strip_prefix("bytes ")?
            .split('-')
            .next()?
            .parse()
            .ok()
    });
    response.status() == http::StatusCode::PARTIAL_CONTENT && begins == Some(have)
}

fn same(expected: Digest, actual: Digest) -> Result<(), ImageError> {
    if expected == actual {
        return Ok(());
    }
    Err(ImageError::Mismatch { expected, actual })
}

#[cfg(test)]
pub(crate) mod tests;
