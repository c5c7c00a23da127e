//! A value as a document writes it.

use std::{borrow::Cow, fmt};

use serde_json::Number;

use crate::{
    document::tree::{Quoted, Tree},
    error::InvalidDocument,
};

/// "Quotation marks are optional for numeric and Boolean values": *Grammar of the IAM JSON policy language*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text(Box<str>),
    Number(Number),
    Bool(bool),
}

impl Scalar {
    pub(crate) fn read(tree: &Tree) -> Result<Self, InvalidDocument> {
        match tree {
            Tree::Text(text) => Ok(Self::Text(text.as_str().into())),
            Tree::Number(number) => Ok(Self::Number(number.clone())),
            Tree::Bool(value) => Ok(Self::Bool(*value)),
            Tree::Null | Tree::List(_) | Tree::Object(_) => Err(InvalidDocument::unexpected(
                "a string, a number, true, false, or a list of these",
                tree.name(),
            )),
        }
    }

    /// The value without quotation marks.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}
