//! Dates as signatures write them: `20261124T010203Z`.

use jiff::{civil::DateTime, fmt::rfc2822, tz::Offset};
use model::Timestamp;

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The date of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    /// The moment, in whole seconds.
    pub(super) at: Timestamp,
}

impl Date {
    /// The moment a request is signed; signatures know seconds only.
    pub(super) const fn of(at: Timestamp) -> Self {
        Self {
            at: Timestamp(at.0 - at.0 % 1000),
        }
    }

    /// Reads an `X-Amz-Date`, strictly.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = |b: (usize, u8)| match b.0 {
            8 => b.1 == b'T',
            15 => b.1 == b'Z',
            _ => b.1.is_ascii_digit(),
        };
        if text.len() != 16 || !text.bytes().enumerate().all(digits) {
            return None;
        }
        let parsed = DateTime::strptime(FORMAT, text).ok()?;
        Self::from_jiff(Offset::UTC.to_timestamp(parsed).ok()?)
    }

    /// Reads a `Date` header, which may stand for an `X-Amz-Date`.
    pub(super) fn parse_http(text: &str) -> Option<Self> {
        Self::from_jiff(rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?)
    }

    fn from_jiff(at: jiff::Timestamp) -> Option<Self> {
        u64::try_from(at.as_millisecond())
            .ok()
            .map(|at| Self { at: Timestamp(at) })
    }

    /// `20261124`.
    pub(super) fn day(&self) -> String {
        self.at.format("%Y%m%d")
    }

    /// `20261124T010203Z`.
    pub(super) fn text(&self) -> String {
        text(self.at)
    }
}

/// `20261124T010203Z`.
pub(super) fn text(at: Timestamp) -> String {
    at.format(FORMAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_strictly_and_printed_back() {
        let date = Date::parse("20261124T010203Z").unwrap();
        assert_eq!(date.at, Timestamp(1_795_482_123_000));
        assert_eq!(
            (date.day().as_str(), date.text().as_str()),
            ("20261124", "20261124T010203Z")
        );
        assert_eq!(
            Date::parse_http("Tue, 24 Nov 2026 01:02:03 -0000"),
            Some(date)
        );
        assert_eq!(
            Date::parse_http("Tue, 24 Nov 2026 01:02:03 GMT"),
            Some(date)
        );
        assert_eq!(Date::of(Timestamp(1_795_482_123_999)), date);
        for bad in [
            "",
            "20261124",
            "20261124T010203",
            "20261324T010203Z",
            "20261124t010203z",
            "2026-11-24T01:02:03Z",
            "+0261124T010203Z",
            "19691231T235959Z",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }
}
