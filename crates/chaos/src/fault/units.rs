//! Texts that carry a unit, as scenarios write them.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// A duration: `200ms`, `5s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// How many bits a second: `64kbit`, `1mbit`, `1gbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BitRate(pub u64);

/// A part of a whole: `5%`, or a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

/// A jump of a clock: `+250ms`, `-1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Whether it is backwards.
    pub back: bool,
    /// How far.
    pub by: Duration,
}

/// A text that is none of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct InvalidUnit {
    /// What would have been accepted.
    pub expected: &'static str,
    /// What came.
    pub got: String,
}

const SPANS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
const RATES: [(&str, u64); 4] = [
    ("kbit", 1000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
    ("bit", 1),
];

impl Share {
    /// The share, from 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// A share; nothing if it is not from 0 to 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }
}

impl FromStr for Span {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        count(text, &SPANS)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| InvalidUnit {
                expected: "a duration such as \"200ms\", \"5s\", \"2m\" or \"1h\"",
                got: text.to_owned(),
            })
    }
}

impl FromStr for BitRate {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        count(text, &RATES)
            .filter(|bits| *bits > 0)
            .map(Self)
            .ok_or_else(|| InvalidUnit {
                expected: "a rate such as \"64kbit\" or \"1mbit\"",
                got: text.to_owned(),
            })
    }
}

impl FromStr for Step {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let parse = || {
            let (back, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
                (Some(rest), _) => (false, rest),
                (_, Some(rest)) => (true, rest),
                (None, None) => return None,
            };
            let by = count(rest, &SPANS).map(Duration::from_millis)?;
            Some(Self { back, by })
        };
        parse().ok_or_else(|| InvalidUnit {
            expected: "a step such as \"+250ms\" or \"-1h\"",
            got: text.to_owned(),
        })
    }
}

impl FromStr for Share {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        text.strip_suffix('%')
            .and_then(|percent| percent.parse::<f64>().ok())
            .and_then(|percent| Self::new(percent / 100.0))
            .ok_or_else(|| InvalidUnit {
                expected: "a share such as \"5%\"",
                got: text.to_owned(),
            })
    }
}

/// A whole number with one of these units.
fn count(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [RATES[2], RATES[1], RATES[0]];
        let whole = units
            .iter()
            .find(|(_, factor)| self.0.is_multiple_of(*factor));
        match whole {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}bit", self.0),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 100_000.0).round() / 1000.0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", if self.back { '-' } else { '+' }, self.by)
    }
}

macro_rules! from_text {
    ($($unit:ty),*) => {$(
        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

from_text!(Span, BitRate, Step);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Text(String),
        }
        match Either::deserialize(from)? {
            Either::Text(text) => text.parse().map_err(D::Error::custom),
            Either::Number(number) => Self::new(number).ok_or_else(|| {
                D::Error::custom(InvalidUnit {
                    expected: "a share from 0 to 1, or such as \"5%\"",
                    got: number.to_string(),
                })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: FromStr + fmt::Display>(text: &str) -> Option<String> {
        text.parse::<T>().ok().map(|value| value.to_string())
    }

    #[test]
    fn texts_need_their_units() {
        let span = |text: &str| text.parse::<Span>().ok().map(|s| s.0);
        assert_eq!(span("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(span("2m"), Some(Duration::from_secs(120)));
        for wrong in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5s",
            "5d",
            "99999999999999999h",
        ] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
        assert_eq!("1mbit".parse(), Ok(BitRate(1_000_000)));
        assert!("0mbit".parse::<BitRate>().is_err());
        assert!("1MB".parse::<BitRate>().is_err());
        assert!("1h".parse::<Step>().is_err());
        assert!("101%".parse::<Share>().is_err());
        assert!("5".parse::<Share>().is_err());
    }

    #[test]
    fn texts_are_printed_as_they_are_read() {
        assert_eq!(round::<BitRate>("1500kbit").as_deref(), Some("1500kbit"));
        assert_eq!(round::<BitRate>("1000kbit").as_deref(), Some("1mbit"));
        assert_eq!(round::<BitRate>("7bit").as_deref(), Some("7bit"));
        assert_eq!(round::<Share>("0.5%").as_deref(), Some("0.5%"));
        assert_eq!(round::<Step>("-250ms").as_deref(), Some("-250ms"));
        assert_eq!(round::<Span>("5s").as_deref(), Some("5s"));
    }
}
