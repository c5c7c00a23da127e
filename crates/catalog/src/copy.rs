//! A copy of the catalog in memory, backed by one on disk.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use host::store::{Store, StoreError, Write};
use model::{ErrorKind, Failure, Revision, VersionId, function::FunctionVersion};
use parking_lot::{Mutex, RwLock};
use proto::{FORMATS, TooOld};
use state::{Catalog, Change, Record};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::codec::{self, CodecError, Row};

const TABLE: &str = "catalog-copy";
/// Holds the cluster and the revision of the copy; sorts before every record. Absent while a snapshot is half written.
const MARK: &[u8] = b"!mark";
const PAGE: usize = 1000;
/// How long what was written waits for more before it is flushed.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Where else in this process versions are held.
type Versions = Box<dyn Fn(&VersionId) -> Option<Arc<FunctionVersion>> + Send + Sync>;

/// Why a local copy could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk.
    #[error("local catalog copy cannot be read")]
    Store(#[from] StoreError),
}

/// The copy did not reach the revision in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("local catalog copy is at revision {have}, expected {want}")]
pub struct Behind {
    /// Where it is.
    pub have: Revision,
    /// Where it should be.
    pub want: Revision,
}

impl Failure for Behind {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unavailable
    }
}

/// A node's copy of the catalog. Clones share it.
///
/// Reads take a lock for as long as their closure runs: keep it short and clone the `Arc`s out. The copy changes only
/// through the watch stream, in whole steps: a reader sees all of a command or nothing of it.
#[derive(Clone)]
pub struct LocalCopy {
    shared: Arc<Shared>,
}

struct Shared {
    /// The newest format that this node reads.
    newest: u32,
    catalog: RwLock<Catalog>,
    store: Arc<dyn Store>,
    position: watch::Sender<Position>,
    /// Wakes whoever flushes after something was written.
    written: Notify,
    /// The first error of the store: what is on the disk is unknown from there on, and nothing more is written.
    failed: watch::Sender<Option<Arc<StoreError>>>,
    /// Why controllers do not let this node follow, if they do not.
    refusal: Mutex<Option<String>>,
    /// See [`LocalCopy::share_versions`].
    versions: OnceLock<Versions>,
}

/// Where a copy stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Position {
    pub(crate) cluster_id: String,
    pub(crate) revision: Revision,
    /// When a controller last confirmed that this is the newest revision; `None` since the start.
    pub(crate) confirmed: Option<Instant>,
}

