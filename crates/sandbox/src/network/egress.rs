//! Where code inside may go, as an operator writes it.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use super::address::Cidr;

/// The most entries of one policy.
const RULES_MAX: usize = 128;

/// The most ports of an entry with a name: each takes a place for each address that the name stands for.
const NAME_PORTS_MAX: u16 = 16;

/// What one policy lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Egress {
    /// Everything that is not forbidden to all.
    Open,
    /// What is on this list, as far as it is not forbidden to all.
    Listed(Vec<Rule>),
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where to.
    pub destination: Destination,
    /// The ports there, of TCP and UDP.
    pub ports: Ports,
}

/// Where an entry leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To these addresses.
    Block(Cidr),
    /// To the addresses that such a name stands for when it is asked for.
    Name(NamePattern),
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

/// A host name, or `*.` and the end of one: every name below it, not itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    name: String,
    below: bool,
}

/// A text that is no entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEgress {
    /// It has no port, or one that is none.
    #[error(
        "expected a destination and a port such as \"10.1.0.0/16:443\", \"api.example.com:8000-8010\" or \"10.0.0.1:*\", got {0:?}"
    )]
    Ports(String),
    /// It leads nowhere.
    #[error(
        "expected an IPv4 block such as 10.1.0.0/16 (without bits behind its length) or a host name such as \
         api.example.com or *.example.org before the port, got {0:?}"
    )]
    Destination(String),
    /// It has a name with too many ports.
    #[error("expected at most {NAME_PORTS_MAX} ports for a name, got {0:?}")]
    TooManyPorts(String),
    /// There are too many.
    #[error("expected at most {RULES_MAX} entries, got {0}")]
    TooMany(usize),
    /// `open` is not alone.
    #[error("expected \"open\" alone, since it lets everything through")]
    NotAlone,
}

impl Egress {
    /// Reads a list.
    ///
    /// # Errors
    /// [`InvalidEgress`] about the first entry that is wrong.
    pub fn parse(entries: &[String]) -> Result<Self, InvalidEgress> {
        if entries.iter().any(|e| e == "open") {
            return match entries {
                [_] => Ok(Self::Open),
                _ => Err(InvalidEgress::NotAlone),
            };
        }
        if entries.len() > RULES_MAX {
            return Err(InvalidEgress::TooMany(entries.len()));
        }
        let rules = entries.iter().map(|e| e.parse());
        Ok(Self::Listed(rules.collect::<Result<_, _>>()?))
    }

    /// Whether a name may be asked for; of a list, the ports that its addresses are then reached at.
    pub(crate) fn admits(&self, name: &str) -> Admitted {
        let rules = match self {
            Self::Open => return Admitted::Freely,
            Self::Listed(rules) => rules,
        };
        let mut ports: Vec<u16> = Vec::new();
        for rule in rules {
            match &rule.destination {
                Destination::Name(pattern) if pattern.matches(name) => {
                    ports.extend(rule.ports.first..=rule.ports.last);
                }
                Destination::Name(_) | Destination::Block(_) => {}
            }
        }
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() {
            Admitted::No
        } else {
            Admitted::At(ports)
        }
    }
}

/// What a policy says to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Its addresses are reached like any.
    Freely,
    /// Its addresses are reached at these ports.
    At(Vec<u16>),
    /// It is not on the list.
    No,
}

impl FromStr for Rule {
    type Err = InvalidEgress;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let got = || s.chars().take(300).collect::<String>();
        let (destination, ports) = s
            .rsplit_once(':')
            .ok_or_else(|| InvalidEgress::Ports(got()))?;
        let ports: Ports = ports.parse().map_err(|()| InvalidEgress::Ports(got()))?;
        let is_address = destination.contains('/') || destination.parse::<Ipv4Addr>().is_ok();
        let destination = if is_address {
            let block = destination.parse();
            Destination::Block(block.map_err(|_| InvalidEgress::Destination(got()))?)
        } else {
            let name = destination.parse();
            Destination::Name(name.map_err(|()| InvalidEgress::Destination(got()))?)
        };
        let count = ports.last - ports.first;
        if matches!(destination, Destination::Name(_)) && count >= NAME_PORTS_MAX {
            return Err(InvalidEgress::TooManyPorts(got()));
        }
        Ok(Self { destination, ports })
    }
}

