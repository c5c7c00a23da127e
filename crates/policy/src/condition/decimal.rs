//! Numbers as conditions compare them: exactly.

/// Digits before and after the point, at most.
const DIGITS_MAX: usize = 18;

/// "An integer or decimal value": *IAM JSON policy elements: Condition operators*. In units of 10⁻¹⁸, so that no two
/// different numbers are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(i128);

impl Decimal {
    /// `-12.50`, with up to eighteen digits on either side of the point.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (unsigned, ""),
        };
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if whole.len() > DIGITS_MAX || fraction.len() > DIGITS_MAX {
            return None;
        }
        let padding = std::iter::repeat_n(b'0', DIGITS_MAX - fraction.len());
        let all = whole.bytes().chain(fraction.bytes()).chain(padding);
        let units = all.fold(0_i128, |sum, b| sum * 10 + i128::from(b - b'0'));
        Some(Self(if negative { -units } else { units }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_exactly() {
        let of = |s| Decimal::parse(s).unwrap();
        assert_eq!(of("10"), of("010.000"));
        assert_eq!(of("-0"), of("0"));
        assert!(of("9007199254740993") > of("9007199254740992"));
        assert!(of("0.1") > of("0.09999999999999999"));
        assert!(of("-2") < of("-1.5"));
        assert!(of("999999999999999999.999999999999999999") > of("999999999999999999"));
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for bad in [
            "", "-", ".", "1.", ".5", "1e3", "+1", "0x1", " 1", "1,5", "--1", "1.2.3",
        ] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
        assert_eq!(Decimal::parse("1000000000000000000"), None);
    }
}
