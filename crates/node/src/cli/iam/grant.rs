//! `dunlin iam attach`, `detach`, `inline` and `boundary`: what users and roles are allowed.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, Subcommand};
use proto::v1;

use super::{Said, desk::Desk, document, json, role, user};

#[derive(Debug, Args)]
pub(super) struct Attachment {
    /// Name of a policy of the account
    policy: String,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Subcommand)]
pub(super) enum Inline {
    /// Give a policy, or another text for the one of this name
    Put(Put),
    /// Take a policy away
    Drop(Drop),
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// What the policy is called
    policy: String,
    /// File with the policy, in JSON. - is standard input
    file: PathBuf,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Args)]
pub(super) struct Drop {
    /// What the policy is called
    policy: String,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Subcommand)]
pub(super) enum Boundary {
    /// Set a policy of the account as the bound of all others
    Set(Attachment),
    /// Take the bound away
    Clear(Whom),
}

/// Who it is for.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whom {
    /// A user
    #[arg(long)]
    user: Option<String>,
    /// A role
    #[arg(long)]
    role: Option<String>,
}

enum Named {
    User(String),
    Role(String),
}

impl Whom {
    fn named(&self) -> Named {
        match (&self.user, &self.role) {
            (Some(user), _) => Named::User(user.clone()),
            // One of the two is required.
            (None, role) => Named::Role(role.clone().unwrap_or_default()),
        }
    }
}

/// Calls the method for a user or the one for a role, which differ in nothing else, and shows whom it changed.
macro_rules! grant {
    ($desk:ident, $whom:expr,
     $user_method:ident $user_name:literal $user_request:ident,
     $role_method:ident $role_name:literal $role_request:ident,
     { $($member:ident: $value:expr),* }) => {{
        let account = $desk.account();
        match $whom.named() {
            Named::User(user_name) => {
                let message = v1::$user_request { account, user_name, $($member: $value),* };
                let call = $desk.call($user_name, message)?;
                let answer = $desk.client.$user_method(call).await;
                Ok(user::one(&$desk.told(answer)?))
            }
            Named::Role(role_name) => {
                let message = v1::$role_request { account, role_name, $($member: $value),* };
                let call = $desk.call($role_name, message)?;
                let answer = $desk.client.$role_method(call).await;
                Ok(role::one(&$desk.told(answer)?))
            }
        }
    }};
}

pub(super) async fn attach(
    desk: &mut Desk,
    Attachment { policy, whom }: &Attachment,
) -> Result<Said, anyhow::Error> {
    grant!(
        desk, whom,
        attach_user_policy "AttachUserPolicy" AttachUserPolicyRequest,
        attach_role_policy "AttachRolePolicy" AttachRolePolicyRequest,
        { policy_name: policy.clone() }
    )
}

pub(super) async fn detach(
    desk: &mut Desk,
    Attachment { policy, whom }: &Attachment,
) -> Result<Said, anyhow::Error> {
    grant!(
        desk, whom,
        detach_user_policy "DetachUserPolicy" DetachUserPolicyRequest,
        detach_role_policy "DetachRolePolicy" DetachRolePolicyRequest,
        { policy_name: policy.clone() }
    )
}

pub(super) async fn inline(desk: &mut Desk, command: &Inline) -> Result<Said, anyhow::Error> {
    match command {
        Inline::Put(Put { policy, file, whom }) => {
            let document = document::read(file)?;
            grant!(
                desk, whom,
                put_user_policy "PutUserPolicy" PutUserPolicyRequest,
                put_role_policy "PutRolePolicy" PutRolePolicyRequest,
                { policy_name: policy.clone(), policy_document: document.clone() }
            )
        }
        Inline::Drop(Drop { policy, whom }) => grant!(
            desk, whom,
            delete_user_policy "DeleteUserPolicy" DeleteUserPolicyRequest,
            delete_role_policy "DeleteRolePolicy" DeleteRolePolicyRequest,
            { policy_name: policy.clone() }
        ),
    }
}

pub(super) async fn boundary(desk: &mut Desk, command: &Boundary) -> Result<Said, anyhow::Error> {
    match command {
        Boundary::Set(Attachment { policy, whom }) => grant!(
            desk, whom,
            put_user_permissions_boundary "PutUserPermissionsBoundary" PutUserPermissionsBoundaryRequest,
            put_role_permissions_boundary "PutRolePermissionsBoundary" PutRolePermissionsBoundaryRequest,
            { policy_name: policy.clone() }
        ),
        Boundary::Clear(whom) => grant!(
            desk, whom,
            delete_user_permissions_boundary "DeleteUserPermissionsBoundary" DeleteUserPermissionsBoundaryRequest,
            delete_role_permissions_boundary "DeleteRolePermissionsBoundary" DeleteRolePermissionsBoundaryRequest,
            {}
        ),
    }
}

/// What somebody is allowed.
pub(super) fn granted(
    inline: &BTreeMap<String, String>,
    attached: &[String],
    boundary: &str,
) -> String {
    let mut text = String::new();
    if !attached.is_empty() {
        text.push_str(&format!("\nattached policies\n{}\n", attached.join("\n")));
    }
    if !boundary.is_empty() {
        text.push_str(&format!("\nbounded by policy\n{boundary}\n"));
    }
    for (name, document) in inline {
        text.push_str(&format!(
            "\nown policy {name}\n{}",
            json::indented(document)
        ));
    }
    if attached.is_empty() && inline.is_empty() {
        text.push_str("\nno policies: it is allowed nothing\n");
    }
    text
}
