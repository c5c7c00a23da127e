//! `TagResource`, `UntagResource` and `ListTags`.
//!
//! The ARN says what kind of thing carries the tags, and each kind has its own way to keep them: [`Tagged`] tells them apart
//! once, here.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AccountId, CapacityProviderId, CodeSigningId, FunctionArn, FunctionId, Region,
    mapping::MappingId,
};
use serde::Deserialize;

use crate::{demand::Holder, error::ApiError, request::Input, scope::Scope};

/// Something of the caller's own account and region that can carry tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tagged {
    /// A function.
    Function(FunctionId),
    /// An event source mapping, by its UUID.
    EventSourceMapping(String),
    /// A code-signing configuration, by its id.
    CodeSigningConfig(String),
    /// A capacity provider, by its name.
    CapacityProvider(String),
    /// A network connector, by its name.
    NetworkConnector(String),
}

/// More tags for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagResource {
    /// What carries them.
    pub resource: Tagged,
    /// The tags, at least one.
    pub tags: BTreeMap<String, String>,
}

/// Fewer tags for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntagResource {
    /// What carries them.
    pub resource: Tagged,
    /// The keys of the tags.
    pub keys: BTreeSet<String>,
}

impl Tagged {
    /// The function, if it is one.
    #[must_use]
    pub fn function(&self) -> Option<FunctionArn> {
        match self {
            Self::Function(id) => Some(id.arn(None)),
            Self::EventSourceMapping(_)
            | Self::CodeSigningConfig(_)
            | Self::CapacityProvider(_)
            | Self::NetworkConnector(_) => None,
        }
    }

    /// What it is in the catalog, if it can be there.
    pub(crate) fn holder(&self, scope: &Scope) -> Option<Holder> {
        let (account, region) = (scope.account, scope.region.clone());
        Some(match self {
            Self::Function(id) => Holder::Function(id.arn(None)),
            Self::EventSourceMapping(uuid) => Holder::Mapping(MappingId {
                account,
                region,
                uuid: uuid.parse().ok()?,
            }),
            Self::CodeSigningConfig(name) => Holder::CodeSigningConfig(CodeSigningId {
                account,
                region,
                name: name.parse().ok()?,
            }),
            Self::CapacityProvider(name) => Holder::CapacityProvider(CapacityProviderId {
                account,
                region,
                name: name.parse().ok()?,
            }),
            Self::NetworkConnector(_) => return None,
        })
    }

