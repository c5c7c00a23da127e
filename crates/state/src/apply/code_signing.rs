use std::sync::Arc;

use model::{
    CodeSigningConfig, CodeSigningId, CodeSigningName, FunctionId,
    code_signing::{CodeSigningChange, UntrustedArtifact},
    mutation::{Changed, Rejection},
};

use super::{Step, setting::tags::merged};
use crate::{Key, Record};

impl Step<'_> {
    pub(super) fn change_code_signing(
        &mut self,
        change: &CodeSigningChange,
    ) -> Result<Changed, Rejection> {
        match change {
            CodeSigningChange::Create {
                account,
                region,
                settings,
                tags,
            } => {
                let config = CodeSigningConfig {
                    id: CodeSigningId {
                        account: *account,
                        region: region.clone(),
                        name: CodeSigningName::from_random(self.new_bits()),
                    },
                    settings: settings.clone(),
                    tags: tags.clone(),
                    last_modified: self.stamp.at,
                };
                Ok(self.put_code_signing(config))
            }
            CodeSigningChange::Update {
                id,
                description,
                publishers,
                untrusted,
            } => {
                let mut config = (**self.code_signing(id)?).clone();
                let settings = &mut config.settings;
                if let Some(description) = description {
                    description.clone_into(&mut settings.description);
                }
                if let Some(publishers) = publishers {
                    settings.publishers.clone_from(publishers);
                }
                settings.untrusted = untrusted.unwrap_or(settings.untrusted);
                config.last_modified = self.stamp.at;
                Ok(self.put_code_signing(config))
            }
            CodeSigningChange::Delete { id } => {
                self.code_signing(id)?;
                if self.catalog.functions_of_code_signing(id).next().is_some() {
                    return Err(Rejection::CodeSigningInUse(id.clone()));
                }
                self.remove(Key::CodeSigning(id.clone()));
                Ok(Changed::Nothing)
            }
            CodeSigningChange::Tag {
                id,
                set,
                unset,
                at_most,
            } => {
                let mut config = (**self.code_signing(id)?).clone();
                config.tags.retain(|key, _| !unset.contains(key));
                config.tags = merged(&config.tags, set, *at_most)?;
                self.put_code_signing(config);
                Ok(Changed::Nothing)
            }
            CodeSigningChange::Link { function, config } => self.link(function, config.as_ref()),
        }
    }

    /// Code that is there stays; the configuration holds for what comes.
    fn link(
        &mut self,
        function: &FunctionId,
        config: Option<&CodeSigningId>,
    ) -> Result<Changed, Rejection> {
        let entry = self.entry(function)?;
        let record = Record::Function {
            id: function.clone(),
            next_version: entry.next_version,
            tags: entry.tags.clone(),
            published_description: entry.published_description.clone(),
            code_signing: config.map(|c| c.name),
        };
        if let Some(id) = config {
            self.own_code_signing(function, id)?;
        }
        self.put(record);
        Ok(Changed::Nothing)
    }

    /// Refuses code for a function that is created with this configuration, if it takes only signed code: no signature is
    /// ever valid here.
    pub(super) fn check_signature(&self, id: &CodeSigningId) -> Result<(), Rejection> {
        let config = self.catalog.code_signing(id);
        let config = config.ok_or_else(|| Rejection::CodeSigningMissing(id.clone()))?;
        match config.settings.untrusted {
            UntrustedArtifact::Warn => Ok(()),
            UntrustedArtifact::Enforce => Err(Rejection::CodeNotSigned(id.clone())),
        }
    }

    /// The same for code of a function that is there.
    pub(super) fn check_own_signature(&self, function: &FunctionId) -> Result<(), Rejection> {
        match self.catalog.code_signing_of(function) {
            Some(config) => self.check_signature(&config.id),
            None => Ok(()),
        }
    }

    fn own_code_signing(&self, function: &FunctionId, id: &CodeSigningId) -> Result<(), Rejection> {
        let own = id.account == function.account && id.region == function.region;
        if own && self.catalog.code_signing(id).is_some() {
            Ok(())
        } else {
            Err(Rejection::CodeSigningMissing(id.clone()))
        }
    }

    fn code_signing(&self, id: &CodeSigningId) -> Result<&Arc<CodeSigningConfig>, Rejection> {
        self.catalog
            .code_signing(id)
            .ok_or_else(|| Rejection::CodeSigningNotFound(id.clone()))
    }

    fn put_code_signing(&mut self, config: CodeSigningConfig) -> Changed {
        let config = Arc::new(config);
        self.put(Record::CodeSigning(config.clone()));
        Changed::CodeSigning(config)
    }
}
