//! Names that people give: functions, aliases, layers and capacity providers.

use std::{fmt, str::FromStr, sync::Arc};

/// A function's name: 1–64 of `[a-zA-Z0-9-_]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Arc<str>);

/// An alias's name: 1–128 of `[a-zA-Z0-9-_]`, not digits only.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(Arc<str>);

/// A layer's name: 1–140 of `[a-zA-Z0-9-_]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerName(Arc<str>);

/// A capacity provider's name: 1–140 of `[a-zA-Z0-9-_]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapacityProviderName(Arc<str>);

/// A text that cannot be the name it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a function name.
    #[error(
        "expected a function name of 1 to 64 characters out of a-z, A-Z, 0-9, - and _, got {0:?}"
    )]
    Function(String),
    /// Not an alias name.
    #[error(
        "expected an alias name of 1 to 128 characters out of a-z, A-Z, 0-9, - and _ that is not a number, got {0:?}"
    )]
    Alias(String),
    /// Not a layer name.
    #[error(
        "expected a layer name of 1 to 140 characters out of a-z, A-Z, 0-9, - and _, got {0:?}"
    )]
    Layer(String),
    /// Not the name of a capacity provider.
    #[error(
        "expected a capacity provider name of 1 to 140 characters out of a-z, A-Z, 0-9, - and _, got {0:?}"
    )]
    CapacityProvider(String),
}

fn is_word(s: &str) -> bool {
    s.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// As much of a text as a refusal shows of it.
fn shown(s: &str) -> String {
    s.chars().take(300).collect()
}

impl FromStr for FunctionName {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if (1..=64).contains(&s.len()) && is_word(s) {
            Ok(Self(s.into()))
        } else {
            Err(InvalidName::Function(shown(s)))
        }
    }
}

impl FromStr for AliasName {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let numeric = s.bytes().all(|b| b.is_ascii_digit());
        if (1..=128).contains(&s.len()) && is_word(s) && !numeric {
            Ok(Self(s.into()))
        } else {
            Err(InvalidName::Alias(shown(s)))
        }
    }
}

impl FromStr for LayerName {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if (1..=140).contains(&s.len()) && is_word(s) {
            Ok(Self(s.into()))
        } else {
            Err(InvalidName::Layer(shown(s)))
        }
    }
}

impl FromStr for CapacityProviderName {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if (1..=140).contains(&s.len()) && is_word(s) {
            Ok(Self(s.into()))
        } else {
            Err(InvalidName::CapacityProvider(shown(s)))
        }
    }
}

macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The name as given.
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
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}
text!(FunctionName);
text!(AliasName);
text!(LayerName);
text!(CapacityProviderName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet_and_length() {
        assert!("hello-World_9".parse::<FunctionName>().is_ok());
        assert!("a".repeat(64).parse::<FunctionName>().is_ok());
        for bad in ["", "a b", "ä", "a/b", "a:b", &"a".repeat(65)] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
        assert!("live".parse::<AliasName>().is_ok());
        assert!("1a".parse::<AliasName>().is_ok());
        for bad in ["", "12", "$LATEST", &"a".repeat(129)] {
            assert!(bad.parse::<AliasName>().is_err(), "{bad}");
        }
        assert!("l".repeat(140).parse::<LayerName>().is_ok());
        for bad in ["", "a.b", &"a".repeat(141)] {
            assert!(bad.parse::<LayerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_is_short_however_long_the_text_was() {
        fn check<T: FromStr<Err: fmt::Display>>() {
            let refusal = "ä".repeat(100_000).parse::<T>().err().unwrap();
            assert!(refusal.to_string().len() < 1000, "{refusal:.100}");
        }
        check::<FunctionName>();
        check::<AliasName>();
        check::<LayerName>();
        check::<CapacityProviderName>();
        check::<crate::AccountId>();
        check::<crate::Region>();
        check::<crate::Architecture>();
        check::<crate::Version>();
        check::<crate::Qualifier>();
        check::<crate::Role>();
        check::<crate::Zone>();
    }
}
