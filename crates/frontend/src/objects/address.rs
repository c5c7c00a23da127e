//! Where an object store is, and where an object lies in it.

use std::{fmt, str::FromStr};

use lambda_api::percent;
use model::ObjectAddress;

/// `http://host:port` or `https://host[:port]`, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it is reached by TLS.
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

/// A text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST[:PORT] or https://HOST[:PORT], got {0:?}")]
pub struct InvalidEndpoint(pub String);

/// What a request for an object asks, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The host that is connected to, and that TLS proves.
    pub(super) host: String,
    /// The value of the `Host` header.
    pub(super) authority: String,
    /// Encoded once.
    pub(super) path: String,
    /// Without its `?`; empty for none.
    pub(super) query: String,
}

impl Endpoint {
    /// Where an object lies. Without `path_style` the bucket is a part of the host's name.
    pub(super) fn target(&self, object: &ObjectAddress, path_style: bool) -> Target {
        let key = object.key.split('/').map(percent::encode);
        let key = key.collect::<Vec<_>>().join("/");
        let (host, path) = if path_style {
            let bucket = percent::encode(&object.bucket);
            (self.host.clone(), format!("/{bucket}/{key}"))
        } else {
            (
                format!("{}.{}", object.bucket, self.host),
                format!("/{key}"),
            )
        };
        let usual = if self.tls { 443 } else { 80 };
        let authority = if self.port == usual {
            host.clone()
        } else {
            format!("{host}:{}", self.port)
        };
        let version = object.version.as_deref();
        Target {
            authority,
            host,
            path,
            query: version.map_or(String::new(), |v| {
                format!("versionId={}", percent::encode(v))
            }),
        }
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse(s).ok_or_else(|| InvalidEndpoint(s.chars().take(200).collect()))
    }
}

fn parse(s: &str) -> Option<Endpoint> {
    let uri: http::Uri = s.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some()
    {
        return None;
    }
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None if authority.as_str().ends_with(':') => return None,
        None if tls => 443,
        None => 80,
    };
    let host = authority.host();
    (!host.is_empty() && port != 0).then(|| Endpoint {
        tls,
        host: host.to_owned(),
        port,
    })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("http://127.0.0.1:9000", Some("http://127.0.0.1:9000")),
            ("https://s3.local", Some("https://s3.local:443")),
            ("https://s3.local/", Some("https://s3.local:443")),
            ("http://[::1]:9000", Some("http://[::1]:9000")),
            ("s3.local:9000", None),
            ("ftp://s3.local", None),
            ("http://s3.local/path", None),
            ("http://s3.local?x", None),
            ("http://key@s3.local", None),
            ("http://:9000", None),
            ("", None),
        ] {
            let parsed = text.parse::<Endpoint>().ok().map(|e| e.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn objects_by_path_and_by_host() {
        let endpoint: Endpoint = "https://s3.local:9000".parse().unwrap();
        let object = ObjectAddress {
            bucket: "b".to_owned(),
            key: "a//ä =/../x.zip".to_owned(),
            version: Some("v/1".to_owned()),
        };
        let by_path = endpoint.target(&object, true);
        assert_eq!(by_path.path, "/b/a//%C3%A4%20%3D/../x.zip");
        assert_eq!(by_path.query, "versionId=v%2F1");
        assert_eq!(by_path.authority, "s3.local:9000");
        let by_host = endpoint.target(&object, false);
        assert_eq!(by_host.path, "/a//%C3%A4%20%3D/../x.zip");
        assert_eq!(
            (by_host.host.as_str(), by_host.authority.as_str()),
            ("b.s3.local", "b.s3.local:9000")
        );
        let usual: Endpoint = "https://s3.local".parse().unwrap();
        let newest = ObjectAddress {
            version: None,
            ..object
        };
        let target = usual.target(&newest, true);
        assert_eq!(
            (target.authority.as_str(), target.query.as_str()),
            ("s3.local", "")
        );
    }
}