impl LocalCopy {
    /// Loads the copy that is on disk; an empty one if there is none or if it was left half written.
    ///
    /// # Errors
    /// [`OpenError`] if the disk fails. A record that this build cannot read empties the copy: it is fetched anew.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, OpenError> {
        Self::open_up_to(store, FORMATS.newest).await
    }

    /// As [`LocalCopy::open`], for a node that reads formats only up to `newest`.
    ///
    /// # Errors
    /// See [`LocalCopy::open`].
    pub async fn open_up_to(store: Arc<dyn Store>, newest: u32) -> Result<Self, OpenError> {
        let (catalog, position) = match load(&*store, newest).await? {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::warn!(error = %error, "the local catalog copy is not readable; fetching it anew");
                store.clear(TABLE).await?;
                (Catalog::default(), Position::default())
            }
        };
        let shared = Shared {
            newest,
            catalog: RwLock::new(catalog),
            store,
            position: watch::Sender::new(position),
            written: Notify::new(),
            failed: watch::Sender::new(None),
            refusal: Mutex::new(None),
            versions: OnceLock::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Looks into the catalog. `f` runs under a read lock: no waiting inside.
    pub fn read<T>(&self, f: impl FnOnce(&Catalog) -> T) -> T {
        f(&self.shared.catalog.read())
    }

    /// Tells where else in this process versions are held: one that is the same there is held in memory once. A node that
    /// is a controller, too, needs less memory so. Only the first call counts.
    pub fn share_versions(
        &self,
        held: impl Fn(&VersionId) -> Option<Arc<FunctionVersion>> + Send + Sync + 'static,
    ) {
        if self.shared.versions.set(Box::new(held)).is_err() {
            return;
        }
        let mine = self.read(|catalog| catalog.versions().cloned().collect::<Vec<_>>());
        let shared: Vec<_> = mine.iter().filter_map(|v| self.shared.twin(v)).collect();
        let mut catalog = self.shared.catalog.write();
        for version in shared {
            catalog.put(Change::Put(Record::Version(version)));
        }
    }

    /// The revision that reads see at least.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.shared.position.borrow().revision
    }

    /// The cluster whose catalog this is; empty before the first contact.
    #[must_use]
    pub fn cluster_id(&self) -> String {
        self.shared.position.borrow().cluster_id.clone()
    }

    /// How long ago a controller last confirmed that this copy is complete; `None` if none has since the start.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        self.shared
            .position
            .borrow()
            .confirmed
            .map(|at| at.elapsed())
    }

    /// Why controllers refuse this node as a follower, in words for an operator; `None` if they do not.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.shared.refusal.lock().clone()
    }

    /// The newest format that this node reads.
    pub(crate) fn newest(&self) -> u32 {
        self.shared.newest
    }

    /// A controller refused this node.
    pub(crate) fn refused(&self, why: &str) {
        let mut refusal = self.shared.refusal.lock();
        if refusal.as_deref() != Some(why) {
            tracing::error!(why, "this node cannot follow the catalog");
            *refusal = Some(why.to_owned());
        }
    }

    /// Wakes whenever the revision or its confirmation changes.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<impl Sized + use<>> {
        self.shared.position.subscribe()
    }

    /// Waits until reads see a revision.
    ///
    /// # Errors
    /// [`Behind`] after `patience`.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn wait_for(&self, want: Revision, patience: Duration) -> Result<(), Behind> {
        if self.revision() >= want {
            return Ok(());
        }
        let mut position = self.shared.position.subscribe();
        let reached = async { position.wait_for(|p| p.revision >= want).await.map(drop) };
        match tokio::time::timeout(patience, reached).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Behind {
                have: self.revision(),
                want,
            }),
        }
    }

    /// Returns when the copy could not be written: the node must end. What was read before stays readable.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn failed(&self) -> Arc<StoreError> {
        let mut failed = self.shared.failed.subscribe();
        loop {
            if let Some(error) = failed.borrow_and_update().clone() {
                return error;
            }
            if failed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Puts what was followed on the disk soon after it was written: a node that is killed and comes back while no
    /// controller answers serves from there. Returns when the store has failed.
    pub(crate) async fn keep_flushed(&self) {
        loop {
            self.shared.written.notified().await;
            tokio::time::sleep(FLUSH_AFTER).await;
            if self.checked(self.shared.store.flush()).await.is_err() {
                return;
            }
        }
    }

    /// Runs an operation of the store unless an earlier one failed, and notes its error. A record that is too large is
    /// no failure of the store.
    async fn checked(
        &self,
        operation: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), FollowError> {
        if let Some(earlier) = self.shared.failed.borrow().clone() {
            return Err(FollowError::Failed(earlier));
        }
        match operation.await {
            Ok(()) => Ok(()),
            Err(large @ StoreError::ValueTooLarge(_)) => Err(FollowError::TooLarge(large)),
            Err(error @ (StoreError::Engine { .. } | StoreError::Damaged { .. })) => {
                let error = Arc::new(error);
                let first = self.shared.failed.send_if_modified(|failed| {
                    let first = failed.is_none();
                    failed.get_or_insert_with(|| error.clone());
                    first
                });
                if first {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, source, "the local catalog copy cannot be written; this node must end");
                }
                Err(FollowError::Failed(error))
            }
        }
    }

    async fn write(&self, batch: Vec<Write>) -> Result<(), FollowError> {
        self.checked(self.shared.store.apply(TABLE, batch)).await?;
        self.shared.written.notify_one();
        Ok(())
    }

    pub(crate) fn position(&self) -> Position {
        self.shared.position.borrow().clone()
    }

    /// A controller says that everything up to this revision was sent. Revisions without a record (a change of the
    /// controllers' membership, a new leader) are reached by this alone; the disk may stay behind them, for it lacks nothing.
    pub(crate) fn confirm(&self, revision: Revision) {
        self.shared.refusal.lock().take();
        self.shared.position.send_modify(|p| {
            p.revision = p.revision.max(revision);
            p.confirmed = Some(Instant::now());
        });
    }

    /// Takes over the changes up to a revision, in their order: store first, then memory, so that a restart in order never
    /// goes back behind a read. After a crash the copy may be older by what was not flushed yet.
    pub(crate) async fn advance(
        &self,
        revision: Revision,
        rows: Vec<Row>,
    ) -> Result<(), FollowError> {
        let changes = decode_all(&rows, self.shared.newest)?;
        let cluster_id = self.position().cluster_id;
        let mut batch: Vec<Write> = rows
            .into_iter()
            .filter(|r| !is_private(&r.key))
            .map(into_write)
            .collect();
        batch.push(mark(&cluster_id, revision));
        self.write(batch).await?;
        {
            let changes: Vec<_> = changes.into_iter().map(|c| self.shared.share(c)).collect();
            let mut catalog = self.shared.catalog.write();
            for change in changes {
                catalog.put(change);
            }
        }
        self.shared.position.send_modify(|p| p.revision = revision);
        Ok(())
    }

    /// Replaces everything by a snapshot.
    pub(crate) async fn replace(
        &self,
        cluster_id: &str,
        revision: Revision,
        rows: Vec<Row>,
    ) -> Result<(), FollowError> {
        let mut catalog = Catalog::default();
        for change in decode_all(&rows, self.shared.newest)? {
            catalog.put(self.shared.share(change));
        }
        self.write(vec![Write::Delete { key: MARK.to_vec() }])
            .await?;
        self.checked(self.shared.store.clear(TABLE)).await?;
        let mut rows = rows
            .into_iter()
            .filter(|r| !is_private(&r.key))
            .map(into_write);
        loop {
            let batch: Vec<Write> = rows.by_ref().take(PAGE).collect();
            if batch.is_empty() {
                break;
            }
            self.write(batch).await?;
        }
        self.write(vec![mark(cluster_id, revision)]).await?;
        *self.shared.catalog.write() = catalog;
        self.shared.position.send_modify(|p| {
            *p = Position {
                cluster_id: cluster_id.to_owned(),
                revision,
                confirmed: None,
            };
        });
        Ok(())
    }
}

