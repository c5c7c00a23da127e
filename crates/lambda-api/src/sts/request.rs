//! From a form to a request.

use std::time::Duration;

use model::iam::{RoleArn, Session, SessionName};

use super::{StsError, VERSION};
use crate::{ApiError, query::Query, validate::Violations};

/// What a caller sent: names and values.
#[derive(Debug, Clone, Default)]
pub struct Form(Query);

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Who the caller is.
    GetCallerIdentity,
    /// To be a role for a while.
    AssumeRole,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// [`Action::GetCallerIdentity`]
    GetCallerIdentity,
    /// [`Action::AssumeRole`]
    AssumeRole(Box<AssumeRole>),
}

/// Who wants to be which role, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role.
    pub role: RoleArn,
    /// What the session is to be called.
    pub session: SessionName,
    /// How long it is to last: 900 s to 12 h.
    pub duration: Option<Duration>,
    /// A policy in JSON that bounds what the role may.
    pub policy: Option<String>,
    /// What the trust policy of the role may ask for.
    pub external_id: Option<String>,
}

/// Parameters of `AssumeRole` that are not honoured, by the beginnings of their names.
const NOT_HONOURED: [&str; 7] = [
    "PolicyArns.",
    "ProvidedContexts.",
    "SerialNumber",
    "SourceIdentity",
    "Tags.",
    "TokenCode",
    "TransitiveTagKeys.",
];
const ROLE_ARN_LENGTH: std::ops::RangeInclusive<usize> = 20..=2048;
const SESSION_NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=64;
const EXTERNAL_ID_LENGTH: std::ops::RangeInclusive<usize> = 2..=1224;
const DURATION_S: std::ops::RangeInclusive<u64> = 900..=43_200;

impl Form {
    /// Reads the query of a GET.
    ///
    /// # Errors
    /// [`StsError::MalformedQuery`].
    pub fn of_query(query: &str) -> Result<Self, StsError> {
        Ok(Self(Query::parse(query).map_err(malformed)?))
    }

    /// Reads the body of a POST, where a plus sign stands for a space.
    ///
    /// # Errors
    /// [`StsError::MalformedQuery`].
    pub fn of_body(body: &[u8]) -> Result<Self, StsError> {
        let text = std::str::from_utf8(body).map_err(malformed)?;
        Self::of_query(&text.replace('+', "%20"))
    }

    /// The action.
    ///
    /// # Errors
    /// [`StsError::MissingAction`]; [`StsError::InvalidAction`] for one that is not here, or of another version of the API.
    pub fn action(&self) -> Result<Action, StsError> {
        let name = self.0.get("Action").ok_or(StsError::MissingAction)?;
        let version = self.0.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
        let found = Action::ALL
            .into_iter()
            .find(|action| action.as_str() == name);
        found
            .filter(|_| version == VERSION)
            .ok_or_else(|| StsError::InvalidAction {
                action: name.chars().take(128).collect(),
                version: version.chars().take(32).collect(),
            })
    }

    /// The whole request.
    ///
    /// # Errors
    /// As [`Form::action`]; [`StsError::Validation`] for parameters that break the constraints of the API, or that are not
    /// honoured.
    pub fn request(&self) -> Result<Request, StsError> {
        match self.action()? {
            Action::GetCallerIdentity => Ok(Request::GetCallerIdentity),
            Action::AssumeRole => Ok(Request::AssumeRole(Box::new(self.assume_role()?))),
        }
    }

