use std::fmt::{self, Write};

/// The policy of a function, a version or an alias: who else may use it.
///
/// A document is taken apart where it is parsed, and its statements are kept as text. Applying a change to a policy never
/// reads JSON: if it did, two builds that differ in what they can read would end up with different catalogs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePolicy {
    /// The version of the policy language.
    pub version: LanguageVersion,
    /// The document's id.
    pub id: Option<String>,
    /// Its statements, in their order.
    pub statements: Vec<PolicyStatement>,
}

/// The version of the policy language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageVersion {
    /// `2008-10-17`
    V2008,
    /// `2012-10-17`
    V2012,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatement {
    /// Its id; a document may have statements without one.
    pub sid: Option<String>,
    /// The statement as compact JSON, its id included.
    pub text: String,
}

impl ResourcePolicy {
    /// The policy that statements are added to where there is none.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            version: LanguageVersion::V2012,
            id: Some("default".to_owned()),
            statements: Vec::new(),
        }
    }

    /// The statement of this id.
    #[must_use]
    pub fn statement(&self, sid: &str) -> Option<&PolicyStatement> {
        self.statements
            .iter()
            .find(|s| s.sid.as_deref() == Some(sid))
    }

    /// The length of the document in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.to_string().len()
    }
}

impl LanguageVersion {
    /// As documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        }
    }
}

/// The document, as compact JSON.
impl fmt::Display for ResourcePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"Version\":\"{}\",", self.version.as_str())?;
        if let Some(id) = &self.id {
            f.write_str("\"Id\":")?;
            quote(id, f)?;
            f.write_char(',')?;
        }
        f.write_str("\"Statement\":[")?;
        for (place, statement) in self.statements.iter().enumerate() {
            if place > 0 {
                f.write_char(',')?;
            }
            f.write_str(&statement.text)?;
        }
        f.write_str("]}")
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sid: &str) -> PolicyStatement {
        PolicyStatement {
            sid: Some(sid.to_owned()),
            text: format!("{{\"Sid\":\"{sid}\"}}"),
        }
    }

    #[test]
    fn a_document_is_put_together() {
        let mut policy = ResourcePolicy::empty();
        policy.statements.push(statement("a"));
        policy.statements.push(statement("b"));
        let text =
            r#"{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"a"},{"Sid":"b"}]}"#;
        assert_eq!(policy.to_string(), text);
        assert_eq!(policy.size(), text.len());
        assert_eq!(policy.statement("b"), Some(&statement("b")));
        assert_eq!(policy.statement("c"), None);
    }

    #[test]
    fn an_id_is_quoted() {
        let policy = ResourcePolicy {
            version: LanguageVersion::V2008,
            id: Some("a\"\\\n".to_owned()),
            statements: Vec::new(),
        };
        let text = r#"{"Version":"2008-10-17","Id":"a\"\\\u000a","Statement":[]}"#;
        assert_eq!(policy.to_string(), text);
    }
}
