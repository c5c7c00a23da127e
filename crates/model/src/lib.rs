//! The vocabulary of Dunlin.
//!
//! Every name, id and configuration that more than one room speaks about is a type here, parsed once at the edge
//! and trusted afterwards. There is no IO, no clock, no randomness, no serialisation format: the wire owns its own
//! shapes (`lambda-api`, `proto`) and converts.
//!
//! Invariants: an id that exists is well formed (`FromStr` and `Display` round-trip); a [`function::Config`] has
//! passed the static limits of AWS; units live in types.

pub mod account;
pub mod alias;
pub mod architecture;
pub mod arn;
pub mod capacity;
pub mod capacity_provider;
pub mod code_signing;
pub mod digest;
pub mod function;
pub mod iam;
pub mod invocation;
pub mod kind;
pub mod layer;
pub mod limits;
pub mod mapping;
pub mod mutation;
pub mod name;
pub mod network;
pub mod node;
pub mod object;
pub mod qualifier;
pub mod revision;
pub mod runtime;
pub mod secret;
pub mod setting;
pub mod size;
pub mod tenant;
pub mod time;
pub mod uuid;

pub use account::{AccountId, Region};
pub use alias::Alias;
pub use architecture::Architecture;
pub use arn::{FunctionArn, FunctionReference};
pub use capacity::Capacity;
pub use capacity_provider::{CapacityProvider, CapacityProviderId};
pub use code_signing::{CodeSigningConfig, CodeSigningId, CodeSigningName};
pub use digest::Digest;
pub use function::{FunctionId, VersionId};
pub use invocation::RequestId;
pub use kind::{ErrorKind, Failure};
pub use layer::{LayerId, LayerVersion, LayerVersionId};
pub use limits::{AccountLimit, Limits};
pub use mapping::EventSourceMapping;
pub use mutation::Mutation;
pub use name::{AliasName, CapacityProviderName, FunctionName, LayerName};
pub use network::{InvalidNetworkPolicyName, NETWORK_TAG, NetworkPolicyName};
pub use node::{Incarnation, NodeName, Role, Roles, Zone};
pub use object::ObjectAddress;
pub use qualifier::{Qualifier, Version};
pub use revision::{Revision, RevisionId};
pub use runtime::Runtime;
pub use secret::{DataKey, Generation, MasterKeyId, Sealed, WrappedKey};
pub use setting::{Setting, SettingChange, SettingKind};
pub use size::{ByteCount, EphemeralMib, MemoryMib};
pub use tenant::TenantId;
pub use time::{TimeoutSeconds, Timestamp};
