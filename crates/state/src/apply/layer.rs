use std::{num::NonZeroU64, sync::Arc};

use model::{
    LayerId, LayerVersion, LayerVersionId, RevisionId,
    function::Code,
    layer::{LayerDraft, LayerPolicy, LayerPolicyChange},
    mutation::{Changed, Rejection},
};

use super::Step;
use crate::{Key, Record};

impl Step<'_> {
    pub(super) fn publish_layer_version(
        &mut self,
        id: &LayerId,
        content: Code,
        draft: &LayerDraft,
    ) -> Result<Changed, Rejection> {
        // The layer's record outlives its versions, so that no number ever comes twice.
        let number = self.catalog.layer(id).map_or(1, |entry| entry.next_version);
        let version = NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN);
        self.put(Record::Layer {
            id: id.clone(),
            next_version: version.get().saturating_add(1),
        });
        Ok(self.put_layer(LayerVersion {
            id: LayerVersionId {
                layer: id.clone(),
                version,
            },
            content,
            draft: draft.clone(),
            created: self.stamp.at,
            policy: None,
        }))
    }

    pub(super) fn delete_layer_version(&mut self, id: &LayerVersionId) -> Changed {
        if self.catalog.layer_version(id).is_some() {
            self.remove(Key::LayerVersion(id.clone()));
        }
        Changed::Nothing
    }

    pub(super) fn change_layer_policy(
        &mut self,
        id: &LayerVersionId,
        change: &LayerPolicyChange,
        expected: Option<RevisionId>,
    ) -> Result<Changed, Rejection> {
        let mut version = self
            .catalog
            .layer_version(id)
            .map(|v| (**v).clone())
            .ok_or_else(|| Rejection::LayerVersionNotFound(id.clone()))?;
        let revision = version.policy.as_ref().map(|p| p.revision_id);
        if expected.is_some() && expected != revision {
            return Err(Rejection::LayerRevisionMismatch);
        }
        let old = version.policy.take();
        let mut statements = old.map(|p| p.statements).unwrap_or_default();
        match change {
            LayerPolicyChange::Add { statement, grant } => {
                if statements.contains_key(statement) {
                    return Err(Rejection::StatementExists(statement.clone()));
                }
                statements.insert(statement.clone(), grant.clone());
            }
            LayerPolicyChange::Remove { statement } => {
                if statements.remove(statement).is_none() {
                    return Err(Rejection::StatementNotFound(statement.clone()));
                }
            }
        }
        version.policy = (!statements.is_empty()).then(|| LayerPolicy {
            revision_id: self.new_revision_id(),
            statements,
        });
        Ok(self.put_layer(version))
    }

    fn put_layer(&mut self, version: LayerVersion) -> Changed {
        let version = Arc::new(version);
        self.put(Record::LayerVersion(version.clone()));
        Changed::LayerVersion(version)
    }
}
