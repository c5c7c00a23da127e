//! From JSON to a pattern.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    Bound, Branch, COMBINATIONS_MAX, Except, Matcher, Pattern, PatternError, Range, Reason, Scalar,
    Text,
};

/// The member that holds alternatives.
const OR: &str = "$or";

/// The members on the way to a mistake, innermost last.
type Path<'p> = &'p mut Vec<String>;

pub(crate) fn pattern(text: &str) -> Result<Pattern, PatternError> {
    let mut path = Vec::new();
    whole(text, &mut path).map_err(|reason| PatternError {
        path: path.join("."),
        reason,
    })
}

fn whole(text: &str, path: Path<'_>) -> Result<Pattern, Reason> {
    let json: Value = serde_json::from_str(text).map_err(|_| Reason::NotJson)?;
    let pattern = object(&json, path)?;
    if pattern.combinations() > COMBINATIONS_MAX {
        return Err(Reason::TooManyCombinations);
    }
    Ok(pattern)
}

fn object(json: &Value, path: Path<'_>) -> Result<Pattern, Reason> {
    let Value::Object(object) = json else {
        return Err(Reason::NotAnObject);
    };
    if object.is_empty() {
        return Err(Reason::EmptyObject);
    }
    let mut pattern = Pattern {
        members: BTreeMap::new(),
        alternatives: Vec::new(),
    };
    for (name, value) in object {
        path.push(name.clone());
        if name == OR {
            pattern.alternatives = alternatives(value, path)?;
        } else {
            pattern.members.insert(name.clone(), branch(value, path)?);
        }
        path.pop();
    }
    Ok(pattern)
}

fn alternatives(json: &Value, path: Path<'_>) -> Result<Vec<Pattern>, Reason> {
    match json {
        Value::Array(list) if list.is_empty() => Err(Reason::EmptyList),
        Value::Array(list) if list.iter().all(Value::is_object) => {
            list.iter().map(|one| object(one, path)).collect()
        }
        _ => Err(Reason::BadAlternatives),
    }
}

fn branch(json: &Value, path: Path<'_>) -> Result<Branch, Reason> {
    match json {
        Value::Object(_) => object(json, path).map(Branch::Object),
        Value::Array(list) if list.is_empty() => Err(Reason::EmptyList),
        Value::Array(list) => list
            .iter()
            .map(matcher)
            .collect::<Result<_, _>>()
            .map(Branch::Any),
        _ => Err(Reason::NotABranch),
    }
}

fn matcher(json: &Value) -> Result<Matcher, Reason> {
    match json {
        Value::Array(_) => Err(Reason::NestedList),
        Value::Object(object) => {
            let (operator, operand) = one(object)?;
            operation(operator, operand)
        }
        Value::Null => Ok(Matcher::Equals(Scalar::Null)),
        Value::Bool(value) => Ok(Matcher::Equals(Scalar::Bool(*value))),
        Value::String(text) => Ok(Matcher::Equals(Scalar::Text(text.clone()))),
        Value::Number(_) => Ok(Matcher::Equals(Scalar::Number(number(json)?))),
    }
}

/// The only member of an object.
fn one(object: &Map<String, Value>) -> Result<(&str, &Value), Reason> {
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(Reason::NotOneOperator),
    }
}

fn operation(operator: &str, operand: &Value) -> Result<Matcher, Reason> {
    match operator {
        "equals-ignore-case" => text(operand).map(Matcher::EqualsIgnoreCase),
        "prefix" => end(operand).map(Matcher::Prefix),
        "suffix" => end(operand).map(Matcher::Suffix),
        "numeric" => range(operand).map(Matcher::Numeric),
        "exists" => operand
            .as_bool()
            .map(Matcher::Exists)
            .ok_or(Reason::BadOperand),
        "anything-but" => except(operand).map(Matcher::AnythingBut),
        _ => Err(Reason::UnknownOperator),
    }
}

/// The operand of `prefix` and `suffix`.
fn end(json: &Value) -> Result<Text, Reason> {
    match json {
        Value::Object(object) => match one(object)? {
            ("equals-ignore-case", operand) => text(operand).map(Text::IgnoreCase),
            _ => Err(Reason::BadOperand),
        },
        _ => text(json).map(Text::Exact),
    }
}

/// The operand of `numeric`: one comparison, or a lower and an upper bound.
fn range(json: &Value) -> Result<Range, Reason> {
    let list = json.as_array().ok_or(Reason::BadOperand)?;
    let (comparisons, rest) = list.as_chunks::<2>();
    if comparisons.is_empty() || comparisons.len() > 2 || !rest.is_empty() {
        return Err(Reason::BadComparison);
    }
    let (mut lower, mut upper) = (None, None);
    for [operator, operand] in comparisons {
        let number = number(operand).map_err(|_| Reason::BadComparison)?;
        let bound = |inclusive| Some(Bound { number, inclusive });
        let (low, high) = match operator.as_str() {
            Some("=") => (bound(true), bound(true)),
            Some(">") => (bound(false), None),
            Some(">=") => (bound(true), None),
            Some("<") => (None, bound(false)),
            Some("<=") => (None, bound(true)),
            _ => return Err(Reason::BadComparison),
        };
        let twice = (low.is_some() && lower.is_some()) || (high.is_some() && upper.is_some());
        if twice {
            return Err(Reason::BadComparison);
        }
        lower = low.or(lower);
        upper = high.or(upper);
    }
    match (lower, upper) {
        (Some(low), Some(high)) if low.number >= high.number && comparisons.len() == 2 => {
            Err(Reason::BadComparison)
        }
        _ => Ok(Range { lower, upper }),
    }
}

fn except(json: &Value) -> Result<Except, Reason> {
    match json {
        Value::String(_) => Ok(Except::Texts(vec![text(json)?])),
        Value::Number(_) => Ok(Except::Numbers(vec![number(json)?])),
        Value::Array(list) if list.is_empty() => Err(Reason::EmptyList),
        Value::Array(list) if list.iter().all(Value::is_string) => list
            .iter()
            .map(text)
            .collect::<Result<_, _>>()
            .map(Except::Texts),
        Value::Array(list) if list.iter().all(Value::is_number) => list
            .iter()
            .map(number)
            .collect::<Result<_, _>>()
            .map(Except::Numbers),
        Value::Object(object) => {
            let (operator, operand) = one(object)?;
            let except = match operator {
                "prefix" => Except::Prefixes,
                "suffix" => Except::Suffixes,
                "equals-ignore-case" => Except::IgnoreCase,
                _ => return Err(Reason::UnknownOperator),
            };
            texts(operand).map(except)
        }
        Value::Array(_) | Value::Null | Value::Bool(_) => Err(Reason::BadOperand),
    }
}

/// One text that is not empty, or a list of them.
fn texts(json: &Value) -> Result<Vec<String>, Reason> {
    let texts: Vec<String> = match json {
        Value::Array(list) if list.is_empty() => return Err(Reason::EmptyList),
        Value::Array(list) => list.iter().map(text).collect::<Result<_, _>>()?,
        _ => vec![text(json)?],
    };
    if texts.iter().any(String::is_empty) {
        return Err(Reason::BadOperand);
    }
    Ok(texts)
}

fn text(json: &Value) -> Result<String, Reason> {
    json.as_str().map(str::to_owned).ok_or(Reason::BadOperand)
}

fn number(json: &Value) -> Result<f64, Reason> {
    json.as_f64()
        .filter(|number| number.is_finite())
        .ok_or(Reason::BadOperand)
}
