//! `PutFunctionRecursionConfig` and `GetFunctionRecursionConfig`.

use model::{SettingChange, setting::RecursiveLoop};
use serde::Deserialize;

use super::{Configure, whole_function};
use crate::{error::ApiError, request::Input, target::Target};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    recursive_loop: Option<String>,
}

pub(super) fn put(input: &Input<'_>) -> Result<Configure, ApiError> {
    let shape: Shape = input.body()?;
    let recursion = match shape.recursive_loop.as_deref() {
        Some("Allow") => RecursiveLoop::Allow,
        _ => RecursiveLoop::Terminate,
    };
    let change = SettingChange::Recurse(recursion);
    Ok(Configure::new(whole_function(input)?, change))
}

pub(super) fn get(input: &Input<'_>) -> Result<Target, ApiError> {
    whole_function(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        setting::{SettingRequest, tests::parse},
        testing::refused,
    };

    #[test]
    fn a_loop_may_go_on_or_not() {
        let put = "PUT /2024-08-31/functions/f/recursion-config";
        for (word, expected) in [
            ("Allow", RecursiveLoop::Allow),
            ("Terminate", RecursiveLoop::Terminate),
        ] {
            let body = format!(r#"{{"RecursiveLoop": "{word}"}}"#);
            let SettingRequest::PutFunctionRecursionConfig(configure) = parse(put, &body) else {
                panic!()
            };
            assert_eq!(configure.change, SettingChange::Recurse(expected));
        }
        for bad in ["{}", r#"{"RecursiveLoop": "allow"}"#] {
            assert!(
                refused(put, bad).starts_with("ValidationException"),
                "{bad}"
            );
        }
    }
}