    /// Its ARN. All of these are of the caller's account and region.
    #[must_use]
    pub fn arn(&self, scope: &Scope) -> String {
        let (kind, name) = match self {
            Self::Function(id) => return id.arn(None).to_string(),
            Self::EventSourceMapping(name) => ("event-source-mapping", name),
            Self::CodeSigningConfig(name) => ("code-signing-config", name),
            Self::CapacityProvider(name) => ("capacity-provider", name),
            Self::NetworkConnector(name) => ("network-connector", name),
        };
        let Scope { account, region } = scope;
        let partition = region.partition();
        format!("arn:{partition}:lambda:{region}:{account}:{kind}:{name}")
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    tags: BTreeMap<String, String>,
}

pub(super) fn tag(input: &Input<'_>) -> Result<TagResource, ApiError> {
    let shape: Shape = input.body()?;
    if shape.tags.is_empty() {
        return Err(ApiError::no_tags());
    }
    Ok(TagResource {
        resource: resource(input)?,
        tags: shape.tags,
    })
}

pub(super) fn untag(input: &Input<'_>) -> Result<UntagResource, ApiError> {
    Ok(UntagResource {
        resource: resource(input)?,
        keys: input.query.all("tagKeys").map(str::to_owned).collect(),
    })
}

pub(super) fn resource(input: &Input<'_>) -> Result<Tagged, ApiError> {
    let arn = input.label("Resource");
    let unreadable = || ApiError::Validation(format!("unreadable ARN {arn:?}"));
    let mut parts = arn.splitn(7, ':').skip(3);
    let (region, account, kind, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
    let region: Region = (region.and_then(|r| r.parse().ok())).ok_or_else(unreadable)?;
    let account: AccountId = (account.and_then(|a| a.parse().ok())).ok_or_else(unreadable)?;
    let rest = rest.ok_or_else(unreadable)?;
    if region != input.scope.region {
        return Err(ApiError::other_region(&region, &input.scope.region));
    }
    if account != input.scope.account {
        let (partition, own) = (region.partition(), input.scope.account);
        let caller = format!("arn:{partition}:iam::{own}:root");
        return Err(ApiError::not_authorized(caller, input.operation, arn));
    }
    let name = rest.to_owned();
    match kind {
        Some("function") => match rest.split_once(':') {
            Some(_) => Err(ApiError::qualified_tags()),
            None => {
                // The model lets an ARN be longer than any function's: it is well formed, and names none.
                let name = rest.parse();
                let name = name.map_err(|_| ApiError::function_not_found(arn))?;
                Ok(Tagged::Function(input.scope.function(name)))
            }
        },
        Some("event-source-mapping") => Ok(Tagged::EventSourceMapping(name)),
        Some("code-signing-config") => Ok(Tagged::CodeSigningConfig(name)),
        Some("capacity-provider") => Ok(Tagged::CapacityProvider(name)),
        Some("network-connector") => Ok(Tagged::NetworkConnector(name)),
        Some(_) | None => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        percent,
        request::{
            setting::{SettingRequest, tests::parse},
            testing::refused,
        },
    };

    const PREFIX: &str = "arn:aws:lambda:us-east-1:123456789012";

    fn path(arn: &str) -> String {
        format!("/2017-03-31/tags/{}", percent::encode(arn))
    }

    #[test]
    fn every_kind_of_resource() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let check = |rest: &str, expected: Tagged| {
            let request = format!("GET {}", path(&format!("{PREFIX}:{rest}")));
            assert_eq!(parse(&request, ""), SettingRequest::ListTags(expected));
        };
        let name = "f".parse().unwrap();
        let function = FunctionId {
            account: "123456789012".parse().unwrap(),
            region: Region::default(),
            name,
        };
        check("function:f", Tagged::Function(function));
        check(
            &format!("event-source-mapping:{uuid}"),
            Tagged::EventSourceMapping(uuid.to_owned()),
        );
        check(
            "code-signing-config:csc-0123456789abcdef0",
            Tagged::CodeSigningConfig("csc-0123456789abcdef0".to_owned()),
        );
        check(
            "capacity-provider:c",
            Tagged::CapacityProvider("c".to_owned()),
        );
        check(
            "network-connector:n",
            Tagged::NetworkConnector("n".to_owned()),
        );
    }

    #[test]
    fn tags_come_and_go() {
        let function = path(&format!("{PREFIX}:function:f"));
        let SettingRequest::TagResource(tag) = parse(
            &format!("POST {function}"),
            r#"{"Tags": {"a": "b", "c": ""}}"#,
        ) else {
            panic!()
        };
        assert_eq!(tag.tags.len(), 2);
        let untag = format!("DELETE {function}?tagKeys=a&tagKeys=c%2Fd");
        let SettingRequest::UntagResource(untag) = parse(&untag, "") else {
            panic!()
        };
        assert_eq!(untag.keys, ["a".to_owned(), "c/d".to_owned()].into());
    }

    #[test]
    fn refusals() {
        let function = path(&format!("{PREFIX}:function:f"));
        assert_eq!(
            refused(&format!("POST {function}"), r#"{"Tags": {}}"#),
            "InvalidParameterValueException: An error occurred and the request cannot be processed."
        );
        for qualifier in ["live", "1", "$LATEST"] {
            let qualified = path(&format!("{PREFIX}:function:f:{qualifier}"));
            assert_eq!(
                refused(&format!("GET {qualified}"), ""),
                "InvalidParameterValueException: Tags on function aliases and versions are not supported. Please specify a function ARN."
            );
        }
        let elsewhere = path("arn:aws:lambda:eu-west-1:123456789012:function:f");
        assert!(refused(&format!("GET {elsewhere}"), "").starts_with("ResourceNotFoundException"));
        let foreign = path("arn:aws:lambda:us-east-1:210987654321:capacity-provider:c");
        assert!(refused(&format!("GET {foreign}"), "").starts_with("AccessDeniedException"));
        assert!(
            refused(&format!("DELETE {function}"), "").starts_with("ValidationException"),
            "keys are required"
        );
        let long = format!("{PREFIX}:function:{}", "f".repeat(65));
        assert_eq!(
            refused(&format!("GET {}", path(&long)), ""),
            format!("ResourceNotFoundException: Function not found: {long}")
        );
        let layer = path(&format!("{PREFIX}:layer:l"));
        assert!(refused(&format!("GET {layer}"), "").starts_with("ValidationException"));
    }
}
