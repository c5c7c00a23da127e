//! `AliasConfiguration`.

use std::collections::BTreeMap;

use model::{Alias, Qualifier};
use serde::Serialize;

/// An alias, as AWS shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasConfiguration {
    alias_arn: String,
    name: String,
    function_version: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_config: Option<RoutingConfig>,
    revision_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingConfig {
    additional_version_weights: BTreeMap<String, f64>,
}

impl AliasConfiguration {
    /// Shows an alias.
    #[must_use]
    pub fn new(alias: &Alias) -> Self {
        let weights = |canary: model::alias::Canary| {
            [(canary.version.to_string(), canary.weight.fraction())].into()
        };
        Self {
            alias_arn: alias
                .function
                .arn(Some(Qualifier::Alias(alias.name.clone())))
                .to_string(),
            name: alias.name.to_string(),
            function_version: alias.version.to_string(),
            description: alias.description.clone(),
            routing_config: alias.canary.map(|c| RoutingConfig {
                additional_version_weights: weights(c),
            }),
            revision_id: alias.revision_id.to_string(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::num::NonZeroU64;

    use model::{
        RevisionId, Version,
        alias::{Canary, Weight},
    };
    use serde_json::json;

    use super::*;

    pub(in crate::response) fn alias(canary: Option<Canary>) -> Alias {
        Alias {
            function: "arn:aws:lambda:us-east-1:123456789012:function:f"
                .parse::<model::FunctionArn>()
                .unwrap()
                .id,
            name: "live".parse().unwrap(),
            version: Version::number(3).unwrap(),
            canary,
            description: String::new(),
            revision_id: RevisionId::from_random(1),
        }
    }

    #[test]
    fn a_canary_is_a_weight() {
        let weight = Weight::from_fraction(0.05).unwrap();
        let canary = Canary {
            version: NonZeroU64::new(4).unwrap(),
            weight,
        };
        let mut expected = json!({
            "AliasArn": "arn:aws:lambda:us-east-1:123456789012:function:f:live", "Name": "live", "FunctionVersion": "3",
            "Description": "", "RevisionId": "00000000-0000-4000-8000-000000000001",
        });
        assert_eq!(
            serde_json::to_value(AliasConfiguration::new(&alias(None))).unwrap(),
            expected
        );
        expected["RoutingConfig"] = json!({"AdditionalVersionWeights": {"4": 0.05}});
        assert_eq!(
            serde_json::to_value(AliasConfiguration::new(&alias(Some(canary)))).unwrap(),
            expected
        );
    }
}
