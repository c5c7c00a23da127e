//! Commands, and what they do.

mod alias;
mod capacity;
mod code_signing;
mod data_key;
mod function;
mod iam;
mod layer;
mod mapping;
mod publish;
mod setting;
mod settle;

use std::sync::Arc;

use model::{
    FunctionId, Mutation, Revision, RevisionId, Timestamp,
    function::{FunctionVersion, LastUpdate, State},
    mutation::{Changed, Rejection},
};

use crate::{Answer, Catalog, Change, FunctionEntry, IdempotencyKey, Key, Record};

/// What the leader adds to a request: everything that apply may not find out for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The leader's wall clock.
    pub at: Timestamp,
    /// Random bits that the ids of this command are made of.
    pub seed: u128,
}

/// One entry of the catalog's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The leader's stamp.
    pub stamp: Stamp,
    /// The request that this belongs to; zero for none.
    pub key: IdempotencyKey,
    /// What to do.
    pub mutation: Mutation,
}

/// What one command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Where this command, or the first attempt of the same request, was applied.
    pub revision: Revision,
    /// What it gave.
    pub result: Result<Changed, Rejection>,
    /// The records that changed, in order.
    pub changes: Vec<Change>,
}

impl Catalog {
    /// Applies one command. Total and deterministic.
    pub fn apply(&mut self, revision: Revision, command: &Command) -> Applied {
        if let Some(answer) = self.answers.get(command.key) {
            return Applied {
                revision: answer.revision,
                result: answer.result.clone(),
                changes: Vec::new(),
            };
        }
        let mut step = Step {
            catalog: self,
            stamp: command.stamp,
            ids: 0,
            changes: Vec::new(),
        };
        let result = step.run(&command.mutation);
        let mut changes = step.changes;
        if result.is_err() {
            debug_assert!(changes.is_empty(), "a rejected command changes nothing");
        }
        if command.key != IdempotencyKey(0) {
            let answer = Answer {
                key: command.key,
                at: command.stamp.at,
                revision,
                result: result.clone(),
            };
            let forgotten = self.answers.remember(answer.clone());
            changes.push(Change::Put(Record::Answer(Box::new(answer))));
            changes.extend(
                forgotten
                    .into_iter()
                    .map(|key| Change::Gone(Key::Answer(key))),
            );
        }
        Applied {
            revision,
            result,
            changes,
        }
    }
}

/// One command at work on the catalog. Every write goes through [`Step::put`] and [`Step::remove`], which record it.
struct Step<'a> {
    catalog: &'a mut Catalog,
    stamp: Stamp,
    ids: u32,
    changes: Vec<Change>,
}

