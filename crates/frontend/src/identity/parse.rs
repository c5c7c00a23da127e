//! What callers write, as what it means.

use std::collections::BTreeMap;

use lambda_api::page::{self, PageRequest};
use model::{
    AccountId, Limits,
    iam::{AccessKeyId, EntityName, EntityPath, InvalidIam},
};

use super::IdentityError;
use crate::error::OperationError;

/// The longest name of a user and of a role; that of a policy is the longest of all.
const PERSON_MAX: usize = 64;
/// The longest name of an account.
const ACCOUNT_NAME_MAX: usize = 128;
/// How long a session of a role may be, in seconds.
const SESSION_S: std::ops::RangeInclusive<u32> = 3600..=43_200;
const SESSION_DEFAULT_S: u32 = 3600;
/// Items of a page.
const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// An account by its number; `None` if nobody names one.
pub(crate) fn account(text: &str) -> Result<Option<AccountId>, IdentityError> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse::<AccountId>().map(Some);
    parsed.map_err(|_| IdentityError::value("account", "twelve digits", text))
}

/// The name of a user.
pub(crate) fn user(text: &str) -> Result<EntityName, IdentityError> {
    person("user_name", text)
}

/// The name of a user, or nobody's for the root of the account.
pub(crate) fn user_or_root(text: &str) -> Result<Option<EntityName>, IdentityError> {
    (!text.is_empty()).then(|| user(text)).transpose()
}

/// The name of a role.
pub(crate) fn role(text: &str) -> Result<EntityName, IdentityError> {
    person("role_name", text)
}

/// The name of a policy, attached or of somebody's own.
pub(crate) fn policy(text: &str) -> Result<EntityName, IdentityError> {
    text.parse().map_err(wrong("policy_name"))
}

/// A path; `/` if none is written.
pub(crate) fn path(text: &str) -> Result<EntityPath, IdentityError> {
    if text.is_empty() {
        return Ok(EntityPath::default());
    }
    text.parse().map_err(wrong("path"))
}

/// The public half of an access key.
pub(crate) fn access_key(text: &str) -> Result<AccessKeyId, IdentityError> {
    text.parse().map_err(wrong("access_key_id"))
}

/// Whether a key may be used, in IAM's words.
pub(crate) fn status(text: &str) -> Result<bool, IdentityError> {
    match text {
        "Active" => Ok(true),
        "Inactive" => Ok(false),
        _ => Err(IdentityError::value("status", "Active or Inactive", text)),
    }
}

/// The longest session of a role that is made.
pub(crate) fn session(seconds: Option<u32>) -> Result<u32, IdentityError> {
    Ok(other_session(seconds)?.unwrap_or(SESSION_DEFAULT_S))
}

/// The longest session of a role, if it is to be another.
pub(crate) fn other_session(seconds: Option<u32>) -> Result<Option<u32>, IdentityError> {
    match seconds {
        Some(seconds) if !SESSION_S.contains(&seconds) => Err(IdentityError::value(
            "max_session_duration",
            "3600 to 43200 seconds",
            &seconds.to_string(),
        )),
        seconds => Ok(seconds),
    }
}

/// What people call an account.
pub(crate) fn account_name(text: String) -> Result<String, IdentityError> {
    let length = text.chars().count();
    if length > ACCOUNT_NAME_MAX {
        return Err(IdentityError::Long {
            member: "name",
            limit: ACCOUNT_NAME_MAX,
            length,
        });
    }
    if text.chars().any(char::is_control) {
        let expected = "a text without control characters";
        return Err(IdentityError::value("name", expected, &text));
    }
    Ok(text)
}

/// The limits of its own that an account has.
pub(crate) fn limits(
    limits: BTreeMap<String, u64>,
) -> Result<BTreeMap<String, u64>, IdentityError> {
    for (key, value) in &limits {
        let Some(limit) = Limits::of_accounts(key) else {
            let known: Vec<_> = Limits::OF_ACCOUNTS.iter().map(|l| l.key).collect();
            let expected = format!("one of {}", known.join(", "));
            return Err(IdentityError::value("limits", expected, key));
        };
        if let Some(most) = limit.exceeded_by(*value) {
            let expected = format!("at most {most}");
            return Err(IdentityError::value(
                limit.key,
                expected,
                &value.to_string(),
            ));
        }
    }
    Ok(limits)
}

