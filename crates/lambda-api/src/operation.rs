//! The operations, one line each: name, method, path, success status, and the action that a policy must allow.

use http::{Method, StatusCode};

/// An operation of the API that this cluster serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Creates a function.
    CreateFunction,
    /// Configuration, code location and tags of a function.
    GetFunction,
    /// Configuration of a function.
    GetFunctionConfiguration,
    /// Every function of an account in a region.
    ListFunctions,
    /// Replaces the code of `$LATEST`.
    UpdateFunctionCode,
    /// Changes the configuration of `$LATEST`.
    UpdateFunctionConfiguration,
    /// Deletes a function or one of its versions.
    DeleteFunction,
    /// Makes a numbered version out of `$LATEST`.
    PublishVersion,
    /// Every version of a function.
    ListVersionsByFunction,
    /// Creates an alias.
    CreateAlias,
    /// One alias.
    GetAlias,
    /// Changes an alias.
    UpdateAlias,
    /// Deletes an alias.
    DeleteAlias,
    /// Every alias of a function.
    ListAliases,
    /// Limits and usage of an account.
    GetAccountSettings,
    /// Runs a function.
    Invoke,
}

/// What is fixed about an operation.
#[derive(Debug)]
pub(crate) struct Spec {
    name: &'static str,
    pub(crate) method: Method,
    /// Segments in braces are labels.
    pub(crate) path: &'static str,
    success: StatusCode,
    action: &'static str,
}

const FUNCTIONS: &str = "/2015-03-31/functions";
const FUNCTION: &str = "/2015-03-31/functions/{FunctionName}";
const CONFIGURATION: &str = "/2015-03-31/functions/{FunctionName}/configuration";
const CODE: &str = "/2015-03-31/functions/{FunctionName}/code";
const VERSIONS: &str = "/2015-03-31/functions/{FunctionName}/versions";
const ALIASES: &str = "/2015-03-31/functions/{FunctionName}/aliases";
const ALIAS: &str = "/2015-03-31/functions/{FunctionName}/aliases/{Name}";
const INVOCATIONS: &str = "/2015-03-31/functions/{FunctionName}/invocations";
const ACCOUNT_SETTINGS: &str = "/2016-08-19/account-settings";

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 16] = [
        Self::CreateFunction,
        Self::GetFunction,
        Self::GetFunctionConfiguration,
        Self::ListFunctions,
        Self::UpdateFunctionCode,
        Self::UpdateFunctionConfiguration,
        Self::DeleteFunction,
        Self::PublishVersion,
        Self::ListVersionsByFunction,
        Self::CreateAlias,
        Self::GetAlias,
        Self::UpdateAlias,
        Self::DeleteAlias,
        Self::ListAliases,
        Self::GetAccountSettings,
        Self::Invoke,
    ];

    #[rustfmt::skip]
    pub(crate) const fn spec(self) -> Spec {
        match self {
            Self::ListFunctions => spec("ListFunctions", Method::GET, FUNCTIONS, OK, "lambda:ListFunctions"),
            Self::CreateFunction => spec("CreateFunction", Method::POST, FUNCTIONS, CREATED, "lambda:CreateFunction"),
            Self::GetFunction => spec("GetFunction", Method::GET, FUNCTION, OK, "lambda:GetFunction"),
            Self::DeleteFunction => spec("DeleteFunction", Method::DELETE, FUNCTION, NO_CONTENT, "lambda:DeleteFunction"),
            Self::GetFunctionConfiguration => spec("GetFunctionConfiguration", Method::GET, CONFIGURATION, OK, "lambda:GetFunctionConfiguration"),
            Self::UpdateFunctionConfiguration => spec("UpdateFunctionConfiguration", Method::PUT, CONFIGURATION, OK, "lambda:UpdateFunctionConfiguration"),
            Self::UpdateFunctionCode => spec("UpdateFunctionCode", Method::PUT, CODE, OK, "lambda:UpdateFunctionCode"),
            Self::ListVersionsByFunction => spec("ListVersionsByFunction", Method::GET, VERSIONS, OK, "lambda:ListVersionsByFunction"),
            Self::PublishVersion => spec("PublishVersion", Method::POST, VERSIONS, CREATED, "lambda:PublishVersion"),
            Self::ListAliases => spec("ListAliases", Method::GET, ALIASES, OK, "lambda:ListAliases"),
            Self::CreateAlias => spec("CreateAlias", Method::POST, ALIASES, CREATED, "lambda:CreateAlias"),
            Self::GetAlias => spec("GetAlias", Method::GET, ALIAS, OK, "lambda:GetAlias"),
            Self::UpdateAlias => spec("UpdateAlias", Method::PUT, ALIAS, OK, "lambda:UpdateAlias"),
            Self::DeleteAlias => spec("DeleteAlias", Method::DELETE, ALIAS, NO_CONTENT, "lambda:DeleteAlias"),
            Self::Invoke => spec("Invoke", Method::POST, INVOCATIONS, OK, "lambda:InvokeFunction"),
            Self::GetAccountSettings => spec("GetAccountSettings", Method::GET, ACCOUNT_SETTINGS, OK, "lambda:GetAccountSettings"),
        }
    }

    /// Its name in the API model.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The action that a policy must allow: the name, with exceptions such as `lambda:InvokeFunction`.
    #[must_use]
    pub fn action(self) -> &'static str {
        self.spec().action
    }

    /// The status of a success. [`Operation::Invoke`] answers by its invocation type: see
    /// [`crate::invoke::success_status`].
    #[must_use]
    pub fn success(self) -> StatusCode {
        self.spec().success
    }

    /// Whether it changes the catalog.
    #[must_use]
    pub const fn is_mutation(self) -> bool {
        match self {
            Self::CreateFunction
            | Self::UpdateFunctionCode
            | Self::UpdateFunctionConfiguration
            | Self::DeleteFunction
            | Self::PublishVersion
            | Self::CreateAlias
            | Self::UpdateAlias
            | Self::DeleteAlias => true,
            Self::GetFunction
            | Self::GetFunctionConfiguration
            | Self::ListFunctions
            | Self::ListVersionsByFunction
            | Self::GetAlias
            | Self::ListAliases
            | Self::GetAccountSettings
            | Self::Invoke => false,
        }
    }
}

const fn spec(
    name: &'static str,
    method: Method,
    path: &'static str,
    success: StatusCode,
    action: &'static str,
) -> Spec {
    Spec {
        name,
        method,
        path,
        success,
        action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_listed_under_its_own_name() {
        for (i, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, i, "{operation:?}");
            assert_eq!(operation.name(), format!("{operation:?}"));
            if operation != Operation::Invoke {
                assert_eq!(operation.action(), format!("lambda:{operation:?}"));
            }
        }
        assert_eq!(Operation::Invoke.action(), "lambda:InvokeFunction");
    }

    #[test]
    fn no_two_operations_share_method_and_path() {
        for a in Operation::ALL {
            for b in Operation::ALL.into_iter().filter(|b| *b != a) {
                assert!(
                    a.spec().method != b.spec().method || a.spec().path != b.spec().path,
                    "{a:?} and {b:?}"
                );
            }
        }
    }
}
