//! `CreateAlias`, `GetAlias`, `UpdateAlias` and `DeleteAlias`.

use std::collections::BTreeMap;

use model::{
    AliasName, FunctionId, Mutation, RevisionId, Version,
    alias::{Canary, Weight},
};
use serde::Deserialize;

use super::{Input, expected_revision};
use crate::{error::ApiError, target};

/// An alias to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAlias {
    /// The function.
    pub function: FunctionId,
    /// Its name.
    pub name: AliasName,
    /// Where it points.
    pub version: Version,
    /// A second version with a share.
    pub canary: Option<Canary>,
    /// Its description.
    pub description: String,
}

/// Changes to an alias; `None` leaves a member as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateAlias {
    /// The function.
    pub function: FunctionId,
    /// The alias.
    pub name: AliasName,
    /// Where it points.
    pub version: Option<Version>,
    /// The canary: `Some(None)` takes it away.
    pub canary: Option<Option<Canary>>,
    /// Its description.
    pub description: Option<String>,
    /// Only if the alias still has this revision.
    pub expected: Option<RevisionId>,
}

/// An alias that a request names: to be shown, or to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAlias {
    /// The function.
    pub function: FunctionId,
    /// The alias.
    pub name: AliasName,
}

impl From<CreateAlias> for Mutation {
    fn from(alias: CreateAlias) -> Self {
        let CreateAlias {
            function,
            name,
            version,
            canary,
            description,
        } = alias;
        Self::CreateAlias {
            function,
            name,
            version,
            canary,
            description,
        }
    }
}

impl From<UpdateAlias> for Mutation {
    fn from(alias: UpdateAlias) -> Self {
        let UpdateAlias {
            function,
            name,
            version,
            canary,
            description,
            expected,
        } = alias;
        Self::UpdateAlias {
            function,
            name,
            version,
            canary,
            description,
            expected,
        }
    }
}

