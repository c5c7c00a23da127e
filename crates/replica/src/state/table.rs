//! A group's rows in the store.
//!
//! Every batch of rows carries the header (position and membership) that it leads to, so what survives a crash is the
//! state at some index, never a mixture. A table without a header is one that was being replaced: its rows count for
//! nothing. Values larger than the store takes are cut into parts.

use std::sync::Arc;

use host::{
    Store,
    store::{StoreError, VALUE_MAX, Write},
};
use prost::Message as _;

use crate::{
    machine::RowChange,
    rows::Rows,
    types::{LogId, SnapshotMeta, StoredMembership},
    wire,
};

const HEADER: &[u8] = b"h";
/// Before the key of each row; a part number follows it.
const ROW: u8 = b'r';
/// How many bytes of rows are written or read at once, about.
const BATCH_BYTES: usize = 1 << 20;
/// How many records are read at once.
const PAGE: usize = 256;

/// Where a group keeps its rows.
pub(crate) struct Table {
    store: Arc<dyn Store>,
    name: String,
}

/// What a table held when it was opened.
pub(crate) struct Loaded {
    pub(crate) meta: SnapshotMeta,
    pub(crate) rows: Rows,
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("state: {0}")]
    Header(#[from] wire::Unreadable),
    #[error("expected a row key with a part number, got {0:?}")]
    Key(Vec<u8>),
}

impl Table {
    pub(crate) fn new(store: Arc<dyn Store>, group: u64) -> Self {
        Self {
            store,
            name: format!("group-{group}"),
        }
    }

    /// Reads the table; one that is not whole is emptied.
    pub(crate) async fn load(&self) -> Result<Loaded, LoadError> {
        let Some(header) = self.store.get(&self.name, HEADER).await? else {
            self.store.clear(&self.name).await?;
            self.store.flush().await?;
            return Ok(Loaded {
                meta: SnapshotMeta::default(),
                rows: Rows::default(),
            });
        };
        let meta = wire::decode_meta(&header)?;
        let mut parts = Vec::new();
        let mut from = vec![ROW];
        loop {
            let page = self.store.range(&self.name, &from, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            from.push(0);
            for (record, value) in page {
                let (key, part) = split(&record).ok_or(LoadError::Key(record))?;
                parts.push((key, part, value));
            }
        }
        // Parts of one row need not be neighbours: the key of another row may sort between them.
        parts.sort_unstable();
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, _, part) in parts {
            match rows.last_mut().filter(|(k, _)| *k == key) {
                Some((_, value)) => value.extend(part),
                None => rows.push((key, part)),
            }
        }
        Ok(Loaded {
            meta,
            rows: rows
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        })
    }

    /// Writes a batch that [`header`] ends.
    pub(crate) async fn apply(&self, batch: Vec<Write>) -> Result<(), StoreError> {
        self.store.apply(&self.name, batch).await
    }

    /// Replaces the whole table, durably. A crash on the way leaves a table without a header.
    pub(crate) async fn replace(
        &self,
        rows: &Rows,
        last: Option<LogId>,
        membership: &StoredMembership,
    ) -> Result<(), StoreError> {
        let forget = Write::Delete {
            key: HEADER.to_vec(),
        };
        self.store.apply(&self.name, vec![forget]).await?;
        self.store.flush().await?;
        self.store.clear(&self.name).await?;
        let mut batch = Vec::new();
        let mut bytes = 0_usize;
        for (key, value) in rows.iter() {
            put(key, value, &mut batch);
            bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
            if bytes >= BATCH_BYTES {
                bytes = 0;
                self.store
                    .apply(&self.name, std::mem::take(&mut batch))
                    .await?;
            }
        }
        batch.push(header(last, membership));
        self.store.apply(&self.name, batch).await?;
        self.store.flush().await
    }
}

/// The write that says how far the state is.
pub(super) fn header(last: Option<LogId>, membership: &StoredMembership) -> Write {
    Write::Put {
        key: HEADER.to_vec(),
        value: wire::header(last, membership).encode_to_vec(),
    }
}

/// The writes for one change of a row, given the rows before it.
pub(super) fn row(before: &Rows, change: &RowChange, batch: &mut Vec<Write>) {
    let old = before
        .get(&change.key)
        .map_or(0, |value| parts(value.len()));
    let new = change.value.as_ref().map_or(0, |value| parts(value.len()));
    if let Some(value) = &change.value {
        put(&change.key, value, batch);
    }
    for part in new..old {
        batch.push(Write::Delete {
            key: record(&change.key, part),
        });
    }
}

fn put(key: &[u8], value: &[u8], batch: &mut Vec<Write>) {
    for part in 0..parts(value.len()) {
        let from = usize::from(part).saturating_mul(VALUE_MAX);
        let piece = value.iter().skip(from).take(VALUE_MAX).copied().collect();
        batch.push(Write::Put {
            key: record(key, part),
            value: piece,
        });
    }
}

/// How many parts a value of this size has; an empty one has one.
fn parts(len: usize) -> u16 {
    u16::try_from(len.div_ceil(VALUE_MAX).max(1)).unwrap_or(u16::MAX)
}

fn record(key: &[u8], part: u16) -> Vec<u8> {
    let mut record = Vec::with_capacity(key.len().saturating_add(3));
    record.push(ROW);
    record.extend_from_slice(key);
    record.extend_from_slice(&part.to_be_bytes());
    record
}

fn split(record: &[u8]) -> Option<(Vec<u8>, u16)> {
    let row = record.strip_prefix(&[ROW])?;
    let (key, part) = row.split_last_chunk::<2>()?;
    Some((key.to_vec(), u16::from_be_bytes(*part)))
}
