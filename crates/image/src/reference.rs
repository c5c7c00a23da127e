//! The name of an image.

use std::{fmt, str::FromStr};

use model::Digest;

/// The name of an image: `HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`. A digest counts before a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `HOST[:PORT]`.
    pub registry: String,
    /// The path below it.
    pub repository: String,
    /// The tag; `latest` if neither tag nor digest were given.
    pub tag: Option<String>,
    /// What exactly is meant.
    pub digest: Option<Digest>,
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST], got {0:?}")]
pub struct InvalidReference(pub String);

impl Reference {
    /// The same image by its digest alone.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// What stands for it in the path of a request for its manifest.
    pub(crate) fn name(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse(s).ok_or_else(|| InvalidReference(s.chars().take(256).collect()))
    }
}

fn parse(s: &str) -> Option<Reference> {
    let (name, digest) = match s.split_once('@') {
        Some((name, digest)) => (name, Some(digest.strip_prefix("sha256:")?.parse().ok()?)),
        None => (s, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        // A colon before a slash stands before a port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let (registry, repository) = name.split_once('/')?;
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    let is_path = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
    let is_tag = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let sound = !registry.is_empty()
        && registry.bytes().all(is_host)
        && repository
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'))
        && repository.bytes().all(is_path)
        && tag
            .is_none_or(|tag| !tag.is_empty() && !tag.starts_with('.') && tag.bytes().all(is_tag));
    let tag = match (tag, digest) {
        (None, None) => Some("latest"),
        (tag, _) => tag,
    };
    sound.then(|| Reference {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@sha256:{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        let digest = Digest::of(b"x");
        for (text, shown, name) in [
            ("r.local/a", "r.local/a:latest", "latest".to_owned()),
            (
                "127.0.0.1:5000/a/b:1.0",
                "127.0.0.1:5000/a/b:1.0",
                "1.0".to_owned(),
            ),
            (
                &format!("r:5000/a@sha256:{digest}"),
                &format!("r:5000/a@sha256:{digest}"),
                format!("sha256:{digest}"),
            ),
            (
                &format!("r/a:t@sha256:{digest}"),
                &format!("r/a:t@sha256:{digest}"),
                format!("sha256:{digest}"),
            ),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), shown);
            assert_eq!(reference.name(), name);
        }
        for text in [
            "",
            "a",
            "r/",
            "r/A",
            "r/a/../b",
            "r/a:",
            "r/a@sha256:0",
            "r/a?x",
            "r/a b",
            "/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