    fn assume_role(&self) -> Result<AssumeRole, StsError> {
        let refused = |name: &&str| NOT_HONOURED.iter().any(|known| name.starts_with(known));
        if let Some(name) = self.0.iter().map(|(name, _)| name).find(refused) {
            let name = name.split('.').next().unwrap_or(name);
            return Err(StsError::Validation(format!(
                "{name} is not supported by this cluster"
            )));
        }
        let mut violations = Violations::default();
        let role = self.required(&mut violations, "RoleArn", &ROLE_ARN_LENGTH);
        let name = self.required(&mut violations, "RoleSessionName", &SESSION_NAME_LENGTH);
        let session = name.and_then(|name| {
            let session = name.parse::<SessionName>().ok();
            if session.is_none() {
                violations.push("roleSessionName", name, pattern(r"[\w+=,.@-]*"));
            }
            session
        });
        let external_id = self.0.get("ExternalId");
        if let Some(id) = external_id {
            length(&mut violations, "externalId", id, &EXTERNAL_ID_LENGTH);
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
            if !id.bytes().all(legal) {
                violations.push("externalId", id, pattern(r"[\w+=,.@:\/-]*"));
            }
        }
        let policy = self.0.get("Policy");
        if let Some(policy) = policy {
            // It may name what its sender keeps to themselves.
            match policy.chars().count() {
                0 => violations.push_hidden(
                    "policy",
                    "Member must have length greater than or equal to 1",
                ),
                n if n > Session::POLICY_MAX => violations.push_hidden(
                    "policy",
                    format!(
                        "Member must have length less than or equal to {}",
                        Session::POLICY_MAX
                    ),
                ),
                _ => {}
            }
        }
        let duration = self.duration(&mut violations);
        finish(violations)?;
        let role = role.and_then(|role| role.parse().ok());
        let (Some(role), Some(session)) = (role, session) else {
            return Err(StsError::Validation("Request ARN is invalid".to_owned()));
        };
        Ok(AssumeRole {
            role,
            session,
            duration,
            policy: policy.map(str::to_owned),
            external_id: external_id.map(str::to_owned),
        })
    }

    fn required(
        &self,
        violations: &mut Violations,
        name: &str,
        allowed: &std::ops::RangeInclusive<usize>,
    ) -> Option<&str> {
        let (value, path) = (self.0.get(name), path(name));
        violations.required(&path, value);
        let value = value?;
        length(violations, &path, value, allowed);
        Some(value)
    }

    fn duration(&self, violations: &mut Violations) -> Option<Duration> {
        let text = self.0.get("DurationSeconds")?;
        let path = "durationSeconds";
        match text.parse::<u64>() {
            Ok(seconds) if DURATION_S.contains(&seconds) => {
                return Some(Duration::from_secs(seconds));
            }
            Ok(seconds) if seconds < *DURATION_S.start() => violations.push(
                path,
                seconds,
                format!(
                    "Member must have value greater than or equal to {}",
                    DURATION_S.start()
                ),
            ),
            Ok(seconds) => violations.push(
                path,
                seconds,
                format!(
                    "Member must have value less than or equal to {}",
                    DURATION_S.end()
                ),
            ),
            Err(_) => violations.push(path, text, "Member must be an integer"),
        }
        None
    }
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::GetCallerIdentity, Self::AssumeRole];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::AssumeRole => "AssumeRole",
        }
    }
}

