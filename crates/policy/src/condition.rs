//! The `Condition` element: operators, keys and values, and whether they hold.
//!
//! The guide's pages *IAM JSON policy elements: Condition*, *Condition operators* and *Conditions with multiple context keys
//! or values*.

use std::fmt;

use crate::{
    Context,
    document::{
        list::List,
        tree::{Quoted, Tree},
    },
    error::InvalidDocument,
};

mod comparand;
mod decimal;
mod moment;
mod network;
mod operator;
mod scalar;

use comparand::Comparands;
use operator::{Operator, Quantifier};
use scalar::Scalar;

/// All conditions of a statement; every one of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions(Vec<Block>);

/// One operator and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    operator: Operator,
    tests: Vec<Test>,
}

/// One key and the values that it is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    key: Box<str>,
    written: List<Scalar>,
    comparands: Comparands,
}

impl Conditions {
    pub(crate) fn read(tree: &Tree, variables: bool) -> Result<Self, InvalidDocument> {
        let blocks = tree.object("an object of condition operators")?.iter();
        let blocks = blocks.map(|(name, tests)| {
            Block::read(name, tests, variables).map_err(|e| e.below(format_args!(".{name}")))
        });
        Ok(Self(blocks.collect::<Result<_, _>>()?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them hold.
    pub(crate) fn hold(&self, context: &Context) -> bool {
        self.0.iter().all(|block| {
            let mut tests = block.tests.iter();
            tests.all(|test| test.holds(block.operator, context))
        })
    }
}

impl Block {
    fn read(name: &str, tests: &Tree, variables: bool) -> Result<Self, InvalidDocument> {
        let operator = Operator::parse(name)?;
        let tests = tests.object("an object of condition keys")?.iter();
        let tests = tests.map(|(key, values)| {
            Test::read(operator, key, values, variables)
                .map_err(|e| e.below(format_args!(".{key}")))
        });
        Ok(Self {
            operator,
            tests: tests.collect::<Result<_, _>>()?,
        })
    }
}

impl Test {
    fn read(
        operator: Operator,
        key: &str,
        values: &Tree,
        variables: bool,
    ) -> Result<Self, InvalidDocument> {
        if key.is_empty() {
            return Err(InvalidDocument::text("the name of a condition key", key));
        }
        let written = List::read(values, Scalar::read)?;
        Ok(Self {
            key: key.into(),
            comparands: Comparands::read(operator.comparison(), &written, variables)?,
            written,
        })
    }

    fn holds(&self, operator: Operator, context: &Context) -> bool {
        let values = context.get(&self.key);
        // "Empty" for the operators that ask about a set: *Conditions with multiple context keys or values* counts a key
        // with an empty text as one without values.
        let no_set = values.iter().all(|v| v.is_empty());
        if let Comparands::Null(wanted) = &self.comparands {
            return wanted.contains(&no_set);
        }
        let negated = operator.is_negated();
        if values.is_empty() {
            return operator.if_exists()
                || match operator.quantifier() {
                    None => negated,
                    Some(Quantifier::All) => true,
                    Some(Quantifier::Any) => false,
                };
        }
        let meets = |value: &str| self.comparands.any(operator.comparison(), value, context);
        match operator.quantifier() {
            // A key with several values needs a quantifier, says the guide, and not what happens without one. Here one
            // value must meet, and negated none.
            None => values.iter().any(|v| meets(v)) != negated,
            Some(Quantifier::All) => no_set || values.iter().all(|v| meets(v) != negated),
            Some(Quantifier::Any) => !no_set && values.iter().any(|v| meets(v) != negated),
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, block) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}\"{}\":{{", block.operator)?;
            for (place, test) in block.tests.iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(f, "{comma}{}:{}", Quoted(&test.key), test.written)?;
            }
            f.write_str("}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests;
