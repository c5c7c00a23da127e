//! Query strings.

use crate::percent::{self, InvalidEncoding};

/// Most parameters that a query may have.
const PARAMETERS_MAX: usize = 256;

/// A query string, decoded, in the order in which it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// A query string that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// A name or value that cannot be decoded.
    #[error("a query parameter cannot be decoded")]
    Encoding(#[from] InvalidEncoding),
    /// Too many parameters.
    #[error("expected at most {PARAMETERS_MAX} query parameters, got {0}")]
    TooMany(usize),
}

impl Query {
    /// Parses what follows the `?` of a request target; an empty text is an empty query. A parameter without `=` has
    /// an empty value.
    ///
    /// # Errors
    /// [`InvalidQuery`] for a broken escape or too many parameters.
    pub fn parse(raw: &str) -> Result<Self, InvalidQuery> {
        let count = raw.split('&').count();
        if count > PARAMETERS_MAX {
            return Err(InvalidQuery::TooMany(count));
        }
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((percent::decode(name)?, percent::decode(value)?))
        };
        raw.split('&')
            .filter(|part| !part.is_empty())
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of this name.
    pub fn all<'q>(&'q self, name: &str) -> impl Iterator<Item = &'q str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Every parameter.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_in_order() {
        let query = Query::parse("a=1&b=%2Fx%3D&a=2&&flag&c=x=y&d=a+b").unwrap();
        let pairs: Vec<_> = query.iter().collect();
        assert_eq!(
            pairs,
            [
                ("a", "1"),
                ("b", "/x="),
                ("a", "2"),
                ("flag", ""),
                ("c", "x=y"),
                ("d", "a+b")
            ]
        );
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get("A"), None);
        assert_eq!(Query::parse("").unwrap(), Query::default());
    }

    #[test]
    fn broken_escapes_and_floods_are_refused() {
        assert!(matches!(
            Query::parse("a=%zz"),
            Err(InvalidQuery::Encoding(_))
        ));
        assert!(matches!(
            Query::parse("%=1"),
            Err(InvalidQuery::Encoding(_))
        ));
        assert_eq!(
            Query::parse(&"a&".repeat(256)),
            Err(InvalidQuery::TooMany(257))
        );
    }
}
