//! One caller, one account.

use lambda_api::{
    ApiError,
    page::{Page, PageRequest},
};
use model::{
    AccountId,
    iam::{
        AccessKey, AccessKeyId, Account, Change, EntityId, EntityName, EntityPath, Refusal, Shared,
    },
    mutation::Changed,
};
use state::Catalog;

use super::{Demand, Subject, arn};
use crate::{
    auth::{self, Caller, Who},
    control::Control,
    error::OperationError,
    trail::Trail,
};

const OPERATORS_ONLY: &str = "because only keys of a node's configuration may act on accounts, and on other accounts than their own";
const ROOT_ONLY: &str = "because only the root of the account and keys of a node's configuration may touch access keys of the root";

/// What a caller has before them: an account, and the way to look at what is in it and to change it.
pub(crate) struct Desk<'a> {
    pub(super) control: &'a Control,
    pub(super) caller: &'a Caller,
    pub(super) trail: &'a Trail,
    pub(super) account: AccountId,
}

/// The proof that a caller may do what a [`Demand`] says. Only a [`Desk`] makes one.
pub(crate) struct Permit<'a>(&'a Caller);

/// What comes in lists by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Users,
    Roles,
    Policies,
}

/// What something is done to, as it is found.
struct Found {
    /// Its ARN.
    resource: String,
    /// Whether it is an access key of the account's root, or all of them.
    is_roots: bool,
}

impl<'a> Permit<'a> {
    /// Who may.
    pub(crate) const fn caller(&self) -> &'a Caller {
        self.0
    }
}

impl Listed {
    fn demand(self) -> Demand {
        match self {
            Self::Users => Demand::all("iam:ListUsers", "user"),
            Self::Roles => Demand::all("iam:ListRoles", "role"),
            Self::Policies => Demand::all("iam:ListPolicies", "policy"),
        }
    }
}

impl<'a> Desk<'a> {
    /// A desk for an account, the caller's own if none is named. What they may do there is asked when they do it.
    pub(crate) fn new(
        control: &'a Control,
        caller: &'a Caller,
        trail: &'a Trail,
        account: Option<AccountId>,
    ) -> Self {
        Self {
            control,
            caller,
            trail,
            account: account.unwrap_or(caller.account),
        }
    }

    /// The account.
    pub(crate) const fn account(&self) -> AccountId {
        self.account
    }

    /// Makes a change, and answers what came of it; `None` of what is deleted.
    pub(crate) async fn change(&self, change: Change) -> Result<Option<Shared>, OperationError> {
        self.trail.change(&change);
        let permit = self.permit(&Demand::of(&change)).await?;
        self.propose(&permit, change).await
    }

    pub(super) async fn propose(
        &self,
        permit: &Permit<'_>,
        change: Change,
    ) -> Result<Option<Shared>, OperationError> {
        match self.control.change_identity(permit, change).await? {
            Changed::Iam(entity) => Ok(Some(entity)),
            _ => Ok(None),
        }
    }

    /// One user, role or policy.
    pub(crate) async fn one(
        &self,
        action: &'static str,
        id: EntityId,
    ) -> Result<Shared, OperationError> {
        self.trail.identity(&id);
        self.permit(&Demand::on(action, id.clone())).await?;
        self.found(id)
    }

    /// What a permit has looked for: behind a barrier, and the copy does not go back.
    pub(super) fn found(&self, id: EntityId) -> Result<Shared, OperationError> {
        let found = self.control.glance(|catalog| catalog.entity(&id).cloned());
        found.ok_or_else(|| missing(id))
    }

    /// A page of all users, roles or policies.
    pub(crate) async fn list(
        &self,
        listed: Listed,
        page: PageRequest<EntityName>,
    ) -> Result<Page<Shared>, OperationError> {
        self.trail.page(&page);
        self.permit(&listed.demand()).await?;
        let (account, after) = (self.account, page.after.as_ref());
        let key = |entity: &Shared| named(&entity.id());
        Ok(self.control.glance(|catalog| match listed {
            Listed::Users => page.cut(catalog.users(account, after).cloned(), key),
            Listed::Roles => page.cut(catalog.roles(account, after).cloned(), key),
            Listed::Policies => page.cut(catalog.policies(account, after).cloned(), key),
        }))
    }

