//! One statement of a document.

use std::fmt;

use crate::{
    Kind, Request, Version,
    condition::Conditions,
    document::{
        list::List,
        tree::{self, Members, Quoted, Tree},
    },
    error::InvalidDocument,
    pattern::{Pattern, Syntax},
    subject::{Naming, Subject},
};

/// A statement: an effect, and what it is about. Page *IAM JSON policy elements: Statement*.
///
/// `Display` is compact JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    pub(crate) subject: Subject,
    pub(crate) action: Element,
    /// A trust policy has none: it is about its role.
    pub(crate) resource: Option<Element>,
    pub(crate) conditions: Conditions,
}

/// What a statement does when it applies. Page *IAM JSON policy elements: Effect*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It allows, unless another one denies.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`. Pages *IAM JSON policy elements: NotAction* and *NotResource*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Whether it is the one with `Not`, which matches what no pattern does.
    pub(crate) negated: bool,
    pub(crate) patterns: List<Pattern>,
}

impl Statement {
    /// The statement's id.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// What it does.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    pub(crate) fn read(kind: Kind, version: Version, tree: &Tree) -> Result<Self, InvalidDocument> {
        const EXPECTED: &str = "an object of Sid, Effect, Principal or NotPrincipal, Action or NotAction, \
                                Resource or NotResource, and Condition";
        const MEMBERS: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let members = tree.object(EXPECTED)?;
        tree::check_members(members, &MEMBERS, EXPECTED)?;
        let variables = version.has_variables();
        let effect = tree::required(members, "Effect", "Allow or Deny", Effect::read)?;
        let action = Element::read(members, "Action", "NotAction", action)?;
        let resource = Element::read(members, "Resource", "NotResource", |text| {
            resource(text, variables)
        })?;
        let missing = |expected| InvalidDocument::unexpected(expected, "nothing");
        match (kind, &resource) {
            (Kind::Identity | Kind::Resource, None) => {
                return Err(missing("Resource or NotResource"));
            }
            (Kind::Trust, Some(_)) => {
                let expected = "no resource in a trust policy";
                return Err(InvalidDocument::unexpected(expected, "one"));
            }
            (Kind::Identity | Kind::Resource, Some(_)) | (Kind::Trust, None) => {}
        }
        let conditions = tree::optional(members, "Condition", |tree| {
            Conditions::read(tree, variables)
        })?;
        Ok(Self {
            sid: tree::optional(members, "Sid", |sid| sid.text("a string").map(Into::into))?,
            effect,
            subject: Subject::read(kind, effect, members)?,
            action: action.ok_or_else(|| missing("Action or NotAction"))?,
            resource,
            conditions: conditions.unwrap_or_default(),
        })
    }

    /// Whether and how it is about this request, in the policy of a resource or a role.
    pub(crate) fn names(&self, request: &Request<'_>, bounded: bool) -> Option<Naming> {
        // What differs most between statements comes first, what costs most last.
        if !self.is_about(request) {
            return None;
        }
        let naming = self.subject.names(request.principal, bounded)?;
        self.conditions.hold(request.context).then_some(naming)
    }

    /// Whether it is about this request, in a policy of the principal's own.
    pub(crate) fn applies(&self, request: &Request<'_>) -> bool {
        self.subject == Subject::Holder
            && self.is_about(request)
            && self.conditions.hold(request.context)
    }

    fn is_about(&self, request: &Request<'_>) -> bool {
        let context = request.context;
        let action = |p: &Pattern| p.matches_ignoring_case(request.action, context);
        let resource = |p: &Pattern| p.matches(request.resource, context);
        self.action.matches(action) && self.resource.as_ref().is_none_or(|r| r.matches(resource))
    }
}

impl Effect {
    fn read(tree: &Tree) -> Result<Self, InvalidDocument> {
        const EXPECTED: &str = "Allow or Deny";
        match tree.text(EXPECTED)? {
            "Allow" => Ok(Self::Allow),
            "Deny" => Ok(Self::Deny),
            other => Err(InvalidDocument::text(EXPECTED, other)),
        }
    }
}

impl Element {
    pub(crate) fn one(pattern: Pattern) -> Self {
        Self {
            negated: false,
            patterns: List::one(pattern),
        }
    }

    /// One of both members; `None` if neither is there.
    fn read(
        members: &Members,
        name: &str,
        not_name: &str,
        pattern: impl Fn(&str) -> Result<Pattern, InvalidDocument>,
    ) -> Result<Option<Self>, InvalidDocument> {
        let list = |tree: &Tree| {
            List::read(tree, |item| {
                pattern(item.text("a string or a list of strings")?)
            })
        };
        let positive = tree::optional(members, name, list)?;
        let negative = tree::optional(members, not_name, list)?;
        let negated = negative.is_some();
        match (positive, negative) {
            (Some(_), Some(_)) => {
                let expected = "one of an element and its negation";
                Err(InvalidDocument::unexpected(expected, "both").below(format_args!(".{name}")))
            }
            (patterns, None) | (None, patterns) => {
                Ok(patterns.map(|patterns| Self { negated, patterns }))
            }
        }
    }

    fn matches(&self, pattern: impl Fn(&Pattern) -> bool) -> bool {
        self.patterns.iter().any(pattern) != self.negated
    }
}

/// `service:Name` with wildcards, or `*`. Page *IAM JSON policy elements: Action*.
pub(crate) fn action(text: &str) -> Result<Pattern, InvalidDocument> {
    let legal = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
    let named = |(service, name)| legal(service) && legal(name);
    if text != "*" && !text.split_once(':').is_some_and(named) {
        let expected = "an action such as lambda:InvokeFunction, or *";
        return Err(InvalidDocument::text(expected, text));
    }
    let syntax = Syntax {
        wildcards: true,
        variables: false,
    };
    Pattern::parse(text, syntax)
}

/// An ARN with wildcards, and with variables behind its fifth colon, or `*`. Page *IAM JSON policy elements: Resource*.
pub(crate) fn resource(text: &str, variables: bool) -> Result<Pattern, InvalidDocument> {
    if text != "*" && !text.starts_with("arn:") {
        return Err(InvalidDocument::text("an ARN or *", text));
    }
    let syntax = Syntax {
        wildcards: true,
        variables,
    };
    let pattern = Pattern::parse(text, syntax)?;
    if pattern.has_early_variable() {
        let expected = "variables only after the fifth colon of an ARN";
        return Err(InvalidDocument::text(expected, text));
    }
    Ok(pattern)
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        if let Some(sid) = &self.sid {
            write!(f, "\"Sid\":{},", Quoted(sid))?;
        }
        let effect = match self.effect {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        };
        write!(f, "\"Effect\":\"{effect}\"")?;
        match &self.subject {
            Subject::Holder => {}
            Subject::Named(named) => write!(f, ",\"Principal\":{named}")?,
            Subject::AllBut(named) => write!(f, ",\"NotPrincipal\":{named}")?,
        }
        let elements = [
            ("Action", Some(&self.action)),
            ("Resource", self.resource.as_ref()),
        ];
        for (name, element) in elements {
            if let Some(Element { negated, patterns }) = element {
                let not = if *negated { "Not" } else { "" };
                write!(f, ",\"{not}{name}\":{patterns}")?;
            }
        }
        if !self.conditions.is_empty() {
            write!(f, ",\"Condition\":{}", self.conditions)?;
        }
        f.write_str("}")
    }
}
