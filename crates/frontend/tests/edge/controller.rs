//! A controller without Raft: it applies what it is told, and streams it.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use catalog::codec;
use futures::{Stream, StreamExt};
use model::{Digest, Mutation, Revision, Timestamp};
use parking_lot::Mutex;
use proto::internal::{
    self as pb, blobs_server::Blobs, catalog_server::Catalog as CatalogService, watch_frame::Frame,
};
use state::{Catalog, Command, IdempotencyKey, Stamp};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

/// What the controller has. Clones share it.
#[derive(Clone)]
pub(crate) struct Controller {
    state: Arc<Mutex<State>>,
    revision: watch::Sender<u64>,
}

struct State {
    catalog: Catalog,
    /// Rows of every revision from 1 on.
    log: Vec<Vec<pb::Row>>,
    blobs: HashMap<Vec<u8>, Vec<u8>>,
    leads: bool,
    settles: bool,
}

impl Controller {
    pub(crate) fn new() -> Self {
        let mut state = State {
            catalog: Catalog::default(),
            log: Vec::new(),
            blobs: HashMap::new(),
            leads: true,
            settles: true,
        };
        // As a new cluster begins.
        let format = proto::FORMATS.newest;
        state.apply(IdempotencyKey(0), Mutation::Finalize { format });
        Self {
            revision: watch::Sender::new(state.log.len() as u64),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Whether it knows a leader.
    pub(crate) fn leads(&self, leads: bool) {
        self.state.lock().leads = leads;
    }

    /// Whether creations and updates end at once.
    pub(crate) fn settles(&self, settles: bool) {
        self.state.lock().settles = settles;
    }

    /// Ends whatever is being created or updated.
    pub(crate) fn settle(&self, failure: Option<&model::function::Reason>) {
        let mut state = self.state.lock();
        let unsettled: Vec<_> = state.catalog.unsettled().cloned().collect();
        for version in unsettled {
            let settle = Mutation::Settle {
                version: version.id.clone(),
                revision: version.revision_id,
                failure: failure.cloned(),
            };
            state.apply(IdempotencyKey(0), settle);
        }
        let moving: Vec<_> = state.catalog.moving_mappings().cloned().collect();
        for mapping in moving {
            let settle = Mutation::SettleEventSourceMapping {
                mapping: mapping.id.clone(),
                revision: mapping.revision,
            };
            state.apply(IdempotencyKey(0), settle);
        }
        self.revision.send_replace(state.log.len() as u64);
    }

    /// Applies a change that its watchers do not hear of before the next barrier.
    pub(crate) fn apply_quietly(&self, mutation: Mutation) {
        self.state.lock().apply(IdempotencyKey(0), mutation);
    }

    /// Every byte of every record there ever was.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let state = self.state.lock();
        let rows = state.log.iter().flatten();
        rows.flat_map(|row| row.value.iter().flatten().copied())
            .collect()
    }

    /// Looks into the catalog.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&Catalog) -> T) -> T {
        f(&self.state.lock().catalog)
    }

    fn mutate_now(&self, key: IdempotencyKey, mutation: Mutation) -> pb::Outcome {
        let (outcome, settles) = {
            let mut state = self.state.lock();
            (state.apply(key, mutation), state.settles)
        };
        if settles {
            self.settle(None);
        }
        self.revision
            .send_replace(self.state.lock().log.len() as u64);
        outcome
    }
}

impl State {
    fn apply(&mut self, key: IdempotencyKey, mutation: Mutation) -> pb::Outcome {
        let revision = Revision(self.log.len() as u64 + 1);
        let command = Command {
            stamp: Stamp {
                at: Timestamp(1_764_000_000_000 + revision.0),
                seed: u128::from(revision.0) << 64 | 0x5eed,
            },
            key,
            mutation,
        };
        let applied = self.catalog.apply(revision, &command);
        let rows = applied.changes.iter().map(codec::encode_change);
        let rows = rows.map(|r| pb::Row {
            key: r.key.into(),
            value: r.value.map(Into::into),
        });
        self.log.push(rows.collect());
        pb::Outcome::new(applied.revision, &applied.result)
    }
}

fn frame(frame: Frame) -> Result<pb::WatchFrame, Status> {
    Ok(pb::WatchFrame { frame: Some(frame) })
}

type Frames = Pin<Box<dyn Stream<Item = Result<pb::WatchFrame, Status>> + Send>>;
type Chunks = Pin<Box<dyn Stream<Item = Result<pb::BlobChunk, Status>> + Send>>;

#[tonic::async_trait]
impl CatalogService for Controller {
    type WatchStream = Frames;