    /// What the cluster knows of the account.
    pub(crate) async fn one_account(&self) -> Result<Account, OperationError> {
        let id = EntityId::Account(self.account);
        self.trail.identity(&id);
        let demand = Demand {
            actions: vec!["iam:GetAccount"],
            subject: Subject::OwnAccount,
        };
        self.permit(&demand).await?;
        let found = |catalog: &Catalog| catalog.account(self.account).cloned();
        self.control.glance(found).ok_or_else(|| missing(id))
    }

    /// A page of the accounts that the cluster knows something of.
    pub(crate) async fn accounts(
        &self,
        page: PageRequest<AccountId>,
    ) -> Result<Page<Account>, OperationError> {
        self.trail.page(&page);
        let demand = Demand {
            actions: vec!["iam:ListAccounts"],
            subject: Subject::Account,
        };
        self.permit(&demand).await?;
        let cut = |catalog: &Catalog| {
            let accounts = catalog.accounts(page.after).cloned();
            page.cut(accounts, |account| account.id)
        };
        Ok(self.control.glance(cut))
    }

    /// Decides whether the caller may. Afterwards the copy of the catalog has what was acknowledged before.
    ///
    /// # Errors
    /// AccessDenied, for the first action that is not allowed.
    pub(super) async fn permit(&self, demand: &Demand) -> Result<Permit<'a>, OperationError> {
        let is_operator = matches!(self.caller.who, Who::Operator);
        let is_own = self.account == self.caller.account;
        // Whoever may not act on an account hears nothing of what is in it.
        if !is_operator && (!is_own || demand.subject == Subject::Account) {
            return Err(self.denied(demand, &arn::root(self.account), OPERATORS_ONLY));
        }
        let found = self
            .control
            .read(|catalog| self.look(catalog, &demand.subject));
        let Found { resource, is_roots } = found.await?;
        self.trail.on(&resource);
        if is_roots && !is_operator && !matches!(self.caller.who, Who::Root) {
            return Err(self.denied(demand, &resource, ROOT_ONLY));
        }
        // Policies of its own account are no other account's, and no policy opens accounts.
        if is_own && demand.subject != Subject::Account {
            for action in &demand.actions {
                auth::permit(self.control, self.caller, action, &resource, self.account)?;
            }
        }
        Ok(Permit(self.caller))
    }

    fn denied(&self, demand: &Demand, resource: &str, why: &str) -> OperationError {
        self.trail.on(resource);
        let action = demand.actions.first().copied().unwrap_or_default();
        let who = self.caller.principal.arn().unwrap_or_default();
        ApiError::denied(who, action, resource, why).into()
    }

    fn look(&self, catalog: &Catalog, subject: &Subject) -> Found {
        let root = || arn::root(self.account);
        let at = |id: &EntityId, path: &EntityPath| {
            let there = catalog.entity(id).and_then(|entity| entity.arn());
            there.or_else(|| arn::of(id, path)).unwrap_or_else(root)
        };
        let somebodys = |resource| Found {
            resource,
            is_roots: false,
        };
        match subject {
            Subject::Account | Subject::OwnAccount => somebodys(root()),
            // One that is there already is refused later, and not because of its path.
            Subject::New(id, path) => somebodys(arn::of(id, path).unwrap_or_else(root)),
            Subject::Named(id, path) => somebodys(at(id, path)),
            Subject::All(kind) => somebodys(arn::all(self.account, kind)),
            Subject::RootKeys => Found {
                resource: root(),
                is_roots: true,
            },
            Subject::Key(id) => match self.key(catalog, id) {
                Some(AccessKey {
                    user: Some(name), ..
                }) => {
                    let user = EntityId::User(self.account, name.clone());
                    somebodys(at(&user, &EntityPath::default()))
                }
                Some(AccessKey { user: None, .. }) => Found {
                    resource: root(),
                    is_roots: true,
                },
                None => somebodys(arn::all(self.account, "user")),
            },
        }
    }

    /// An access key of the account: one of another account is not there.
    fn key<'c>(&self, catalog: &'c Catalog, id: &AccessKeyId) -> Option<&'c AccessKey> {
        let key = catalog.access_key(id)?;
        (key.account == self.account).then_some(key)
    }
}

/// What is not there.
fn missing(id: EntityId) -> OperationError {
    OperationError::Rejected(Refusal::NotFound(id).into())
}

/// The name by which something is listed.
fn named(id: &EntityId) -> EntityName {
    match id {
        EntityId::User(_, name) | EntityId::Role(_, name) | EntityId::Policy(_, name) => {
            name.clone()
        }
        EntityId::Account(_) | EntityId::AccessKey(_) => EntityName::first(),
    }
}
