//! The TOML file.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    nearest::nearest,
    problem::{Place, Problem, Problems},
    scope::{Section, Sheet, Written},
    table::{KEYS, SECTIONS, find},
};

/// Puts the file's values on the sheet. Unknown names become problems there.
///
/// # Errors
/// If the text is not TOML at all.
pub(crate) fn read(file: &Path, text: &str, sheet: &mut Sheet) -> Result<(), Problems> {
    let origin = Origin { file, text };
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        Problems(vec![Problem::Syntax {
            place: origin.place(&span),
            message: error.message().to_owned(),
        }])
    })?;
    for (name, value) in table.get_ref() {
        let place = origin.place(&name.span());
        let name = name.get_ref().as_ref();
        let known = SECTIONS
            .iter()
            .find(|(s, _)| *s == name && !s.contains('.'));
        match (known, value.get_ref()) {
            (Some((section, _)), DeValue::Table(content)) => {
                origin.section(section, place, content, sheet);
            }
            (Some(_), _) => sheet.problem(Problem::Syntax {
                place,
                message: format!("expected a section [{name}], got a value"),
            }),
            (None, _) => sheet.problem(unknown("section", name, place, sections())),
        }
    }
    Ok(())
}

struct Origin<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Origin<'_> {
    fn section(
        &self,
        section: &'static str,
        place: Place,
        content: &DeTable<'_>,
        sheet: &mut Sheet,
    ) {
        let mut values = BTreeMap::new();
        for (name, value) in content {
            let at = self.place(&name.span());
            let name = name.get_ref().as_ref();
            if let Some(rows) = repeated(section, name) {
                self.rows(rows, &at, value.get_ref(), sheet);
                continue;
            }
            let Some(key) = find(section, name) else {
                sheet.problem(unknown("key", name, at, keys(section)));
                continue;
            };
            let place = self.place(&value.span());
            match written(value.get_ref()) {
                Ok(value) => {
                    values.insert(key.name, (value, place));
                }
                Err(reason) => sheet.problem(Problem::Value {
                    place,
                    key: format!("{section}.{name}"),
                    reason,
                }),
            }
        }
        sheet.add_section(section, Section { place, values });
    }

    fn rows(&self, section: &'static str, at: &Place, value: &DeValue<'_>, sheet: &mut Sheet) {
        let DeValue::Array(rows) = value else {
            sheet.problem(Problem::Syntax {
                place: at.clone(),
                message: format!("expected [[{section}]], got one {}", value.type_str()),
            });
            return;
        };
        for row in rows.iter() {
            let place = self.place(&row.span());
            match row.get_ref() {
                DeValue::Table(content) => self.section(section, place, content, sheet),
                other => sheet.problem(Problem::Syntax {
                    place,
                    message: format!("expected a table, got one {}", other.type_str()),
                }),
            }
        }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Place::File {
            file: PathBuf::from(self.file),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

/// The array of tables with that name under a section, if there is one.
fn repeated(section: &str, name: &str) -> Option<&'static str> {
    let dotted = format!("{section}.{name}");
    SECTIONS.iter().map(|(s, _)| *s).find(|s| *s == dotted)
}

fn written(value: &DeValue<'_>) -> Result<Written, String> {
    Ok(match value {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Integer(n) => {
            let digits = n.as_str();
            let number = i64::from_str_radix(digits, n.radix())
                .map_err(|_| format!("expected a number below 2^63, got {digits}"))?;
            Written::Integer(number)
        }
        DeValue::Float(n) => {
            let digits = n.as_str();
            let number = digits
                .parse()
                .map_err(|_| format!("expected a number, got {digits}"))?;
            Written::Decimal(number)
        }
        DeValue::Boolean(b) => Written::Boolean(*b),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                other => Err(format!(
                    "expected a list of texts, got one {} in it",
                    other.type_str()
                )),
            });
            Written::List(texts.collect::<Result<_, _>>()?)
        }
        DeValue::Datetime(_) => return Err("expected a text or number, got a date".to_owned()),
        DeValue::Table(_) => return Err("expected a text or number, got a table".to_owned()),
    })
}

fn unknown<'a>(
    what: &'static str,
    name: &str,
    place: Place,
    known: impl IntoIterator<Item = &'a str>,
) -> Problem {
    Problem::Unknown {
        place,
        what,
        name: name.to_owned(),
        nearest: nearest(name, known).map(str::to_owned),
    }
}

fn sections() -> impl Iterator<Item = &'static str> {
    SECTIONS
        .iter()
        .map(|(s, _)| *s)
        .filter(|s| !s.contains('.'))
}

fn keys(section: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(move |k| k.section == section)
        .map(|k| k.name)
}
