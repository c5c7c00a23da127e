//! Where a page begins.
//!
//! A token holds the position of the last event that was shown: no server keeps anything, any frontend can answer the next
//! page. One that was tampered with at worst begins elsewhere in what its bearer may see anyway.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::LogsError;

/// The longest token that is read.
const TOKEN_MAX: usize = 2048;
/// What a token inside begins with: its format.
const FORMAT: char = '1';

/// Where an event stands among all of a group: by time, then by stream, then by its number among those of its stream at that
/// time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// When it came, in milliseconds since 1970.
    pub at: u64,
    /// Its stream.
    pub stream: String,
    /// Its number among those of its stream that came at that time.
    pub number: u64,
}

/// Where a page of one stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Behind the event with this time and number; at the beginning of the stream without one.
    Forward(Option<(u64, u64)>),
    /// In front of it.
    Backward(u64, u64),
}

/// Where a page of a list of streams begins: behind this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKey {
    /// The time of its last event, in milliseconds since 1970.
    pub last: u64,
    /// Its name.
    pub name: String,
}

/// A token that holds this.
pub(super) fn sealed(content: &impl fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{FORMAT}{content}"))
}

/// What a token holds.
pub(super) fn opened<T: FromStr>(token: &str) -> Result<T, LogsError> {
    let open = || {
        let bytes = (token.len() <= TOKEN_MAX)
            .then(|| URL_SAFE_NO_PAD.decode(token).ok())
            .flatten()?;
        let text = String::from_utf8(bytes).ok()?;
        text.strip_prefix(FORMAT)?.parse().ok()
    };
    open().ok_or_else(invalid)
}

fn invalid() -> LogsError {
    LogsError::InvalidParameter("The specified nextToken is invalid.".to_owned())
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at, self.number, self.stream)
    }
}

impl FromStr for Position {
    type Err = LogsError;

    fn from_str(text: &str) -> Result<Self, LogsError> {
        let (at, number, stream) = parts(text).ok_or_else(invalid)?;
        Ok(Self {
            at,
            stream: stream.to_owned(),
            number,
        })
    }
}

fn parts(text: &str) -> Option<(u64, u64, &str)> {
    let (at, rest) = text.split_once('.')?;
    let (number, stream) = rest.split_once('.')?;
    Some((at.parse().ok()?, number.parse().ok()?, stream))
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.last, self.name)
    }
}

impl FromStr for StreamKey {
    type Err = LogsError;

    fn from_str(text: &str) -> Result<Self, LogsError> {
        let (last, name) = text.split_once('.').ok_or_else(invalid)?;
        Ok(Self {
            last: last.parse().map_err(|_| invalid())?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward(None) => f.write_str("f/start"),
            Self::Forward(Some((at, number))) => write!(f, "f/{at:014}{number:010}"),
            Self::Backward(at, number) => write!(f, "b/{at:014}{number:010}"),
        }
    }
}

impl FromStr for Place {
    type Err = LogsError;

    fn from_str(text: &str) -> Result<Self, LogsError> {
        if text == "f/start" {
            return Ok(Self::Forward(None));
        }
        let read = || {
            let (way, digits) = text.split_once('/')?;
            let (at, number) = digits.split_at_checked(14)?;
            let (at, number) = (at.parse().ok()?, number.parse().ok()?);
            match way {
                "f" => Some(Self::Forward(Some((at, number)))),
                "b" => Some(Self::Backward(at, number)),
                _ => None,
            }
        };
        read().ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_come_back(at in 0u64..100_000_000_000_000, number in 0u64..10_000_000_000, stream in "[ -~]{0,80}") {
            let position = Position { at, stream: stream.clone(), number };
            prop_assert_eq!(opened::<Position>(&sealed(&position)).unwrap(), position);
            let key = StreamKey { last: at, name: stream };
            prop_assert_eq!(opened::<StreamKey>(&sealed(&key)).unwrap(), key);
            for place in [Place::Forward(Some((at, number))), Place::Backward(at, number), Place::Forward(None)] {
                prop_assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
            }
        }

        #[test]
        fn others_are_refused_and_never_panic(text in ".{0,40}") {
            let _ = opened::<Position>(&text);
            let _ = opened::<StreamKey>(&text);
            let _ = text.parse::<Place>();
        }
    }

    #[test]
    fn a_token_that_is_none_is_an_invalid_parameter() {
        for token in [
            "",
            "x",
            &URL_SAFE_NO_PAD.encode("21.2.s"),
            &"A".repeat(TOKEN_MAX + 1),
        ] {
            let error = opened::<Position>(token).unwrap_err();
            assert_eq!(error.code(), "InvalidParameterException", "{token}");
        }
    }
}
