//! Condition operators: a comparison, and what stands around its name.

use std::fmt;

use crate::error::InvalidDocument;

/// `ForAllValues:StringNotLikeIfExists`, taken apart. The guide's page *IAM JSON policy elements: Condition operators*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    quantifier: Option<Quantifier>,
    comparison: Comparison,
    if_exists: bool,
}

/// How the values of a request count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// How one value is held against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    NumericEquals,
    NumericNotEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateNotEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    NotIpAddress,
    ArnEquals,
    ArnLike,
    ArnNotEquals,
    ArnNotLike,
    Null,
}

const NAMES: [(&str, Comparison); 27] = [
    ("StringEquals", Comparison::StringEquals),
    ("StringNotEquals", Comparison::StringNotEquals),
    ("StringEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase),
    (
        "StringNotEqualsIgnoreCase",
        Comparison::StringNotEqualsIgnoreCase,
    ),
    ("StringLike", Comparison::StringLike),
    ("StringNotLike", Comparison::StringNotLike),
    ("NumericEquals", Comparison::NumericEquals),
    ("NumericNotEquals", Comparison::NumericNotEquals),
    ("NumericLessThan", Comparison::NumericLessThan),
    ("NumericLessThanEquals", Comparison::NumericLessThanEquals),
    ("NumericGreaterThan", Comparison::NumericGreaterThan),
    (
        "NumericGreaterThanEquals",
        Comparison::NumericGreaterThanEquals,
    ),
    ("DateEquals", Comparison::DateEquals),
    ("DateNotEquals", Comparison::DateNotEquals),
    ("DateLessThan", Comparison::DateLessThan),
    ("DateLessThanEquals", Comparison::DateLessThanEquals),
    ("DateGreaterThan", Comparison::DateGreaterThan),
    ("DateGreaterThanEquals", Comparison::DateGreaterThanEquals),
    ("Bool", Comparison::Bool),
    ("BinaryEquals", Comparison::BinaryEquals),
    ("IpAddress", Comparison::IpAddress),
    ("NotIpAddress", Comparison::NotIpAddress),
    ("ArnEquals", Comparison::ArnEquals),
    ("ArnLike", Comparison::ArnLike),
    ("ArnNotEquals", Comparison::ArnNotEquals),
    ("ArnNotLike", Comparison::ArnNotLike),
    ("Null", Comparison::Null),
];

impl Operator {
    /// # Errors
    /// An operator that does not exist; `Null` with a quantifier or `IfExists`, which would ask a second time whether the
    /// key is there.
    pub(crate) fn parse(name: &str) -> Result<Self, InvalidDocument> {
        let (quantifier, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::Any), rest),
            _ => (None, name),
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let found = NAMES.iter().find(|(name, _)| *name == base);
        let operator = found.map(|(_, comparison)| Self {
            quantifier,
            comparison: *comparison,
            if_exists,
        });
        operator
            .filter(|o| o.comparison != Comparison::Null || (quantifier.is_none() && !if_exists))
            .ok_or_else(|| InvalidDocument::text("a condition operator", name))
    }

    pub(crate) fn quantifier(self) -> Option<Quantifier> {
        self.quantifier
    }

    pub(crate) fn comparison(self) -> Comparison {
        self.comparison
    }

    pub(crate) fn if_exists(self) -> bool {
        self.if_exists
    }

    /// Whether it holds where the comparison of the same name without `Not` does not.
    pub(crate) fn is_negated(self) -> bool {
        matches!(
            self.comparison,
            Comparison::StringNotEquals
                | Comparison::StringNotEqualsIgnoreCase
                | Comparison::StringNotLike
                | Comparison::NumericNotEquals
                | Comparison::DateNotEquals
                | Comparison::NotIpAddress
                | Comparison::ArnNotEquals
                | Comparison::ArnNotLike
        )
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.quantifier {
            None => "",
            Some(Quantifier::All) => "ForAllValues:",
            Some(Quantifier::Any) => "ForAnyValue:",
        })?;
        let named = NAMES.iter().find(|(_, c)| *c == self.comparison);
        f.write_str(named.map_or("", |(name, _)| name))?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_prints_as_it_was() {
        for (base, comparison) in NAMES {
            for quantifier in ["", "ForAllValues:", "ForAnyValue:"] {
                for suffix in ["", "IfExists"] {
                    let name = format!("{quantifier}{base}{suffix}");
                    let parsed = Operator::parse(&name);
                    if base == "Null" && name != base {
                        assert!(parsed.is_err(), "{name}");
                        continue;
                    }
                    let parsed = parsed.unwrap();
                    assert_eq!(parsed.comparison(), comparison);
                    assert_eq!(parsed.is_negated(), base.contains("Not"), "{name}");
                    assert_eq!(parsed.to_string(), name);
                }
            }
        }
    }

    #[test]
    fn unknown_operators_are_refused() {
        for bad in [
            "",
            "StringMatches",
            "stringEquals",
            "ForSomeValues:StringEquals",
            "StringEqualsIfexists",
            "IfExists",
            "ForAllValues:",
            "ForAllValues:ForAnyValue:Bool",
            "Bool ",
        ] {
            assert!(Operator::parse(bad).is_err(), "{bad}");
        }
    }
}
