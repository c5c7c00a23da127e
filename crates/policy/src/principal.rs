//! Who asks.

use model::AccountId;

use crate::error::InvalidPrincipal;

/// The principal of a request. Page *AWS JSON policy elements: Principal*.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Who);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Anonymous,
    Root {
        account: AccountId,
        arn: Box<str>,
    },
    User {
        account: AccountId,
        arn: Box<str>,
    },
    Role {
        account: AccountId,
        arn: Box<str>,
    },
    Session {
        account: AccountId,
        role: Box<str>,
        arn: Box<str>,
    },
    Service(Box<str>),
    Federated(Box<str>),
}

/// What an ARN of `iam` or `sts` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    Root,
    User,
    Role,
    AssumedRole,
    FederatedUser,
}

const ARN: &str = "the ARN of an account's root, a user, a role or a session";

impl Principal {
    /// A caller without credentials.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self(Who::Anonymous)
    }

    /// The root of an account.
    #[must_use]
    pub fn root(account: AccountId) -> Self {
        let arn = format!("arn:aws:iam::{account}:root").into();
        Self(Who::Root { account, arn })
    }

    /// The root of an account, a user or a role, by its ARN.
    ///
    /// # Errors
    /// [`InvalidPrincipal`] for any other text. A session is made with [`Principal::session`], because its own ARN does not
    /// say the path of its role.
    pub fn from_arn(arn: &str) -> Result<Self, InvalidPrincipal> {
        let (account, entity) = parse_arn(arn)?;
        let arn = arn.into();
        match entity {
            Entity::Root => Ok(Self(Who::Root { account, arn })),
            Entity::User => Ok(Self(Who::User { account, arn })),
            Entity::Role => Ok(Self(Who::Role { account, arn })),
            Entity::AssumedRole | Entity::FederatedUser => Err(InvalidPrincipal::new(
                "the ARN of an account's root, a user or a role",
                &arn,
            )),
        }
    }

    /// A session of a role: what remains of a role's name when somebody has assumed it.
    ///
    /// # Errors
    /// [`InvalidPrincipal`] if this is not the ARN of a role, or not 1 to 64 characters of a session's alphabet.
    pub fn session(role: &str, name: &str) -> Result<Self, InvalidPrincipal> {
        let expected = "the ARN of a role";
        let (account, entity) = parse_arn(role)?;
        let partition = role.split(':').nth(1);
        let (Entity::Role, Some(partition), Some((_, role_name))) =
            (entity, partition, role.rsplit_once('/'))
        else {
            return Err(InvalidPrincipal::new(expected, role));
        };
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(legal) {
            let expected = "1 to 64 characters out of a-z, A-Z, 0-9 and _+=,.@-";
            return Err(InvalidPrincipal::new(expected, name));
        }
        let arn = format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{name}");
        Ok(Self(Who::Session {
            account,
            role: role.into(),
            arn: arn.into(),
        }))
    }

    /// A service, by its name such as `s3.amazonaws.com`.
    ///
    /// # Errors
    /// [`InvalidPrincipal`] if it cannot be the name of a service.
    pub fn service(name: &str) -> Result<Self, InvalidPrincipal> {
        parse_service(name)?;
        Ok(Self(Who::Service(name.into())))
    }

    /// Lambda itself, which becomes the roles of functions.
    #[must_use]
    pub fn lambda() -> Self {
        Self(Who::Service("lambda.amazonaws.com".into()))
    }

    /// Somebody whom an identity provider knows, by the provider: the principal of `AssumeRoleWithWebIdentity` and
    /// `AssumeRoleWithSAML`.
    #[must_use]
    pub fn federated(provider: &str) -> Self {
        Self(Who::Federated(provider.into()))
    }

    /// The account that the principal belongs to; services, federated and anonymous ones belong to none.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match &self.0 {
            Who::Root { account, .. }
            | Who::User { account, .. }
            | Who::Role { account, .. }
            | Who::Session { account, .. } => Some(*account),
            Who::Anonymous | Who::Service(_) | Who::Federated(_) => None,
        }
    }

    /// The ARN, as error texts of AWS name a user; of a session its own one.
    #[must_use]
    pub fn arn(&self) -> Option<&str> {
        match &self.0 {
            Who::Root { arn, .. }
            | Who::User { arn, .. }
            | Who::Role { arn, .. }
            | Who::Session { arn, .. } => Some(arn),
            Who::Anonymous | Who::Service(_) | Who::Federated(_) => None,
        }
    }

    /// Whether it is the root of an account.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(self.0, Who::Root { .. })
    }

    pub(crate) fn who(&self) -> &Who {
        &self.0
    }
}

