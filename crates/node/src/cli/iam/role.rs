//! `dunlin iam role`

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use proto::v1;
use serde_json::json;

use super::{
    Said,
    desk::{Desk, PAGE},
    document,
    grant::granted,
    json, table,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a role, which is allowed nothing yet
    Create(Create),
    /// Change who may be a role, or for how long
    Update(Update),
    /// List the roles
    List,
    /// Show a role, who may be it, and its policies
    Show(Named),
    /// Delete a role with its own policies
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name: at most 64 of a-z, A-Z, 0-9 and _+=,.@-
    name: String,
    #[command(flatten)]
    trust: Trust,
    /// Where its ARN puts it, such as /service-role/
    #[arg(long, default_value = "/")]
    path: String,
    /// The longest session, in seconds: 3600 to 43200
    #[arg(long, default_value_t = 3600)]
    max_session: u32,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its name
    name: String,
    #[command(flatten)]
    trust: Trust,
    /// The longest session, in seconds: 3600 to 43200
    #[arg(long)]
    max_session: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name
    name: String,
}

/// Who may be the role.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Trust {
    /// File with the trust policy: who may be the role. - is standard input
    #[arg(long)]
    trust: Option<PathBuf>,
    /// A service that may be the role, such as lambda.amazonaws.com, in place of a trust policy
    #[arg(long)]
    service: Option<String>,
}

impl Trust {
    fn document(&self) -> Result<Option<String>, anyhow::Error> {
        document::trust(self.trust.as_ref(), self.service.as_ref())
    }
}

pub(super) async fn run(desk: &mut Desk, command: &Command) -> Result<Said, anyhow::Error> {
    match command {
        Command::Create(arguments) => create(desk, arguments).await,
        Command::Update(arguments) => update(desk, arguments).await,
        Command::List => list(desk).await,
        Command::Show(Named { name }) => {
            let (account, role_name) = (desk.account(), name.clone());
            let call = desk.call("GetRole", v1::GetRoleRequest { account, role_name })?;
            let answer = desk.client.get_role(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::Delete(Named { name }) => {
            let (account, role_name) = (desk.account(), name.clone());
            let call = desk.call("DeleteRole", v1::DeleteRoleRequest { account, role_name })?;
            let answer = desk.client.delete_role(call).await;
            desk.told(answer)?;
            Ok(Said {
                text: format!("role {name} is gone\n"),
                json: json!({ "RoleName": name }),
            })
        }
    }
}

async fn create(desk: &mut Desk, arguments: &Create) -> Result<Said, anyhow::Error> {
    let Some(trust) = arguments.trust.document()? else {
        bail!("say who may be the role: --trust FILE, or --service lambda.amazonaws.com");
    };
    let create = v1::CreateRoleRequest {
        account: desk.account(),
        role_name: arguments.name.clone(),
        path: arguments.path.clone(),
        assume_role_policy_document: trust,
        max_session_duration: Some(arguments.max_session),
    };
    let call = desk.call("CreateRole", create)?;
    let answer = desk.client.create_role(call).await;
    Ok(one(&desk.told(answer)?))
}

async fn update(desk: &mut Desk, arguments: &Update) -> Result<Said, anyhow::Error> {
    let trust = arguments.trust.document()?;
    if trust.is_none() && arguments.max_session.is_none() {
        bail!("say what changes: --trust FILE, --service NAME or --max-session SECONDS");
    }
    let update = v1::UpdateRoleRequest {
        account: desk.account(),
        role_name: arguments.name.clone(),
        assume_role_policy_document: trust,
        max_session_duration: arguments.max_session,
    };
    let call = desk.call("UpdateRole", update)?;
    let answer = desk.client.update_role(call).await;
    Ok(one(&desk.told(answer)?))
}

async fn list(desk: &mut Desk) -> Result<Said, anyhow::Error> {
    let roles = desk.all(page).await?;
    let row = |r: &v1::Role| {
        let (name, date, arn) = (&r.role_name, &r.create_date, &r.arn);
        [name.clone(), date.clone(), arn.clone()]
    };
    let rows: Vec<_> = roles.iter().map(row).collect();
    Ok(Said {
        text: table::table(["ROLE", "MADE", "ARN"], &rows),
        json: json!({ "Roles": roles.iter().map(json::role).collect::<Vec<_>>() }),
    })
}

async fn page(desk: &mut Desk, marker: String) -> Result<(Vec<v1::Role>, String), anyhow::Error> {
    let list = v1::ListRolesRequest {
        account: desk.account(),
        marker,
        max_items: PAGE,
    };
    let call = desk.call("ListRoles", list)?;
    let answer = desk.client.list_roles(call).await;
    let page = desk.told(answer)?;
    Ok((page.roles, page.next_marker))
}

/// A role with what it is allowed.
pub(super) fn one(role: &v1::Role) -> Said {
    let session = format!("at most {} s", role.max_session_duration);
    let mut text = table::members(&[
        ("role", &role.role_name),
        ("arn", &role.arn),
        ("id", &role.role_id),
        ("made", &role.create_date),
        ("sessions", &session),
    ]);
    text.push_str("\nwho may be it\n");
    text.push_str(&json::indented(&role.assume_role_policy_document));
    text.push_str(&granted(
        &role.inline_policies,
        &role.attached_policies,
        &role.permissions_boundary,
    ));
    Said {
        text,
        json: json!({ "Role": json::role(role) }),
    }
}
