//! One value, or a list of them.

use std::fmt;

use super::tree::Tree;
use crate::error::InvalidDocument;

/// "If the element takes an array but only one value is included, the brackets are optional": *Grammar of the IAM JSON
/// policy language*. Remembers whether they were there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T> {
    items: Vec<T>,
    brackets: bool,
}

impl<T> List<T> {
    /// One value without brackets.
    pub(crate) fn one(item: T) -> Self {
        Self {
            items: vec![item],
            brackets: false,
        }
    }

    pub(crate) fn read(
        tree: &Tree,
        read: impl Fn(&Tree) -> Result<T, InvalidDocument>,
    ) -> Result<Self, InvalidDocument> {
        let Tree::List(items) = tree else {
            return read(tree).map(Self::one);
        };
        let items = items
            .iter()
            .enumerate()
            .map(|(place, item)| read(item).map_err(|e| e.below(format_args!("[{place}]"))));
        Ok(Self {
            items: items.collect::<Result<_, _>>()?,
            brackets: true,
        })
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.brackets {
            f.write_str("[")?;
        }
        for (place, item) in self.items.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{item}")?;
        }
        f.write_str(if self.brackets { "]" } else { "" })
    }
}
