//! Reads the schema's file.

use std::collections::BTreeMap;

use http::{Method, StatusCode};

use super::{Bounds, Input, InputMember, Member, Pattern, Place, Schema, Shape, ShapeId, Text};
use crate::operation::Operation;

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, got {got:?}")]
pub(super) struct Malformed {
    line: usize,
    expected: &'static str,
    got: String,
}

/// One line: its number, and what is left of it to read.
#[derive(Clone, Copy)]
struct Line {
    number: usize,
    rest: &'static str,
}

pub(super) fn read(file: &'static str) -> Result<Schema, Malformed> {
    let lines: Vec<Line> = file
        .lines()
        .enumerate()
        .map(|(i, rest)| Line {
            number: i + 1,
            rest,
        })
        .filter(|line| !line.rest.is_empty() && !line.rest.starts_with('#'))
        .collect();
    let names = names(&lines)?;
    let mut schema = Schema {
        operations: Vec::new(),
        shapes: Vec::new(),
    };
    for line in lines {
        read_line(line, &names, &mut schema)?;
    }
    for (operation, input) in Operation::ALL.iter().zip(&schema.operations) {
        if format!("{operation:?}") != input.name {
            return Err(Malformed {
                line: 0,
                expected: "the operations in the order of the enumeration",
                got: input.name.to_owned(),
            });
        }
    }
    Ok(schema)
}

/// The shapes by name, in their order in the file.
fn names(lines: &[Line]) -> Result<BTreeMap<&'static str, ShapeId>, Malformed> {
    let mut names = BTreeMap::new();
    for line in lines {
        if line.rest.starts_with("  ") || line.rest.starts_with("operation ") {
            continue;
        }
        let mut words = *line;
        words.word("a kind of shape")?;
        let id = ShapeId(names.len());
        let name = words.word("the name of a shape")?;
        if names.insert(name, id).is_some() {
            return Err(line.malformed("one shape of this name", name));
        }
    }
    Ok(names)
}

fn read_line(
    mut line: Line,
    names: &BTreeMap<&'static str, ShapeId>,
    schema: &mut Schema,
) -> Result<(), Malformed> {
    if let Some(member) = line.rest.strip_prefix("  ") {
        line.rest = member;
        return match schema.shapes.last_mut() {
            Some(Shape::Structure(members)) => {
                members.push(line.member(names)?);
                Ok(())
            }
            Some(_) => Err(line.malformed("a member below a structure", member)),
            None => {
                let input = line.input_member(names)?;
                let last = schema.operations.last_mut();
                last.ok_or_else(|| line.malformed("an operation first", member))?
                    .members
                    .push(input);
                Ok(())
            }
        };
    }
    let kind = line.word("a kind")?;
    if kind == "operation" {
        schema.operations.push(line.operation()?);
        return Ok(());
    }
    line.word("a name")?;
    schema.shapes.push(line.shape(kind, names)?);
    Ok(())
}

impl Line {
    fn malformed(&self, expected: &'static str, got: &str) -> Malformed {
        Malformed {
            line: self.number,
            expected,
            got: got.to_owned(),
        }
    }

