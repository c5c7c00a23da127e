//! Whom and what a statement is about.

use policy::{Document, Kind, Layer, Permission, Version};

use crate::case::{
    ACCOUNT, ALIAS, ALLOW_ALL, ANN, FUNCTION, OTHER_ROOT, ROLE, ROOT, SESSION, about, by,
};

#[test]
fn everybody_is_everybody() {
    for everybody in [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":["*"]}"#,
        r#"{"Service":[],"AWS":["111111111111","*"]}"#,
    ] {
        let policy = about("Allow", everybody);
        for who in ["*", ANN, SESSION, "s3.amazonaws.com", OTHER_ROOT] {
            by(who).resource(&policy).allowed();
        }
        by(ANN)
            .identity(ALLOW_ALL)
            .resource(&about("Deny", everybody))
            .denied(Layer::Resource);
    }
    for nobody in [r#"{}"#, r#"{"AWS":[]}"#, r#"{"CanonicalUser":"79a5"}"#] {
        let policy = about("Allow", nobody);
        by("*").resource(&policy).lacks(Layer::Resource);
    }
}

#[test]
fn services_are_named_exactly() {
    let policy = about(
        "Allow",
        r#"{"Service":["sns.amazonaws.com","s3.amazonaws.com"]}"#,
    );
    let ask = |who| by(who).resource(&policy);
    ask("s3.amazonaws.com").allowed();
    ask("sqs.amazonaws.com").lacks(Layer::Resource);
    ask("*").lacks(Layer::Resource);
    ask(ANN).lacks(Layer::Identity);
}

