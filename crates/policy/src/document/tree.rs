//! JSON as it is written: members in their order, and none lost because another one has its name.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::error::InvalidDocument;

/// Levels of nesting; the deepest policy has seven.
const DEPTH_MAX: u8 = 16;

/// Any JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// A text as JSON.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

/// The members of an object.
pub(crate) type Members = [(String, Tree)];

impl Tree {
    /// # Errors
    /// [`InvalidDocument::NotJson`], for what is nested too deep as well.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDocument> {
        let mut parser = serde_json::Deserializer::from_str(text);
        let tree = Below(DEPTH_MAX).deserialize(&mut parser);
        let whole = tree.and_then(|tree| parser.end().map(|()| tree));
        whole.map_err(|error| InvalidDocument::NotJson {
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })
    }

    /// What it is, for an error.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The members of an object, each of them there once.
    pub(crate) fn object(&self, expected: &'static str) -> Result<&Members, InvalidDocument> {
        let Self::Object(members) = self else {
            return Err(InvalidDocument::unexpected(expected, self.name()));
        };
        for (place, (name, _)) in members.iter().enumerate() {
            if members
                .iter()
                .take(place)
                .any(|(earlier, _)| earlier == name)
            {
                return Err(InvalidDocument::DuplicateMember {
                    at: String::new(),
                    member: name.clone(),
                });
            }
        }
        Ok(members)
    }

    pub(crate) fn text(&self, expected: &'static str) -> Result<&str, InvalidDocument> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(InvalidDocument::unexpected(expected, self.name())),
        }
    }
}

/// Refuses members that are not among these.
pub(crate) fn check_members(
    members: &Members,
    allowed: &[&str],
    expected: &'static str,
) -> Result<(), InvalidDocument> {
    let stranger = members.iter().find(|(name, _)| !allowed.contains(&&**name));
    match stranger {
        None => Ok(()),
        Some((name, _)) => Err(InvalidDocument::text(expected, name)),
    }
}

/// Reads a member, if it is there.
pub(crate) fn optional<T>(
    members: &Members,
    name: &str,
    read: impl FnOnce(&Tree) -> Result<T, InvalidDocument>,
) -> Result<Option<T>, InvalidDocument> {
    let member = members.iter().find(|(n, _)| n == name);
    member
        .map(|(_, tree)| read(tree).map_err(|e| e.below(format_args!(".{name}"))))
        .transpose()
}

/// Reads a member that must be there.
pub(crate) fn required<T>(
    members: &Members,
    name: &str,
    expected: &'static str,
    read: impl FnOnce(&Tree) -> Result<T, InvalidDocument>,
) -> Result<T, InvalidDocument> {
    optional(members, name, read)?.ok_or_else(|| {
        InvalidDocument::unexpected(expected, "nothing").below(format_args!(".{name}"))
    })
}

/// A value that may have so many more levels below it.
#[derive(Clone, Copy)]
struct Below(u8);

impl Below {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let deeper = self.0.checked_sub(1).map(Self);
        deeper.ok_or_else(|| E::custom(format_args!("more than {DEPTH_MAX} levels of nesting")))
    }
}

impl<'de> DeserializeSeed<'de> for Below {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        let number = Number::from_f64(value);
        number
            .map(Tree::Number)
            .ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let deeper = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(deeper)? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let deeper = self.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = object.next_key()? {
            members.push((name, object.next_value_seed(deeper)?));
        }
        Ok(Tree::Object(members))
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::Value::from(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_duplicates_are_seen() {
        let tree = Tree::parse(r#"{"b":1,"a":[null,true,"x",-2,0.5],"c":{}}"#).unwrap();
        let names: Vec<&str> = tree.object("").unwrap().iter().map(|(n, _)| &**n).collect();
        assert_eq!(names, ["b", "a", "c"]);
        let twice = Tree::parse(r#"{"a":1,"b":2,"a":1}"#).unwrap();
        let error = twice.object("").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"at $: expected every member once, got "a" again"#
        );
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Tree::parse(&nested(16)).is_ok());
        let error = Tree::parse(&nested(17)).unwrap_err().to_string();
        assert!(error.contains("more than 16 levels of nesting"), "{error}");
        assert!(Tree::parse(&nested(100_000)).is_err());
    }

    #[test]
    fn other_texts_are_no_json() {
        for bad in [
            "",
            "{",
            "{}x",
            "{'a':1}",
            "[1,]",
            "nul",
            "\"\u{1}\"",
            "1e999",
        ] {
            let error = Tree::parse(bad).unwrap_err();
            assert!(matches!(error, InvalidDocument::NotJson { .. }), "{bad}");
        }
    }
}