    /// Takes the next word.
    fn word(&mut self, expected: &'static str) -> Result<&'static str, Malformed> {
        self.optional_word()
            .ok_or_else(|| self.malformed(expected, ""))
    }

    fn optional_word(&mut self) -> Option<&'static str> {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Takes the next word if it is this one.
    fn takes(&mut self, word: &str) -> bool {
        let mut ahead = *self;
        let taken = ahead.optional_word() == Some(word);
        if taken {
            *self = ahead;
        }
        taken
    }

    fn operation(mut self) -> Result<Input, Malformed> {
        let name = self.word("the name of an operation")?;
        let method = self.word("a method")?;
        let target = self.word("a path")?;
        let status = self.word("a status")?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, query.split_once('=')),
            None => (target, None),
        };
        Ok(Input {
            name,
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| self.malformed("a method", method))?,
            path,
            query,
            success: status
                .parse::<StatusCode>()
                .map_err(|_| self.malformed("a status", status))?,
            members: Vec::new(),
        })
    }

    fn input_member(
        &mut self,
        names: &BTreeMap<&'static str, ShapeId>,
    ) -> Result<InputMember, Malformed> {
        let place = match self.word("a place")? {
            "path" => Place::Path,
            "query" => Place::Query,
            "header" => Place::Header,
            "body" => Place::Body,
            "payload" => Place::Payload,
            other => return Err(self.malformed("path, query, header, body or payload", other)),
        };
        let member = self.member(names)?;
        let wire = if self.takes("as") {
            self.word("the name on the wire")?
        } else {
            member.name
        };
        Ok(InputMember {
            place,
            wire,
            member,
        })
    }

    fn member(&mut self, names: &BTreeMap<&'static str, ShapeId>) -> Result<Member, Malformed> {
        let word = self.word("the name of a member")?;
        let (name, required) = match word.strip_suffix('!') {
            Some(name) => (name, true),
            None => (word, false),
        };
        Ok(Member {
            name,
            required,
            shape: self.reference(names)?,
        })
    }

    fn reference(&mut self, names: &BTreeMap<&'static str, ShapeId>) -> Result<ShapeId, Malformed> {
        let name = self.word("the name of a shape")?;
        names
            .get(name)
            .copied()
            .ok_or_else(|| self.malformed("a shape that the file describes", name))
    }

    fn shape(
        mut self,
        kind: &str,
        names: &BTreeMap<&'static str, ShapeId>,
    ) -> Result<Shape, Malformed> {
        Ok(match kind {
            "text" => {
                let bounds = self.bounds()?;
                let secret = self.takes("secret");
                let pattern = self
                    .rest
                    .strip_prefix('/')
                    .and_then(|p| p.strip_suffix('/'));
                if pattern.is_none() && !self.rest.is_empty() {
                    return Err(self.malformed("a pattern between slashes", self.rest));
                }
                Shape::Text(Text {
                    bounds,
                    secret,
                    pattern: pattern.map(Pattern::new),
                })
            }
            "enum" => Shape::Enum(self.rest.split(' ').collect()),
            "integer" => Shape::Integer(self.bounds()?),
            "double" => Shape::Double(self.bounds()?),
            "boolean" => Shape::Boolean,
            "timestamp" => Shape::Timestamp,
            "blob" => Shape::Blob {
                bounds: self.bounds()?,
            },
            "list" => {
                self.takes("of");
                Shape::List {
                    of: self.reference(names)?,
                    bounds: self.bounds()?,
                    secret: self.takes("secret"),
                }
            }
            "map" => {
                self.takes("of");
                let key = self.reference(names)?;
                self.takes("to");
                Shape::Map {
                    key,
                    value: self.reference(names)?,
                    bounds: self.bounds()?,
                    secret: self.takes("secret"),
                }
            }
            "structure" => Shape::Structure(Vec::new()),
            other => return Err(self.malformed("a kind of shape", other)),
        })
    }

    /// Takes `MIN..MAX` if it comes next; either may be left out.
    fn bounds<T: std::str::FromStr>(&mut self) -> Result<Bounds<T>, Malformed> {
        let mut ahead = *self;
        let word = ahead.optional_word().unwrap_or_default();
        let is_number = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_digit() || c == '-' || c == '.')
        };
        let Some((min, max)) = word
            .split_once("..")
            .filter(|(min, max)| is_number(min) && is_number(max))
        else {
            return Ok(Bounds {
                min: None,
                max: None,
            });
        };
        let number = |text: &str| match text {
            "" => Ok(None),
            _ => text
                .parse()
                .map(Some)
                .map_err(|_| self.malformed("a number", text)),
        };
        let bounds = Bounds {
            min: number(min)?,
            max: number(max)?,
        };
        *self = ahead;
        Ok(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &'static str, expected: &str) {
        assert_eq!(read(file).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(
            "text A x",
            "line 1: expected a pattern between slashes, got \"x\"",
        );
        check("thing A", "line 1: expected a kind of shape, got \"thing\"");
        check(
            "structure A\n  B C",
            "line 2: expected a shape that the file describes, got \"C\"",
        );
        check(
            "text A\ntext A",
            "line 2: expected one shape of this name, got \"A\"",
        );
        check(
            "operation Other GET / 200",
            "line 0: expected the operations in the order of the enumeration, got \"Other\"",
        );
    }
}
