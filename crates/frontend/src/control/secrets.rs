//! Environment variables: sealed on their way into the catalog, opened on their way to a caller who may see them.

use lambda_api::response::ShownEnvironment;
use model::{
    AccountId, Failure, FunctionId, Generation, Mutation,
    function::{Environment, FunctionVersion, StoredEnvironment},
    iam::{Hour, RoleArn},
    mutation::Changed,
};
use prost::Message as _;
use proto::internal as pb;
use seal::{AccountKey, KEY_BYTES, Place, RoleKey, Zeroizing};
use state::IdempotencyKey;

use super::Control;
use crate::error::OperationError;

/// The first format of the catalog that has sealed environments.
const SEALED_FORMAT: u32 = 2;

impl Control {
    /// Seals the environment variables that a change brings.
    pub(super) async fn seal(&self, mutation: &mut Mutation) -> Result<(), OperationError> {
        let Some(function) = mutation.function().cloned() else {
            return Ok(());
        };
        let Some(environment) = mutation.environment_mut() else {
            return Ok(());
        };
        let StoredEnvironment::Clear(clear) = environment else {
            return Ok(());
        };
        // While an upgrade is not finished, the build before must be able to read what is written.
        if self.cluster_format(SEALED_FORMAT).await? < SEALED_FORMAT {
            return Ok(());
        }
        let text = Zeroizing::new(pb::EnvironmentVariables::from(&*clear).encode_to_vec());
        let key = self.key_to_seal_with(function.account).await?;
        let sealed = key
            .seal(Place::Environment(&function), &text)
            .map_err(catalog::SecretError::from)?;
        *environment = StoredEnvironment::Sealed(sealed);
        Ok(())
    }

    /// The environment variables of a version for a caller who may see the version. What does not open is said in their
    /// place, as AWS does, and told to the operator.
    pub(crate) fn shown_environment(&self, version: &FunctionVersion) -> Option<ShownEnvironment> {
        let function = &version.id.function;
        let opened = self.opened(function, version.config.environment.as_ref()?);
        Some(match opened {
            Ok(environment) => ShownEnvironment::Variables(environment),
            Err(error) => {
                tracing::error!(account = %function.account, function = %function.name, %error, "environment variables cannot be read");
                unreadable(&error)
            }
        })
    }

    fn opened(
        &self,
        function: &FunctionId,
        stored: &StoredEnvironment,
    ) -> Result<Environment, OperationError> {
        match stored {
            StoredEnvironment::Clear(environment) => Ok(environment.clone()),
            StoredEnvironment::Sealed(sealed) => {
                let text = self.keys.open(Place::Environment(function), sealed)?;
                let message = pb::EnvironmentVariables::decode(text.as_slice());
                Ok(message.map_err(OperationError::Unreadable)?.into())
            }
        }
    }

    /// Sees to it that the account of a function that changes has a data key: the function's credentials hang on it, and an
    /// invocation could not wait for one.
    pub(super) async fn ensure_data_key(&self, mutation: &Mutation) -> Result<(), OperationError> {
        let account = match mutation {
            Mutation::CreateFunction { function, .. }
            | Mutation::UpdateFunctionCode { function, .. }
            | Mutation::UpdateFunctionConfiguration { function, .. } => function.account,
            _ => return Ok(()),
        };
        let has_one = self.glance(|catalog| catalog.newest_data_key(account).is_some());
        // While an upgrade is not finished, the build before would not know what a data key is.
        if has_one || self.cluster_format(SEALED_FORMAT).await? < SEALED_FORMAT {
            return Ok(());
        }
        self.key_to_seal_with(account).await?;
        Ok(())
    }

    /// What issues sessions of a role in this hour.
    pub(crate) async fn role_key(
        &self,
        role: &RoleArn,
        hour: Hour,
    ) -> Result<RoleKey, OperationError> {
        let key = self.key_to_seal_with(role.account()).await?;
        Ok(key.role_key(role, hour))
    }

    /// The account's newest data key. An account that has none gets its first.
    pub(super) async fn key_to_seal_with(
        &self,
        account: AccountId,
    ) -> Result<AccountKey, OperationError> {
        if let Some(newest) = self.keys.newest(account)? {
            return Ok(newest);
        }
        let generation = Generation::FIRST;
        let fresh = self
            .keys
            .ring()
            .wrap(account, generation, self.random_key());
        let put = Mutation::PutDataKey {
            account,
            generation,
            wrapped: fresh.map_err(catalog::SecretError::from)?,
        };
        let key = IdempotencyKey(self.entropy.next_u128());
        match self.propose(key, &put).await? {
            // Perhaps that of another frontend, which was earlier.
            Changed::DataKey(there) => Ok(self.keys.unwrap(&there)?),
            _ => Err(OperationError::WrongAnswer {
                operation: "PutDataKey",
            }),
        }
    }

    fn random_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.entropy.fill(&mut key[..]);
        key
    }
}

fn unreadable(error: &OperationError) -> ShownEnvironment {
    let missing = matches!(error, OperationError::Secret(e) if e.is_retryable());
    let (code, why) = if missing {
        ("NotFoundException", "the key was not found")
    } else {
        ("InvalidCiphertextException", "they were damaged")
    };
    ShownEnvironment::Unreadable {
        code,
        message: format!("Lambda was unable to decrypt your environment variables because {why}."),
    }
}
