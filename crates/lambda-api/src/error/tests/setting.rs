use super::*;

#[test]
fn every_rejection_of_a_setting_has_its_error() {
    let missing = |kind, resource| Rejection::SettingNotFound {
        kind,
        resource: arn(resource),
    };
    let rejections = [
        Rejection::PolicyRevisionMismatch,
        Rejection::StatementExists("s".to_owned()),
        Rejection::StatementNotFound("s".to_owned()),
        Rejection::PolicyTooLarge {
            size: 20_481,
            limit: 20_480,
        },
        missing(SettingKind::Policy, "f"),
        missing(SettingKind::Provisioned, "f:1"),
        missing(SettingKind::EventInvoke, "f"),
        missing(SettingKind::EventInvoke, "f:live"),
        missing(SettingKind::Url, "f"),
        Rejection::SettingExists {
            kind: SettingKind::Url,
            resource: arn("f:live"),
        },
        Rejection::Misplaced {
            kind: SettingKind::Url,
            resource: arn("f:1"),
        },
        Rejection::ConcurrencyExceeded {
            kind: SettingKind::Reserved,
            unreserved: 7,
        },
        Rejection::ConcurrencyExceeded {
            kind: SettingKind::Provisioned,
            unreserved: 7,
        },
        Rejection::UnreservedTooSmall {
            kind: SettingKind::Reserved,
            min: 100,
        },
        Rejection::ReservedBelowProvisioned {
            reserved: 1,
            provisioned: 2,
        },
        Rejection::ProvisionedAboveReserved(1),
        Rejection::VersionProvisioned,
        Rejection::AliasProvisioned,
        Rejection::TooManyTags { limit: 50 },
        Rejection::TagsTooLarge { limit: 24_576 },
    ];
    let shown: Vec<String> = rejections
        .into_iter()
        .map(|r| {
            let error = ApiError::from(r);
            format!("{} {} {error}", error.status().as_u16(), error.name())
        })
        .collect();
    expect![[r#"
        412 PreconditionFailedException The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id
        409 ResourceConflictException The statement id (s) provided already exists. Please provide a new statement id, or remove the existing statement.
        404 ResourceNotFoundException Statement s is not found in resource policy.
        400 PolicyLengthExceededException The final policy size (20481) is bigger than the limit (20480).
        404 ResourceNotFoundException No policy is associated with the given resource.
        404 ProvisionedConcurrencyConfigNotFoundException No Provisioned Concurrency Config found for this function
        404 ResourceNotFoundException The function arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST doesn't have an EventInvokeConfig
        404 ResourceNotFoundException The function arn:aws:lambda:us-east-1:123456789012:function:f:live doesn't have an EventInvokeConfig
        404 ResourceNotFoundException The resource you requested does not exist.
        409 ResourceConflictException Failed to create function url config for [functionArn = arn:aws:lambda:us-east-1:123456789012:function:f:live]. Error message:  FunctionUrlConfig exists for this Lambda function
        400 InvalidParameterValueException arn:aws:lambda:us-east-1:123456789012:function:f:1 can have no url configuration.
        400 InvalidParameterValueException Specified ReservedConcurrentExecutions for function is greater than account's unreserved concurrency [7].
        400 InvalidParameterValueException Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [7].
        400 InvalidParameterValueException Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].
        400 InvalidParameterValueException  ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].
        400 InvalidParameterValueException Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function
        409 ResourceConflictException Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version
        409 ResourceConflictException Version is pointed by a Provisioned Concurrency alias
        400 InvalidParameterValueException Number of tags exceeds resource tag limit.
        400 InvalidParameterValueException The tags of a resource must have at most 24576 bytes together."#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn keys_of_the_new_errors() {
    check(
        &ApiError::no_provisioned(),
        &expect![[
            r#"404 ProvisionedConcurrencyConfigNotFoundException {"Type":"User","message":"No Provisioned Concurrency Config found for this function"}"#
        ]],
    );
    check(
        &ApiError::policy_too_long(2, 1),
        &expect![[
            r#"400 PolicyLengthExceededException {"Type":"User","message":"The final policy size (2) is bigger than the limit (1)."}"#
        ]],
    );
}
