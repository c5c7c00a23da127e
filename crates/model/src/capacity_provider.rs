//! Capacity providers: instances that an account would bring for its functions. They are recorded; no machinery of this
//! cluster starts any instance.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{AccountId, Architecture, CapacityProviderName, Region, Timestamp, arn::is_partition};

/// A capacity provider's identity in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapacityProviderId {
    /// Its owner.
    pub account: AccountId,
    /// The region it was created in.
    pub region: Region,
    /// Its name, unique in account and region.
    pub name: CapacityProviderName,
}

/// A text that is no ARN of a capacity provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the ARN of a capacity provider, got {0:?}")]
pub struct InvalidCapacityProviderArn(pub String);

/// A capacity provider as the catalog holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityProvider {
    /// Which one.
    pub id: CapacityProviderId,
    /// What its owner chose once.
    pub shape: InstanceShape,
    /// What its owner may change.
    pub settings: CapacitySettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was last modified.
    pub last_modified: Timestamp,
}

/// What instances would be, fixed at the creation.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct InstanceShape {
    /// The subnets that they are in.
    pub subnets: Vec<String>,
    /// Their security groups.
    pub security_groups: Vec<String>,
    /// The ARN of the role that starts them.
    pub operator_role: String,
    /// The instruction set, if one was chosen.
    pub architecture: Option<Architecture>,
    /// The types that may be used; any if empty.
    pub allowed_types: Vec<String>,
    /// The types that may not.
    pub excluded_types: Vec<String>,
    /// The ARN of the key for their disks.
    pub kms_key: Option<String>,
}

/// What the owner of a capacity provider may change.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CapacitySettings {
    /// How many there may be.
    pub scaling: Option<CapacityScaling>,
    /// The tags that they get.
    pub propagated_tags: Option<PropagatedTags>,
    /// Where their log goes.
    pub telemetry: Option<CapacityTelemetry>,
}

/// How instances come and go.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CapacityScaling {
    /// The most vCPUs of all together.
    pub max_vcpus: Option<u32>,
    /// Whether the policies below decide.
    pub manual: Option<bool>,
    /// Metric and target in millionths.
    pub policies: Vec<(String, u32)>,
}

/// Tags for instances.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PropagatedTags {
    /// Whether the tags below are given; otherwise none are.
    pub explicit: Option<bool>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// Where the log of instances goes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CapacityTelemetry {
    /// The least level.
    pub system_level: Option<String>,
    /// The log group.
    pub log_group: Option<String>,
}

/// A change to capacity providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapacityChange {
    /// A new one.
    Create {
        /// Which one.
        id: CapacityProviderId,
        /// What is fixed.
        shape: InstanceShape,
        /// What may change.
        settings: CapacitySettings,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Other settings; `None` leaves one as it is.
    Update {
        /// Which one.
        id: CapacityProviderId,
        /// The settings that change.
        settings: CapacitySettings,
    },
    /// It goes. One that a function uses stays.
    Delete {
        /// Which one.
        id: CapacityProviderId,
    },
    /// Tags are set and taken away.
    Tag {
        /// Which one.
        id: CapacityProviderId,
        /// Tags to set.
        set: BTreeMap<String, String>,
        /// Names of tags to take away.
        unset: Vec<String>,
        /// Most tags that it may have afterwards.
        at_most: u32,
    },
}

impl fmt::Display for CapacityProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
        } = self;
        let partition = region.partition();
        write!(
            f,
            "arn:{partition}:lambda:{region}:{account}:capacity-provider:{name}"
        )
    }
}

impl FromStr for CapacityProviderId {
    type Err = InvalidCapacityProviderArn;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = s.split(':').collect();
        let parse = || match parts.as_slice() {
            [
                "arn",
                partition,
                "lambda",
                region,
                account,
                "capacity-provider",
                name,
            ] if is_partition(partition) => Some(Self {
                account: account.parse().ok()?,
                region: region.parse().ok()?,
                name: name.parse().ok()?,
            }),
            _ => None,
        };
        parse().ok_or_else(|| InvalidCapacityProviderArn(s.chars().take(300).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_print_as_they_were() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:big_ones";
        assert_eq!(arn.parse::<CapacityProviderId>().unwrap().to_string(), arn);
        for bad in [
            "",
            "big_ones",
            &arn.replace("big_ones", "big ones"),
            &arn.replace("aws", "awsome"),
        ] {
            assert!(bad.parse::<CapacityProviderId>().is_err(), "{bad}");
        }
    }
}
