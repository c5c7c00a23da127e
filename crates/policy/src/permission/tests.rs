use expect_test::{Expect, expect};
use model::{ErrorKind, Failure as _};

use super::*;
use crate::{Document, Kind};

const FUNCTION: &str = "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live";

fn permission(principal: &str) -> Permission<'_> {
    Permission::new("sid", "lambda:InvokeFunction", principal, FUNCTION)
}

#[track_caller]
fn check(permission: &Permission<'_>, expected: &Expect) {
    let statement = permission.statement().unwrap();
    expected.assert_eq(&statement.to_string());
    // What was made is what would be read.
    let mut document = Document::new(Kind::Resource, Version::V2012, Some("default"));
    document.add(&statement).unwrap();
    assert_eq!(document.statements(), [statement]);
}

#[test]
fn every_form_of_principal() {
    let of = |principal, expected: Expect| check(&permission(principal), &expected);
    of(
        "s3.amazonaws.com",
        expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live"}"#
        ]],
    );
    of(
        "210987654321",
        expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":{"AWS":"arn:aws-cn:iam::210987654321:root"},"Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live"}"#
        ]],
    );
    of(
        "arn:aws:iam::210987654321:role/r",
        expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:role/r"},"Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live"}"#
        ]],
    );
    of(
        "arn:aws:iam::210987654321:root",
        expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live"}"#
        ]],
    );
    of(
        "*",
        expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live"}"#
        ]],
    );
}

#[test]
fn every_condition() {
    let all = Permission {
        source_arn: Some("arn:aws:s3:::bucket-*"),
        source_account: Some("210987654321".parse().unwrap()),
        event_source_token: Some("token"),
        principal_org_id: Some("o-1"),
        function_url_auth_type: Some("NONE"),
        invoked_via_function_url: Some(true),
        ..permission("*")
    };
    check(
        &all,
        &expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live","Condition":{"StringEquals":{"AWS:SourceAccount":"210987654321","lambda:EventSourceToken":"token","aws:PrincipalOrgID":"o-1","lambda:FunctionUrlAuthType":"NONE"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket-*"},"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}"#
        ]],
    );
    let one = Permission {
        source_arn: Some("arn:aws:s3:::bucket"),
        ..permission("s3.amazonaws.com")
    };
    check(
        &one,
        &expect![[
            r#"{"Sid":"sid","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}"#
        ]],
    );
}

#[test]
fn invalid_principals_are_told_from_the_rest() {
    for principal in [
        "",
        "somebody",
        "12345678901",
        "arn:aws:iam::210987654321:user/*",
        "arn:aws:s3:::bucket",
        "s3.example.com",
        "**",
    ] {
        let error = permission(principal).statement().unwrap_err();
        assert!(
            matches!(error, InvalidPermission::Principal(_)),
            "{principal}"
        );
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!error.is_retryable());
    }
    let bad_action = Permission {
        action: "Invoke",
        ..permission("*")
    };
    let bad_source = Permission {
        source_arn: Some("arn:aws:s3:::${"),
        ..permission("*")
    };
    for bad in [bad_action, bad_source] {
        let error = bad.statement().unwrap_err();
        assert!(matches!(error, InvalidPermission::Statement(_)), "{error}");
    }
}
