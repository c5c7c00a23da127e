//! What each operation takes, read from `schema/lambda.txt`, and the check of a request against it.
//!
//! The file is the one place that says which members an operation has, where they travel and what they must be. [`check`]
//! holds a request against it before anything else looks at the request: every broken constraint is told at once, in AWS's
//! words. What comes after may rely on it and asks only what the model cannot say.

mod check;
mod json;
mod read;

use std::sync::{LazyLock, OnceLock};

use fancy_regex::Regex;
use http::{Method, StatusCode};

use crate::operation::Operation;

pub(crate) use check::check;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    #[allow(
        clippy::expect_used,
        reason = "the file is part of the program, and a test reads it"
    )]
    read::read(include_str!("schema/lambda.txt")).expect("the schema is well formed")
});

/// Every operation and every shape that an operation's input is made of.
#[derive(Debug)]
pub(crate) struct Schema {
    operations: Vec<Input>,
    shapes: Vec<Shape>,
}

/// What one operation takes.
#[derive(Debug)]
pub(crate) struct Input {
    name: &'static str,
    pub(crate) method: Method,
    /// Segments in braces are labels.
    pub(crate) path: &'static str,
    /// A parameter that tells this operation from another on the same path.
    pub(crate) query: Option<(&'static str, &'static str)>,
    pub(crate) success: StatusCode,
    members: Vec<InputMember>,
}

#[derive(Debug)]
struct InputMember {
    place: Place,
    /// The name on the wire.
    wire: &'static str,
    member: Member,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Query,
    Header,
    Body,
    Payload,
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    required: bool,
    shape: ShapeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ShapeId(usize);

#[derive(Debug)]
enum Shape {
    Text(Text),
    Enum(Vec<&'static str>),
    Integer(Bounds<i64>),
    Double(Bounds<f64>),
    Boolean,
    Timestamp,
    Blob {
        bounds: Bounds<usize>,
    },
    List {
        of: ShapeId,
        bounds: Bounds<usize>,
        secret: bool,
    },
    Map {
        key: ShapeId,
        value: ShapeId,
        bounds: Bounds<usize>,
        secret: bool,
    },
    Structure(Vec<Member>),
}

#[derive(Debug)]
struct Text {
    bounds: Bounds<usize>,
    secret: bool,
    pattern: Option<Pattern>,
}

/// The least and the greatest value, or length.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds<T> {
    min: Option<T>,
    max: Option<T>,
}

/// A pattern of the model. It is compiled when it is first needed.
struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Schema {
    /// What an operation takes.
    pub(crate) fn input(operation: Operation) -> &'static Input {
        #[allow(
            clippy::indexing_slicing,
            reason = "the file names the operations in the order of the enumeration, which reading it checks"
        )]
        &SCHEMA.operations[operation as usize]
    }

    fn shape(&self, id: ShapeId) -> &Shape {
        #[allow(
            clippy::indexing_slicing,
            reason = "ids are made of positions in this list"
        )]
        &self.shapes[id.0]
    }
}

impl Pattern {
    const fn new(text: &'static str) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// Whether the pattern holds for the whole text. One that cannot be decided within the engine's bound does not.
    fn holds(&self, text: &str) -> bool {
        let compiled = self
            .compiled
            .get_or_init(|| Regex::new(&format!("^(?:{})\\z", self.text)).ok());
        compiled
            .as_ref()
            .is_some_and(|regex| regex.is_match(text).unwrap_or(false))
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}/", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_compiled() {
        let patterns = SCHEMA.shapes.iter().filter_map(|shape| match shape {
            Shape::Text(text) => text.pattern.as_ref(),
            _ => None,
        });
        for pattern in patterns {
            pattern.holds("");
            assert!(pattern.compiled.get().unwrap().is_some(), "{pattern:?}");
        }
    }

    #[test]
    fn every_operation_is_described_under_its_own_name() {
        assert_eq!(SCHEMA.operations.len(), Operation::ALL.len());
        for operation in Operation::ALL {
            let input = Schema::input(*operation);
            assert_eq!(input.name, format!("{operation:?}"));
            let labels = input.path.split('/').filter(|s| s.starts_with('{'));
            let described = input.members.iter().filter(|m| m.place == Place::Path);
            assert_eq!(labels.count(), described.count(), "{operation:?}");
        }
    }
}
