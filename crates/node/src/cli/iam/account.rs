//! `dunlin iam account`

use std::collections::BTreeMap;

use anyhow::Context;
use clap::{Args, Subcommand};
use model::AccountId;
use proto::v1;
use serde_json::json;

use super::{
    Said,
    desk::{Desk, PAGE},
    json, table,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what the cluster knows of an account, in place of what was said before
    Put(Put),
    /// List the accounts that somebody put
    List,
    /// Show what the cluster knows of an account
    Show(Named),
    /// Forget what was put. What the account has stays
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// Its number, twelve digits
    id: AccountId,
    /// What people call it
    #[arg(long, default_value = "")]
    name: String,
    /// A limit of its own, by its key in the section [limits] of the configuration; sizes in bytes
    #[arg(long = "limit", value_name = "KEY=NUMBER", value_parser = limit)]
    limits: Vec<(String, u64)>,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its number, twelve digits
    id: AccountId,
}

fn limit(text: &str) -> Result<(String, u64), anyhow::Error> {
    let (key, number) = text.split_once('=').context("expected KEY=NUMBER")?;
    let number = number.parse().context("expected a whole number after =")?;
    Ok((key.to_owned(), number))
}

pub(super) async fn run(desk: &mut Desk, command: &Command) -> Result<Said, anyhow::Error> {
    match command {
        Command::Put(put) => {
            let call = desk.call(
                "PutAccount",
                v1::PutAccountRequest {
                    account: put.id.to_string(),
                    name: put.name.clone(),
                    limits: put.limits.iter().cloned().collect::<BTreeMap<_, _>>(),
                },
            )?;
            let answer = desk.client.put_account(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::List => {
            let accounts = desk.all(page).await?;
            let rows: Vec<_> = accounts
                .iter()
                .map(|a| [a.account.clone(), limits(a), a.name.clone()])
                .collect();
            Ok(Said {
                text: table::table(["ACCOUNT", "LIMITS", "NAME"], &rows),
                json: json!({ "Accounts": accounts.iter().map(json::account).collect::<Vec<_>>() }),
            })
        }
        Command::Show(named) => {
            let account = named.id.to_string();
            let call = desk.call("GetAccount", v1::GetAccountRequest { account })?;
            let answer = desk.client.get_account(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::Delete(named) => {
            let account = named.id.to_string();
            let call = desk.call("DeleteAccount", v1::DeleteAccountRequest { account })?;
            let answer = desk.client.delete_account(call).await;
            desk.told(answer)?;
            Ok(Said {
                text: format!("account {} is as if nobody had put it\n", named.id),
                json: json!({ "Account": named.id.to_string() }),
            })
        }
    }
}

async fn page(
    desk: &mut Desk,
    marker: String,
) -> Result<(Vec<v1::Account>, String), anyhow::Error> {
    let max_items = PAGE;
    let call = desk.call(
        "ListAccounts",
        v1::ListAccountsRequest { marker, max_items },
    )?;
    let answer = desk.client.list_accounts(call).await;
    let page = desk.told(answer)?;
    Ok((page.accounts, page.next_marker))
}

fn one(account: &v1::Account) -> Said {
    let limits = limits(account);
    let members = [
        ("account", account.account.as_str()),
        ("name", &account.name),
        ("limits", &limits),
    ];
    Said {
        text: table::members(&members),
        json: json!({ "Account": json::account(account) }),
    }
}

fn limits(account: &v1::Account) -> String {
    let limits = account.limits.iter();
    let limits: Vec<_> = limits.map(|(key, n)| format!("{key}={n}")).collect();
    if limits.is_empty() {
        "those of the cluster".to_owned()
    } else {
        limits.join(" ")
    }
}
