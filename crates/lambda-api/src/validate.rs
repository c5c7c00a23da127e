//! Collects what is wrong with the members of a request, and says it in one ValidationException as AWS does.

use std::{collections::BTreeMap, fmt::Display};

use crate::{
    constraint::{Range, Rule, Text},
    error::ApiError,
};

/// The longest value that a violation repeats, in characters.
const QUOTED_MAX: usize = 2048;

/// The violations found so far. Paths are in AWS's notation: `loggingConfig.logFormat`.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// The member must be present.
    pub(crate) fn required<T>(&mut self, path: &str, value: Option<&T>)
    where
        T: ?Sized,
    {
        if value.is_none() {
            self.0.push(format!(
                "Value null at '{path}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// The member, if present, must keep to these rules.
    pub(crate) fn text(&mut self, path: &str, value: Option<&str>, rules: Text) {
        let Some(value) = value else { return };
        for rule in rules.iter().filter(|rule| !rule.holds(value)) {
            self.push(path, value, format_args!("Member must {}", rule.demand()));
        }
    }

    /// The member, if present, must lie in this range.
    pub(crate) fn integer(&mut self, path: &str, value: Option<i64>, range: &Range) {
        let Some(value) = value else { return };
        if value < range.min {
            self.push(
                path,
                value,
                format_args!(
                    "Member must have value greater than or equal to {}",
                    range.min
                ),
            );
        } else if value > range.max {
            self.push(
                path,
                value,
                format_args!("Member must have value less than or equal to {}", range.max),
            );
        }
    }

    /// The member must be an integer in this range, written in decimal.
    pub(crate) fn decimal(&mut self, path: &str, value: Option<&str>, range: &Range) {
        match value.map(str::parse) {
            Some(Ok(number)) => self.integer(path, Some(number), range),
            Some(Err(_)) => self.push(path, value.unwrap_or_default(), "Member must be an integer"),
            None => {}
        }
    }

    /// The list, if present, must have exactly one element, and that must keep to these rules.
    pub(crate) fn single(&mut self, path: &str, list: Option<&[String]>, rules: Text) {
        let Some(list) = list else { return };
        let shown = format!("[{}]", list.join(", "));
        if list.is_empty() {
            self.push(
                path,
                &shown,
                "Member must have length greater than or equal to 1",
            );
        }
        if list.len() > 1 {
            self.push(
                path,
                &shown,
                "Member must have length less than or equal to 1",
            );
        }
        if list.iter().any(|element| !holds_all(element, rules)) {
            self.push(
                path,
                &shown,
                format_args!("Member must satisfy constraint: {}", demands(rules)),
            );
        }
    }

    /// Keys and values of the map must keep to these rules. The value of a sensitive map is not repeated.
    pub(crate) fn map(
        &mut self,
        path: &str,
        map: &BTreeMap<String, String>,
        keys: Text,
        values: Text,
        shown: Shown,
    ) {
        let bad_keys = map.keys().any(|key| !holds_all(key, keys));
        let bad_values = map.values().any(|value| !holds_all(value, values));
        let value = match shown {
            Shown::No => String::new(),
            Shown::Yes => map
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        for (bad, what, rules) in [(bad_keys, "keys", keys), (bad_values, "value", values)] {
            if !bad {
                continue;
            }
            let demand = format!("Map {what} must satisfy constraint: {}", demands(rules));
            match shown {
                Shown::No => self.0.push(format!(
                    "Value at '{path}' failed to satisfy constraint: {demand}"
                )),
                Shown::Yes => self.push(path, format_args!("{{{value}}}"), demand),
            }
        }
    }

    /// A violation in the caller's own words, which begin with `Member must` or `Map`.
    pub(crate) fn push(&mut self, path: &str, value: impl Display, demand: impl Display) {
        let value = clip(&value.to_string(), QUOTED_MAX);
        self.0.push(format!(
            "Value '{value}' at '{path}' failed to satisfy constraint: {demand}"
        ));
    }

    /// # Errors
    /// [`ApiError::Validation`] if there is any violation.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        let errors = if count == 1 { "error" } else { "errors" };
        Err(ApiError::Validation(format!(
            "{count} validation {errors} detected: {}",
            self.0.join("; ")
        )))
    }
}

/// Whether a violation repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes,
    No,
}

/// The first characters of a text, for a message that repeats what a caller sent.
pub(crate) fn clip(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).collect()
}

fn holds_all(value: &str, rules: Text) -> bool {
    rules.iter().all(|rule| rule.holds(value))
}

fn demands(rules: Text) -> String {
    let each: Vec<_> = rules
        .iter()
        .map(|rule: &Rule| format!("Member must {}", rule.demand()))
        .collect();
    format!("[{}]", each.join(", "))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::constraint;

    fn check(violate: impl FnOnce(&mut Violations), expected: &Expect) {
        let mut violations = Violations::default();
        violate(&mut violations);
        expected.assert_eq(
            &violations
                .finish()
                .map_or_else(|e| e.to_string(), |()| "fine".to_owned()),
        );
    }

    #[test]
    fn one_or_several_in_one_sentence() {
        check(|_| {}, &expect!["fine"]);
        check(
            |v| v.required::<str>("role", None),
            &expect![
                "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null"
            ],
        );
        check(
            |v| {
                v.text("handler", Some("a b"), constraint::HANDLER);
                v.text("runtime", None, constraint::HANDLER);
                v.integer("timeout", Some(0), &constraint::TIMEOUT);
                v.integer("memorySize", Some(40_000), &constraint::MEMORY);
                v.decimal("maxItems", Some("x"), &constraint::MAX_ITEMS);
            },
            &expect![
                "4 validation errors detected: Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\\s]+; Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '40000' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 32768; Value 'x' at 'maxItems' failed to satisfy constraint: Member must be an integer"
            ],
        );
    }

    #[test]
    fn lists_and_maps() {
        let list = ["x86_64".to_owned(), "mips".to_owned()];
        check(
            |v| v.single("architectures", Some(&list), constraint::ARCHITECTURE),
            &expect![
                "2 validation errors detected: Value '[x86_64, mips]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1; Value '[x86_64, mips]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]"
            ],
        );
        let map = BTreeMap::from([("1A".to_owned(), "secret".to_owned())]);
        check(
            |v| {
                v.map(
                    "environment.variables",
                    &map,
                    constraint::ENVIRONMENT_NAME,
                    &[],
                    Shown::No,
                )
            },
            &expect![
                "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
            ],
        );
        let map = BTreeMap::from([("k*".to_owned(), "v".to_owned())]);
        check(
            |v| {
                v.map(
                    "tags",
                    &map,
                    constraint::TAG_KEY,
                    constraint::TAG_VALUE,
                    Shown::Yes,
                )
            },
            &expect![
                "1 validation error detected: Value '{k*=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length greater than or equal to 1, Member must have length less than or equal to 128, Member must satisfy regular expression pattern: ([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)]"
            ],
        );
    }

    #[test]
    fn a_long_value_is_not_repeated_in_full() {
        let mut violations = Violations::default();
        violations.text(
            "description",
            Some(&"ä".repeat(1_000_000)),
            constraint::DESCRIPTION,
        );
        assert!(violations.finish().unwrap_err().to_string().len() < 3 * QUOTED_MAX);
    }
}