#[test]
fn not_principal_spares_only_who_is_listed_whole() {
    let deny_all_but = |listed: &str| {
        let rest = r#""Action":"*","Resource":"*""#;
        let deny = format!(r#"{{"Sid":"no","Effect":"Deny","NotPrincipal":{listed},{rest}}}"#);
        format!("{deny},{}", about("Allow", "\"*\""))
    };
    let aws = |arns: &[&str]| deny_all_but(&format!(r#"{{"AWS":{arns:?}}}"#));
    for (who, listed, spared) in [
        (ANN, &[ANN, ROOT][..], true),
        (ANN, &[ANN, ACCOUNT], true),
        (ANN, &[ANN], false),
        (ANN, &[ROOT], false),
        (ANN, &["*"], true),
        (ANN, &[], false),
        (SESSION, &[SESSION, ROLE, ROOT], true),
        (SESSION, &[SESSION, ROLE], false),
        (SESSION, &[SESSION, ROOT], false),
        (SESSION, &[ROLE, ROOT], false),
        (ROOT, &[ROOT], true),
        (ROOT, &[ANN], false),
        ("*", &[ANN, ROOT], false),
        ("*", &["*"], true),
    ] {
        let case = by(who).resource(&aws(listed));
        match spared {
            true => case.allowed(),
            false => case.denied(Layer::Resource),
        }
    }
    let service = deny_all_but(r#"{"Service":"s3.amazonaws.com"}"#);
    by("s3.amazonaws.com").resource(&service).allowed();
    by("sns.amazonaws.com")
        .resource(&service)
        .denied(Layer::Resource);
    // Nobody with a boundary is spared, whoever is listed.
    by(ANN)
        .boundary(ALLOW_ALL)
        .resource(&aws(&[ANN, ROOT]))
        .denied(Layer::Resource);
}

#[test]
fn not_action_with_deny_denies_everything_else() {
    let deny =
        r#"{"Sid":"no","Effect":"Deny","NotAction":["lambda:Get*","lambda:List*"],"Resource":"*"}"#;
    let policy = format!("{deny},{ALLOW_ALL}");
    by(ANN).identity(&policy).denied(Layer::Identity);
    for spared in ["lambda:GetFunction", "LAMBDA:listfunctions"] {
        by(ANN).identity(&policy).doing(spared).allowed();
        // What it leaves out it does not allow.
        by(ANN).identity(deny).doing(spared).lacks(Layer::Identity);
    }
    let all_but_none = r#"{"Sid":"no","Effect":"Deny","NotAction":[],"Resource":"*"}"#;
    by(ANN).identity(all_but_none).denied(Layer::Identity);
    let nothing = r#"{"Effect":"Deny","Action":[],"Resource":"*"}"#;
    by(ANN).identity(nothing).identity(ALLOW_ALL).allowed();
}

#[test]
fn not_resource_is_about_every_other_resource() {
    let policy = format!(r#"{{"Effect":"Allow","Action":"*","NotResource":"{FUNCTION}"}}"#);
    by(ANN).identity(&policy).lacks(Layer::Identity);
    by(ANN).identity(&policy).on(ALIAS).allowed();
}

#[test]
fn actions_have_no_case_and_wildcards_anywhere() {
    for (pattern, action, expected) in [
        ("lambda:InvokeFunction", "lambda:invokefunction", true),
        ("LAMBDA:INVOKE*", "lambda:InvokeFunction", true),
        ("lambda:*Function*", "lambda:UpdateFunctionCode", true),
        (
            "lambda:Get*Concurrency",
            "lambda:GetFunctionConcurrency",
            true,
        ),
        (
            "lambda:Get*Concurrency",
            "lambda:GetFunctionConcurrencyX",
            false,
        ),
        ("lambda:?etFunction", "lambda:GetFunction", true),
        ("lambda:?etFunction", "lambda:etFunction", false),
        ("lambda:Invoke", "lambda:InvokeFunction", false),
        ("s3:*", "lambda:InvokeFunction", false),
        ("*:Invoke*", "lambda:InvokeFunction", true),
    ] {
        let policy = format!(r#"{{"Effect":"Allow","Action":"{pattern}","Resource":"*"}}"#);
        let case = by(ANN).identity(&policy).doing(action);
        case.allowed_if(expected);
    }
}

#[test]
fn resources_match_as_one_text_with_case() {
    for (pattern, resource, expected) in [
        (FUNCTION, FUNCTION, true),
        (FUNCTION, ALIAS, false),
        (ALIAS, FUNCTION, false),
        (
            "arn:aws:lambda:eu-west-1:111111111111:function:*",
            ALIAS,
            true,
        ),
        (
            "arn:aws:lambda:eu-west-1:111111111111:function:f*",
            ALIAS,
            true,
        ),
        (
            "arn:aws:lambda:eu-west-1:111111111111:function:f:*",
            FUNCTION,
            false,
        ),
        ("arn:aws:lambda:*:function:f:live", ALIAS, true),
        ("arn:aws:lambda:*:f:l?ve", ALIAS, true),
        ("arn:aws:lambda:*:*:function:g", FUNCTION, false),
        (
            "arn:aws:lambda:EU-WEST-1:111111111111:function:f",
            FUNCTION,
            false,
        ),
        (
            "arn:aws:lambda:eu-west-1:111111111111:FUNCTION:f",
            FUNCTION,
            false,
        ),
        ("arn:*", ALIAS, true),
    ] {
        let policy = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{pattern}"}}"#);
        let case = by(ANN).identity(&policy).on(resource);
        case.allowed_if(expected);
    }
}

#[test]
fn a_permission_grants_what_it_says() {
    let service = "s3.amazonaws.com";
    let permission = Permission {
        source_arn: Some("arn:aws:s3:::bucket-*"),
        source_account: Some("222222222222".parse().unwrap()),
        ..Permission::new("p", "lambda:InvokeFunction", service, FUNCTION)
    };
    let mut policy = Document::new(Kind::Resource, Version::V2012, Some("default"));
    policy.add(&permission.statement().unwrap()).unwrap();
    let from = |arn: &str, account: &str| {
        let mut case = by(service)
            .knowing("aws:SourceArn", &[arn])
            .knowing("aws:SourceAccount", &[account]);
        case.resource_policy = Some(policy.clone());
        case
    };
    let right = || from("arn:aws:s3:::bucket-1", "222222222222");
    right().allowed();
    right().on(ALIAS).lacks(Layer::Resource);
    right().doing("lambda:GetFunction").lacks(Layer::Resource);
    from("arn:aws:s3:::bucket-1", "333333333333").lacks(Layer::Resource);
    from("arn:aws:s3:::other", "222222222222").lacks(Layer::Resource);
}