impl FromStr for Ports {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        if s == "*" {
            return Ok(Self {
                first: 1,
                last: u16::MAX,
            });
        }
        let (first, last) = s.split_once('-').unwrap_or((s, s));
        let port = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|n| digits && *n > 0)
        };
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for NamePattern {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        let (below, name) = match s.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, s),
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(fits);
        // A last label of digits alone is the end of an address that went wrong.
        let number = |l: &str| l.bytes().all(|b| b.is_ascii_digit());
        let last = name.rsplit('.').next().unwrap_or("");
        if name.len() <= 253 && name.split('.').all(label) && !number(last) {
            let name = name.to_ascii_lowercase();
            Ok(Self { name, below })
        } else {
            Err(())
        }
    }
}

impl NamePattern {
    /// Whether it means this name, which is in small letters and has no dot at its end.
    pub(crate) fn matches(&self, name: &str) -> bool {
        if self.below {
            let rest = name.strip_suffix(&*self.name);
            rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            name == self.name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entries: &[&str]) -> Result<Egress, InvalidEgress> {
        let entries: Vec<String> = entries.iter().map(|e| (*e).to_owned()).collect();
        Egress::parse(&entries)
    }

    #[test]
    fn entries_are_blocks_or_names_with_ports() {
        let good = [
            "10.1.0.0/16:443",
            "10.0.0.1:*",
            "api.example.com:443",
            "*.example.org:8000-8015",
            "localhost:1",
        ];
        assert!(listed(&good).is_ok());
        assert_eq!(listed(&["open"]), Ok(Egress::Open));
        assert_eq!(listed(&[]), Ok(Egress::Listed(Vec::new())));
        assert_eq!(
            listed(&["open", "10.0.0.1:1"]),
            Err(InvalidEgress::NotAlone)
        );
        for bad in [
            "10.1.0.0/16",
            "a.example:0",
            "a.example:9-8",
            "a.example:x",
            "a.example:+1",
            "10.0.0.1:-1",
        ] {
            assert!(
                matches!(listed(&[bad]), Err(InvalidEgress::Ports(_))),
                "{bad}"
            );
        }
        for bad in [
            "10.1.0.1/16:443",
            "10.1:443",
            "*:443",
            "*.:443",
            "a..b:443",
            "a.*.b:443",
            "[::1]:443",
            "a b:1",
            "1.2.3.400:1",
        ] {
            assert!(
                matches!(listed(&[bad]), Err(InvalidEgress::Destination(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            listed(&["a.example:1-17"]),
            Err(InvalidEgress::TooManyPorts(_))
        ));
        let many = vec!["10.0.0.1:1"; RULES_MAX + 1];
        assert_eq!(listed(&many), Err(InvalidEgress::TooMany(RULES_MAX + 1)));
    }

    #[test]
    fn a_name_is_admitted_at_the_ports_of_every_entry_that_means_it() {
        let list = listed(&[
            "API.example.com:443",
            "*.example.com:80-81",
            "*.example.com:443",
            "10.0.0.0/8:22",
        ])
        .unwrap();
        assert_eq!(
            list.admits("api.example.com"),
            Admitted::At(vec![80, 81, 443])
        );
        assert_eq!(
            list.admits("a.b.example.com"),
            Admitted::At(vec![80, 81, 443])
        );
        for no in [
            "example.com",
            "badexample.com",
            ".example.com",
            "api.example.com.evil",
            "",
        ] {
            assert_eq!(list.admits(no), Admitted::No, "{no}");
        }
        assert_eq!(Egress::Open.admits("anything"), Admitted::Freely);
    }
}
