//! What a sealed text is for.

use model::{AccountId, FunctionId, iam::AccessKeyId};

/// Where a sealed text stands. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// The environment variables of a function, of whichever of its versions.
    Environment(&'a FunctionId),
    /// The secret half of an access key.
    AccessKey {
        /// The account it acts for.
        account: AccountId,
        /// Its public half.
        id: &'a AccessKeyId,
    },
}

impl Place<'_> {
    /// The account whose data key seals here.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Environment(function) => function.account,
            Self::AccessKey { account, .. } => *account,
        }
    }

    /// The place as bytes; different for different places. No part can hold a `/`. Frozen: it is part of what is on disk.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Environment(FunctionId {
                account,
                region,
                name,
            }) => format!("environment/{account}/{region}/{name}/").into_bytes(),
            Self::AccessKey { account, id } => format!("access-key/{account}/{id}/").into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_ever() {
        let account: AccountId = "123456789012".parse().unwrap();
        let function = FunctionId {
            account,
            region: "eu-west-1".parse().unwrap(),
            name: "f".parse().unwrap(),
        };
        let id: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        for (place, bytes) in [
            (
                Place::Environment(&function),
                "environment/123456789012/eu-west-1/f/",
            ),
            (
                Place::AccessKey { account, id: &id },
                "access-key/123456789012/AKIAIOSFODNN7EXAMPLE/",
            ),
        ] {
            assert_eq!(place.to_bytes(), bytes.as_bytes());
            assert_eq!(place.account(), account);
        }
    }
}
