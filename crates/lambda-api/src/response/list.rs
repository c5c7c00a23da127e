//! Lists: the items of a page, and the marker of the next one.

use serde::Serialize;

use super::{
    AliasConfiguration, EventSourceMappingConfiguration, FunctionConfiguration,
    FunctionEventInvokeConfig, FunctionUrlConfig, ProvisionedConcurrencyConfig,
};
use crate::page::Page;

/// The answer to `ListDurableExecutionsByFunction` for a function that exists: no execution can exist.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DurableExecutions {
    durable_executions: [(); 0],
}

macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $member:ident: $item:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $name {
            $member: Vec<$item>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_marker: Option<String>,
        }

        impl From<Page<$item>> for $name {
            fn from(page: Page<$item>) -> Self {
                Self { $member: page.items, next_marker: page.next_marker }
            }
        }
    };
}

list! {
    /// The answer to `ListFunctions`.
    Functions, functions: FunctionConfiguration
}
list! {
    /// The answer to `ListVersionsByFunction`.
    Versions, versions: FunctionConfiguration
}
list! {
    /// The answer to `ListAliases`.
    Aliases, aliases: AliasConfiguration
}
list! {
    /// The answer to `ListProvisionedConcurrencyConfigs`.
    ProvisionedConcurrencyConfigs, provisioned_concurrency_configs: ProvisionedConcurrencyConfig
}
list! {
    /// The answer to `ListFunctionEventInvokeConfigs`.
    EventInvokeConfigs, function_event_invoke_configs: FunctionEventInvokeConfig
}
list! {
    /// The answer to `ListFunctionUrlConfigs`.
    FunctionUrlConfigs, function_url_configs: FunctionUrlConfig
}
list! {
    /// The answer to `ListEventSourceMappings`.
    EventSourceMappings, event_source_mappings: EventSourceMappingConfiguration
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::response::alias::tests::alias;

    #[test]
    fn a_list_names_its_items_and_the_next_page() {
        assert_eq!(
            serde_json::to_value(DurableExecutions::default()).unwrap(),
            json!({"DurableExecutions": []})
        );
        let empty = Page {
            items: Vec::new(),
            next_marker: None,
        };
        assert_eq!(
            serde_json::to_value(Functions::from(empty.clone())).unwrap(),
            json!({"Functions": []})
        );
        assert_eq!(
            serde_json::to_value(Versions::from(empty)).unwrap(),
            json!({"Versions": []})
        );
        let item = AliasConfiguration::new(&alias(None));
        let page = Page {
            items: vec![item.clone()],
            next_marker: Some("m".to_owned()),
        };
        let expected = json!({"Aliases": [serde_json::to_value(item).unwrap()], "NextMarker": "m"});
        assert_eq!(serde_json::to_value(Aliases::from(page)).unwrap(), expected);
    }
}
