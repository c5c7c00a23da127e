//! `DeleteFunction`.

use model::{FunctionId, Mutation, Qualifier, Version};

use super::Input;
use crate::{error::ApiError, target};

/// A function, or one version of it, to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteFunction {
    /// The function.
    pub function: FunctionId,
    /// The version; `None` deletes everything.
    pub version: Option<Version>,
}

impl From<DeleteFunction> for Mutation {
    fn from(DeleteFunction { function, version }: DeleteFunction) -> Self {
        Self::DeleteFunction { function, version }
    }
}

pub(super) fn parse(input: &Input<'_>) -> Result<DeleteFunction, ApiError> {
    let target = target::locate(
        input.function_name(),
        input.query.get("Qualifier"),
        input.scope,
    )?;
    let version = match target.qualifier {
        None => None,
        Some(Qualifier::Version(version)) => Some(version),
        Some(Qualifier::Alias(_)) => return Err(ApiError::alias_deletion()),
    };
    Ok(DeleteFunction {
        function: target.function,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    #[test]
    fn everything_or_one_version() {
        for (request, expected) in [
            ("DELETE /2015-03-31/functions/f", None),
            (
                "DELETE /2015-03-31/functions/f?Qualifier=4",
                Version::number(4),
            ),
            ("DELETE /2015-03-31/functions/f%3A4", Version::number(4)),
            (
                "DELETE /2015-03-31/functions/f?Qualifier=$LATEST",
                Some(Version::Latest),
            ),
        ] {
            let Request::DeleteFunction(delete) = parse(request, "").unwrap() else {
                panic!("{request}")
            };
            assert_eq!(delete.version, expected, "{request}");
        }
        assert_eq!(
            refused("DELETE /2015-03-31/functions/f?Qualifier=live", ""),
            "InvalidParameterValueException: Deletion of aliases is not currently supported."
        );
    }
}
