//! Collects what is wrong with the members of a request, and says it in one ValidationException as AWS does.

use std::fmt::Display;

use crate::error::ApiError;

/// The longest value that a violation repeats, in characters.
const QUOTED_MAX: usize = 2048;

/// Once the violations are so long together, in bytes, further ones are counted and not told: a body can have more of them
/// than there is memory for their texts.
const TOLD_MAX: usize = 32 << 10;

/// The violations found so far. Paths are in AWS's notation: `loggingConfig.logFormat`.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    count: usize,
    told: String,
}

impl Violations {
    /// The member must be present.
    pub(crate) fn required<T>(&mut self, path: &str, value: Option<&T>)
    where
        T: ?Sized,
    {
        if value.is_none() {
            self.tell(|| {
                format!(
                    "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                )
            });
        }
    }

    /// A violation in the caller's own words, which begin with `Member must` or `Map`.
    pub(crate) fn push(&mut self, path: &str, value: impl Display, demand: impl Display) {
        self.tell(|| {
            let value = clip(&value.to_string(), QUOTED_MAX);
            format!("Value '{value}' at '{path}' failed to satisfy constraint: {demand}")
        });
    }

    /// A violation by a secret value.
    pub(crate) fn push_hidden(&mut self, path: &str, demand: impl Display) {
        self.tell(|| format!("Value at '{path}' failed to satisfy constraint: {demand}"));
    }

    fn tell(&mut self, violation: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            if !self.told.is_empty() {
                self.told.push_str("; ");
            }
            self.told.push_str(&violation());
        }
    }

    /// # Errors
    /// [`ApiError::Validation`] if there is any violation.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let Self { count, told } = self;
        if count == 0 {
            return Ok(());
        }
        let errors = if count == 1 { "error" } else { "errors" };
        Err(ApiError::Validation(format!(
            "{count} validation {errors} detected: {told}"
        )))
    }
}

/// The first characters of a text, for a message that repeats what a caller sent.
pub(crate) fn clip(text: &str, characters_max: usize) -> String {
    text.chars().take(characters_max).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

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
                v.push("handler", "a b", "Member must be a word");
                v.push_hidden("key", "Member must be short");
            },
            &expect![
                "2 validation errors detected: Value 'a b' at 'handler' failed to satisfy constraint: Member must be a word; Value at 'key' failed to satisfy constraint: Member must be short"
            ],
        );
    }

    #[test]
    fn a_long_value_is_not_repeated_in_full() {
        let mut violations = Violations::default();
        violations.push("description", "ä".repeat(1_000_000), "Member must be short");
        assert!(violations.finish().unwrap_err().to_string().len() < 3 * QUOTED_MAX);
    }

    #[test]
    fn of_very_many_violations_the_first_are_told() {
        let mut violations = Violations::default();
        for _ in 0..100_000 {
            violations.required::<str>("updates.1.member.id", None);
        }
        let text = violations.finish().unwrap_err().to_string();
        assert!(text.starts_with("100000 validation errors detected: Value null at 'updates."));
        assert!(text.ends_with("Member must not be null"));
        assert!(text.len() < TOLD_MAX + 200);
    }
}
