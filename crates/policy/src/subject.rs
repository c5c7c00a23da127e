//! The `Principal` and `NotPrincipal` elements, and whom they name.

use std::fmt;

use model::AccountId;

use crate::{
    Effect, Kind, Principal,
    document::{
        list::List,
        tree::{self, Members, Quoted, Tree},
    },
    error::InvalidDocument,
    principal::{self, Who},
};

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Whoever the document is attached to.
    Holder,
    /// `Principal`
    Named(Named),
    /// `NotPrincipal`: everybody else.
    AllBut(Named),
}

/// The value of either element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `"*"`
    Everybody,
    /// An object of lists, by type.
    Listed(Vec<(Type, List<Entry>)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Aws,
    Service,
    Federated,
    CanonicalUser,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    text: Box<str>,
    /// The account, if the entry names one and not somebody in it.
    account: Option<AccountId>,
}

/// In what way a resource's policy names a principal, the weakest first. What it grants depends on it: *Policy evaluation
/// logic*, "Resource-based policies and implicit denies in other policy types (same account)".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Naming {
    /// Its account, which may pass the permission on to its own principals.
    Account,
    /// The role that its session is of.
    Role,
    /// Itself, or everybody.
    Itself,
}

const TYPES: [(&str, Type); 4] = [
    ("AWS", Type::Aws),
    ("Service", Type::Service),
    ("Federated", Type::Federated),
    ("CanonicalUser", Type::CanonicalUser),
];

impl Subject {
    /// Reads it from the members of a statement.
    pub(crate) fn read(
        kind: Kind,
        effect: Effect,
        members: &Members,
    ) -> Result<Self, InvalidDocument> {
        let named = tree::optional(members, "Principal", Named::read)?;
        let not_named = tree::optional(members, "NotPrincipal", Named::read)?;
        let wrong = |expected, got| Err(InvalidDocument::unexpected(expected, got));
        match (kind, named, not_named) {
            (Kind::Identity, None, None) => Ok(Self::Holder),
            (Kind::Identity, ..) => wrong("no principal in an identity-based policy", "one"),
            (_, Some(named), None) => Ok(Self::Named(named)),
            (Kind::Trust, None, Some(_)) => wrong("Principal in a trust policy", "NotPrincipal"),
            (Kind::Resource, None, Some(named)) => match effect {
                Effect::Deny => Ok(Self::AllBut(named)),
                // "Using it with Allow is not supported": it would allow anonymous callers.
                Effect::Allow => wrong("Principal in a statement that allows", "NotPrincipal"),
            },
            (_, None, None) => wrong("Principal", "nothing"),
            (_, Some(_), Some(_)) => wrong("either Principal or NotPrincipal", "both"),
        }
    }

    /// Whether and how the statement is about this principal. `bounded`: it has a permissions boundary.
    pub(crate) fn names(&self, principal: &Principal, bounded: bool) -> Option<Naming> {
        match self {
            Self::Holder => None,
            Self::Named(named) => named.names(principal),
            // "Will always deny any IAM principal that has a permissions boundary attached, regardless of the values":
            // *AWS JSON policy elements: NotPrincipal*.
            Self::AllBut(_) if bounded => Some(Naming::Itself),
            Self::AllBut(named) => (!named.exempts(principal)).then_some(Naming::Itself),
        }
    }
}

impl Named {
    fn read(tree: &Tree) -> Result<Self, InvalidDocument> {
        const EXPECTED: &str = "\"*\" or an object of AWS, Service, Federated and CanonicalUser";
        if let Tree::Text(text) = tree {
            return match &**text {
                "*" => Ok(Self::Everybody),
                other => Err(InvalidDocument::text(EXPECTED, other)),
            };
        }
        let list = |(name, entries): &(String, Tree)| {
            let named = TYPES.iter().find(|(n, _)| n == name);
            let (_, of) = *named.ok_or_else(|| InvalidDocument::text(EXPECTED, name))?;
            List::read(entries, |entry| Entry::read(of, entry))
                .map(|entries| (of, entries))
                .map_err(|e| e.below(format_args!(".{name}")))
        };
        let lists = tree.object(EXPECTED)?.iter().map(list);
        Ok(Self::Listed(lists.collect::<Result<_, _>>()?))
    }

    fn names(&self, principal: &Principal) -> Option<Naming> {
        match self {
            Self::Everybody => Some(Naming::Itself),
            Self::Listed(lists) => lists
                .iter()
                .flat_map(|(of, entries)| entries.iter().map(|entry| (*of, entry)))
                .filter_map(|(of, entry)| entry.names(of, principal))
                .max(),
        }
    }

