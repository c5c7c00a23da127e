use model::{RevisionId, setting::ResourcePolicy};
use serde::Serialize;

/// The answer to `AddPermission`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddedPermission {
    statement: String,
}

/// The answer to `GetPolicy`, `GetResourcePolicy` and `PutResourcePolicy`: the document as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    policy: String,
    revision_id: String,
}

impl AddedPermission {
    /// Shows a statement.
    #[must_use]
    pub const fn new(statement: String) -> Self {
        Self { statement }
    }
}

impl Policy {
    /// Shows the text of a policy, and the lock of what it belongs to.
    #[must_use]
    pub fn new(policy: String, lock: RevisionId) -> Self {
        Self {
            policy,
            revision_id: lock.to_string(),
        }
    }

    /// Shows a policy, and the lock of what it belongs to.
    #[must_use]
    pub fn of(policy: &ResourcePolicy, lock: RevisionId) -> Self {
        Self::new(policy.to_string(), lock)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_texts() {
        let lock = RevisionId::from_random(1);
        assert_eq!(
            serde_json::to_value(Policy::of(&ResourcePolicy::empty(), lock)).unwrap(),
            json!({
                "Policy": r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#,
                "RevisionId": "00000000-0000-4000-8000-000000000001",
            })
        );
        assert_eq!(
            serde_json::to_value(AddedPermission::new("{}".to_owned())).unwrap(),
            json!({"Statement": "{}"})
        );
    }
}
