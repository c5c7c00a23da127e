use std::{fmt, str::FromStr};

use crate::Timestamp;

/// The letters of a URL's id, and how many it has.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const LETTERS: usize = 32;

/// A URL that invokes a function or an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The first label of its host.
    pub id: UrlId,
    /// Who may use it.
    pub auth: UrlAuth,
    /// What browsers may do; without it they ask the function.
    pub cors: Option<Cors>,
    /// How responses are sent.
    pub invoke_mode: InvokeMode,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub last_modified: Timestamp,
}

/// Changes to a [`FunctionUrl`]; `None` leaves a member as it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UrlPatch {
    /// See [`FunctionUrl::auth`].
    pub auth: Option<UrlAuth>,
    /// See [`FunctionUrl::cors`].
    pub cors: Option<Cors>,
    /// See [`FunctionUrl::invoke_mode`].
    pub invoke_mode: Option<InvokeMode>,
}

/// Who may use a URL, beside what its policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlAuth {
    /// Callers that sign.
    AwsIam,
    /// Callers need not sign.
    None,
}

impl UrlAuth {
    /// As the API names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwsIam => "AWS_IAM",
            Self::None => "NONE",
        }
    }
}

impl fmt::Display for UrlAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a URL sends responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InvokeMode {
    /// When they are complete.
    #[default]
    Buffered,
    /// As they come.
    ResponseStream,
}

/// Cross-origin resource sharing of a URL. A list that is `None` was not given.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cors {
    /// Whether credentials may come along.
    pub allow_credentials: Option<bool>,
    /// Headers that requests may have.
    pub allow_headers: Option<Vec<String>>,
    /// Methods that requests may have.
    pub allow_methods: Option<Vec<String>>,
    /// Where requests may come from.
    pub allow_origins: Option<Vec<String>>,
    /// Headers of responses that scripts may see.
    pub expose_headers: Option<Vec<String>>,
    /// How long an answer to a preflight holds, in seconds.
    pub max_age_s: Option<u32>,
}

/// What a URL is found by: 32 lower-case letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UrlId([u8; LETTERS]);

/// A text that is not the id of a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {LETTERS} characters out of a-z and 0-9, got {0:?}")]
pub struct InvalidUrlId(pub String);

impl FunctionUrl {
    /// What it is after a change.
    #[must_use]
    pub fn patched(&self, patch: &UrlPatch, at: Timestamp) -> Self {
        Self {
            id: self.id,
            auth: patch.auth.unwrap_or(self.auth),
            cors: patch.cors.as_ref().or(self.cors.as_ref()).cloned(),
            invoke_mode: patch.invoke_mode.unwrap_or(self.invoke_mode),
            created: self.created,
            last_modified: at,
        }
    }
}

impl Cors {
    /// The bytes of all its texts.
    #[must_use]
    pub fn size(&self) -> usize {
        let lists = [
            &self.allow_headers,
            &self.allow_methods,
            &self.allow_origins,
            &self.expose_headers,
        ];
        lists.into_iter().flatten().flatten().map(String::len).sum()
    }
}

impl UrlId {
    /// From twice 128 random bits, one for each half.
    #[must_use]
    pub fn from_random(bits: [u128; 2]) -> Self {
        let mut letters = [b'a'; LETTERS];
        let base: u128 = 36;
        for (half, mut bits) in letters.chunks_exact_mut(LETTERS / 2).zip(bits) {
            for letter in half {
                let index = usize::try_from(bits % base).unwrap_or(0);
                *letter = ALPHABET.get(index).copied().unwrap_or(b'a');
                bits /= base;
            }
        }
        Self(letters)
    }

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for UrlId {
    type Err = InvalidUrlId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        <[u8; LETTERS]>::try_from(s.as_bytes())
            .ok()
            .filter(|letters| letters.iter().all(|l| ALPHABET.contains(l)))
            .map(Self)
            .ok_or_else(|| InvalidUrlId(s.chars().take(100).collect()))
    }
}

impl fmt::Display for UrlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for UrlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_prints_as_it_is_read(a in any::<u128>(), b in any::<u128>()) {
            let id = UrlId::from_random([a, b]);
            prop_assert_eq!(id.to_string().len(), LETTERS);
            prop_assert_eq!(id.to_string().parse::<UrlId>(), Ok(id));
        }
    }

    #[test]
    fn both_halves_count() {
        let id = |a, b| UrlId::from_random([a, b]);
        assert_eq!(id(0, 0).as_str(), "a".repeat(32));
        assert_ne!(id(1, 0), id(0, 1));
        assert_ne!(id(1 << 80, 0), id(0, 0));
    }

    #[test]
    fn what_is_no_id() {
        for bad in ["", "a", &"A".repeat(32), &"-".repeat(32), &"a".repeat(33)] {
            assert!(bad.parse::<UrlId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_patch_leaves_what_it_does_not_name() {
        let cors = Cors {
            allow_origins: Some(vec!["*".to_owned()]),
            ..Cors::default()
        };
        let url = FunctionUrl {
            id: UrlId::from_random([1, 2]),
            auth: UrlAuth::AwsIam,
            cors: Some(cors.clone()),
            invoke_mode: InvokeMode::Buffered,
            created: Timestamp(1),
            last_modified: Timestamp(1),
        };
        let patch = UrlPatch {
            auth: Some(UrlAuth::None),
            ..UrlPatch::default()
        };
        let patched = url.patched(&patch, Timestamp(2));
        assert_eq!((patched.auth, patched.cors), (UrlAuth::None, Some(cors)));
        assert_eq!(
            (patched.created, patched.last_modified),
            (Timestamp(1), Timestamp(2))
        );
    }
}