/// An ARN of `iam` or `sts` that names somebody. "You cannot use a wildcard to match part of a principal name or ARN."
pub(crate) fn parse_arn(arn: &str) -> Result<(AccountId, Entity), InvalidPrincipal> {
    let invalid = || InvalidPrincipal::new(ARN, arn);
    if arn.contains(['*', '?']) || arn.contains(char::is_whitespace) {
        return Err(invalid());
    }
    let mut parts = arn.splitn(6, ':');
    let mut part = || parts.next().ok_or_else(invalid);
    let (prefix, partition, service, region) = (part()?, part()?, part()?, part()?);
    let account = part()?.parse().map_err(|_| invalid())?;
    let resource = part()?;
    let is_partition = partition == "aws" || partition.starts_with("aws-");
    if prefix != "arn" || !is_partition || !region.is_empty() {
        return Err(invalid());
    }
    let entity = match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" => Entity::Root,
        ("iam", Some(("user", rest))) if is_named(rest) => Entity::User,
        ("iam", Some(("role", rest))) if is_named(rest) => Entity::Role,
        ("sts", Some(("federated-user", name))) if !name.is_empty() => Entity::FederatedUser,
        ("sts", Some(("assumed-role", rest))) => match rest.split_once('/') {
            Some((role, name)) if !role.is_empty() && !name.is_empty() && !name.contains('/') => {
                Entity::AssumedRole
            }
            _ => return Err(invalid()),
        },
        _ => return Err(invalid()),
    };
    Ok((account, entity))
}

/// Whether a path does not end before the name.
fn is_named(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/')
}

/// "Usually in the format `service-name.amazonaws.com`"; a few services have other names under Amazon's domains.
pub(crate) fn parse_service(name: &str) -> Result<(), InvalidPrincipal> {
    const DOMAINS: [&str; 4] = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazon.com",
        ".aws.internal",
    ];
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let prefix = DOMAINS.iter().find_map(|domain| name.strip_suffix(domain));
    match prefix {
        Some(prefix)
            if prefix.split('.').all(|label| !label.is_empty()) && name.bytes().all(legal) =>
        {
            Ok(())
        }
        _ => Err(InvalidPrincipal::new(
            "the name of a service, such as s3.amazonaws.com",
            name,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_principals() {
        for (arn, expected) in [
            ("arn:aws:iam::123456789012:root", Some(Entity::Root)),
            ("arn:aws-cn:iam::123456789012:user/a", Some(Entity::User)),
            (
                "arn:aws:iam::123456789012:user/path/of/a",
                Some(Entity::User),
            ),
            (
                "arn:aws:iam::123456789012:role/service-role/a",
                Some(Entity::Role),
            ),
            (
                "arn:aws:sts::123456789012:assumed-role/a/b",
                Some(Entity::AssumedRole),
            ),
            (
                "arn:aws:sts::123456789012:federated-user/a",
                Some(Entity::FederatedUser),
            ),
            ("arn:aws:iam::123456789012:user/", None),
            ("arn:aws:iam::123456789012:user/a/", None),
            ("arn:aws:iam::123456789012:user/*", None),
            ("arn:aws:iam::12345678901:root", None),
            ("arn:aws:iam::*:root", None),
            ("arn:aws:iam:eu-west-1:123456789012:root", None),
            ("arn:aws:iam::123456789012:group/a", None),
            ("arn:aws:sts::123456789012:assumed-role/a", None),
            ("arn:aws:sts::123456789012:assumed-role/a/b/c", None),
            ("arn:aws:s3:::bucket", None),
            ("arn:gcp:iam::123456789012:root", None),
            ("arn:aws:iam::123456789012:user/a b", None),
            ("arn:aws:iam", None),
            ("", None),
        ] {
            assert_eq!(parse_arn(arn).ok().map(|(_, e)| e), expected, "{arn}");
        }
    }

    #[test]
    fn a_session_has_the_name_of_its_role_without_the_path() {
        let session = Principal::session("arn:aws:iam::123456789012:role/p/q/worker", "f").unwrap();
        assert_eq!(
            session.arn(),
            Some("arn:aws:sts::123456789012:assumed-role/worker/f")
        );
        assert!(Principal::session("arn:aws:iam::123456789012:user/a", "f").is_err());
        for bad in ["", "a b", "a/b", "a*", &"a".repeat(65)] {
            let session = Principal::session("arn:aws:iam::123456789012:role/a", bad);
            assert!(session.is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_services() {
        for good in [
            "s3.amazonaws.com",
            "states.eu-west-1.amazonaws.com",
            "ec2.amazonaws.com.cn",
            "alexa-appkit.amazon.com",
        ] {
            assert!(Principal::service(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "amazonaws.com",
            ".amazonaws.com",
            "*.amazonaws.com",
            "s3.example.com",
            "s3..amazonaws.com",
        ] {
            assert!(Principal::service(bad).is_err(), "{bad}");
        }
        let lambda = Principal::service("lambda.amazonaws.com").unwrap();
        assert_eq!(Principal::lambda(), lambda);
    }
}
