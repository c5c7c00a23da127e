//! The nearest known name to one that is not known.

/// `; did you mean X?`, or nothing if no candidate is near enough to be a slip.
pub(crate) fn hint<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .min()
        .filter(|(edits, _)| *edits <= allowed)
        .map_or_else(String::new, |(_, near)| format!("; did you mean {near:?}?"))
}

/// The hint for a message such as ``unknown field `x`, expected one of `y`, `z` ``.
pub(crate) fn hint_of(message: &str) -> String {
    if !message.starts_with("unknown ") {
        return String::new();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    match quoted.next() {
        Some(name) => hint(name, quoted),
        None => String::new(),
    }
}

/// How many letters must be put in, taken out or replaced. Quadratic, for short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut last = i + 1;
        let mut next = vec![last];
        for (pair, cb) in row.windows(2).zip(&b) {
            let &[diagonal, above] = pair else { continue };
            last = (diagonal + usize::from(ca != *cb))
                .min(above + 1)
                .min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("smoke", "smoke", 0),
            ("smok", "smoke", 1),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_has_a_hint_and_another_word_has_none() {
        let known = || ["kill", "pause", "restart-storm"].into_iter();
        assert_eq!(hint("kil", known()), "; did you mean \"kill\"?");
        assert_eq!(hint("explode", known()), "");
        let message = "unknown variant `restart_storm`, expected one of `kill`, `restart-storm`";
        assert_eq!(hint_of(message), "; did you mean \"restart-storm\"?");
        assert_eq!(hint_of("missing field `kill`"), "");
    }
}
