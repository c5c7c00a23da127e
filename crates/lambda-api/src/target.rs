//! Which function a request means: the name in its path, its `Qualifier` parameter and the caller's scope.
//!
//! A name may carry a qualifier, an account and a region of its own. What it carries must agree with the rest of the
//! request: a second qualifier must be the same one, the region must be the one that the request was sent to. A
//! function of another account is a target like any other: whether its own policy opens it to the caller is decided where
//! the request is authorized.

use model::{FunctionArn, FunctionId, FunctionReference, Qualifier, Version};

use crate::{error::ApiError, scope::Scope};

/// A function, perhaps with a qualifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The function.
    pub function: FunctionId,
    /// The qualifier; `None` if the caller gave none, which means `$LATEST` but prints a bare ARN.
    pub qualifier: Option<Qualifier>,
}

impl Target {
    /// The ARN that the caller named.
    #[must_use]
    pub fn arn(&self) -> FunctionArn {
        self.function.arn(self.qualifier.clone())
    }

    /// The function alone, for an operation that has no meaning on a version or alias. `$LATEST` is the function.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameterValue`] if a numbered version or an alias was named.
    pub fn whole_function(self) -> Result<FunctionId, ApiError> {
        match self.qualifier {
            None | Some(Qualifier::Version(Version::Latest)) => Ok(self.function),
            Some(
                Qualifier::Version(Version::LatestPublished | Version::Number(_))
                | Qualifier::Alias(_),
            ) => Err(ApiError::qualified_function()),
        }
    }
}

/// Resolves the `FunctionName` of a request and its `Qualifier` parameter.
///
/// # Errors
/// [`ApiError::InvalidParameterValue`] for two different qualifiers, [`ApiError::ResourceNotFound`] for another region or a
/// qualifier that can name nothing.
pub(crate) fn locate(
    name: &str,
    qualifier: Option<&str>,
    scope: &Scope,
) -> Result<Target, ApiError> {
    let (reference, derived) = split(name)
        .ok_or_else(|| ApiError::Validation(format!("unreadable function name {name:?}")))?;
    if let (Some(derived), Some(given)) = (derived, qualifier)
        && derived != given
    {
        return Err(ApiError::qualifier_mismatch());
    }
    if let Some(region) = reference
        .region
        .as_ref()
        .filter(|region| **region != scope.region)
    {
        return Err(ApiError::other_region(region, &scope.region));
    }
    let function = FunctionId {
        account: reference.account.unwrap_or(scope.account),
        region: scope.region.clone(),
        name: reference.name,
    };
    let qualifier = match derived.or(qualifier) {
        None => None,
        Some(text) => {
            let parsed = text
                .parse()
                .map_err(|_| ApiError::qualifier_not_found(&function.arn(None), text))?;
            Some(parsed)
        }
    };
    Ok(Target {
        function,
        qualifier,
    })
}

/// The reference without its qualifier, and the text of the qualifier. A qualifier of the right alphabet that can name
/// nothing (`0`, `01`) is split off too: it is well formed, and not found.
fn split(text: &str) -> Option<(FunctionReference, Option<&str>)> {
    let qualifier_of = |reference: &FunctionReference| {
        reference
            .qualifier
            .as_ref()
            .and_then(|_| text.rsplit_once(':'))
            .map(|(_, qualifier)| qualifier)
    };
    if let Ok(reference) = text.parse::<FunctionReference>() {
        let qualifier = qualifier_of(&reference);
        return Some((reference, qualifier));
    }
    let (head, qualifier) = text.rsplit_once(':')?;
    let reference: FunctionReference = head.parse().ok()?;
    let well_formed = is_word(qualifier);
    (reference.qualifier.is_none() && well_formed).then_some((reference, Some(qualifier)))
}

