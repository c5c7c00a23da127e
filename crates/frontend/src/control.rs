//! Reads and writes of the catalog, as fresh and as durable as callers may expect.
//!
//! A read asks the leader for a barrier and waits until the local copy has reached it: it sees every write that was
//! acknowledged before it, by whichever frontend. A write is proposed under a key of its own, so that its retries happen
//! once, and is then waited for in the local copy. Environment variables leave this node sealed and in no other way. All of it has an end within a few seconds, and without a leader within
//! one: the caller's own retry is better than our silence.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use catalog::{ControllerError, Controllers, DataKeys, LocalCopy, TokenError};
use host::Entropy;
use model::{Digest, Mutation, Sealed, iam::Session, mutation::Changed};
use prost::Message as _;
use seal::{Place, SessionCredentials, Zeroizing};
use state::{Catalog, IdempotencyKey};
use tokio::time::Instant;

use crate::{
    auth::{Caller, Documents, Grant},
    error::OperationError,
};

mod identity;
mod secrets;

/// How long a read may wait for the leader and for the local copy together.
const READ: Duration = Duration::from_millis(900);
/// How long a write may wait for its outcome.
const WRITE: Duration = Duration::from_millis(900);
/// How long a write that was done waits for the local copy. It is done in any case.
const OWN_WRITE: Duration = Duration::from_millis(1000);
/// How long a blob may take to a quorum, and how much longer for each megabyte.
const BLOB: Duration = Duration::from_millis(700);
const BLOB_PER_MIB: Duration = Duration::from_millis(100);
/// How long a blob may take to come.
const FETCH: Duration = Duration::from_secs(10);

/// The way to the catalog.
#[derive(Clone)]
pub(crate) struct Control {
    copy: LocalCopy,
    controllers: Controllers,
    keys: DataKeys,
    entropy: Arc<dyn Entropy>,
    documents: Arc<Documents>,
}

