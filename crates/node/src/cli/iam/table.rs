//! Columns.

/// Rows under their titles, each column as wide as what is widest in it.
pub(super) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = titles.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut text = line(&titles, widths);
    for row in rows {
        text.push_str(&line(&row.each_ref().map(String::as_str), widths));
    }
    text
}

/// Names and what they stand for, one a line.
pub(super) fn members(members: &[(&str, &str)]) -> String {
    let widest = members.iter().map(|(name, _)| width(name)).max();
    let rows = members
        .iter()
        .map(|pair| line(&[pair.0, pair.1], [widest.unwrap_or_default(), 0]));
    rows.collect()
}

fn line<const N: usize>(cells: &[&str; N], widths: [usize; N]) -> String {
    let mut line = String::new();
    for (cell, width_of_column) in cells.iter().zip(widths) {
        line.push_str(cell);
        let missing = width_of_column.saturating_sub(width(cell));
        line.extend(std::iter::repeat_n(' ', missing + 2));
    }
    format!("{}\n", line.trim_end())
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [
            ["a".to_owned(), "bb".to_owned()],
            ["ääääää".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["NAME", "X"], &rows),
            "NAME    X\na       bb\nääääää\n"
        );
        assert_eq!(table(["NAME"], &[]), "NAME\n");
        assert_eq!(members(&[("a", "1"), ("long", "2")]), "a     1\nlong  2\n");
    }
}
