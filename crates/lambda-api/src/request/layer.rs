//! The operations on layers.

use std::{fmt, num::NonZeroU64};

use model::{
    AccountId, Architecture, LayerId, LayerName, LayerVersionId, Mutation, ObjectAddress,
    RevisionId, Runtime,
    function::Code,
    layer::{LayerDraft, LayerGrant, LayerPolicyChange, LayerPrincipal},
};
use serde::Deserialize;

use super::{
    Input,
    code::{self, Archive},
};
use crate::{
    Operation,
    error::ApiError,
    page::{self, PageRequest, PageSize},
};

const FIFTY: PageSize = PageSize {
    default: 50,
    cap: 50,
};

/// A version of a layer to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishLayerVersion {
    /// The layer.
    pub layer: LayerId,
    /// What its author says about it.
    pub draft: LayerDraft,
    /// Its archive.
    pub archive: Archive,
}

/// The layers of the caller's account in the region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLayers {
    /// Only layers with a version that suits, and of each the newest such version.
    pub filter: LayerFilter,
    /// The page.
    pub page: PageRequest<LayerName>,
}

/// The versions of a layer, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLayerVersions {
    /// The layer.
    pub layer: LayerId,
    /// Only versions that suit.
    pub filter: LayerFilter,
    /// The page.
    pub page: PageRequest<NewestFirst>,
}

/// What a layer version should be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayerFilter {
    /// This runtime.
    pub runtime: Option<Runtime>,
    /// This instruction set.
    pub architecture: Option<Architecture>,
}

/// The number of a layer version, in the order of a list that begins with the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewestFirst(pub NonZeroU64);

/// A statement to be added to the policy of a layer version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddLayerVersionPermission {
    /// The version.
    pub version: LayerVersionId,
    /// The statement's id.
    pub statement: String,
    /// What it allows.
    pub grant: LayerGrant,
    /// Only if the policy still has this revision.
    pub expected: Option<RevisionId>,
}

/// A statement to be taken out of the policy of a layer version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveLayerVersionPermission {
    /// The version.
    pub version: LayerVersionId,
    /// The statement's id.
    pub statement: String,
    /// Only if the policy still has this revision.
    pub expected: Option<RevisionId>,
}

impl PublishLayerVersion {
    /// The change to the catalog, once the archive is stored as `content`; `object` is what it is a reference to.
    #[must_use]
    pub fn into_mutation(self, content: Code, object: Option<ObjectAddress>) -> Mutation {
        let Self {
            layer,
            mut draft,
            archive: _,
        } = self;
        draft.object = object;
        Mutation::PublishLayerVersion {
            layer,
            content,
            draft: Box::new(draft),
        }
    }
}

impl From<AddLayerVersionPermission> for Mutation {
    fn from(request: AddLayerVersionPermission) -> Self {
        let AddLayerVersionPermission {
            version,
            statement,
            grant,
            expected,
        } = request;
        Self::ChangeLayerPolicy {
            version,
            change: LayerPolicyChange::Add { statement, grant },
            expected,
        }
    }
}

impl From<RemoveLayerVersionPermission> for Mutation {
    fn from(request: RemoveLayerVersionPermission) -> Self {
        let RemoveLayerVersionPermission {
            version,
            statement,
            expected,
        } = request;
        Self::ChangeLayerPolicy {
            version,
            change: LayerPolicyChange::Remove { statement },
            expected,
        }
    }
}

