//! `dunlin iam policy`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::v1;
use serde_json::json;

use super::{
    Said,
    desk::{Desk, PAGE},
    document, json, table,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a policy, or another text for the one that is there
    Put(Put),
    /// List the policies
    List,
    /// Show a policy
    Show(Named),
    /// Delete a policy that nobody has attached or is bounded by
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// Its name: at most 128 of a-z, A-Z, 0-9 and _+=,.@-
    name: String,
    /// File with the policy, in JSON. - is standard input
    file: PathBuf,
    /// Where its ARN puts it; one that is there keeps its own
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
        Command::Put(Put { name, file, path }) => {
            let put = v1::PutPolicyRequest {
                account,
                policy_name: name.clone(),
                path: path.clone(),
                policy_document: document::read(file)?,
            };
            let call = desk.call("PutPolicy", put)?;
            let answer = desk.client.put_policy(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::List => {
            let policies = desk.all(page).await?;
            let row = |p: &v1::Policy| {
                let (name, date, arn) = (&p.policy_name, &p.create_date, &p.arn);
                [name.clone(), date.clone(), arn.clone()]
            };
            let rows: Vec<_> = policies.iter().map(row).collect();
            Ok(Said {
                text: table::table(["POLICY", "MADE", "ARN"], &rows),
                json: json!({ "Policies": policies.iter().map(json::policy).collect::<Vec<_>>() }),
            })
        }
        Command::Show(Named { name }) => {
            let policy_name = name.clone();
            let get = v1::GetPolicyRequest {
                account,
                policy_name,
            };
            let call = desk.call("GetPolicy", get)?;
            let answer = desk.client.get_policy(call).await;
            Ok(one(&desk.told(answer)?))
        }
        Command::Delete(Named { name }) => {
            let policy_name = name.clone();
            let delete = v1::DeletePolicyRequest {
                account,
                policy_name,
            };
            let call = desk.call("DeletePolicy", delete)?;
            let answer = desk.client.delete_policy(call).await;
            desk.told(answer)?;
            Ok(Said {
                text: format!("policy {name} is gone\n"),
                json: json!({ "PolicyName": name }),
            })
        }
    }
}

async fn page(desk: &mut Desk, marker: String) -> Result<(Vec<v1::Policy>, String), anyhow::Error> {
    let list = v1::ListPoliciesRequest {
        account: desk.account(),
        marker,
        max_items: PAGE,
    };
    let call = desk.call("ListPolicies", list)?;
    let answer = desk.client.list_policies(call).await;
    let page = desk.told(answer)?;
    Ok((page.policies, page.next_marker))
}

fn one(policy: &v1::Policy) -> Said {
    let mut text = table::members(&[
        ("policy", &policy.policy_name),
        ("arn", &policy.arn),
        ("id", &policy.policy_id),
        ("made", &policy.create_date),
    ]);
    text.push('\n');
    text.push_str(&json::indented(&policy.policy_document));
    Said {
        text,
        json: json!({ "Policy": json::policy(policy) }),
    }
}