impl Control {
    pub(crate) fn new(
        copy: LocalCopy,
        controllers: Controllers,
        keys: DataKeys,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            copy,
            controllers,
            keys,
            entropy,
            documents: Arc::default(),
        }
    }

    /// The policies that were read.
    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Opens what is sealed in the catalog.
    pub(crate) fn open(
        &self,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OperationError> {
        Ok(self.keys.open(place, sealed)?)
    }

    /// Reads a session token that this cluster issued.
    pub(crate) fn prove(&self, token: &str) -> Result<(Session, SessionCredentials), TokenError> {
        self.keys.prove(token)
    }

    /// Looks into the catalog as it is after every write that was acknowledged before this call.
    pub(crate) async fn read<T>(&self, f: impl FnOnce(&Catalog) -> T) -> Result<T, OperationError> {
        let deadline = Instant::now() + READ;
        let revision = self.controllers.barrier(READ).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        self.copy.wait_for(revision, left).await?;
        Ok(self.copy.read(f))
    }

    /// Looks into the local copy as it is.
    pub(crate) fn glance<T>(&self, f: impl FnOnce(&Catalog) -> T) -> T {
        self.copy.read(f)
    }

    /// Makes a change for a caller who may. An SDK that repeats its call, because the answer to the first attempt was
    /// lost, is answered what the first attempt did.
    pub(crate) async fn change(
        &self,
        grant: &Grant,
        mut mutation: Mutation,
    ) -> Result<Changed, OperationError> {
        self.fit(&mut mutation).await?;
        self.seal(&mut mutation).await?;
        self.ensure_data_key(&mutation).await?;
        self.propose_for(grant.caller(), &mutation).await
    }

    async fn propose_for(
        &self,
        caller: &Caller,
        mutation: &Mutation,
    ) -> Result<Changed, OperationError> {
        let key = match &caller.call_id {
            Some(call_id) => repeatable(caller, call_id, mutation),
            None => IdempotencyKey(self.entropy.next_u128()),
        };
        self.propose(key, mutation).await
    }

    async fn propose(
        &self,
        key: IdempotencyKey,
        mutation: &Mutation,
    ) -> Result<Changed, OperationError> {
        self.check_format(mutation).await?;
        let (revision, result) = self.controllers.mutate(key, mutation, WRITE).await?;
        if let Err(error) = self.copy.wait_for(revision, OWN_WRITE).await {
            tracing::warn!(%error, "a write was answered before this node's copy of the catalog had it");
        }
        Ok(result?)
    }

    /// Leaves out what the build before does not know and can do without: the size of the files of a package.
    async fn fit(&self, mutation: &mut Mutation) -> Result<(), OperationError> {
        if let Some(code) = mutation.code_mut()
            && self.cluster_format(code.format()).await? < code.format()
        {
            code.unzipped = 0;
        }
        Ok(())
    }

    /// Sends nobody a change that a build which is still in the cluster would not read: an older leader would take what it
    /// knows of it and drop the rest.
    async fn check_format(&self, mutation: &Mutation) -> Result<(), OperationError> {
        let needed = mutation.format();
        let cluster = self.cluster_format(needed).await?;
        if needed <= cluster {
            Ok(())
        } else {
            Err(ControllerError::Unfinalized { needed, cluster }.into())
        }
    }

    /// The format that the cluster writes, as far as it matters to something that needs `needed`.
    async fn cluster_format(&self, needed: u32) -> Result<u32, OperationError> {
        // The local copy may be behind the end of an upgrade, never ahead of it.
        let known = self.glance(Catalog::format);
        if needed <= known {
            return Ok(known);
        }
        self.read(Catalog::format).await
    }

    /// Brings a package to a quorum of controllers.
    pub(crate) async fn put_code(&self, digest: Digest, zip: Bytes) -> Result<(), OperationError> {
        let mib = u32::try_from(zip.len() >> 20).unwrap_or(u32::MAX);
        let patience = BLOB + BLOB_PER_MIB.saturating_mul(mib);
        Ok(self.controllers.put_blob(digest, zip, patience).await?)
    }

    /// Fetches a package from whichever controller has it.
    pub(crate) async fn get_code(&self, digest: Digest) -> Result<Bytes, OperationError> {
        Ok(self.controllers.get_blob(digest, FETCH).await?)
    }
}

/// The key of every attempt of one SDK call: bound to who calls and to what is asked, so that a call id that is used again
/// for something else is something else.
fn repeatable(caller: &Caller, call_id: &str, mutation: &Mutation) -> IdempotencyKey {
    let mut bytes = format!("{caller}\n{call_id}\n").into_bytes();
    proto::internal::Mutation::from(mutation)
        .encode(&mut bytes)
        .unwrap_or_default();
    let digest = *Digest::of(&bytes).as_bytes();
    IdempotencyKey(
        digest
            .iter()
            .take(16)
            .fold(0, |key, byte| (key << 8) | u128::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use model::{AccountId, FunctionId, Region};

    use super::*;

    #[test]
    fn attempts_of_one_call_share_a_key_and_nothing_else_does() {
        let caller = |key: &str| Caller {
            access_key: key.to_owned(),
            ..crate::auth::testing::root(AccountId::DEFAULT)
        };
        let delete = |name: &str| Mutation::DeleteFunction {
            function: FunctionId {
                account: AccountId::DEFAULT,
                region: Region::default(),
                name: name.parse().unwrap(),
            },
            version: None,
        };
        let key = repeatable(&caller("k"), "id", &delete("f"));
        assert_eq!(key, repeatable(&caller("k"), "id", &delete("f")));
        assert_ne!(key, repeatable(&caller("other"), "id", &delete("f")));
        assert_ne!(key, repeatable(&caller("k"), "other", &delete("f")));
        assert_ne!(key, repeatable(&caller("k"), "id", &delete("g")));
    }
}