/// AWS's notation of a parameter in its errors: `roleArn`.
fn path(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn pattern(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn length(
    violations: &mut Violations,
    path: &str,
    value: &str,
    allowed: &std::ops::RangeInclusive<usize>,
) {
    let characters = value.chars().count();
    if characters < *allowed.start() {
        let least = allowed.start();
        violations.push(
            path,
            value,
            format!("Member must have length greater than or equal to {least}"),
        );
    } else if characters > *allowed.end() {
        let most = allowed.end();
        violations.push(
            path,
            value,
            format!("Member must have length less than or equal to {most}"),
        );
    }
}

fn finish(violations: Violations) -> Result<(), StsError> {
    violations.finish().map_err(|error| match error {
        ApiError::Validation(text) => StsError::Validation(text),
        other => other.into(),
    })
}

fn malformed(error: impl std::fmt::Display) -> StsError {
    StsError::MalformedQuery(format!("The request cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/worker";

    fn form(parameters: &[(&str, &str)]) -> Result<Form, StsError> {
        let escape = |text: &str| -> String {
            text.bytes()
                .map(|b| match b {
                    b' ' => "+".to_owned(),
                    b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                    b => format!("%{b:02X}"),
                })
                .collect()
        };
        let pairs = parameters
            .iter()
            .map(|(n, v)| format!("{}={}", escape(n), escape(v)));
        Form::of_body(pairs.collect::<Vec<_>>().join("&").as_bytes())
    }

    fn asked(parameters: &[(&str, &str)]) -> Result<Request, String> {
        let form = form(parameters).map_err(|e| e.to_string())?;
        form.request().map_err(|e| format!("{}: {e}", e.code()))
    }

    fn assume(parameters: &[(&str, &str)]) -> Result<AssumeRole, String> {
        let mut all = vec![("Action", "AssumeRole"), ("Version", VERSION)];
        for (name, value) in [("RoleArn", ROLE), ("RoleSessionName", "me")] {
            if !parameters.iter().any(|(n, _)| *n == name) {
                all.push((name, value));
            }
        }
        all.extend(parameters.iter().filter(|(_, v)| *v != "-"));
        match asked(&all)? {
            Request::AssumeRole(assume) => Ok(*assume),
            Request::GetCallerIdentity => panic!("another action"),
        }
    }

    #[test]
    fn actions_by_name_and_version() {
        let identity = [("Action", "GetCallerIdentity"), ("Version", VERSION)];
        assert_eq!(asked(&identity), Ok(Request::GetCallerIdentity));
        let check = |parameters: &[(&str, &str)], expected: &str| {
            assert_eq!(asked(parameters).unwrap_err(), expected);
        };
        check(
            &[],
            "MissingAction: The request must contain the parameter Action.",
        );
        check(
            &[("Action", "GetSessionToken"), ("Version", VERSION)],
            "InvalidAction: Could not find operation GetSessionToken for version 2011-06-15",
        );
        check(
            &[("Action", "AssumeRole"), ("Version", "2010-05-08")],
            "InvalidAction: Could not find operation AssumeRole for version 2010-05-08",
        );
        check(
            &[("Action", "AssumeRole")],
            "InvalidAction: Could not find operation AssumeRole for version NO_VERSION_SPECIFIED",
        );
        assert!(Form::of_body(b"Action=%zz").is_err());
        assert!(Form::of_body(b"\xff").is_err());
    }

    #[test]
    fn a_role_with_everything_and_with_nothing_besides() {
        let bare = assume(&[]).unwrap();
        assert_eq!((bare.role.as_str(), bare.session.as_str()), (ROLE, "me"));
        assert_eq!(
            (bare.duration, bare.policy, bare.external_id),
            (None, None, None)
        );
        let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
        let full = assume(&[
            ("DurationSeconds", "900"),
            ("Policy", policy),
            ("ExternalId", "a:b/c"),
        ]);
        let full = full.unwrap();
        assert_eq!(full.duration, Some(Duration::from_secs(900)));
        assert_eq!(full.policy.as_deref(), Some(policy));
        assert_eq!(full.external_id.as_deref(), Some("a:b/c"));
    }

    #[test]
    fn what_breaks_the_constraints_is_said_in_aws_words() {
        let check = |name: &str, value: &str, expected: &str| {
            let error = assume(&[(name, value)]).unwrap_err();
            assert_eq!(error, format!("ValidationError: {expected}"));
        };
        let one = |what: &str| format!("1 validation error detected: Value {what}");
        check(
            "RoleArn",
            "-",
            &one("null at 'roleArn' failed to satisfy constraint: Member must not be null"),
        );
        check(
            "RoleArn",
            "arn",
            &one(
                "'arn' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20",
            ),
        );
        check(
            "RoleArn",
            "arn:aws:iam::123456789012:user/me",
            "Request ARN is invalid",
        );
        check(
            "RoleSessionName",
            "-",
            &one("null at 'roleSessionName' failed to satisfy constraint: Member must not be null"),
        );
        check(
            "RoleSessionName",
            "a",
            &one(
                "'a' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
            ),
        );
        check(
            "RoleSessionName",
            "a b",
            &one(
                r"'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
            ),
        );
        check(
            "DurationSeconds",
            "899",
            &one(
                "'899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
            ),
        );
        check(
            "DurationSeconds",
            "43201",
            &one(
                "'43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
            ),
        );
        check(
            "DurationSeconds",
            "x",
            &one(
                "'x' at 'durationSeconds' failed to satisfy constraint: Member must be an integer",
            ),
        );
        check(
            "ExternalId",
            "a b",
            &one(
                r"'a b' at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@:\/-]*",
            ),
        );
        check(
            "Policy",
            &"p".repeat(2049),
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
        );
        for name in [
            "PolicyArns.member.1.arn",
            "Tags.member.1.Key",
            "SourceIdentity",
            "TokenCode",
        ] {
            let first = name.split('.').next().unwrap();
            check(
                name,
                "x",
                &format!("{first} is not supported by this cluster"),
            );
        }
    }
}
