//! What is known about a request besides who, what and on which resource.

/// Condition keys and their values. Keys are compared without regard to case, values with.
///
/// A key without values is a key that is not there. "The request context" in the guide's page *IAM JSON policy elements:
/// Condition*.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    // A request has some twenty keys: comparing lengths along a row is quicker than hashing a key without its case.
    entries: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Context {
    /// Nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Sets a key that has one value. What it had before is gone.
    pub fn set(&mut self, key: &str, value: impl Into<Box<str>>) {
        self.set_all(key, [value]);
    }

    /// Sets a key that may have several values, `aws:TagKeys` for one. What it had before is gone.
    pub fn set_all<V: Into<Box<str>>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        let values = values.into_iter().map(Into::into).collect();
        match self.entries.iter_mut().find(|(k, _)| same(k, key)) {
            Some((_, there)) => *there = values,
            None => self.entries.push((key.into(), values)),
        }
    }

    /// The values of a key; none if the key is not there.
    #[must_use]
    pub fn get(&self, key: &str) -> &[Box<str>] {
        let found = self.entries.iter().find(|(k, _)| same(k, key));
        found.map_or(&[], |(_, values)| values)
    }

    /// The value of a key that has exactly one.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            [value] => Some(value),
            _ => None,
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl<K: AsRef<str>, V: Into<Box<str>>> FromIterator<(K, V)> for Context {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut context = Self::new();
        for (key, value) in pairs {
            context.set(key.as_ref(), value);
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_no_case_and_one_entry() {
        let mut context: Context = [("aws:SourceIp", "10.0.0.1")].into_iter().collect();
        context.set("AWS:sourceip", "10.0.0.2");
        assert_eq!(context.single("aws:SOURCEIP"), Some("10.0.0.2"));
        context.set_all("aws:TagKeys", ["a", "b"]);
        assert_eq!(context.get("aws:tagkeys").len(), 2);
        assert_eq!(context.single("aws:TagKeys"), None);
        assert!(context.get("aws:Nothing").is_empty());
    }
}
