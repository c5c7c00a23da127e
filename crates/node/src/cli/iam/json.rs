//! Messages as JSON, in the names of the IAM API Reference. Policies are objects, not texts of them.

use std::collections::BTreeMap;

use proto::v1;
use serde_json::{Map, Value, json};

pub(super) fn account(account: &v1::Account) -> Value {
    json!({ "Account": account.account, "Name": account.name, "Limits": account.limits })
}

pub(super) fn user(user: &v1::User) -> Value {
    json!({
        "UserName": user.user_name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "Path": user.path,
        "CreateDate": user.create_date,
        "InlinePolicies": documents(&user.inline_policies),
        "AttachedPolicies": user.attached_policies,
        "PermissionsBoundary": absent(&user.permissions_boundary),
    })
}

pub(super) fn role(role: &v1::Role) -> Value {
    json!({
        "RoleName": role.role_name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "Path": role.path,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": document(&role.assume_role_policy_document),
        "MaxSessionDuration": role.max_session_duration,
        "InlinePolicies": documents(&role.inline_policies),
        "AttachedPolicies": role.attached_policies,
        "PermissionsBoundary": absent(&role.permissions_boundary),
    })
}

pub(super) fn policy(policy: &v1::Policy) -> Value {
    json!({
        "PolicyName": policy.policy_name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "CreateDate": policy.create_date,
        "PolicyDocument": document(&policy.policy_document),
    })
}

pub(super) fn key(key: &v1::AccessKey) -> Value {
    json!({
        "AccessKeyId": key.access_key_id,
        "Account": key.account,
        "UserName": absent(&key.user_name),
        "Status": key.status,
        "CreateDate": key.create_date,
    })
}

fn documents(documents: &BTreeMap<String, String>) -> Value {
    let members = documents.iter();
    Value::Object(
        members
            .map(|(name, text)| (name.clone(), document(text)))
            .collect::<Map<_, _>>(),
    )
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn absent(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        text.into()
    }
}

/// A policy for people to read: one member a line, in the order in which they were written.
pub(super) fn indented(text: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0_usize);
    let (mut is_text, mut is_escaped, mut was_opened) = (false, false, false);
    for c in text.chars() {
        let is_space = c.is_whitespace() && !is_text;
        if is_space {
            continue;
        }
        let closes = matches!(c, '}' | ']') && !is_text;
        if closes {
            depth = depth.saturating_sub(1);
        }
        // Nothing stands between the brackets of what is empty.
        if was_opened != closes {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
        was_opened = false;
        out.push(c);
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '{' | '[' if !is_text => {
                depth += 1;
                was_opened = true;
            }
            ',' if !is_text => {
                out.push('\n');
                out.extend(std::iter::repeat_n("  ", depth));
            }
            ':' if !is_text => out.push(' '),
            _ => {}
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_keeps_its_order_and_its_texts() {
        let text = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["a:b","c:\"{,:d"],"NotAction":[]}],"X":{}}"#;
        let expected = r#"{
  "Version": "1",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "a:b",
        "c:\"{,:d"
      ],
      "NotAction": []
    }
  ],
  "X": {}
}
"#;
        assert_eq!(indented(text), expected);
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&indented(text)), value(text));
        assert_eq!(indented("\"a b\""), "\"a b\"\n");
    }
}
