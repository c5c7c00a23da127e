//! `dunlin iam user`

use clap::{Args, Subcommand};
use proto::v1;
use serde_json::json;

use super::{
    Said,
    desk::{Desk, PAGE},
    grant::granted,
    json, table,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a user, who has no access key and is allowed nothing yet
    Create(Create),
    /// List the users
    List,
    /// Show a user and its policies
    Show(Named),
    /// Delete a user with its access keys and its own policies
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name: at most 64 of a-z, A-Z, 0-9 and _+=,.@-
    name: String,
    /// Where its ARN puts it, such as /division/team/
    #[arg(long, default_value = "/")]
    path: String,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name
    name: String,
}

pub(super) async fn run(desk: &mut Desk, command: &Command) -> Result<Said, anyhow::Error> {
    let account = desk.account();
    match command {
        Command::Create(Create { name, path }) => {
            let create = v1::CreateUserRequest {
                account,
                user_name: name.clone(),
                path: path.clone(),
            };
            let call = desk.call("CreateUser", create)?;
            let answer = desk.client.create_user(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::List => {
            let users = desk.all(page).await?;
            let row = |u: &v1::User| {
                let (name, date, arn) = (&u.user_name, &u.create_date, &u.arn);
                [name.clone(), date.clone(), arn.clone()]
            };
            let rows: Vec<_> = users.iter().map(row).collect();
            Ok(Said {
                text: table::table(["USER", "MADE", "ARN"], &rows),
                json: json!({ "Users": users.iter().map(json::user).collect::<Vec<_>>() }),
            })
        }
        Command::Show(Named { name }) => {
            let user_name = name.clone();
            let call = desk.call("GetUser", v1::GetUserRequest { account, user_name })?;
            let answer = desk.client.get_user(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::Delete(Named { name }) => {
            let user_name = name.clone();
            let call = desk.call("DeleteUser", v1::DeleteUserRequest { account, user_name })?;
            let answer = desk.client.delete_user(call).await;
            desk.told(answer)?;
            Ok(Said {
                text: format!("user {name} is gone, with its access keys\n"),
                json: json!({ "UserName": name }),
            })
        }
    }
}

async fn page(desk: &mut Desk, marker: String) -> Result<(Vec<v1::User>, String), anyhow::Error> {
    let list = v1::ListUsersRequest {
        account: desk.account(),
        marker,
        max_items: PAGE,
    };
    let call = desk.call("ListUsers", list)?;
    let answer = desk.client.list_users(call).await;
    let page = desk.told(answer)?;
    Ok((page.users, page.next_marker))
}

/// A user with what it is allowed.
pub(super) fn one(user: &v1::User) -> Said {
    let mut text = table::members(&[
        ("user", &user.user_name),
        ("arn", &user.arn),
        ("id", &user.user_id),
        ("made", &user.create_date),
    ]);
    text.push_str(&granted(
        &user.inline_policies,
        &user.attached_policies,
        &user.permissions_boundary,
    ));
    Said {
        text,
        json: json!({ "User": json::user(user) }),
    }
}
