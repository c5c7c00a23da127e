//! What a statement of a function's policy grants, in the words of the `AddPermission` that made it.

use serde_json::Value;

/// What `AddPermission` was given, as far as conditions can ask for it. What only whole documents can say is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Granted {
    /// `*`, an account, a service, or the ARN of a principal.
    pub(super) principal: Option<String>,
    /// How the function URLs authenticate that it is about.
    pub(super) url_auth: Option<String>,
}

impl Granted {
    /// Reads a statement. One that is no JSON grants nothing that anybody could ask for.
    pub(super) fn of(statement: &str) -> Self {
        let Ok(statement) = serde_json::from_str::<Value>(statement) else {
            return Self::default();
        };
        let auth = statement.pointer("/Condition/StringEquals/lambda:FunctionUrlAuthType");
        Self {
            principal: statement.get("Principal").and_then(principal),
            url_auth: auth.and_then(Value::as_str).map(str::to_owned),
        }
    }
}

fn principal(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (kind, name) = object.iter().next()?;
    let name = name.as_str()?;
    // An account is written as the ARN of its root.
    let account = (kind == "AWS")
        .then(|| name.strip_suffix(":root")?.rsplit(':').next())
        .flatten();
    Some(account.unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_statement_lets_in() {
        let of = |principal: &str| {
            let text = format!(r#"{{"Sid":"s","Effect":"Allow","Principal":{principal}}}"#);
            Granted::of(&text).principal
        };
        for (principal, expected) in [
            (r#""*""#, Some("*")),
            (
                r#"{"Service":"s3.amazonaws.com"}"#,
                Some("s3.amazonaws.com"),
            ),
            (
                r#"{"AWS":"arn:aws:iam::111122223333:root"}"#,
                Some("111122223333"),
            ),
            (
                r#"{"AWS":"arn:aws:iam::111122223333:user/a"}"#,
                Some("arn:aws:iam::111122223333:user/a"),
            ),
            (r#"{"AWS":["a","b"]}"#, None),
            (r#"{"AWS":"a","Service":"b"}"#, None),
            ("7", None),
        ] {
            assert_eq!(of(principal).as_deref(), expected, "{principal}");
        }
        let url = r#"{"Principal":"*","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}"#;
        assert_eq!(Granted::of(url).url_auth.as_deref(), Some("NONE"));
        assert_eq!(Granted::of("{"), Granted::default());
    }
}