/// The part of a name, partial ARN or ARN that stands where the bare name does.
pub(crate) fn bare_name(text: &str) -> Option<&str> {
    let mut segments = text.split(':');
    match segments.next()? {
        "arn" => segments.nth(5),
        "function" => segments.next(),
        first => match segments.next() {
            Some("function") => segments.next(),
            _ => Some(first),
        },
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function";

    fn scope() -> Scope {
        Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        }
    }

    #[track_caller]
    fn check_resolved(name: &str, qualifier: Option<&str>, expected: &str) {
        let got = match locate(name, qualifier, &scope()) {
            Ok(target) => target.arn().to_string(),
            Err(e) => format!("{} {e}", e.name()),
        };
        assert_eq!(got, expected, "{name} {qualifier:?}");
    }

    #[test]
    fn every_form_of_a_name() {
        let bare = format!("{ARN}:f");
        let live = format!("{ARN}:f:live");
        for name in ["f", "function:f", "123456789012:function:f", &bare] {
            check_resolved(name, None, &bare);
            check_resolved(name, Some("live"), &live);
            check_resolved(&format!("{name}:live"), None, &live);
            check_resolved(&format!("{name}:live"), Some("live"), &live);
            check_resolved(
                &format!("{name}:$LATEST"),
                None,
                &format!("{ARN}:f:$LATEST"),
            );
            check_resolved(&format!("{name}:7"), Some("7"), &format!("{ARN}:f:7"));
            check_resolved(
                &format!("{name}:$LATEST.PUBLISHED"),
                Some("$LATEST.PUBLISHED"),
                &format!("{ARN}:f:$LATEST.PUBLISHED"),
            );
        }
    }

    #[test]
    fn what_a_name_carries_must_agree_with_the_request() {
        let mismatch = "InvalidParameterValueException The derived qualifier from the function name does not match the specified qualifier.";
        check_resolved("f:live", Some("1"), mismatch);
        check_resolved("f:$LATEST", Some("live"), mismatch);
        check_resolved("f:01", Some("1"), mismatch);
        check_resolved(
            "arn:aws:lambda:eu-west-1:123456789012:function:f",
            None,
            "ResourceNotFoundException Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        );
        check_resolved(
            "210987654321:function:f",
            None,
            "arn:aws:lambda:us-east-1:210987654321:function:f",
        );
    }

    #[test]
    fn a_qualifier_that_can_name_nothing_is_not_found() {
        for qualifier in ["0", "01", "99999999999999999999999"] {
            let expected =
                format!("ResourceNotFoundException Function not found: {ARN}:f:{qualifier}");
            check_resolved("f", Some(qualifier), &expected);
            check_resolved(&format!("f:{qualifier}"), None, &expected);
        }
    }

    #[test]
    fn only_the_function_itself_is_the_whole_function() {
        let resolve = |name| locate(name, None, &scope()).unwrap().whole_function();
        assert_eq!(
            resolve("f").unwrap(),
            scope().function("f".parse().unwrap())
        );
        assert_eq!(
            resolve("f:$LATEST").unwrap(),
            scope().function("f".parse().unwrap())
        );
        assert_eq!(resolve("f:1").unwrap_err(), ApiError::qualified_function());
        assert_eq!(
            resolve("f:$LATEST.PUBLISHED").unwrap_err(),
            ApiError::qualified_function()
        );
        assert_eq!(
            resolve("f:live").unwrap_err(),
            ApiError::qualified_function()
        );
    }

    proptest! {
        #[test]
        fn resolving_answers_anything(name in "[a-z0-9:$. -]{0,40}", qualifier in proptest::option::of("[a-z0-9$.]{0,8}")) {
            let _ = locate(&name, qualifier.as_deref(), &scope());
        }

        #[test]
        fn an_arn_of_ours_resolves_to_itself(name in "[a-zA-Z0-9_-]{1,64}", qualifier in "(\\$LATEST|\\$LATEST\\.PUBLISHED|[1-9][0-9]{0,6}|[a-z][a-z0-9]{0,10})") {
            let arn = format!("{ARN}:{name}:{qualifier}");
            let target = locate(&arn, None, &scope()).unwrap();
            prop_assert_eq!(target.arn().to_string(), arn);
        }
    }
}
