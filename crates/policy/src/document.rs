//! Policy documents: parsed where they are written, matched many times.

use std::fmt;

use crate::{
    Statement,
    error::{DuplicateSid, InvalidDocument},
};

pub(crate) mod list;
pub(crate) mod tree;

use tree::{Quoted, Tree};

/// A policy document of one [`Kind`]. Pages *Grammar of the IAM JSON policy language* and *IAM JSON policy elements
/// reference*.
///
/// `Display` is compact JSON. A `Statement` that came as an object is written as a list of one; single values and lists
/// of values are written as they came.
///
/// Lists may be empty: an empty `Action` matches nothing, an empty `NotAction` everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    kind: Kind,
    /// As it was written, if it was.
    version: Option<Version>,
    id: Option<Box<str>>,
    statements: Vec<Statement>,
}

/// What a document is attached to, which decides what stands in its statements. Page *Policies and permissions in IAM*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Attached to a user, a group or a role, passed for a session, or set as a permissions boundary: resources, no
    /// principals.
    Identity,
    /// Attached to a resource: principals and resources.
    Resource,
    /// Attached to a role: principals that may assume it, no resources.
    Trust,
}

/// The version of the policy language. Page *IAM JSON policy elements: Version*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, which has no variables; the version of documents that name none.
    V2008,
    /// `2012-10-17`
    V2012,
}

impl Document {
    /// A document without statements, for some to be added.
    #[must_use]
    pub fn new(kind: Kind, version: Version, id: Option<&str>) -> Self {
        Self {
            kind,
            version: Some(version),
            id: id.map(Into::into),
            statements: Vec::new(),
        }
    }

    /// Reads a document of at most `size_max` bytes.
    ///
    /// # Errors
    /// [`InvalidDocument`] says where, and what was expected there.
    pub fn parse(kind: Kind, text: &str, size_max: usize) -> Result<Self, InvalidDocument> {
        let size = text.len();
        if size > size_max {
            return Err(InvalidDocument::TooLarge {
                limit: size_max,
                size,
            });
        }
        let tree = Tree::parse(text)?;
        const EXPECTED: &str = "an object of Version, Id and Statement";
        let members = tree.object(EXPECTED)?;
        let allowed = match kind {
            Kind::Identity => &["Version", "Statement"][..],
            Kind::Resource | Kind::Trust => &["Version", "Id", "Statement"][..],
        };
        tree::check_members(members, allowed, EXPECTED)?;

        let version = tree::optional(members, "Version", Version::read)?;
        let id = tree::optional(members, "Id", |id| id.text("a string").map(Into::into))?;
        let mut document = Self {
            kind,
            version,
            id,
            statements: Vec::new(),
        };
        tree::required(members, "Statement", "a statement or a list of them", |s| {
            document.read_statements(s)
        })?;
        Ok(document)
    }

    fn read_statements(&mut self, tree: &Tree) -> Result<(), InvalidDocument> {
        let one = std::slice::from_ref(tree);
        let statements = match tree {
            Tree::List(statements) => statements,
            _ => one,
        };
        for (place, statement) in statements.iter().enumerate() {
            let step = |e: InvalidDocument| match tree {
                Tree::List(_) => e.below(format_args!("[{place}]")),
                _ => e,
            };
            let statement = Statement::read(self.kind, self.version(), statement).map_err(step)?;
            self.push(statement)?;
        }
        Ok(())
    }

    /// Adds a statement at the end.
    ///
    /// # Errors
    /// [`InvalidDocument::DuplicateSid`]; [`InvalidDocument::Unexpected`] if the statement is none for a document of this
    /// kind and version.
    pub fn add(&mut self, statement: &Statement) -> Result<(), InvalidDocument> {
        // The same text means something else in another version.
        let tree = Tree::parse(&statement.to_string())?;
        let statement = Statement::read(self.kind, self.version(), &tree)?;
        Ok(self.push(statement)?)
    }

    fn push(&mut self, statement: Statement) -> Result<(), DuplicateSid> {
        if let Some(sid) = statement.sid()
            && !sid.is_empty()
            && self.statement(sid).is_some()
        {
            return Err(DuplicateSid(sid.to_owned()));
        }
        self.statements.push(statement);
        Ok(())
    }

    /// Takes out the statement of this id; `None` if there is none.
    pub fn remove(&mut self, sid: &str) -> Option<Statement> {
        let mut statements = self.statements.iter();
        let place = statements.position(|s| s.sid() == Some(sid))?;
        Some(self.statements.remove(place))
    }

    /// The statement of this id.
    #[must_use]
    pub fn statement(&self, sid: &str) -> Option<&Statement> {
        self.statements.iter().find(|s| s.sid() == Some(sid))
    }

    /// All statements, in their order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// What it may be attached to.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The version that it is read by.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version.unwrap_or(Version::V2008)
    }

    /// The id of the document.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Version {
    fn read(tree: &Tree) -> Result<Self, InvalidDocument> {
        const EXPECTED: &str = "2012-10-17 or 2008-10-17";
        match tree.text(EXPECTED)? {
            "2008-10-17" => Ok(Self::V2008),
            "2012-10-17" => Ok(Self::V2012),
            other => Err(InvalidDocument::text(EXPECTED, other)),
        }
    }

    pub(crate) fn has_variables(self) -> bool {
        self == Self::V2012
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        })
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        if let Some(version) = self.version {
            write!(f, "\"Version\":\"{version}\",")?;
        }
        if let Some(id) = &self.id {
            write!(f, "\"Id\":{},", Quoted(id))?;
        }
        f.write_str("\"Statement\":[")?;
        for (place, statement) in self.statements.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{statement}")?;
        }
        f.write_str("]}")
    }
}

#[cfg(test)]
mod tests;
