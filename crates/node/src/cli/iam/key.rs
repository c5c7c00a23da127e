//! `dunlin iam key`

use clap::{Args, Subcommand};
use proto::v1;
use serde_json::json;

use super::{Said, desk::Desk, json, table};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an access key, and print it as a profile for the shared credentials file. Its secret is not shown again
    Create(Whose),
    /// List the access keys of a user, or of the account's root
    List(Whose),
    /// Let nobody use a key for now
    Deactivate(Named),
    /// Let a key be used again
    Activate(Named),
    /// Delete a key
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Whose {
    /// The user; without it, the account's root
    #[arg(long)]
    user: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The id of the key
    id: String,
}

pub(super) async fn run(desk: &mut Desk, command: &Command) -> Result<Said, anyhow::Error> {
    match command {
        Command::Create(Whose { user }) => {
            let create = v1::CreateAccessKeyRequest {
                account: desk.account(),
                user_name: user.clone().unwrap_or_default(),
            };
            let call = desk.call("CreateAccessKey", create)?;
            let answer = desk.client.create_access_key(call).await;
            Ok(made(&desk.told(answer)?))
        }
        Command::List(Whose { user }) => {
            let list = v1::ListAccessKeysRequest {
                account: desk.account(),
                user_name: user.clone().unwrap_or_default(),
            };
            let call = desk.call("ListAccessKeys", list)?;
            let answer = desk.client.list_access_keys(call).await;
            let keys = desk.told(answer)?.access_keys;
            Ok(Said {
                text: rows(&keys),
                json: json!({ "AccessKeys": keys.iter().map(json::key).collect::<Vec<_>>() }),
            })
        }
        Command::Deactivate(named) => switch(desk, named, "Inactive").await,
        Command::Activate(named) => switch(desk, named, "Active").await,
        Command::Delete(Named { id }) => {
            let delete = v1::DeleteAccessKeyRequest {
                account: desk.account(),
                access_key_id: id.clone(),
            };
            let call = desk.call("DeleteAccessKey", delete)?;
            let answer = desk.client.delete_access_key(call).await;
            desk.told(answer)?;
            Ok(Said {
                text: format!("access key {id} is gone\n"),
                json: json!({ "AccessKeyId": id }),
            })
        }
    }
}

async fn switch(
    desk: &mut Desk,
    Named { id }: &Named,
    status: &str,
) -> Result<Said, anyhow::Error> {
    let update = v1::UpdateAccessKeyRequest {
        account: desk.account(),
        access_key_id: id.clone(),
        status: status.to_owned(),
    };
    let call = desk.call("UpdateAccessKey", update)?;
    let answer = desk.client.update_access_key(call).await;
    let key = desk.told(answer)?;
    Ok(Said {
        text: rows(std::slice::from_ref(&key)),
        json: json!({ "AccessKey": json::key(&key) }),
    })
}

fn rows(keys: &[v1::AccessKey]) -> String {
    let row = |key: &v1::AccessKey| {
        [
            key.access_key_id.clone(),
            key.status.clone(),
            key.create_date.clone(),
            owner(key),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table::table(["ACCESS KEY", "STATUS", "MADE", "OF"], &rows)
}

fn owner(key: &v1::AccessKey) -> String {
    if key.user_name.is_empty() {
        "the root".to_owned()
    } else {
        key.user_name.clone()
    }
}

/// A new key, ready to be pasted into `~/.aws/credentials`.
fn made(made: &v1::NewAccessKey) -> Said {
    let key = made.access_key.clone().unwrap_or_default();
    let profile = if key.user_name.is_empty() {
        format!("root-{}", key.account)
    } else {
        key.user_name.clone()
    };
    let secret = &made.secret_access_key;
    let text = format!(
        "# Access key of {} of account {}. This is the only time that its secret is shown.\n[{profile}]\naws_access_key_id = \
         {}\naws_secret_access_key = {secret}\n",
        owner(&key),
        key.account,
        key.access_key_id,
    );
    let mut shown = json::key(&key);
    if let Some(members) = shown.as_object_mut() {
        members.insert("SecretAccessKey".to_owned(), secret.as_str().into());
    }
    Said {
        text,
        json: json!({ "AccessKey": shown }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_a_profile_of_its_owner() {
        let new = |user_name: &str| {
            made(&v1::NewAccessKey {
                access_key: Some(v1::AccessKey {
                    access_key_id: "AKID".to_owned(),
                    account: "123456789012".to_owned(),
                    user_name: user_name.to_owned(),
                    ..v1::AccessKey::default()
                }),
                secret_access_key: "a/b+c".to_owned(),
            })
        };
        let said = new("alice");
        assert_eq!(
            said.text,
            "# Access key of alice of account 123456789012. This is the only time that its secret is shown.\n[alice]\n\
             aws_access_key_id = AKID\naws_secret_access_key = a/b+c\n"
        );
        assert_eq!(said.json["AccessKey"]["SecretAccessKey"], "a/b+c");
        let root = new("").text;
        assert!(
            root.contains("the root of account 123456789012")
                && root.contains("[root-123456789012]")
        );
    }
}
