//! `Debug` of messages that carry secrets: it shows whose they are and nothing of what they hold.

use std::{collections::BTreeMap, fmt};

use crate::{internal, v1};

fn names(variables: &BTreeMap<String, String>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_set().entries(variables.keys()).finish()
}

impl fmt::Debug for v1::EnvironmentVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        names(&self.variables, f)
    }
}

impl fmt::Debug for v1::NewAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccessKey")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for internal::EnvironmentVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        names(&self.variables, f)
    }
}

impl fmt::Debug for internal::InvokeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeHead")
            .field("request_id", &self.request_id)
            .field("attempt", &self.attempt)
            .field("function", &self.function)
            .field("version", &self.version)
            .field("revision_id", &self.revision_id)
            .field("payload_size", &self.payload_size)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for internal::RoleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleKey")
            .field("generation", &self.generation)
            .field("hour", &self.hour)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let variables = BTreeMap::from([("NAME".to_owned(), "canary".to_owned())]);
        let role_key = internal::RoleKey {
            generation: 1,
            hour: 490_000,
            key: "canary".into(),
        };
        let head = internal::InvokeHead {
            request_id: "id".to_owned(),
            client_context: "canary".to_owned(),
            payload: "canary".into(),
            environment_key: "canary".into(),
            role_key: Some(role_key.clone()),
            ..Default::default()
        };
        let key = v1::NewAccessKey {
            access_key: Some(v1::AccessKey {
                access_key_id: "AKID".to_owned(),
                ..Default::default()
            }),
            secret_access_key: "canary".to_owned(),
        };
        let config = internal::FunctionConfig {
            environment: Some(internal::EnvironmentVariables {
                variables: variables.clone(),
            }),
            ..Default::default()
        };
        for (text, shown) in [
            (
                format!("{:?}", v1::EnvironmentVariables { variables }),
                "NAME",
            ),
            (format!("{config:?}"), "NAME"),
            (format!("{head:#?}"), "id"),
            (format!("{role_key:?}"), "490000"),
            (format!("{key:?}"), "AKID"),
        ] {
            // Bytes print as text or as numbers.
            assert!(
                !text.contains("canary") && !text.contains("99, 97, 110"),
                "{text}"
            );
            assert!(text.contains(shown), "{text}");
        }
    }
}