impl Shared {
    /// The same version where it is held elsewhere in this process.
    fn twin(&self, version: &Arc<FunctionVersion>) -> Option<Arc<FunctionVersion>> {
        let held = self.versions.get()?;
        held(&version.id).filter(|held| held == version)
    }

    /// The same change, with the twin of its version if there is one.
    fn share(&self, change: Change) -> Change {
        match change {
            Change::Put(Record::Version(version)) => {
                let twin = self.twin(&version);
                Change::Put(Record::Version(twin.unwrap_or(version)))
            }
            change => change,
        }
    }
}

/// Why a step of the watch stream could not be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error("local catalog copy cannot be written")]
    Failed(#[source] Arc<StoreError>),
    #[error("the controller sent a record that the local copy cannot keep")]
    TooLarge(#[source] StoreError),
    #[error("the controller sent a record that this build cannot read")]
    Codec(#[from] CodecError),
    #[error(transparent)]
    TooOld(#[from] TooOld),
}

/// Answers are the controllers' own memory: no follower needs them.
fn is_private(key: &[u8]) -> bool {
    key.starts_with(b"i/")
}

fn decode_all(rows: &[Row], newest: u32) -> Result<Vec<Change>, FollowError> {
    rows.iter()
        .filter(|r| !is_private(&r.key))
        .map(|row| {
            let change = codec::decode_row(row)?;
            if let Change::Put(Record::Format(format)) = change {
                TooOld::check(newest, format)?;
            }
            Ok(change)
        })
        .collect()
}

fn into_write(row: Row) -> Write {
    match row.value {
        Some(value) => Write::Put {
            key: row.key,
            value,
        },
        None => Write::Delete { key: row.key },
    }
}

fn mark(cluster_id: &str, revision: Revision) -> Write {
    let mut value = revision.0.to_be_bytes().to_vec();
    value.extend_from_slice(cluster_id.as_bytes());
    Write::Put {
        key: MARK.to_vec(),
        value,
    }
}

async fn load(
    store: &dyn Store,
    newest: u32,
) -> Result<Result<(Catalog, Position), FollowError>, StoreError> {
    let Some(position) = store.get(TABLE, MARK).await?.as_deref().and_then(read_mark) else {
        return Ok(Ok(Default::default()));
    };
    let mut catalog = Catalog::default();
    let mut from = Vec::new();
    loop {
        let page = store.range(TABLE, &from, PAGE).await?;
        let full = page.len() == PAGE;
        for (key, value) in page {
            from = [key.as_slice(), &[0]].concat();
            if key == MARK {
                continue;
            }
            let row = Row {
                key,
                value: Some(value),
            };
            match decode_all(&[row], newest) {
                Ok(changes) => changes.into_iter().for_each(|c| catalog.put(c)),
                Err(error) => return Ok(Err(error)),
            }
        }
        if !full {
            return Ok(Ok((catalog, position)));
        }
    }
}

fn read_mark(value: &[u8]) -> Option<Position> {
    let (revision, cluster_id) = value.split_first_chunk::<8>()?;
    let cluster_id = String::from_utf8(cluster_id.to_vec()).ok()?;
    Some(Position {
        cluster_id,
        revision: Revision(u64::from_be_bytes(*revision)),
        confirmed: None,
    })
}

#[cfg(test)]
mod tests;
