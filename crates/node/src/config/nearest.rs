//! The nearest known name to one that is not known.

/// The candidate with the fewest edits (insert, delete, replace, swap neighbours) from `name`, if they are few enough to
/// be a slip: at most a third of the name, at least one.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|c| (distance(name, c), c))
        .min()
        .filter(|(d, _)| *d <= allowed)
        .map(|(_, c)| c)
}

/// Optimal string alignment distance. Quadratic, for short names.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (i, ca) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        let mut last_b = None;
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(ca != cb);
            let inserted = at(&next, j) + 1;
            let deleted = at(&row, j + 1) + 1;
            let swapped = if last_a == Some(cb) && last_b == Some(ca) && j > 0 {
                at(&before, j - 1) + 1
            } else {
                usize::MAX
            };
            next.push(replaced.min(inserted).min(deleted).min(swapped));
            last_b = Some(cb);
        }
        before = std::mem::replace(&mut row, next);
        last_a = Some(ca);
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, d) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("zoen", "zone", 1),
            ("slots", "slots", 0),
            ("data-dir", "data_dir", 1),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_has_a_nearest_name_and_another_word_has_none() {
        let known = ["name", "zone", "roles", "data_dir"];
        assert_eq!(nearest("zoen", known), Some("zone"));
        assert_eq!(nearest("data-dir", known), Some("data_dir"));
        assert_eq!(nearest("role", known), Some("roles"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
