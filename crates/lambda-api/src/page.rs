//! Lists that come in pages.
//!
//! A marker holds the key of the last item that was shown, and the next page starts after that key: no server keeps
//! anything, any node can answer, and an item that appears or vanishes between two pages disturbs no other. A marker
//! that was tampered with at worst starts a list elsewhere in the caller's own list.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{FunctionName, Version};

use crate::{error::ApiError, query::Query};

/// Longest marker, in bytes; a longer one is none of ours.
const MARKER_MAX: usize = 512;

/// First character inside a marker: its format.
const FORMAT: char = '1';

/// Which page of a list a caller wants. `K` is the list's sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<K> {
    /// Items up to and including this key were shown already.
    pub after: Option<K>,
    /// Most items of the page, at least 1.
    pub limit: usize,
}

/// How many items a page has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize {
    /// If the caller does not say.
    pub(crate) default: usize,
    /// Whatever the caller says.
    pub(crate) cap: usize,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of their keys.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last one.
    pub next_marker: Option<String>,
}

/// The key of a list of functions: by name, and within a function by version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionKey {
    /// The function.
    pub name: FunctionName,
    /// The version; `$LATEST` comes first.
    pub version: Version,
}

impl<K: Ord + fmt::Display> PageRequest<K> {
    /// Cuts this page out of items that come in the order of their keys. An iterator that starts at a later key is
    /// welcome: what lies before the page is skipped here anyway.
    #[must_use]
    pub fn cut<T>(&self, items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Page<T> {
        let shown = |item: &T| self.after.as_ref().is_some_and(|after| key(item) <= *after);
        let mut rest = items.into_iter().skip_while(shown);
        let page: Vec<T> = rest.by_ref().take(self.limit).collect();
        let next_marker = rest.next().and(page.last()).map(|last| marker(&key(last)));
        Page {
            items: page,
            next_marker,
        }
    }
}

impl<T> Page<T> {
    /// The same page of what can be made of its items.
    #[must_use]
    pub fn filter_map<U>(self, f: impl FnMut(T) -> Option<U>) -> Page<U> {
        Page {
            items: self.items.into_iter().filter_map(f).collect(),
            next_marker: self.next_marker,
        }
    }

    /// The same page of something else.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            next_marker: self.next_marker,
        }
    }
}

/// The marker of a page that ends with this key.
#[must_use]
pub fn marker(key: &impl fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{FORMAT}{key}"))
}

/// The key in a marker.
///
/// # Errors
/// [`ApiError::InvalidParameterValue`] for anything that [`marker`] does not make of a key.
pub fn key<K: FromStr>(marker: &str) -> Result<K, ApiError> {
    let parse = || {
        let bytes = (marker.len() <= MARKER_MAX)
            .then(|| URL_SAFE_NO_PAD.decode(marker).ok())
            .flatten()?;
        String::from_utf8(bytes)
            .ok()?
            .strip_prefix(FORMAT)?
            .parse()
            .ok()
    };
    parse().ok_or_else(ApiError::invalid_marker)
}

/// Reads the paging parameters of a query. An empty marker starts the list.
pub(crate) fn request<K: FromStr>(
    query: &Query,
    size: PageSize,
) -> Result<PageRequest<K>, ApiError> {
    let after = query
        .get("Marker")
        .filter(|marker| !marker.is_empty())
        .map(key)
        .transpose()?;
    let wanted = query
        .get("MaxItems")
        .and_then(|n| n.parse().ok())
        .unwrap_or(size.default);
    Ok(PageRequest {
        after,
        limit: wanted.clamp(1, size.cap),
    })
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.version)
    }
}

/// A text that is no [`FunctionKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a function name, a colon and a version")]
pub struct InvalidFunctionKey;

impl FromStr for FunctionKey {
    type Err = InvalidFunctionKey;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (name, version) = s.split_once(':').ok_or(InvalidFunctionKey)?;
        Ok(Self {
            name: name.parse().map_err(|_| InvalidFunctionKey)?,
            version: version.parse().map_err(|_| InvalidFunctionKey)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: PageSize = PageSize {
        default: 50,
        cap: 50,
    };

    fn request(query: &str) -> Result<PageRequest<FunctionKey>, ApiError> {
        let query = Query::parse(query).unwrap();
        super::request(&query, SIZE)
    }

    #[test]
    fn a_page_size_has_a_default_and_a_cap() {
        assert_eq!(
            request("").unwrap(),
            PageRequest {
                after: None,
                limit: 50
            }
        );
        assert_eq!(request("MaxItems=3&Marker=").unwrap().limit, 3);
        assert_eq!(request("MaxItems=10000").unwrap().limit, 50);
    }

    #[test]
    fn a_page_size_is_a_number_in_a_range() {
        for bad in ["0", "10001", "-1", "x", ""] {
            let request = format!("GET /2015-03-31/functions?MaxItems={bad}");
            assert_eq!(
                crate::request::testing::checked(&request, "")
                    .unwrap_err()
                    .name(),
                "ValidationException",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_marker_of_somebody_else_is_refused() {
        for bad in [
            "x",
            "%",
            "MQ",
            "Zjox",
            &"A".repeat(600),
            &URL_SAFE_NO_PAD.encode("2f:1"),
            &URL_SAFE_NO_PAD.encode("1f:0"),
        ] {
            assert_eq!(
                key::<FunctionKey>(bad).unwrap_err(),
                ApiError::invalid_marker(),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_marker_gives_its_key_back(name in "[a-zA-Z0-9_-]{1,64}", n in 0u64..) {
            let version = Version::number(n).unwrap_or(Version::Latest);
            let wanted = FunctionKey { name: name.parse().unwrap(), version };
            prop_assert_eq!(key::<FunctionKey>(&marker(&wanted)).unwrap(), wanted);
        }

        #[test]
        fn reading_a_marker_never_panics(text in ".{0,60}") {
            let _ = key::<FunctionKey>(&text);
        }

        #[test]
        fn pages_together_are_the_list(count in 0u64..40, limit in 1usize..8) {
            let all: Vec<u64> = (0..count).collect();
            let mut seen = Vec::new();
            let mut page = PageRequest { after: None, limit };
            for _ in 0..=count {
                let cut = page.cut(all.iter().copied(), |n| *n);
                prop_assert!(cut.items.len() <= limit);
                seen.extend(cut.items);
                match cut.next_marker {
                    Some(marker) => page.after = Some(key(&marker).unwrap()),
                    None => break,
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