/// Which page of a list is wanted.
pub(crate) fn page<K: std::str::FromStr>(
    marker: &str,
    max_items: u32,
) -> Result<PageRequest<K>, OperationError> {
    let after = (!marker.is_empty()).then(|| page::key(marker));
    let wanted = if max_items == 0 {
        PAGE_DEFAULT
    } else {
        max_items.min(PAGE_MAX)
    };
    Ok(PageRequest {
        after: after.transpose()?,
        limit: usize::try_from(wanted).unwrap_or(usize::MAX),
    })
}

fn person(member: &'static str, text: &str) -> Result<EntityName, IdentityError> {
    let name: EntityName = text.parse().map_err(wrong(member))?;
    let length = name.as_str().len();
    if length > PERSON_MAX {
        return Err(IdentityError::Long {
            member,
            limit: PERSON_MAX,
            length,
        });
    }
    Ok(name)
}

fn wrong(member: &'static str) -> impl FnOnce(InvalidIam) -> IdentityError {
    move |problem| IdentityError::Text { member, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_roles_have_short_names_and_policies_long_ones() {
        let long = |n: usize| "n".repeat(n);
        assert!(user(&long(64)).is_ok() && role(&long(64)).is_ok() && policy(&long(128)).is_ok());
        for (result, said) in [
            (
                user(&long(65)),
                "user_name: expected at most 64 characters, got 65",
            ),
            (
                role(&long(65)),
                "role_name: expected at most 64 characters, got 65",
            ),
            (user(""), "user_name: expected a name of 1 to 128"),
            (role("a b"), "role_name: expected a name of 1 to 128"),
            (
                policy(&long(129)),
                "policy_name: expected a name of 1 to 128",
            ),
        ] {
            let error = result.unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
            assert_eq!(error.name(), "ValidationError");
        }
        assert_eq!(user_or_root(""), Ok(None));
        assert!(user_or_root("a/b").is_err());
    }

    #[test]
    fn sessions_have_bounds_and_a_default() {
        assert_eq!(session(None), Ok(3600));
        assert_eq!(other_session(None), Ok(None));
        for good in [3600, 43_200] {
            assert_eq!(session(Some(good)), Ok(good));
        }
        for bad in [0, 3599, 43_201, u32::MAX] {
            assert!(session(Some(bad)).is_err() && other_session(Some(bad)).is_err());
        }
    }

    #[test]
    fn everything_else_that_is_written() {
        assert_eq!(account(""), Ok(None));
        assert_eq!(account("000000000000"), Ok(Some(AccountId::DEFAULT)));
        assert!(account("12").is_err() && account("00000000000a").is_err());
        assert_eq!(path("").unwrap().as_str(), "/");
        assert!(path("/a/").is_ok() && path("a").is_err());
        assert_eq!(
            (status("Active"), status("Inactive")),
            (Ok(true), Ok(false))
        );
        assert!(status("active").is_err() && status("").is_err());
        assert!(access_key("AKIAIOSFODNN7EXAMPLE").is_ok() && access_key("short").is_err());
        assert!(account_name("Ärzte & Co".to_owned()).is_ok());
        assert!(account_name("ä".repeat(128)).is_ok());
        assert!(account_name("ä".repeat(129)).is_err());
        assert!(account_name("two\nlines".to_owned()).is_err());
        let one = |key: &str| limits([(key.to_owned(), 1)].into());
        assert!(Limits::OF_ACCOUNTS.iter().all(|l| one(l.key).is_ok()));
        let error = one("concurrency").unwrap_err().to_string();
        assert!(error.contains("concurrent_executions") && error.contains("\"concurrency\""));
        let large = [("policy".to_owned(), 1 << 20)].into();
        let error = limits(large).unwrap_err().to_string();
        assert!(
            error.contains("24576") && error.contains("1048576"),
            "{error}"
        );
    }

    #[test]
    fn pages_have_a_size() {
        let size = |n| page::<EntityName>("", n).unwrap().limit;
        assert_eq!((size(0), size(7), size(u32::MAX)), (100, 7, 1000));
        let name: EntityName = "alice".parse().unwrap();
        let marker = page::marker(&name);
        assert_eq!(super::page(&marker, 1).unwrap().after, Some(name));
        assert!(super::page::<EntityName>("not a marker", 1).is_err());
    }
}
