use expect_test::{Expect, expect};
use model::{Digest, Limits, Runtime};

use super::*;
use package::PackageError;

mod setting;

fn arn(s: &str) -> FunctionArn {
    format!("arn:aws:lambda:us-east-1:123456789012:function:{s}")
        .parse()
        .unwrap()
}

fn check(error: &ApiError, expected: &Expect) {
    let (status, headers, body) = error.to_response_parts();
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    let retry = headers
        .get(header::RETRY_AFTER)
        .map_or(String::new(), |v| format!(" retry {}", v.to_str().unwrap()));
    let kind = headers[ERROR_TYPE].to_str().unwrap();
    expected.assert_eq(&format!(
        "{} {kind}{retry} {}",
        status.as_u16(),
        String::from_utf8(body).unwrap()
    ));
}

#[test]
fn the_key_and_the_type_follow_the_model() {
    check(
        &ApiError::function_not_found(&arn("f")),
        &expect![[
            r#"404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:123456789012:function:f","Type":"User"}"#
        ]],
    );
    check(
        &ApiError::qualifier_mismatch(),
        &expect![[
            r#"400 InvalidParameterValueException {"Type":"User","message":"The derived qualifier from the function name does not match the specified qualifier."}"#
        ]],
    );
    check(
        &ApiError::Validation("1 validation error detected: x".into()),
        &expect![[r#"400 ValidationException {"message":"1 validation error detected: x"}"#]],
    );
    check(
        &ApiError::zipped_too_large(Limits::default().code_zipped.0),
        &expect![[
            r#"413 RequestEntityTooLargeException {"message":"Zipped size must be smaller than 52428800 bytes"}"#
        ]],
    );
    check(
        &ApiError::payload_too_large(6_291_456),
        &expect![[
            r#"413 RequestTooLargeException {"Type":"User","message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}"#
        ]],
    );
    check(
        &ApiError::body_too_large(&Limits::default(), Operation::CreateFunction),
        &expect![[
            r#"413 RequestEntityTooLargeException {"message":"Request must be smaller than 70167211 bytes for the CreateFunction operation"}"#
        ]],
    );
    check(
        &ApiError::internal(),
        &expect![[
            r#"500 ServiceException {"Message":"An internal error occurred. Please try again.","Type":"Service"}"#
        ]],
    );
    check(
        &ApiError::UnknownOperation,
        &expect![[
            r#"404 UnknownOperationException {"message":"The requested operation does not exist."}"#
        ]],
    );
}

#[test]
fn a_throttle_says_why_and_when() {
    let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    check(
        &ApiError::TooManyRequests {
            reason,
            retry_after_s: Some(1),
        },
        &expect![[
            r#"429 TooManyRequestsException retry 1 {"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
        ]],
    );
    let reason = ThrottleReason::CallerRateLimitExceeded;
    check(
        &ApiError::TooManyRequests {
            reason,
            retry_after_s: None,
        },
        &expect![[
            r#"429 TooManyRequestsException {"Reason":"CallerRateLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
        ]],
    );
}

#[test]
fn every_rejection_of_the_catalog_has_its_error() {
    let rejections = [
        Rejection::FunctionExists("f".parse().unwrap()),
        Rejection::FunctionNotFound(arn("f:7")),
        Rejection::AliasNotFound(arn("f:live")),
        Rejection::AliasExists(arn("f:live")),
        Rejection::RevisionMismatch { alias: false },
        Rejection::RevisionMismatch { alias: true },
        Rejection::UpdateInProgress(arn("f")),
        Rejection::Pending(arn("f")),
        Rejection::CodeMismatch {
            expected: Digest::of(b"a"),
            actual: Digest::of(b"b"),
        },
        Rejection::LatestNotDeletable,
        Rejection::VersionInUse {
            version: arn("f:1"),
            aliases: vec!["live".into(), "next".into()],
        },
        Rejection::CanaryIsPrimary("1".parse().unwrap()),
        Rejection::LatestWithCanary,
        Rejection::UnknownCommand,
    ];
    let lines: Vec<_> = rejections
        .into_iter()
        .map(|r| {
            let e = ApiError::from(r);
            format!("{} {}: {e}\n", e.status().as_u16(), e.name())
        })
        .collect();
    expect![[r#"
        409 ResourceConflictException: Function already exist: f
        404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:7
        404 ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:123456789012:function:f:live
        409 ResourceConflictException: Alias already exists: arn:aws:lambda:us-east-1:123456789012:function:f:live
        412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id
        412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id
        409 ResourceConflictException: The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:123456789012:function:f
        409 ResourceConflictException: The operation cannot be performed at this time. The function is currently in the following state: Pending
        400 InvalidParameterValueException: CodeSHA256 (ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=) is different from current CodeSHA256 in $LATEST (PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0=). Please try again with the CodeSHA256 in $LATEST.
        400 InvalidParameterValueException: $LATEST version cannot be deleted without deleting the function.
        409 ResourceConflictException: Unable to delete version because the following aliases reference it: [live, next]
        400 InvalidParameterValueException: Invalid function version 1. Function version 1 is already included in routing configuration.
        400 InvalidParameterValueException: $LATEST is not supported for an alias pointing to more than 1 version
        500 ServiceException: the command is not known to this version of Dunlin
    "#]]
    .assert_eq(&lines.concat());
}

#[test]
fn runtimes_are_refused_in_the_words_of_aws() {
    let retired: Runtime = "python3.6".parse().unwrap();
    assert_eq!(
        ApiError::retired_runtime(retired).to_string(),
        "The runtime parameter of python3.6 is no longer supported for creating or updating AWS Lambda functions. We \
         recommend you use a supported runtime while creating or updating functions."
    );
    let unknown = ApiError::unknown_runtime("cobol").to_string();
    assert!(unknown.starts_with("Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "), "{unknown}");
    assert!(
        unknown.ends_with("provided.al2023, custom] or be a valid ARN"),
        "{unknown}"
    );
    assert!(!unknown.contains("python3.6"), "{unknown}");
}

#[test]
fn a_refused_package_has_the_text_of_aws() {
    for (error, expected) in [
        (
            PackageError::Empty,
            "400 Uploaded file must be a non-empty zip",
        ),
        (
            PackageError::UnzippedTooLarge { limit: 262_144_000 },
            "400 Unzipped size must be smaller than 262144000 bytes",
        ),
        (
            PackageError::ZippedTooLarge {
                limit: 52_428_800,
                size: 1,
            },
            "413 Zipped size must be smaller than 52428800 bytes",
        ),
        (
            PackageError::SharedData,
            "400 Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            PackageError::TooManyEntries { limit: 2 },
            "400 Uploaded file must have at most 2 entries",
        ),
    ] {
        let error = ApiError::from(error);
        assert_eq!(format!("{} {error}", error.status().as_u16()), expected);
    }
}
