//! Conditions on a line that is a JSON object.

use serde_json::Value;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// All of these.
    All(Vec<Self>),
    /// One of these.
    Any(Vec<Self>),
    /// This of what a selector finds.
    Test(Selector, Test),
}

/// The way from the object to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector(pub(super) Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of an object.
    Member(String),
    /// An element of a list.
    Element(usize),
    /// Any element of a list.
    Each,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// There is no such value.
    Absent,
    IsNull,
    Is(bool),
    Text {
        equal: bool,
        text: Wild,
    },
    Number(Comparison, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A text in which `*` stands for anything: what stands between the stars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wild(pub(super) Vec<String>);

impl Condition {
    pub(super) fn holds(&self, record: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.holds(record)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(record)),
            Self::Test(selector, test) => {
                let found = selector.find(record);
                match test {
                    Test::Absent => found.is_empty(),
                    test => found.iter().any(|value| test.holds(value)),
                }
            }
        }
    }
}

impl Selector {
    fn find<'v>(&self, record: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![record];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        found
    }
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Self::Element(n), Value::Array(elements)) => elements.get(*n).into_iter().collect(),
            (Self::Each, Value::Array(elements)) => elements.iter().collect(),
            _ => Vec::new(),
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Absent => false,
            Self::IsNull => value.is_null(),
            Self::Is(wanted) => value.as_bool() == Some(*wanted),
            Self::Text { equal, text } => {
                let shown = match value {
                    Value::String(string) => Some(string.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    Value::Bool(b) => Some(b.to_string()),
                    Value::Null | Value::Array(_) | Value::Object(_) => None,
                };
                shown.is_some_and(|shown| text.matches(&shown) == *equal)
            }
            Self::Number(comparison, wanted) => value
                .as_f64()
                .and_then(|got| got.partial_cmp(wanted))
                .is_some_and(|order| comparison.accepts(order)),
        }
    }
}

impl Comparison {
    const fn accepts(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Wild {
    /// Each piece as early as it can be, the first and the last where the text begins and ends.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self.0.as_slice() {
            [] => text.is_empty(),
            [only] => text == only,
            [first, middle @ .., last] => {
                let Some(mut rest) = text.strip_prefix(first.as_str()) else {
                    return false;
                };
                for piece in middle {
                    match rest.split_once(piece.as_str()) {
                        Some((_, after)) => rest = after,
                        None => return false,
                    }
                }
                rest.ends_with(last.as_str())
            }
        }
    }
}
