//! What is wrong with a configuration, and where.

use std::{fmt, path::PathBuf};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file; line and column count from 1.
    File {
        /// Which.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// In a variable.
    Variable(String),
    /// Nowhere: the key is not written.
    Unwritten,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// A name that nobody knows.
    #[error("{place}: unknown {what} {name:?}{}", hint(.nearest.as_deref()))]
    Unknown {
        /// Where.
        place: Place,
        /// `section`, `key` or `variable`.
        what: &'static str,
        /// The name.
        name: String,
        /// A known name close to it.
        nearest: Option<String>,
    },
    /// A key that must be written.
    #[error("{key} is missing: {doc}")]
    Missing {
        /// Section and name.
        key: String,
        /// What belongs there.
        doc: &'static str,
    },
    /// A value that cannot be.
    #[error("{place}: {key}: {reason}")]
    Value {
        /// Where.
        place: Place,
        /// Section and name.
        key: String,
        /// What was expected and what came.
        reason: String,
    },
}

/// Everything that is wrong, in the order found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Unwritten => f.write_str("default"),
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; see `dunlin config keys`".to_owned(),
        |n| format!("; did you mean {n:?}?"),
    )
}
