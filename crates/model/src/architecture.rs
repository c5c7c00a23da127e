//! Instruction sets.

use std::{fmt, str::FromStr};

/// An instruction set, by Lambda's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Architecture {
    /// `x86_64`.
    #[default]
    X86_64,
    /// `arm64`.
    Arm64,
}

/// A text that names no architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected x86_64 or arm64, got {0:?}")]
pub struct InvalidArchitecture(pub String);

impl Architecture {
    /// Lambda's name for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// What this binary was built for; `None` where Lambda has no name for it.
    #[must_use]
    pub const fn of_this_binary() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Arm64)
        } else {
            None
        }
    }
}

impl FromStr for Architecture {
    type Err = InvalidArchitecture;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "x86_64" => Ok(Self::X86_64),
            "arm64" => Ok(Self::Arm64),
            other => Err(InvalidArchitecture(other.chars().take(100).collect())),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
