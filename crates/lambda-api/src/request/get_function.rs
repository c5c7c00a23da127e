//! `GetFunction` and `GetFunctionConfiguration`.

use super::Input;
use crate::{
    error::ApiError,
    target::{self, Target},
};

pub(super) fn parse(input: &Input<'_>) -> Result<Target, ApiError> {
    target::locate(
        input.function_name(),
        input.query.get("Qualifier"),
        input.scope,
    )
}

#[cfg(test)]
mod tests {
    use crate::request::{
        Request,
        testing::{parse, refused},
    };

    #[test]
    fn a_function_with_and_without_qualifier() {
        for (request, arn) in [
            ("GET /2015-03-31/functions/f", "f"),
            (
                "GET /2015-03-31/functions/f?Qualifier=%24LATEST",
                "f:$LATEST",
            ),
            ("GET /2015-03-31/functions/f%3Alive/configuration", "f:live"),
            (
                "GET /2015-03-31/functions/f/configuration?Qualifier=3",
                "f:3",
            ),
        ] {
            let request = parse(request, "").unwrap();
            assert!(matches!(
                request,
                Request::GetFunction(_) | Request::GetFunctionConfiguration(_)
            ));
            let expected = format!("arn:aws:lambda:us-east-1:123456789012:function:{arn}");
            assert_eq!(request.resource().unwrap().to_string(), expected);
        }
        assert!(
            refused("GET /2015-03-31/functions/f?Qualifier=", "")
                .starts_with("ValidationException: 2 validation errors")
        );
    }
}