impl NamedAlias {
    /// The change that deletes it.
    #[must_use]
    pub fn into_deletion(self) -> Mutation {
        let Self { function, name } = self;
        Mutation::DeleteAlias { function, name }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingShape>,
    revision_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RoutingShape {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

pub(super) fn create(input: &Input<'_>) -> Result<CreateAlias, ApiError> {
    let shape: Shape = input.body()?;
    let function = function(input)?;
    let canary = shape
        .routing_config
        .map(|routing| canary(&routing, &function))
        .transpose()?
        .flatten();
    Ok(CreateAlias {
        name: name(shape.name.as_deref().unwrap_or_default())?,
        version: version(
            shape.function_version.as_deref().unwrap_or_default(),
            &function,
        )?,
        canary,
        description: shape.description.unwrap_or_default(),
        function,
    })
}

pub(super) fn update(input: &Input<'_>) -> Result<UpdateAlias, ApiError> {
    let shape: Shape = input.body()?;
    let function = function(input)?;
    Ok(UpdateAlias {
        name: name(input.label("Name"))?,
        version: shape
            .function_version
            .as_deref()
            .map(|v| version(v, &function))
            .transpose()?,
        canary: shape
            .routing_config
            .map(|routing| canary(&routing, &function))
            .transpose()?,
        description: shape.description,
        expected: expected_revision(shape.revision_id.as_deref())?,
        function,
    })
}

pub(super) fn named(input: &Input<'_>) -> Result<NamedAlias, ApiError> {
    Ok(NamedAlias {
        function: function(input)?,
        name: name(input.label("Name"))?,
    })
}

fn function(input: &Input<'_>) -> Result<FunctionId, ApiError> {
    target::locate(input.function_name(), None, input.scope)?.whole_function()
}

fn name(text: &str) -> Result<AliasName, ApiError> {
    text.parse()
        .map_err(|e: model::name::InvalidName| ApiError::Validation(e.to_string()))
}

/// A version that no function can have, such as `0`, is not found.
fn version(text: &str, function: &FunctionId) -> Result<Version, ApiError> {
    text.parse()
        .map_err(|_| ApiError::qualifier_not_found(&function.arn(None), text))
}

fn canary(routing: &RoutingShape, function: &FunctionId) -> Result<Option<Canary>, ApiError> {
    let weights = routing.additional_version_weights.iter().flatten();
    if weights.clone().nth(1).is_some() {
        return Err(ApiError::too_many_canaries());
    }
    let Some((key, weight)) = weights.into_iter().next() else {
        return Ok(None);
    };
    let Version::Number(version) = version(key, function)? else {
        return Err(ApiError::latest_with_canary());
    };
    let weight = Weight::from_fraction(*weight).map_err(|e| ApiError::Validation(e.to_string()))?;
    Ok(Some(Canary { version, weight }))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    const CREATE: &str = "POST /2015-03-31/functions/f/aliases";
    const UPDATE: &str = "PUT /2015-03-31/functions/f/aliases/live";

    fn created(body: &str) -> CreateAlias {
        let Request::CreateAlias(alias) = parse(CREATE, body).unwrap() else {
            panic!()
        };
        alias
    }

    fn updated(body: &str) -> UpdateAlias {
        let Request::UpdateAlias(alias) = parse(UPDATE, body).unwrap() else {
            panic!()
        };
        alias
    }

    fn canary(version: u64, millionths: u32) -> Canary {
        Canary {
            version: NonZeroU64::new(version).unwrap(),
            weight: Weight::from_millionths(millionths),
        }
    }

    #[test]
    fn an_alias_with_and_without_canary() {
        let alias = created(r#"{"Name":"live","FunctionVersion":"$LATEST"}"#);
        assert_eq!(
            (alias.name.as_str(), alias.version, alias.canary),
            ("live", Version::Latest, None)
        );
        assert_eq!(alias.description, "");
        let alias = created(
            r#"{"Name":"live","FunctionVersion":"1","Description":"d","RoutingConfig":{"AdditionalVersionWeights":{"2":0.05}}}"#,
        );
        assert_eq!(alias.canary, Some(canary(2, 50_000)));
        assert_eq!(alias.description, "d");
        assert_eq!(
            created(r#"{"Name":"a","FunctionVersion":"1","RoutingConfig":{}}"#).canary,
            None
        );
    }

    #[test]
    fn an_update_tells_leaving_from_taking_away() {
        assert_eq!(updated("{}").canary, None);
        assert_eq!(
            updated(r#"{"RoutingConfig":{"AdditionalVersionWeights":{}}}"#).canary,
            Some(None)
        );
        assert_eq!(updated(r#"{"RoutingConfig":{}}"#).canary, Some(None));
        assert_eq!(
            updated(r#"{"RoutingConfig":{"AdditionalVersionWeights":{"3":1}}}"#).canary,
            Some(Some(canary(3, 1_000_000)))
        );
        assert_eq!(
            updated(r#"{"FunctionVersion":"2"}"#).version,
            Version::number(2)
        );
    }

    #[test]
    fn showing_and_deleting() {
        let Request::GetAlias(alias) =
            parse("GET /2015-03-31/functions/f/aliases/live", "").unwrap()
        else {
            panic!()
        };
        assert_eq!(alias.name.as_str(), "live");
        let Request::DeleteAlias(alias) =
            parse("DELETE /2015-03-31/functions/f/aliases/live", "").unwrap()
        else {
            panic!()
        };
        assert!(matches!(
            alias.into_deletion(),
            Mutation::DeleteAlias { .. }
        ));
        assert_eq!(
            refused("GET /2015-03-31/functions/f/aliases/12", ""),
            "ValidationException: 1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        );
    }

    #[test]
    fn refusals() {
        let of = |routing: &str| {
            format!(
                r#"{{"Name":"a","FunctionVersion":"1","RoutingConfig":{{"AdditionalVersionWeights":{routing}}}}}"#
            )
        };
        for (body, expected) in [
            (
                "{}".to_owned(),
                "ValidationException: 2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value null at 'functionVersion' failed to satisfy constraint: Member must not be null",
            ),
            (
                r#"{"Name":"a","FunctionVersion":"x"}"#.to_owned(),
                r"ValidationException: 1 validation error detected: Value 'x' at 'functionVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: (\$LATEST(\.PUBLISHED)?|[0-9]+)",
            ),
            (
                r#"{"Name":"a","FunctionVersion":"0"}"#.to_owned(),
                "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:0",
            ),
            (
                of(r#"{"2":0.1,"3":0.1}"#),
                "InvalidParameterValueException: Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
            (
                of(r#"{"2":1.5}"#),
                "ValidationException: 1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
            ),
            (
                of(r#"{"$LATEST":0.5}"#),
                "ValidationException: 1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]",
            ),
        ] {
            assert_eq!(refused(CREATE, &body), expected);
        }
        assert!(
            refused(UPDATE, r#"{"RevisionId":"x"}"#).contains("Call the GetFunction/GetAlias API")
        );
    }
}
