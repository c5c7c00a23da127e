//! `ListFunctions`, `ListVersionsByFunction` and `ListAliases`.

use model::{AliasName, FunctionId, Version};

use super::Input;
use crate::{
    error::ApiError,
    page::{self, FunctionKey, PageRequest, PageSize},
    target,
};

/// Functions and versions come fifty at a time, whatever the caller wishes.
const FIFTY: PageSize = PageSize {
    default: 50,
    cap: 50,
};

/// Aliases come fifty at a time unless the caller wishes more.
const ALIASES: PageSize = PageSize {
    default: 50,
    cap: 10_000,
};

/// Every function of the caller's account in the region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFunctions {
    /// List every version of every function (`FunctionVersion=ALL`), not only `$LATEST`.
    pub all_versions: bool,
    /// Only functions that were replicated from this region. No function of this cluster is: the list is empty.
    pub master_region: Option<String>,
    /// The page.
    pub page: PageRequest<FunctionKey>,
}

/// Every version of a function; `$LATEST` first, then by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListVersions {
    /// The function.
    pub function: FunctionId,
    /// The page.
    pub page: PageRequest<Version>,
}

/// Every alias of a function, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAliases {
    /// The function.
    pub function: FunctionId,
    /// Only the aliases that point to this version.
    pub version: Option<Version>,
    /// The page.
    pub page: PageRequest<AliasName>,
}

pub(super) fn functions(input: &Input<'_>) -> Result<ListFunctions, ApiError> {
    let (versions, master_region) = (
        input.query.get("FunctionVersion"),
        input.query.get("MasterRegion"),
    );
    Ok(ListFunctions {
        all_versions: versions.is_some(),
        master_region: master_region.map(str::to_owned),
        page: page::request(input.query, FIFTY)?,
    })
}

pub(super) fn versions(input: &Input<'_>) -> Result<ListVersions, ApiError> {
    Ok(ListVersions {
        function: function(input)?,
        page: page::request(input.query, FIFTY)?,
    })
}

pub(super) fn aliases(input: &Input<'_>) -> Result<ListAliases, ApiError> {
    let version = input.query.get("FunctionVersion");
    let function = function(input)?;
    let not_found = |text: &str| ApiError::qualifier_not_found(&function.arn(None), text);
    let version = version
        .map(|text| text.parse().map_err(|_| not_found(text)))
        .transpose()?;
    Ok(ListAliases {
        function,
        version,
        page: page::request(input.query, ALIASES)?,
    })
}

fn function(input: &Input<'_>) -> Result<FunctionId, ApiError> {
    target::locate(input.function_name(), None, input.scope)?.whole_function()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    #[test]
    fn pages_and_filters() {
        let Request::ListFunctions(list) = parse("GET /2015-03-31/functions/", "").unwrap() else {
            panic!()
        };
        assert_eq!(
            list,
            ListFunctions {
                all_versions: false,
                master_region: None,
                page: PageRequest {
                    after: None,
                    limit: 50
                }
            }
        );

        let marker = page::marker(&FunctionKey {
            name: "f".parse().unwrap(),
            version: Version::Latest,
        });
        let request = format!(
            "GET /2015-03-31/functions?FunctionVersion=ALL&MaxItems=5&Marker={marker}&MasterRegion=ALL"
        );
        let Request::ListFunctions(list) = parse(&request, "").unwrap() else {
            panic!()
        };
        assert!(list.all_versions);
        assert_eq!(list.master_region.as_deref(), Some("ALL"));
        assert_eq!(list.page.limit, 5);
        assert_eq!(list.page.after.unwrap().name.as_str(), "f");

        let Request::ListAliases(list) = parse(
            "GET /2015-03-31/functions/f/aliases?FunctionVersion=2&MaxItems=200",
            "",
        )
        .unwrap() else {
            panic!()
        };
        assert_eq!((list.version, list.page.limit), (Version::number(2), 200));

        let request = format!(
            "GET /2015-03-31/functions/f/versions?Marker={}",
            page::marker(&Version::Latest)
        );
        let Request::ListVersionsByFunction(list) = parse(&request, "").unwrap() else {
            panic!()
        };
        assert_eq!(list.page.after, Some(Version::Latest));
    }

    #[test]
    fn refusals() {
        assert_eq!(
            refused(
                "GET /2015-03-31/functions?FunctionVersion=all&MaxItems=0",
                ""
            ),
            "ValidationException: 2 validation errors detected: Value 'all' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum value set: [ALL]; Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"
        );
        assert!(
            refused("GET /2015-03-31/functions?Marker=x", "")
                .starts_with("InvalidParameterValueException")
        );
        assert!(
            refused("GET /2015-03-31/functions/f/aliases?FunctionVersion=0", "")
                .starts_with("ResourceNotFoundException")
        );
    }
}
