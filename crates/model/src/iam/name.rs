use std::{fmt, str::FromStr, sync::Arc};

/// The longest name of a session.
const SESSION_NAME_MAX: usize = 64;
/// The longest name of a user or a role is 64, of a policy 128; one type serves for all.
const NAME_MAX: usize = 128;
const PATH_MAX: usize = 512;

/// The name of a user, a role or a policy: 1 to 128 of `[A-Za-z0-9_+=,.@-]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityName(Arc<str>);

/// What stands between kind and name in an ARN: `/`, or `/` and parts that each end with `/`; at most 512 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityPath(Arc<str>);

/// The public half of an access key: 16 to 128 of `[A-Za-z0-9_]`, as the API allows; those that the cluster makes have 20
/// capital letters and digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(Arc<str>);

/// What somebody who is a role for a while is called: 1 to 64 of `[A-Za-z0-9_+=,.@-]`. `AssumeRole` wants two at least; the
/// environments of a function are called as the function, which may have a name of one letter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionName(Arc<str>);

/// A text that is not what it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct InvalidIam {
    expected: &'static str,
    got: String,
}

impl InvalidIam {
    pub(crate) fn new(expected: &'static str, got: &str) -> Self {
        let got = got.chars().take(200).collect();
        Self { expected, got }
    }
}

fn is_name(s: &str) -> bool {
    s.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

impl FromStr for EntityName {
    type Err = InvalidIam;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if (1..=NAME_MAX).contains(&s.len()) && is_name(s) {
            return Ok(Self(s.into()));
        }
        let expected = "a name of 1 to 128 characters out of a-z, A-Z, 0-9 and _+=,.@-";
        Err(InvalidIam::new(expected, s))
    }
}

impl Default for EntityPath {
    fn default() -> Self {
        Self("/".into())
    }
}

impl FromStr for EntityPath {
    type Err = InvalidIam;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let legal = s.bytes().all(|b| (0x21..=0x7e).contains(&b));
        let parts = s.starts_with('/') && s.ends_with('/') && !s.contains("//");
        if legal && parts && s.len() <= PATH_MAX {
            return Ok(Self(s.into()));
        }
        let expected = "a path such as / or /division/team/, at most 512 characters";
        Err(InvalidIam::new(expected, s))
    }
}

impl FromStr for AccessKeyId {
    type Err = InvalidIam;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let legal = s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if (16..=128).contains(&s.len()) && legal {
            return Ok(Self(s.into()));
        }
        let expected = "an access key id of 16 to 128 letters and digits";
        Err(InvalidIam::new(expected, s))
    }
}

impl FromStr for SessionName {
    type Err = InvalidIam;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if (1..=SESSION_NAME_MAX).contains(&s.len()) && is_name(s) {
            return Ok(Self(s.into()));
        }
        let expected = "a session name of 1 to 64 characters out of a-z, A-Z, 0-9 and _+=,.@-";
        Err(InvalidIam::new(expected, s))
    }
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text!(EntityName, EntityPath, AccessKeyId, SessionName);

/// The alphabet of ids: base 32 (RFC 4648).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The letters and digits behind an id's prefix.
const DIGITS: usize = 16;

/// An id as AWS gives them: four letters for its kind, and 16 letters and digits out of random bits. `AKIA` is an access
/// key, `ASIA` that of a session, `AIDA` a user, `AROA` a role, `ANPA` a policy.
#[must_use]
pub fn unique_id(prefix: &str, bits: u128) -> String {
    let digits = (0..DIGITS).map(|place| {
        let index = (bits >> (5 * place)) & 31;
        let byte = usize::try_from(index).ok().and_then(|i| ALPHABET.get(i));
        char::from(byte.copied().unwrap_or(b'A'))
    });
    prefix.chars().chain(digits).collect()
}

impl EntityName {
    /// The first name there can be: no other comes before it.
    #[must_use]
    pub fn first() -> Self {
        Self("+".into())
    }
}

impl AccessKeyId {
    /// The id of a new access key.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        Self(unique_id("AKIA", bits).into())
    }

    /// The id of the access key of a session.
    #[must_use]
    pub fn of_session(bits: u128) -> Self {
        Self(unique_id("ASIA", bits).into())
    }

    /// Whether it is the access key of a session.
    #[must_use]
    pub fn is_of_session(&self) -> bool {
        self.0.starts_with("ASIA")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_names() {
        let long = "n".repeat(129);
        assert!(long[1..].parse::<EntityName>().is_ok());
        for bad in [&*long, "", "a b", "a/b", "ä", "a:b"] {
            assert!(bad.parse::<EntityName>().is_err(), "{bad}");
        }
        for bad in [
            "",
            "a",
            "/a",
            "a/",
            "//",
            "/a b/",
            &format!("/{}/", "p".repeat(511)),
        ] {
            assert!(bad.parse::<EntityPath>().is_err(), "{bad}");
        }
        assert!(
            format!("/{}/", "p".repeat(510))
                .parse::<EntityPath>()
                .is_ok()
        );
        assert!("".parse::<SessionName>().is_err());
        assert!("s".parse::<SessionName>().is_ok());
        assert!("s".repeat(65).parse::<SessionName>().is_err());
        assert!("s".repeat(64).parse::<SessionName>().is_ok());
    }

    #[test]
    fn no_name_comes_before_the_first() {
        let legal = (0..=127u8).map(|b| char::from(b).to_string());
        let names: Vec<EntityName> = legal.filter_map(|s| s.parse().ok()).collect();
        assert_eq!(names.len(), 26 + 26 + 10 + 7);
        assert_eq!(names.iter().min(), Some(&EntityName::first()));
    }

    #[test]
    fn ids_come_from_random_bits() {
        let id = AccessKeyId::from_random(u128::MAX);
        assert_eq!(id.as_str(), "AKIA7777777777777777");
        assert_eq!(id.as_str().parse(), Ok(id));
        assert!(AccessKeyId::of_session(0).is_of_session());
        assert_ne!(AccessKeyId::from_random(1), AccessKeyId::from_random(2));
    }
}