    async fn mutate(
        &self,
        request: Request<pb::MutateRequest>,
    ) -> Result<Response<pb::MutateResponse>, Status> {
        use pb::mutate_response::Result as Answer;
        let m = request.into_inner();
        let answer = if self.state.lock().leads {
            let key = codec::decode_key(&m.idempotency_key).unwrap();
            let mutation: Mutation = m.mutation.unwrap().try_into().unwrap();
            let known = mutation.code().is_none_or(|code| {
                let blobs = &self.state.lock().blobs;
                blobs.contains_key(code.digest.as_bytes().as_slice())
            });
            assert!(known, "the blob comes before the change");
            Answer::Outcome(self.mutate_now(key, mutation))
        } else {
            Answer::NotLeader(pb::NotLeader::default())
        };
        Ok(Response::new(pb::MutateResponse {
            result: Some(answer),
        }))
    }

    async fn barrier(
        &self,
        _: Request<pb::BarrierRequest>,
    ) -> Result<Response<pb::BarrierResponse>, Status> {
        use pb::barrier_response::Result as Answer;
        let (leads, length) = {
            let state = self.state.lock();
            (state.leads, state.log.len() as u64)
        };
        let answer = if leads {
            self.revision.send_replace(length);
            Answer::Revision(length)
        } else {
            Answer::NotLeader(pb::NotLeader::default())
        };
        Ok(Response::new(pb::BarrierResponse {
            result: Some(answer),
        }))
    }

    async fn watch(&self, _: Request<pb::WatchRequest>) -> Result<Response<Frames>, Status> {
        let begin = [
            frame(Frame::SnapshotBegin(pb::watch_frame::SnapshotBegin {
                cluster_id: "test".to_owned(),
                revision: 0,
            })),
            frame(Frame::CaughtUpTo(0)),
        ];
        let own = self.clone();
        let revisions = tokio_stream::wrappers::WatchStream::new(self.revision.subscribe());
        let mut sent = 0;
        let rest = revisions.flat_map(move |_| {
            let log = &own.state.lock().log;
            let mut frames: Vec<_> = log
                .iter()
                .enumerate()
                .skip(sent)
                .map(|(i, rows)| {
                    frame(Frame::Rows(pb::watch_frame::Rows {
                        revision: i as u64 + 1,
                        rows: rows.clone(),
                    }))
                })
                .collect();
            sent = log.len();
            frames.push(frame(Frame::CaughtUpTo(sent as u64)));
            futures::stream::iter(frames)
        });
        Ok(Response::new(
            futures::stream::iter(begin).chain(rest).boxed(),
        ))
    }

    async fn join(
        &self,
        _: Request<pb::JoinRequest>,
    ) -> Result<Response<pb::JoinResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn leave(
        &self,
        _: Request<pb::LeaveRequest>,
    ) -> Result<Response<pb::LeaveResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn finalize(
        &self,
        _: Request<pb::FinalizeRequest>,
    ) -> Result<Response<pb::FinalizeResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn status(
        &self,
        _: Request<pb::StatusRequest>,
    ) -> Result<Response<pb::StatusResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

#[tonic::async_trait]
impl Blobs for Controller {
    type GetStream = Chunks;

    async fn put(
        &self,
        request: Request<Streaming<pb::BlobChunk>>,
    ) -> Result<Response<pb::PutBlobResponse>, Status> {
        if !self.state.lock().leads {
            return Err(Status::unavailable("no quorum"));
        }
        let mut chunks = request.into_inner();
        let (mut digest, mut bytes) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.message().await? {
            if digest.is_empty() {
                digest = chunk.digest.to_vec();
                assert!(chunk.quorum);
            }
            bytes.extend_from_slice(&chunk.data);
        }
        assert_eq!(digest, Digest::of(&bytes).as_bytes());
        self.state.lock().blobs.insert(digest, bytes);
        Ok(Response::new(pb::PutBlobResponse {
            holders: Vec::new(),
        }))
    }

    async fn get(&self, request: Request<pb::GetBlobRequest>) -> Result<Response<Chunks>, Status> {
        let digest = request.into_inner().digest;
        let blob = self.state.lock().blobs.get(digest.as_ref()).cloned();
        let blob = blob.ok_or_else(|| Status::not_found("no such blob"))?;
        let whole = pb::BlobChunk {
            digest,
            size: blob.len() as u64,
            data: blob.into(),
            quorum: false,
        };
        Ok(Response::new(futures::stream::iter([Ok(whole)]).boxed()))
    }

    async fn stat(
        &self,
        _: Request<pb::StatBlobRequest>,
    ) -> Result<Response<pb::StatBlobResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}
