//! The service that keeps identities: message to change or question, [`crate::identity`], result to message.

mod addressed;
mod show;

use std::sync::Arc;

use model::{
    AccountId,
    iam::{Change, Entity, EntityId, Grants, Quota},
};
use proto::v1::{self, identity_server};
use tonic::Request;

use super::{
    answer::{self, Answer},
    arrive::Arrived,
};
use crate::{
    error::OperationError,
    identity::{Desk, Listed, identity_document, parse, trust_document},
    stack::Edge,
};
use addressed::Addressed;

/// The service.
pub(super) struct Identity {
    edge: Arc<Edge>,
}

type Parsed<T> = Result<T, OperationError>;

impl Identity {
    pub(super) fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }

    fn desk<'a>(&'a self, arrived: &'a Arrived, message: &impl Addressed) -> Parsed<Desk<'a>> {
        let account = parse::account(message.account())?;
        let control = &self.edge.bench.control;
        Ok(Desk::new(control, &arrived.caller, &arrived.trail, account))
    }

    /// Makes the change that a message asks for, and shows what came of it.
    async fn change<M: Addressed, T>(
        &self,
        request: Request<M>,
        change: impl FnOnce(M, AccountId) -> Parsed<Change>,
        show: impl Fn(&Entity) -> Option<T>,
    ) -> Answer<T> {
        let run = async |arrived: Arc<Arrived>, m: M| {
            let desk = self.desk(&arrived, &m)?;
            let change = change(m, desk.account())?;
            let about = change.about();
            show::changed(&about, desk.change(change).await?, show)
        };
        answer::once(&self.edge, request, run).await
    }

    /// Deletes what a message names.
    async fn delete<M: Addressed, T: Default>(
        &self,
        request: Request<M>,
        id: impl FnOnce(&M, AccountId) -> Parsed<EntityId>,
    ) -> Answer<T> {
        let run = async |arrived: Arc<Arrived>, m: M| {
            let desk = self.desk(&arrived, &m)?;
            let account = desk.account();
            let id = id(&m, account)?;
            desk.change(Change::Delete { id, account }).await?;
            Ok(T::default())
        };
        answer::once(&self.edge, request, run).await
    }

    /// Shows what a message names.
    async fn one<M: Addressed, T>(
        &self,
        request: Request<M>,
        action: &'static str,
        id: impl FnOnce(&M, AccountId) -> Parsed<EntityId>,
        show: impl Fn(&Entity) -> Option<T>,
    ) -> Answer<T> {
        let run = async |arrived: Arc<Arrived>, m: M| {
            let desk = self.desk(&arrived, &m)?;
            let id = id(&m, desk.account())?;
            let found = desk.one(action, id.clone()).await?;
            show::changed(&id, Some(found), show)
        };
        answer::once(&self.edge, request, run).await
    }

    /// Shows a page: its items, and the marker of the next one.
    async fn list<M: Addressed, T, P>(
        &self,
        request: Request<M>,
        listed: Listed,
        page: impl FnOnce(&M) -> (String, u32),
        show: impl Fn(&Entity) -> Option<T>,
        wrap: impl FnOnce(Vec<T>, String) -> P,
    ) -> Answer<P> {
        let run = async |arrived: Arc<Arrived>, m: M| {
            let desk = self.desk(&arrived, &m)?;
            let (marker, max_items) = page(&m);
            let found = desk.list(listed, parse::page(&marker, max_items)?).await?;
            let (items, next) = show::page(found, show);
            Ok(wrap(items, next))
        };
        answer::once(&self.edge, request, run).await
    }

    /// Changes what a user is allowed.
    async fn grant_user<M: Addressed>(
        &self,
        request: Request<M>,
        name: impl FnOnce(&M) -> String,
        grant: impl FnOnce(M) -> Parsed<Grants>,
    ) -> Answer<v1::User> {
        let change = |m: M, account| {
            let to = EntityId::User(account, parse::user(&name(&m))?);
            let change = grant(m)?;
            Ok(Change::Grant { to, change })
        };
        self.change(request, change, show::user).await
    }

    /// Changes what a role is allowed.
    async fn grant_role<M: Addressed>(
        &self,
        request: Request<M>,
        name: impl FnOnce(&M) -> String,
        grant: impl FnOnce(M) -> Parsed<Grants>,
    ) -> Answer<v1::Role> {
        let change = |m: M, account| {
            let to = EntityId::Role(account, parse::role(&name(&m))?);
            let change = grant(m)?;
            Ok(Change::Grant { to, change })
        };
        self.change(request, change, show::role).await
    }
}

