//! Texts that carry a unit or a form.

use std::{str::FromStr, time::Duration};

use model::{ByteCount, NodeName};

/// A duration with a unit: `250ms`, `10s`, `5m`, `1h`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A size with a unit: `100B`, `4KiB`, `512MiB`, `2GiB`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) ByteCount);

/// `host:port`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostPort(pub(crate) String);

/// `name=host:port`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedAddress {
    pub(crate) name: NodeName,
    pub(crate) address: String,
}

/// The public half of an access key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AccessKeyId(pub(crate) String);

/// What decides which log lines are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogFilter(pub(crate) String);

/// The name of a cluster; it has the form of a node's name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClusterName(pub(crate) String);

/// `http://host:port`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HttpUrl(pub(crate) String);

/// A domain, with a port or without one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DomainName(pub(crate) String);

/// A share, 0 to 1.
#[derive(Debug, PartialEq)]
pub(crate) struct Ratio(pub(crate) f64);

const SPANS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        with_unit(s, &SPANS)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| {
                format!(
                    "expected a duration such as \"250ms\", \"10s\", \"5m\" or \"1h\", got {s:?}"
                )
            })
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        with_unit(s, &SIZES)
            .map(|bytes| Self(ByteCount(bytes)))
            .ok_or_else(|| {
                format!(
                    "expected a size such as \"100B\", \"4KiB\", \"512MiB\" or \"2GiB\", got {s:?}"
                )
            })
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(u, _)| *u == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let good = s.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
            !host.is_empty() && bare && port.parse::<u16>().is_ok()
        });
        if good {
            Ok(Self(s.to_owned()))
        } else {
            Err(format!("expected host:port, got {s:?}"))
        }
    }
}

impl FromStr for DomainName {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (domain, port) = s.split_once(':').unwrap_or((s, "443"));
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(legal);
        if s.len() <= 200 && domain.split('.').all(is_label) && port.parse::<u16>().is_ok() {
            Ok(Self(s.to_owned()))
        } else {
            Err(format!(
                "expected a domain such as example.org, or one with a port, got {s:?}"
            ))
        }
    }
}

impl FromStr for NamedAddress {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (name, address) = s
            .split_once('=')
            .ok_or_else(|| format!("expected name=host:port, got {s:?}"))?;
        Ok(Self {
            name: name
                .parse()
                .map_err(|e: model::node::InvalidNodeText| e.to_string())?,
            address: address.parse::<HostPort>()?.0,
        })
    }
}

impl FromStr for AccessKeyId {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (4..=128).contains(&s.len()) && s.bytes().all(legal) {
            Ok(Self(s.to_owned()))
        } else {
            Err(format!(
                "expected 4 to 128 letters, digits, _ and -, got {s:?}"
            ))
        }
    }
}

impl FromStr for ClusterName {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s.parse::<NodeName>() {
            Ok(_) => Ok(Self(s.to_owned())),
            Err(_) => Err(format!(
                "expected a name of 1 to 63 characters out of a-z, 0-9, . and -, got {s:?}"
            )),
        }
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        s.parse::<tracing_subscriber::filter::Targets>()
            .map(|_| Self(s.to_owned()))
            .map_err(|_| format!("expected a level such as \"info\" or a list such as \"info,routing=debug\", got {s:?}"))
    }
}

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let uri: Option<http::Uri> = s.parse().ok();
        let good = uri.is_some_and(|u| {
            u.scheme_str() == Some("http") && u.host().is_some_and(|h| !h.is_empty())
        });
        if good {
            Ok(Self(s.to_owned()))
        } else {
            Err(format!(
                "expected a URL such as \"http://127.0.0.1:4317\", got {s:?}"
            ))
        }
    }
}

impl FromStr for Ratio {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        s.parse::<f64>()
            .ok()
            .filter(|n| (0.0..=1.0).contains(n))
            .map(Self)
            .ok_or_else(|| format!("expected a number from 0 to 1, got {s}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_need_a_unit() {
        for (text, ms) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5 m", 300_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))), "{text}");
        }
        for (text, bytes) in [
            ("100B", 100),
            ("4KiB", 4096),
            ("512 MiB", 536_870_912),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(ByteCount(bytes))), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "10 sec",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for text in ["", "10", "MiB", "1MB", "1mib"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_may_have_a_port() {
        for text in ["localhost", "localhost:9000", "lambda.example.org"] {
            assert_eq!(text.parse(), Ok(DomainName(text.to_owned())), "{text}");
        }
        for text in ["", ".", "a..b", "Example.org", "a/b", "a:b", "https://a"] {
            assert!(text.parse::<DomainName>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_need_a_host_and_a_port() {
        for text in [
            "a:1",
            "127.0.0.1:9010",
            "[::1]:9010",
            "node-a.zone.example:65535",
        ] {
            assert!(text.parse::<HostPort>().is_ok(), "{text}");
        }
        for text in ["", "a", ":1", "a:", "a:65536", "::1:9010"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
        assert!("a=127.0.0.1:9010".parse::<NamedAddress>().is_ok());
        for text in ["127.0.0.1:9010", "A=127.0.0.1:1", "a=127.0.0.1"] {
            assert!(text.parse::<NamedAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares_urls_and_filters_keep_their_form() {
        assert_eq!("0.25".parse(), Ok(Ratio(0.25)));
        assert!("1.1".parse::<Ratio>().is_err());
        assert!("NaN".parse::<Ratio>().is_err());
        assert!("http://127.0.0.1:4317".parse::<HttpUrl>().is_ok());
        for text in ["127.0.0.1:4317", "https://collector:4317", "http://"] {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
        assert!("info,routing=debug".parse::<LogFilter>().is_ok());
        assert!("routing=loud".parse::<LogFilter>().is_err());
    }
}