    /// Whether `NotPrincipal` leaves this principal out: everything that it is must be listed, its account and its role
    /// too. "When you use NotPrincipal, you must also specify the account ARN of the not-denied principal": *AWS JSON policy
    /// elements: NotPrincipal*, which says that AWS may check the account, then the role and then the session.
    fn exempts(&self, principal: &Principal) -> bool {
        if self.is_everybody() {
            return true;
        }
        let listed = |of: Type, text: &str| self.entries(of).any(|e| &*e.text == text);
        let account_listed =
            |account: AccountId| self.entries(Type::Aws).any(|e| e.account == Some(account));
        match principal.who() {
            Who::Anonymous => false,
            Who::Root { account, .. } => account_listed(*account),
            Who::User { account, arn } | Who::Role { account, arn } => {
                account_listed(*account) && listed(Type::Aws, arn)
            }
            Who::Session { account, role, arn } => {
                account_listed(*account) && listed(Type::Aws, role) && listed(Type::Aws, arn)
            }
            Who::Service(name) => listed(Type::Service, name),
            Who::Federated(provider) => listed(Type::Federated, provider),
        }
    }

    /// `"*"` and `{"AWS": "*"}` are the same.
    fn is_everybody(&self) -> bool {
        match self {
            Self::Everybody => true,
            Self::Listed(_) => self.entries(Type::Aws).any(Entry::is_everybody),
        }
    }

    fn entries(&self, wanted: Type) -> impl Iterator<Item = &Entry> {
        let lists = match self {
            Self::Everybody => &[][..],
            Self::Listed(lists) => lists,
        };
        lists
            .iter()
            .filter(move |(of, _)| *of == wanted)
            .flat_map(|(_, entries)| entries.iter())
    }
}

impl Entry {
    fn read(of: Type, tree: &Tree) -> Result<Self, InvalidDocument> {
        const AWS: &str = "\"*\", an account of 12 digits, or the ARN of a principal";
        const NAME: &str = "the name of a principal";
        let text = tree.text(match of {
            Type::Aws => AWS,
            Type::Service | Type::Federated | Type::CanonicalUser => NAME,
        })?;
        let account = match of {
            Type::Aws => match text.parse() {
                Ok(account) => Some(account),
                Err(_) if text == "*" => None,
                Err(_) => {
                    let parsed = principal::parse_arn(text);
                    let (account, entity) = parsed.map_err(|_| InvalidDocument::text(AWS, text))?;
                    (entity == principal::Entity::Root).then_some(account)
                }
            },
            Type::Service => {
                let parsed = principal::parse_service(text);
                parsed.map_err(|e| InvalidDocument::text(e.expected, text))?;
                None
            }
            Type::Federated | Type::CanonicalUser => {
                if text.is_empty() || text.contains(['*', '?']) {
                    return Err(InvalidDocument::text(NAME, text));
                }
                None
            }
        };
        Ok(Self {
            text: text.into(),
            account,
        })
    }

    pub(crate) fn new(text: Box<str>, account: Option<AccountId>) -> Self {
        Self { text, account }
    }

    fn is_everybody(&self) -> bool {
        &*self.text == "*"
    }

    fn names(&self, of: Type, principal: &Principal) -> Option<Naming> {
        let same = |other: &str| *self.text == *other;
        let naming = |named: bool, how| named.then_some(how);
        match (of, principal.who()) {
            (Type::Aws, _) if self.is_everybody() => Some(Naming::Itself),
            (Type::Aws, who) if self.account.is_some() => {
                let how = match who {
                    Who::Root { .. } => Naming::Itself,
                    _ => Naming::Account,
                };
                naming(self.account == principal.account(), how)
            }
            (Type::Aws, Who::User { arn, .. }) => naming(same(arn), Naming::Itself),
            (Type::Aws, Who::Role { arn, .. }) => naming(same(arn), Naming::Role),
            (Type::Aws, Who::Session { role, arn, .. }) => {
                naming(same(arn), Naming::Itself).or(naming(same(role), Naming::Role))
            }
            (Type::Service, Who::Service(name)) | (Type::Federated, Who::Federated(name)) => {
                naming(same(name), Naming::Itself)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Listed(lists) = self else {
            return f.write_str("\"*\"");
        };
        f.write_str("{")?;
        for (place, (of, entries)) in lists.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let named = TYPES.iter().find(|(_, t)| t == of);
            let name = named.map_or("", |(name, _)| name);
            write!(f, "{comma}\"{name}\":{entries}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(&self.text).fmt(f)
    }
}
