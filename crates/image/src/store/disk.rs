//! How a store lies on disk: `layers/DIGEST-BYTES/`, `images/DIGEST.json`, and `tmp/` for what is not complete.

use std::{
    io,
    path::{Path, PathBuf},
};

use model::Digest;
use serde::{Deserialize, Serialize};

use super::Layer;
use crate::{Settings, client::Described};

/// Images that are remembered: a record is a few KiB.
const RECORDS_MAX: usize = 4096;

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// 1.
    format: u32,
    pub(super) settings: Settings,
    /// From the bottom to the top.
    pub(super) layers: Vec<LayerRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerRecord {
    /// As it is sent, in hexadecimal digits.
    digest: String,
    /// Once it is decompressed.
    content: String,
    /// Bytes as it is sent.
    pub(super) size: u64,
}

impl LayerRecord {
    pub(super) fn digest(&self) -> Option<Digest> {
        self.digest.parse().ok()
    }

    pub(super) fn content(&self) -> Option<Digest> {
        self.content.parse().ok()
    }
}

impl Record {
    pub(super) fn new(described: Described) -> Self {
        let layers = described
            .manifest
            .layers
            .iter()
            .zip(&described.configuration.contents);
        Self {
            format: 1,
            layers: layers
                .map(|(blob, content)| LayerRecord {
                    digest: blob.digest.to_string(),
                    content: content.to_string(),
                    size: blob.size,
                })
                .collect(),
            settings: described.configuration.settings,
        }
    }
}

pub(super) fn temporary_dir(dir: &Path) -> PathBuf {
    dir.join("tmp")
}

pub(super) fn layer_dir(dir: &Path, digest: Digest, size: u64) -> PathBuf {
    dir.join("layers").join(format!("{digest}-{size}"))
}

fn record_path(dir: &Path, digest: Digest) -> PathBuf {
    dir.join("images").join(format!("{digest}.json"))
}

/// Cleans up and answers the layers that are complete.
pub(super) fn open(dir: &Path) -> io::Result<Vec<(Digest, Layer)>> {
    remove(&temporary_dir(dir));
    for name in ["tmp", "layers", "images"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    let mut layers = Vec::new();
    for entry in std::fs::read_dir(dir.join("layers"))? {
        let entry = entry?;
        match entry.file_name().to_str().and_then(parse_name) {
            Some((digest, size)) => layers.push((
                digest,
                Layer {
                    dir: entry.path(),
                    size,
                },
            )),
            None => remove(&entry.path()),
        }
    }
    let mut records = Vec::new();
    for entry in std::fs::read_dir(dir.join("images"))? {
        let entry = entry?;
        records.push((entry.metadata()?.modified()?, entry.path()));
    }
    records.sort();
    let over = records.len().saturating_sub(RECORDS_MAX);
    records.iter().take(over).for_each(|(_, path)| remove(path));
    Ok(layers)
}

fn parse_name(name: &str) -> Option<(Digest, u64)> {
    let (digest, size) = name.split_once('-')?;
    Some((digest.parse().ok()?, size.parse().ok()?))
}

/// What an image is made of, if it was written down. One that cannot be read is as good as none.
pub(super) fn read_record(dir: &Path, digest: Digest) -> Option<Record> {
    let bytes = std::fs::read(record_path(dir, digest)).ok()?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    let sound = record
        .layers
        .iter()
        .all(|l| l.digest().is_some() && l.content().is_some());
    (record.format == 1 && sound).then_some(record)
}

pub(super) fn write_record(dir: &Path, digest: Digest, record: &Record) -> io::Result<()> {
    let temporary = temporary_dir(dir).join(format!("{digest}.json"));
    std::fs::write(
        &temporary,
        serde_json::to_vec(record).map_err(io::Error::other)?,
    )?;
    std::fs::rename(temporary, record_path(dir, digest))
}

pub(super) fn remove(path: &Path) {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => return,
    };
    if let Err(error) = removed {
        tracing::warn!(path = %path.display(), %error, "a leftover stays on disk");
    }
}
