//! Dates as conditions compare them.

/// "One of the W3C implementations of the ISO 8601 date formats or epoch (UNIX) time": *IAM JSON policy elements: Condition
/// operators*. Seconds since 1970 and nanoseconds of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    seconds: i64,
    nanos: u32,
}

const DAY_SECONDS: i64 = 86_400;

impl Moment {
    /// `2020`, `2020-04`, `2020-04-01`, `2020-04-01T00:00Z`, `2020-04-01T00:00:01.5+01:00`; digits alone are seconds since
    /// 1970, except four of them, which are a year.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let only_digits = text.bytes().all(|b| b.is_ascii_digit());
        if only_digits && text.len() != 4 {
            let seconds = text.parse().ok()?;
            return Some(Self { seconds, nanos: 0 });
        }
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().map_or(Some(1), |m| number(m, 2))?;
        let day = parts.next().map_or(Some(1), |d| number(d, 2))?;
        if parts.next().is_some() || (time.is_some() && date.len() != 10) {
            return None;
        }
        let midnight = days(year, month, day)? * DAY_SECONDS;
        match time {
            None => Some(Self {
                seconds: midnight,
                nanos: 0,
            }),
            Some(time) => Self::at(midnight, time),
        }
    }

    /// `hh:mm[:ss[.f]]` and `Z` or `±hh:mm`, on the day of this midnight.
    fn at(midnight: i64, time: &str) -> Option<Self> {
        let zone = time.find(['Z', '+', '-'])?;
        let (clock, zone) = time.split_at_checked(zone)?;
        let mut parts = clock.split(':');
        let hour = below(number(parts.next()?, 2)?, 24)?;
        let minute = below(number(parts.next()?, 2)?, 60)?;
        let (second, nanos) = match parts.next() {
            None => (0, 0),
            Some(part) => {
                let (second, fraction) = match part.split_once('.') {
                    Some((second, fraction)) => (second, nanos(fraction)?),
                    None => (part, 0),
                };
                (below(number(second, 2)?, 60)?, fraction)
            }
        };
        if parts.next().is_some() {
            return None;
        }
        let seconds = midnight + hour * 3600 + minute * 60 + second - offset_seconds(zone)?;
        Some(Self { seconds, nanos })
    }
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, hours_minutes) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let (hours, minutes) = hours_minutes.split_once(':')?;
    let hours = below(number(hours, 2)?, 24)?;
    let minutes = below(number(minutes, 2)?, 60)?;
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let all_digits = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| text.parse().ok())?
}

fn below(number: i64, limit: i64) -> Option<i64> {
    (number < limit).then_some(number)
}

/// Of a fraction of a second, with one to nine digits.
fn nanos(fraction: &str) -> Option<u32> {
    let digits = fraction.bytes().all(|b| b.is_ascii_digit());
    if !digits || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |sum, b| sum * 10 + u32::from(b - b'0')))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `None` if there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the day of a leap year is the last one.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let in_year = (153 * month + 2) / 5 + day - 1;
    let before = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(before + in_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: i64, nanos: u32) {
        let expected = Some(Moment { seconds, nanos });
        assert_eq!(Moment::parse(text), expected, "{text}");
    }

    #[test]
    fn every_form() {
        check("1970", 0, 0);
        check("2020", 1_577_836_800, 0);
        check("2020-03", 1_583_020_800, 0);
        check("2020-02-29", 1_582_934_400, 0);
        check("2020-01-01T00:00:01Z", 1_577_836_801, 0);
        check("2020-01-01T01:30Z", 1_577_842_200, 0);
        check("2020-01-01T01:30:00+01:30", 1_577_836_800, 0);
        check("2019-12-31T23:00:00.25-01:00", 1_577_836_800, 250_000_000);
        check("1577836801", 1_577_836_801, 0);
        check("0", 0, 0);
        check("1969-12-31T23:59:59Z", -1, 0);
        check("0000-03-01", -62_162_035_200, 0);
    }

    #[test]
    fn the_calendar_is_that_of_a_library() {
        let mut day = jiff::civil::date(1, 1, 1);
        while day.year() < 2500 {
            let midnight: jiff::Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
            check(&day.to_string(), midnight.as_second(), 0);
            day = day.checked_add(jiff::Span::new().days(23)).unwrap();
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for bad in [
            "",
            "2020-13",
            "2021-02-29",
            "2020-1-1",
            "2020-01-01T00:00",
            "2020-01-01T24:00Z",
            "2020-01-01T00:00:60Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00z",
            "2020-01T00:00Z",
            "2020-01-01-01",
            "2020-01-01T00:00:00+1:00",
            "-1",
            "1.5",
            "99999999999999999999",
            "now",
        ] {
            assert_eq!(Moment::parse(bad), None, "{bad}");
        }
    }
}