fn inline(name: &str, document: &str, quota: Quota) -> Parsed<Grants> {
    let name = parse::policy(name)?;
    Ok(Grants::PutInline(name, identity_document(document, quota)?))
}

fn user(name: &str, account: AccountId) -> Parsed<EntityId> {
    Ok(EntityId::User(account, parse::user(name)?))
}

fn role(name: &str, account: AccountId) -> Parsed<EntityId> {
    Ok(EntityId::Role(account, parse::role(name)?))
}

fn policy(name: &str, account: AccountId) -> Parsed<EntityId> {
    Ok(EntityId::Policy(account, parse::policy(name)?))
}

#[tonic::async_trait]
impl identity_server::Identity for Identity {
    async fn put_account(&self, request: Request<v1::PutAccountRequest>) -> Answer<v1::Account> {
        let change = |m: v1::PutAccountRequest, account| {
            let (name, limits) = (parse::account_name(m.name)?, parse::limits(m.limits)?);
            Ok(Change::PutAccount {
                account,
                name,
                limits,
            })
        };
        self.change(request, change, show::account_of).await
    }

    async fn get_account(&self, request: Request<v1::GetAccountRequest>) -> Answer<v1::Account> {
        let run = async |arrived: Arc<Arrived>, m: v1::GetAccountRequest| {
            let desk = self.desk(&arrived, &m)?;
            Ok(show::account(desk.one_account().await?))
        };
        answer::once(&self.edge, request, run).await
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Answer<v1::ListAccountsResponse> {
        let run = async |arrived: Arc<Arrived>, m: v1::ListAccountsRequest| {
            let desk = self.desk(&arrived, &m)?;
            let page = desk.accounts(parse::page(&m.marker, m.max_items)?).await?;
            let page = page.map(show::account);
            Ok(v1::ListAccountsResponse {
                accounts: page.items,
                next_marker: page.next_marker.unwrap_or_default(),
            })
        };
        answer::once(&self.edge, request, run).await
    }

    async fn delete_account(
        &self,
        request: Request<v1::DeleteAccountRequest>,
    ) -> Answer<v1::DeleteAccountResponse> {
        let id = |_: &v1::DeleteAccountRequest, account| Ok(EntityId::Account(account));
        self.delete(request, id).await
    }

    async fn create_user(&self, request: Request<v1::CreateUserRequest>) -> Answer<v1::User> {
        let change = |m: v1::CreateUserRequest, account| {
            Ok(Change::CreateUser {
                account,
                name: parse::user(&m.user_name)?,
                path: parse::path(&m.path)?,
            })
        };
        self.change(request, change, show::user).await
    }

    async fn create_role(&self, request: Request<v1::CreateRoleRequest>) -> Answer<v1::Role> {
        let change = |m: v1::CreateRoleRequest, account| {
            Ok(Change::CreateRole {
                account,
                name: parse::role(&m.role_name)?,
                path: parse::path(&m.path)?,
                trust: trust_document(&m.assume_role_policy_document)?,
                session_max_s: parse::session(m.max_session_duration)?,
            })
        };
        self.change(request, change, show::role).await
    }

    async fn update_role(&self, request: Request<v1::UpdateRoleRequest>) -> Answer<v1::Role> {
        let change = |m: v1::UpdateRoleRequest, account| {
            let trust = m.assume_role_policy_document;
            Ok(Change::UpdateRole {
                account,
                name: parse::role(&m.role_name)?,
                trust: trust.map(|text| trust_document(&text)).transpose()?,
                session_max_s: parse::other_session(m.max_session_duration)?,
            })
        };
        self.change(request, change, show::role).await
    }

    async fn put_policy(&self, request: Request<v1::PutPolicyRequest>) -> Answer<v1::Policy> {
        let change = |m: v1::PutPolicyRequest, account| {
            Ok(Change::PutPolicy {
                account,
                name: parse::policy(&m.policy_name)?,
                path: parse::path(&m.path)?,
                document: identity_document(&m.policy_document, Quota::Policy)?,
            })
        };
        self.change(request, change, show::policy).await
    }

    async fn get_user(&self, request: Request<v1::GetUserRequest>) -> Answer<v1::User> {
        let id = |m: &v1::GetUserRequest, account| user(&m.user_name, account);
        self.one(request, "iam:GetUser", id, show::user).await
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Answer<v1::ListUsersResponse> {
        let wrap = |users, next_marker| v1::ListUsersResponse { users, next_marker };
        let page = |m: &v1::ListUsersRequest| (m.marker.clone(), m.max_items);
        let listed = Listed::Users;
        self.list(request, listed, page, show::user, wrap).await
    }

    async fn delete_user(
        &self,
        request: Request<v1::DeleteUserRequest>,
    ) -> Answer<v1::DeleteUserResponse> {
        let id = |m: &v1::DeleteUserRequest, account| user(&m.user_name, account);
        self.delete(request, id).await
    }

    async fn get_role(&self, request: Request<v1::GetRoleRequest>) -> Answer<v1::Role> {
        let id = |m: &v1::GetRoleRequest, account| role(&m.role_name, account);
        self.one(request, "iam:GetRole", id, show::role).await
    }

    async fn list_roles(
        &self,
        request: Request<v1::ListRolesRequest>,
    ) -> Answer<v1::ListRolesResponse> {
        let wrap = |roles, next_marker| v1::ListRolesResponse { roles, next_marker };
        let page = |m: &v1::ListRolesRequest| (m.marker.clone(), m.max_items);
        let listed = Listed::Roles;
        self.list(request, listed, page, show::role, wrap).await
    }

    async fn delete_role(
        &self,
        request: Request<v1::DeleteRoleRequest>,
    ) -> Answer<v1::DeleteRoleResponse> {
        let id = |m: &v1::DeleteRoleRequest, account| role(&m.role_name, account);
        self.delete(request, id).await
    }

    async fn get_policy(&self, request: Request<v1::GetPolicyRequest>) -> Answer<v1::Policy> {
        let id = |m: &v1::GetPolicyRequest, account| policy(&m.policy_name, account);
        self.one(request, "iam:GetPolicy", id, show::policy).await
    }

    async fn list_policies(
        &self,
        request: Request<v1::ListPoliciesRequest>,
    ) -> Answer<v1::ListPoliciesResponse> {
        let wrap = |policies, next_marker| v1::ListPoliciesResponse {
            policies,
            next_marker,
        };
        let page = |m: &v1::ListPoliciesRequest| (m.marker.clone(), m.max_items);
        let listed = Listed::Policies;
        self.list(request, listed, page, show::policy, wrap).await
    }

    async fn delete_policy(
        &self,
        request: Request<v1::DeletePolicyRequest>,
    ) -> Answer<v1::DeletePolicyResponse> {
        let id = |m: &v1::DeletePolicyRequest, account| policy(&m.policy_name, account);
        self.delete(request, id).await
    }

    async fn put_user_policy(
        &self,
        request: Request<v1::PutUserPolicyRequest>,
    ) -> Answer<v1::User> {
        let grant = |m: v1::PutUserPolicyRequest| {
            inline(&m.policy_name, &m.policy_document, Quota::UserInline)
        };
        let name = |m: &v1::PutUserPolicyRequest| m.user_name.clone();
        self.grant_user(request, name, grant).await
    }

    async fn delete_user_policy(
        &self,
        request: Request<v1::DeleteUserPolicyRequest>,
    ) -> Answer<v1::User> {
        let grant =
            |m: v1::DeleteUserPolicyRequest| Ok(Grants::DropInline(parse::policy(&m.policy_name)?));
        let name = |m: &v1::DeleteUserPolicyRequest| m.user_name.clone();
        self.grant_user(request, name, grant).await
    }

    async fn attach_user_policy(
        &self,
        request: Request<v1::AttachUserPolicyRequest>,
    ) -> Answer<v1::User> {
        let grant =
            |m: v1::AttachUserPolicyRequest| Ok(Grants::Attach(parse::policy(&m.policy_name)?));
        let name = |m: &v1::AttachUserPolicyRequest| m.user_name.clone();
        self.grant_user(request, name, grant).await
    }

    async fn detach_user_policy(
        &self,
        request: Request<v1::DetachUserPolicyRequest>,
    ) -> Answer<v1::User> {
        let grant =
            |m: v1::DetachUserPolicyRequest| Ok(Grants::Detach(parse::policy(&m.policy_name)?));
        let name = |m: &v1::DetachUserPolicyRequest| m.user_name.clone();
        self.grant_user(request, name, grant).await
    }

    async fn put_user_permissions_boundary(
        &self,
        request: Request<v1::PutUserPermissionsBoundaryRequest>,
    ) -> Answer<v1::User> {
        let grant = |m: v1::PutUserPermissionsBoundaryRequest| {
            Ok(Grants::Bound(Some(parse::policy(&m.policy_name)?)))
        };
        let name = |m: &v1::PutUserPermissionsBoundaryRequest| m.user_name.clone();
        self.grant_user(request, name, grant).await
    }

    async fn delete_user_permissions_boundary(
        &self,
        request: Request<v1::DeleteUserPermissionsBoundaryRequest>,
    ) -> Answer<v1::User> {
        let grant = |_| Ok(Grants::Bound(None));
        let name = |m: &v1::DeleteUserPermissionsBoundaryRequest| m.user_name.clone();
        self.grant_user(request, name, grant).await
    }

    async fn put_role_policy(
        &self,
        request: Request<v1::PutRolePolicyRequest>,
    ) -> Answer<v1::Role> {
        let grant = |m: v1::PutRolePolicyRequest| {
            inline(&m.policy_name, &m.policy_document, Quota::RoleInline)
        };
        let name = |m: &v1::PutRolePolicyRequest| m.role_name.clone();
        self.grant_role(request, name, grant).await
    }

    async fn delete_role_policy(
        &self,
        request: Request<v1::DeleteRolePolicyRequest>,
    ) -> Answer<v1::Role> {
        let grant =
            |m: v1::DeleteRolePolicyRequest| Ok(Grants::DropInline(parse::policy(&m.policy_name)?));
        let name = |m: &v1::DeleteRolePolicyRequest| m.role_name.clone();
        self.grant_role(request, name, grant).await
    }

    async fn attach_role_policy(
        &self,
        request: Request<v1::AttachRolePolicyRequest>,
    ) -> Answer<v1::Role> {
        let grant =
            |m: v1::AttachRolePolicyRequest| Ok(Grants::Attach(parse::policy(&m.policy_name)?));
        let name = |m: &v1::AttachRolePolicyRequest| m.role_name.clone();
        self.grant_role(request, name, grant).await
    }

    async fn detach_role_policy(
        &self,
        request: Request<v1::DetachRolePolicyRequest>,
    ) -> Answer<v1::Role> {
        let grant =
            |m: v1::DetachRolePolicyRequest| Ok(Grants::Detach(parse::policy(&m.policy_name)?));
        let name = |m: &v1::DetachRolePolicyRequest| m.role_name.clone();
        self.grant_role(request, name, grant).await
    }

    async fn put_role_permissions_boundary(
        &self,
        request: Request<v1::PutRolePermissionsBoundaryRequest>,
    ) -> Answer<v1::Role> {
        let grant = |m: v1::PutRolePermissionsBoundaryRequest| {
            Ok(Grants::Bound(Some(parse::policy(&m.policy_name)?)))
        };
        let name = |m: &v1::PutRolePermissionsBoundaryRequest| m.role_name.clone();
        self.grant_role(request, name, grant).await
    }

    async fn delete_role_permissions_boundary(
        &self,
        request: Request<v1::DeleteRolePermissionsBoundaryRequest>,
    ) -> Answer<v1::Role> {
        let grant = |_| Ok(Grants::Bound(None));
        let name = |m: &v1::DeleteRolePermissionsBoundaryRequest| m.role_name.clone();
        self.grant_role(request, name, grant).await
    }

    async fn create_access_key(
        &self,
        request: Request<v1::CreateAccessKeyRequest>,
    ) -> Answer<v1::NewAccessKey> {
        let run = async |arrived: Arc<Arrived>, m: v1::CreateAccessKeyRequest| {
            let desk = self.desk(&arrived, &m)?;
            let user = parse::user_or_root(&m.user_name)?;
            Ok(show::new_key(&desk.create_key(user).await?))
        };
        answer::once(&self.edge, request, run).await
    }

    async fn list_access_keys(
        &self,
        request: Request<v1::ListAccessKeysRequest>,
    ) -> Answer<v1::ListAccessKeysResponse> {
        let run = async |arrived: Arc<Arrived>, m: v1::ListAccessKeysRequest| {
            let desk = self.desk(&arrived, &m)?;
            let user = parse::user_or_root(&m.user_name)?;
            let keys = desk.keys(user).await?;
            let access_keys = keys.iter().map(show::access_key).collect();
            Ok(v1::ListAccessKeysResponse { access_keys })
        };
        answer::once(&self.edge, request, run).await
    }

    async fn update_access_key(
        &self,
        request: Request<v1::UpdateAccessKeyRequest>,
    ) -> Answer<v1::AccessKey> {
        let change = |m: v1::UpdateAccessKeyRequest, account| {
            Ok(Change::SetAccessKey {
                id: parse::access_key(&m.access_key_id)?,
                account,
                active: parse::status(&m.status)?,
            })
        };
        self.change(request, change, show::key).await
    }

    async fn delete_access_key(
        &self,
        request: Request<v1::DeleteAccessKeyRequest>,
    ) -> Answer<v1::DeleteAccessKeyResponse> {
        let id = |m: &v1::DeleteAccessKeyRequest, _| {
            Ok(EntityId::AccessKey(parse::access_key(&m.access_key_id)?))
        };
        self.delete(request, id).await
    }
}
