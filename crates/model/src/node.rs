//! Nodes: who they are, where they stand, what they do.

use std::{fmt, str::FromStr, sync::Arc};

/// A node's name: 1–63 of `[a-z0-9.-]`, unique in the cluster, stable over restarts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Arc<str>);

/// A failure domain: 1–63 of `[a-z0-9.-]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone(Arc<str>);

/// A life of a node's storage. A node whose storage was lost comes back under a new incarnation, never under its old id:
/// a voter that forgot its log could help to make a second quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

/// What a node does for the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Replicates the catalog.
    Controller,
    /// Runs environments.
    Worker,
    /// Answers callers.
    Frontend,
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Roles(u8);

/// A text that names no node, zone or role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct InvalidNodeText {
    /// What would have been accepted.
    pub expected: &'static str,
    /// What came.
    pub got: String,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Controller, Self::Worker, Self::Frontend];

    /// The role's name in configuration and certificates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Worker => "worker",
            Self::Frontend => "frontend",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Controller => 1,
            Self::Worker => 2,
            Self::Frontend => 4,
        }
    }
}

impl Roles {
    /// All three.
    pub const ALL: Self = Self(7);

    /// Whether the role is among them.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | role.bit())
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |r| self.has(*r))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

impl FromStr for Role {
    type Err = InvalidNodeText;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|r| r.as_str() == s)
            .ok_or_else(|| InvalidNodeText {
                expected: "controller, worker or frontend",
                got: s.chars().take(100).collect(),
            })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, role) in self.iter().enumerate() {
            write!(f, "{}{role}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

fn is_label(s: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (1..=63).contains(&s.len())
        && s.bytes().all(legal)
        && !s.starts_with(['-', '.'])
        && !s.ends_with(['-', '.'])
}

macro_rules! label {
    ($name:ident, $expected:literal) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = InvalidNodeText;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                if is_label(s) {
                    Ok(Self(s.into()))
                } else {
                    Err(InvalidNodeText {
                        expected: $expected,
                        got: s.chars().take(100).collect(),
                    })
                }
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
    };
}
label!(
    NodeName,
    "a node name of 1 to 63 characters out of a-z, 0-9, . and -"
);
label!(
    Zone,
    "a zone of 1 to 63 characters out of a-z, 0-9, . and -"
);