impl Step<'_> {
    fn run(&mut self, mutation: &Mutation) -> Result<Changed, Rejection> {
        match mutation {
            Mutation::CreateFunction {
                function,
                config,
                code,
                publish,
                tags,
                code_signing,
            } => {
                let new = function::NewFunction {
                    config,
                    code: *code,
                    tags,
                    code_signing: code_signing.as_ref(),
                };
                self.create_function(function, &new, *publish)
            }
            Mutation::UpdateFunctionCode {
                function,
                code,
                image,
                origin,
                architecture,
                publish,
                expected,
            } => {
                let change = function::CodeChange {
                    code: *code,
                    image: image.as_deref(),
                    origin: origin.as_deref(),
                    architecture: *architecture,
                };
                self.update_code(function, &change, *publish, *expected)
            }
            Mutation::UpdateFunctionConfiguration {
                function,
                patch,
                expected,
            } => self.update_configuration(function, patch, *expected),
            Mutation::DeleteFunction { function, version } => {
                self.delete_function(function, *version)
            }
            Mutation::PublishVersion {
                function,
                to,
                code_sha256,
                description,
                expected,
            } => {
                let wanted = publish::Wanted {
                    to: *to,
                    code_sha256: *code_sha256,
                    description: description.as_deref(),
                };
                self.publish_version(function, &wanted, *expected)
            }
            Mutation::CreateAlias {
                function,
                name,
                version,
                canary,
                description,
            } => self.create_alias(function, name, *version, *canary, description),
            Mutation::UpdateAlias {
                function,
                name,
                version,
                canary,
                description,
                expected,
            } => {
                let change = alias::AliasChange {
                    version: *version,
                    canary: *canary,
                    description: description.as_deref(),
                    expected: *expected,
                };
                self.update_alias(function, name, &change)
            }
            Mutation::DeleteAlias { function, name } => self.delete_alias(function, name),
            Mutation::Settle {
                version,
                revision,
                failure,
            } => self.settle(version, *revision, failure.as_ref()),
            Mutation::Finalize { format } => Ok(self.finalize(*format)),
            Mutation::Configure {
                function,
                qualifier,
                change,
                expected,
            } => self.configure(function, qualifier.as_ref(), change, *expected),
            Mutation::PutDataKey {
                account,
                generation,
                wrapped,
            } => Ok(self.put_data_key(*account, *generation, wrapped)),
            Mutation::RewrapDataKey {
                account,
                generation,
                old,
                new,
            } => Ok(self.rewrap_data_key(*account, *generation, old, new)),
            Mutation::CreateEventSourceMapping {
                function,
                source,
                settings,
                enabled,
                tags,
            } => self.create_mapping(function, source, settings, *enabled, tags),
            Mutation::UpdateEventSourceMapping { mapping, change } => {
                self.update_mapping(mapping, change)
            }
            Mutation::DeleteEventSourceMapping { mapping } => self.delete_mapping(mapping),
            Mutation::SettleEventSourceMapping { mapping, revision } => {
                self.settle_mapping(mapping, *revision)
            }
            Mutation::PublishLayerVersion {
                layer,
                content,
                draft,
            } => self.publish_layer_version(layer, *content, draft),
            Mutation::DeleteLayerVersion { version } => Ok(self.delete_layer_version(version)),
            Mutation::ChangeLayerPolicy {
                version,
                change,
                expected,
            } => self.change_layer_policy(version, change, *expected),
            Mutation::CodeSigning(change) => self.change_code_signing(change),
            Mutation::Capacity(change) => self.change_capacity(change),
            Mutation::Iam(change) => self.change_iam(change),
        }
    }

    /// The cluster's format only grows.
    fn finalize(&mut self, format: u32) -> Changed {
        if format > self.catalog.format() {
            self.put(Record::Format(format));
        }
        Changed::Nothing
    }

    fn put(&mut self, record: Record) {
        self.catalog.put(Change::Put(record.clone()));
        self.changes.push(Change::Put(record));
    }

    fn put_version(&mut self, version: FunctionVersion) -> Arc<FunctionVersion> {
        let version = Arc::new(version);
        self.put(Record::Version(version.clone()));
        version
    }

    fn remove(&mut self, key: Key) {
        self.catalog.put(Change::Gone(key.clone()));
        self.changes.push(Change::Gone(key));
    }

    fn entry(&self, id: &FunctionId) -> Result<&FunctionEntry, Rejection> {
        self.catalog
            .function(id)
            .ok_or_else(|| Rejection::FunctionNotFound(id.arn(None)))
    }

    /// `$LATEST`, if it may be updated or published now.
    fn updatable(
        &self,
        id: &FunctionId,
        expected: Option<RevisionId>,
    ) -> Result<Arc<FunctionVersion>, Rejection> {
        let latest = self
            .entry(id)?
            .latest()
            .cloned()
            .ok_or_else(|| Rejection::FunctionNotFound(id.arn(None)))?;
        if expected.is_some_and(|e| e != latest.lock()) {
            return Err(Rejection::RevisionMismatch { alias: false });
        }
        if latest.state == State::Pending {
            return Err(Rejection::Pending(id.arn(None)));
        }
        if latest.last_update == Some(LastUpdate::InProgress) {
            return Err(Rejection::UpdateInProgress(id.arn(None)));
        }
        Ok(latest)
    }

    fn new_revision_id(&mut self) -> RevisionId {
        RevisionId::from_random(self.new_bits())
    }

    /// Fresh bits for an id: the stamp's seed and a counter through a mixing function (splitmix64, Steele 2014), so that
    /// every node generates the same ones.
    fn new_bits(&mut self) -> u128 {
        self.ids += 1;
        let [high, low] = [
            self.stamp.seed >> 64,
            self.stamp.seed & u128::from(u64::MAX),
        ]
        .map(|half| u64::try_from(half).unwrap_or(0));
        let salt = u64::from(self.ids);
        (u128::from(mix(high ^ salt)) << 64) | u128::from(mix(low ^ salt.rotate_left(32)))
    }
}

const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