impl PartialOrd for NewestFirst {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NewestFirst {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl fmt::Display for NewestFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for NewestFirst {
    type Err = std::num::ParseIntError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(Self)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PublishShape<'a> {
    description: Option<String>,
    #[serde(borrow)]
    content: Option<code::Shape<'a>>,
    compatible_architectures: Option<Vec<String>>,
    compatible_runtimes: Option<Vec<String>>,
    license_info: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PermissionShape {
    statement_id: String,
    principal: String,
    organization_id: Option<String>,
}

pub(super) fn publish(input: &Input<'_>) -> Result<PublishLayerVersion, ApiError> {
    let shape: PublishShape<'_> = input.body()?;
    let layer = layer(input)?;
    let mut runtimes = parsed(shape.compatible_runtimes.as_deref())?;
    let mut architectures = parsed(shape.compatible_architectures.as_deref())?;
    // Named twice is named.
    keep_first(&mut runtimes);
    keep_first(&mut architectures);
    Ok(PublishLayerVersion {
        layer,
        draft: LayerDraft {
            description: shape.description.unwrap_or_default(),
            runtimes,
            architectures,
            license: shape.license_info,
            object: None,
        },
        archive: shape.content.unwrap_or_default().archive()?,
    })
}

pub(super) fn version(input: &Input<'_>) -> Result<LayerVersionId, ApiError> {
    let version = input.label("VersionNumber").parse().ok();
    let version = version.and_then(NonZeroU64::new);
    Ok(LayerVersionId {
        layer: layer(input)?,
        version: version.ok_or_else(ApiError::layer_version_number)?,
    })
}

pub(super) fn by_arn(input: &Input<'_>) -> Result<LayerVersionId, ApiError> {
    let arn = input.query.get("Arn").unwrap_or_default();
    let version: LayerVersionId = arn.parse().map_err(|_| ApiError::resource_missing())?;
    check_region(input, &version.layer)?;
    Ok(version)
}

pub(super) fn list(input: &Input<'_>) -> Result<ListLayers, ApiError> {
    Ok(ListLayers {
        filter: filter(input)?,
        page: page::request(input.query, FIFTY)?,
    })
}

pub(super) fn versions(input: &Input<'_>) -> Result<ListLayerVersions, ApiError> {
    Ok(ListLayerVersions {
        layer: layer(input)?,
        filter: filter(input)?,
        page: page::request(input.query, FIFTY)?,
    })
}

pub(super) fn add_permission(input: &Input<'_>) -> Result<AddLayerVersionPermission, ApiError> {
    let shape: PermissionShape = input.body()?;
    let principal = principal(&shape.principal)?;
    if shape.organization_id.is_some() && principal != LayerPrincipal::Everybody {
        return Err(ApiError::InvalidParameterValue(
            "OrganizationId can only be given together with the principal *.".to_owned(),
        ));
    }
    Ok(AddLayerVersionPermission {
        version: version(input)?,
        statement: shape.statement_id,
        grant: LayerGrant {
            principal,
            organization: shape.organization_id,
        },
        expected: expected(input)?,
    })
}

pub(super) fn remove_permission(
    input: &Input<'_>,
) -> Result<RemoveLayerVersionPermission, ApiError> {
    Ok(RemoveLayerVersionPermission {
        version: version(input)?,
        statement: input.label("StatementId").to_owned(),
        expected: expected(input)?,
    })
}

/// The layer that a path names, by name or by ARN.
fn layer(input: &Input<'_>) -> Result<LayerId, ApiError> {
    let text = input.label("LayerName");
    if !text.starts_with("arn:") {
        let name = text
            .parse()
            .map_err(|e: model::name::InvalidName| ApiError::Validation(e.to_string()))?;
        return Ok(LayerId {
            account: input.scope.account,
            region: input.scope.region.clone(),
            name,
        });
    }
    let id: LayerId = text
        .parse()
        .map_err(|e: model::layer::InvalidLayerArn| ApiError::Validation(e.to_string()))?;
    check_region(input, &id)?;
    check_owner(input, &id)?;
    Ok(id)
}

fn check_region(input: &Input<'_>, layer: &LayerId) -> Result<(), ApiError> {
    let here = &input.scope.region;
    if layer.region == *here {
        Ok(())
    } else {
        Err(ApiError::layer_of_other_region(&layer.region, here))
    }
}

/// Whether a layer is the caller's own. Its owner can let others get its versions, and that is for policies to decide; no
/// policy opens anything else.
fn check_owner(input: &Input<'_>, layer: &LayerId) -> Result<(), ApiError> {
    let scope = input.scope;
    if layer.account == scope.account || input.operation == Operation::GetLayerVersion {
        return Ok(());
    }
    Err(ApiError::resource_of_other_account(
        scope.account,
        &scope.region,
        input.operation,
        layer,
    ))
}

fn filter(input: &Input<'_>) -> Result<LayerFilter, ApiError> {
    Ok(LayerFilter {
        runtime: one(input.query.get("CompatibleRuntime"))?,
        architecture: one(input.query.get("CompatibleArchitecture"))?,
    })
}

fn expected(input: &Input<'_>) -> Result<Option<RevisionId>, ApiError> {
    let text = input.query.get("RevisionId").filter(|r| !r.is_empty());
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| ApiError::layer_revision_mismatch())
    };
    text.map(parse).transpose()
}

/// The account in an ARN of its root stands where the account itself may stand.
fn principal(text: &str) -> Result<LayerPrincipal, ApiError> {
    if text == "*" {
        return Ok(LayerPrincipal::Everybody);
    }
    let account = text
        .strip_suffix(":root")
        .and_then(|t| t.rsplit(':').next());
    let account: AccountId = account
        .unwrap_or(text)
        .parse()
        .map_err(|e: model::account::InvalidAccountId| ApiError::Validation(e.to_string()))?;
    Ok(LayerPrincipal::Account(account))
}

fn one<T>(text: Option<&str>) -> Result<Option<T>, ApiError>
where
    T: std::str::FromStr<Err: fmt::Display>,
{
    let parse = |text: &str| {
        let parsed = text.parse();
        parsed.map_err(|e: T::Err| ApiError::Validation(e.to_string()))
    };
    text.map(parse).transpose()
}

fn parsed<T>(list: Option<&[String]>) -> Result<Vec<T>, ApiError>
where
    T: std::str::FromStr<Err: fmt::Display>,
{
    let parse = |text: &String| {
        let parsed = text.parse();
        parsed.map_err(|e: T::Err| ApiError::Validation(e.to_string()))
    };
    list.unwrap_or_default().iter().map(parse).collect()
}

fn keep_first<T: PartialEq + Copy>(list: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for item in list.iter() {
        if !kept.contains(item) {
            kept.push(*item);
        }
    }
    *list = kept;
}

#[cfg(test)]
mod tests;
