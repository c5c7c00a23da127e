//! The values of a condition, read as what their operator compares.

use std::{cmp::Ordering, net::IpAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    decimal::Decimal, moment::Moment, network::Network, operator::Comparison, scalar::Scalar,
};
use crate::{
    Context,
    document::list::List,
    error::InvalidDocument,
    pattern::{ArnPattern, Pattern, Syntax},
};

/// One comparison is held against any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparands {
    Texts(Vec<Pattern>),
    Arns(Vec<ArnPattern>),
    Numbers(Vec<Decimal>),
    Dates(Vec<Moment>),
    Bools(Vec<bool>),
    /// In base64: there is exactly one such text for some bytes.
    Bytes(Vec<Box<str>>),
    Networks(Vec<Network>),
    Null(Vec<bool>),
}

impl Comparands {
    /// # Errors
    /// A value that is not of the kind that the operator compares.
    pub(crate) fn read(
        comparison: Comparison,
        values: &List<Scalar>,
        variables: bool,
    ) -> Result<Self, InvalidDocument> {
        use Comparison as C;
        let text = |wildcards| {
            let syntax = Syntax {
                wildcards,
                variables,
            };
            each(values, |v| Pattern::parse(v, syntax)).map(Self::Texts)
        };
        match comparison {
            C::StringEquals
            | C::StringNotEquals
            | C::StringEqualsIgnoreCase
            | C::StringNotEqualsIgnoreCase => text(false),
            C::StringLike | C::StringNotLike => text(true),
            C::ArnEquals | C::ArnLike | C::ArnNotEquals | C::ArnNotLike => {
                each(values, |v| ArnPattern::parse(v, variables)).map(Self::Arns)
            }
            C::NumericEquals
            | C::NumericNotEquals
            | C::NumericLessThan
            | C::NumericLessThanEquals
            | C::NumericGreaterThan
            | C::NumericGreaterThanEquals => {
                parsed(values, "a number", Decimal::parse).map(Self::Numbers)
            }
            C::DateEquals
            | C::DateNotEquals
            | C::DateLessThan
            | C::DateLessThanEquals
            | C::DateGreaterThan
            | C::DateGreaterThanEquals => parsed(
                values,
                "a date as in ISO 8601, or seconds since 1970",
                Moment::parse,
            )
            .map(Self::Dates),
            C::Bool => parsed(values, "true or false", bool_of).map(Self::Bools),
            C::Null => parsed(values, "true or false", bool_of).map(Self::Null),
            C::BinaryEquals => {
                let checked = |v: &str| BASE64.decode(v).is_ok().then(|| v.into());
                parsed(values, "bytes in base64", checked).map(Self::Bytes)
            }
            C::IpAddress | C::NotIpAddress => parsed(
                values,
                "an address or a network such as 10.0.0.0/8",
                Network::parse,
            )
            .map(Self::Networks),
        }
    }

    /// Whether a value of the request meets any of these; for a negated comparison, whether it meets the positive one.
    /// A value that is not of the kind that is compared meets none.
    pub(crate) fn any(&self, comparison: Comparison, value: &str, context: &Context) -> bool {
        match self {
            Self::Texts(patterns) => patterns.iter().any(|pattern| match comparison {
                Comparison::StringEqualsIgnoreCase | Comparison::StringNotEqualsIgnoreCase => {
                    pattern.equals_ignoring_case(value, context)
                }
                _ => pattern.matches(value, context),
            }),
            Self::Arns(patterns) => patterns.iter().any(|p| p.matches(value, context)),
            Self::Numbers(numbers) => ordered(comparison, Decimal::parse(value), numbers),
            Self::Dates(dates) => ordered(comparison, Moment::parse(value), dates),
            Self::Bools(bools) => bool_of(value).is_some_and(|v| bools.contains(&v)),
            Self::Bytes(all) => all.iter().any(|bytes| **bytes == *value),
            Self::Networks(networks) => value
                .parse::<IpAddr>()
                .is_ok_and(|address| networks.iter().any(|n| n.contains(address))),
            // Whether a key is there is not asked value by value.
            Self::Null(_) => false,
        }
    }
}

fn each<T>(
    values: &List<Scalar>,
    read: impl Fn(&str) -> Result<T, InvalidDocument>,
) -> Result<Vec<T>, InvalidDocument> {
    let values = values.iter().enumerate();
    values
        .map(|(place, value)| read(&value.text()).map_err(|e| e.below(format_args!("[{place}]"))))
        .collect()
}

fn parsed<T>(
    values: &List<Scalar>,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, InvalidDocument> {
    each(values, |v| {
        parse(v).ok_or_else(|| InvalidDocument::text(expected, v))
    })
}

fn bool_of(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    is("true").then_some(true).or(is("false").then_some(false))
}

fn ordered<T: Ord>(comparison: Comparison, value: Option<T>, others: &[T]) -> bool {
    use Comparison as C;
    let meets = |order: Ordering| match comparison {
        C::NumericLessThan | C::DateLessThan => order.is_lt(),
        C::NumericLessThanEquals | C::DateLessThanEquals => order.is_le(),
        C::NumericGreaterThan | C::DateGreaterThan => order.is_gt(),
        C::NumericGreaterThanEquals | C::DateGreaterThanEquals => order.is_ge(),
        _ => order.is_eq(),
    };
    value.is_some_and(|v| others.iter().any(|other| meets(v.cmp(other))))
}
