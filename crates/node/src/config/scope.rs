//! Written values by section and key, read with their types.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use model::ByteCount;

use super::{
    problem::{Place, Problem},
    table::{self, Fallback, Key, Shape},
    units,
};

/// A value as written, before anybody asked what it should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Written {
    Text(String),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    List(Vec<String>),
}

/// The values of one section, or of one entry of an array of tables.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) place: Place,
    pub(crate) values: BTreeMap<&'static str, (Written, Place)>,
}

/// Everything that was written, and the problems found while reading it.
#[derive(Debug)]
pub(crate) struct Sheet {
    directory: PathBuf,
    sections: BTreeMap<&'static str, Vec<Section>>,
    problems: RefCell<Vec<Problem>>,
    read: RefCell<BTreeSet<(&'static str, &'static str)>>,
}

/// One section to read from. A reader answers `None` where nothing is written and there is no default, or where the
/// value is wrong; in the second case the problem is on the sheet.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    sheet: &'a Sheet,
    name: &'static str,
    section: Option<&'a Section>,
}

impl Sheet {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            sections: BTreeMap::new(),
            problems: RefCell::default(),
            read: RefCell::default(),
        }
    }

    pub(crate) fn add_section(&mut self, name: &'static str, section: Section) {
        self.sections.entry(name).or_default().push(section);
    }

    /// Writes a value over whatever was there.
    pub(crate) fn write(&mut self, key: &'static Key, value: Written, place: Place) {
        let sections = self.sections.entry(key.section).or_default();
        if sections.is_empty() {
            sections.push(Section {
                place: place.clone(),
                values: BTreeMap::new(),
            });
        }
        if let Some(section) = sections.first_mut() {
            section.values.insert(key.name, (value, place));
        }
    }

    pub(crate) fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(crate) fn section(&self, name: &'static str) -> Scope<'_> {
        Scope {
            sheet: self,
            name,
            section: self.sections.get(name).and_then(|s| s.first()),
        }
    }

    pub(crate) fn has_section(&self, name: &'static str) -> bool {
        self.sections.contains_key(name)
    }

    pub(crate) fn rows(&self, name: &'static str) -> Vec<Scope<'_>> {
        let rows = self.sections.get(name).map_or(&[][..], Vec::as_slice);
        rows.iter()
            .map(|row| Scope {
                sheet: self,
                name,
                section: Some(row),
            })
            .collect()
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    #[cfg(test)]
    pub(crate) fn keys_read(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.read.borrow().clone()
    }
}

impl Scope<'_> {
    pub(crate) fn parse<T>(&self, name: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let (value, place) = self.value(name)?;
        let text = match value {
            Written::Text(text) => text,
            Written::Decimal(n) => n.to_string(),
            Written::Integer(n) if self.shape(name) == Some(Shape::Decimal) => n.to_string(),
            other @ (Written::Integer(_) | Written::Boolean(_) | Written::List(_)) => {
                self.refuse_shape(name, &place, &other);
                return None;
            }
        };
        self.keep(name, &place, text.parse::<T>())
    }

    pub(crate) fn word(
        &self,
        name: &'static str,
        allowed: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.parse::<String>(name)?;
        let found = allowed.iter().copied().find(|a| *a == text);
        if found.is_none() {
            let list = allowed.iter().map(|a| format!("{a:?}"));
            let list = list.collect::<Vec<_>>().join(" or ");
            self.refuse(name, format!("expected {list}, got {text:?}"));
        }
        found
    }

    pub(crate) fn list<T>(&self, name: &'static str) -> Option<Vec<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let (value, place) = self.value(name)?;
        let Written::List(items) = value else {
            self.refuse_shape(name, &place, &value);
            return None;
        };
        let parsed = items
            .iter()
            .map(|item| self.keep(name, &place, item.parse::<T>()))
            .collect::<Vec<_>>();
        parsed.into_iter().collect()
    }

    pub(crate) fn path(&self, name: &'static str) -> Option<PathBuf> {
        let text = self.parse::<String>(name)?;
        if text.is_empty() {
            self.refuse(name, "expected a path, got an empty text");
            return None;
        }
        Some(self.sheet.directory.join(text))
    }

    pub(crate) fn paths(&self, name: &'static str) -> Option<Vec<PathBuf>> {
        let texts = self.list::<String>(name)?;
        Some(texts.iter().map(|t| self.sheet.directory.join(t)).collect())
    }

    pub(crate) fn integer<T: TryFrom<i64>>(&self, name: &'static str) -> Option<T> {
        let (value, place) = self.value(name)?;
        let Written::Integer(n) = value else {
            self.refuse_shape(name, &place, &value);
            return None;
        };
        let fits = T::try_from(n).map_err(|_| format!("expected a number in range, got {n}"));
        self.keep(name, &place, fits)
    }

    pub(crate) fn boolean(&self, name: &'static str) -> Option<bool> {
        let (value, place) = self.value(name)?;
        let Written::Boolean(b) = value else {
            self.refuse_shape(name, &place, &value);
            return None;
        };
        Some(b)
    }

    pub(crate) fn duration(&self, name: &'static str) -> Option<Duration> {
        self.parse::<units::Span>(name).map(|s| s.0)
    }

    pub(crate) fn bytes(&self, name: &'static str) -> Option<ByteCount> {
        self.parse::<units::Size>(name).map(|s| s.0)
    }

    /// Whether a key stands in the file or in a variable.
    pub(crate) fn is_written(&self, name: &str) -> bool {
        self.section.is_some_and(|s| s.values.contains_key(name))
    }

    /// Records what is wrong with a key's value.
    pub(crate) fn refuse(&self, name: &'static str, reason: impl Into<String>) {
        let place = self
            .section
            .and_then(|s| s.values.get(name))
            .map_or(Place::Unwritten, |(_, place)| place.clone());
        self.sheet.problem(Problem::Value {
            place,
            key: self.dotted(name),
            reason: reason.into(),
        });
    }

    /// Records what is wrong with the section as a whole.
    pub(crate) fn refuse_all(&self, reason: impl Into<String>) {
        self.sheet.problem(Problem::Value {
            place: self
                .section
                .map_or(Place::Unwritten, |section| section.place.clone()),
            key: self.name.to_owned(),
            reason: reason.into(),
        });
    }

    fn value(&self, name: &'static str) -> Option<(Written, Place)> {
        let key = table::find(self.name, name);
        debug_assert!(key.is_some(), "{}.{name} is not in the table", self.name);
        self.sheet.read.borrow_mut().insert((self.name, name));
        if let Some((value, place)) = self.section.and_then(|s| s.values.get(name)) {
            return Some((value.clone(), place.clone()));
        }
        match key?.fallback {
            Fallback::Value(text) => Some((
                super::variables::value(key?.shape, text).ok()?,
                Place::Unwritten,
            )),
            Fallback::Otherwise(_) => None,
            Fallback::Required => {
                self.sheet.problem(Problem::Missing {
                    key: self.dotted(name),
                    doc: key?.doc,
                });
                None
            }
        }
    }

    fn keep<T, E: Display>(
        &self,
        name: &'static str,
        place: &Place,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(reason) => {
                self.sheet.problem(Problem::Value {
                    place: place.clone(),
                    key: self.dotted(name),
                    reason: reason.to_string(),
                });
                None
            }
        }
    }

    fn refuse_shape(&self, name: &'static str, place: &Place, got: &Written) {
        let expected = self.shape(name).map_or("another value", Shape::as_str);
        let got = match got {
            Written::Text(t) => format!("the text {t:?}"),
            Written::Integer(n) => format!("the number {n}"),
            Written::Decimal(n) => format!("the number {n}"),
            Written::Boolean(b) => b.to_string(),
            Written::List(_) => "a list".to_owned(),
        };
        let _: Option<()> = self.keep(
            name,
            place,
            Err(format!("expected {}, got {got}", expected.replace('`', ""))),
        );
    }

    fn shape(&self, name: &str) -> Option<Shape> {
        table::find(self.name, name).map(|k| k.shape)
    }

    fn dotted(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }
}
