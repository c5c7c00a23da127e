use super::*;
use crate::request::{
    Request,
    testing::{parse, refused},
};

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:layer:tools";

fn published(body: &str) -> PublishLayerVersion {
    match parse("POST /2018-10-31/layers/tools/versions", body).unwrap() {
        Request::PublishLayerVersion(publish) => *publish,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_archive_and_what_is_said_about_it() {
    let bare = published(r#"{"Content":{"ZipFile":"UEs="}}"#);
    assert_eq!(bare.layer.to_string(), ARN);
    assert_eq!(bare.archive, Archive::Zip(b"PK".to_vec()));
    assert_eq!(
        (bare.draft.description.as_str(), bare.draft.license),
        ("", None)
    );
    let full = published(
        r#"{"Content":{"ZipFile":"UEs="},"Description":"d","LicenseInfo":"MIT",
            "CompatibleRuntimes":["python3.12","custom","python3.12"],"CompatibleArchitectures":["arm64"]}"#,
    );
    assert_eq!(
        full.draft
            .runtimes
            .iter()
            .map(|r| r.as_str())
            .collect::<Vec<_>>(),
        ["python3.12", "custom"]
    );
    assert_eq!(full.draft.architectures, [Architecture::Arm64]);
    assert_eq!(full.draft.license.as_deref(), Some("MIT"));
}

#[test]
fn every_runtime_that_the_model_allows_is_known() {
    let schema = include_str!("../../schema/lambda.txt");
    let line = schema.lines().find_map(|l| l.strip_prefix("enum Runtime "));
    for name in line.unwrap().split(' ') {
        assert!(name.parse::<Runtime>().is_ok(), "{name}");
    }
}

#[test]
fn a_layer_has_a_name_and_an_arn() {
    for name in ["tools", &ARN.replace(':', "%3A")] {
        let request = format!("GET /2018-10-31/layers/{name}/versions/7");
        let Request::GetLayerVersion(version) = parse(&request, "").unwrap() else {
            panic!()
        };
        assert_eq!(version.to_string(), format!("{ARN}:7"));
    }
    let request = format!("GET /2018-10-31/layers?find=LayerVersion&Arn={ARN}:7");
    let Request::GetLayerVersionByArn(version) = parse(&request, "").unwrap() else {
        panic!()
    };
    assert_eq!(version.to_string(), format!("{ARN}:7"));
}

#[test]
fn a_version_of_another_account_can_be_asked_for() {
    const THEIRS: &str = "arn:aws:lambda:us-east-1:210987654321:layer:tools";
    let by_name = format!(
        "GET /2018-10-31/layers/{}/versions/7",
        THEIRS.replace(':', "%3A")
    );
    let by_arn = format!("GET /2018-10-31/layers?find=LayerVersion&Arn={THEIRS}:7");
    for request in [by_name, by_arn] {
        let (Request::GetLayerVersion(version) | Request::GetLayerVersionByArn(version)) =
            parse(&request, "").unwrap()
        else {
            panic!()
        };
        assert_eq!(version.to_string(), format!("{THEIRS}:7"));
    }
}

#[test]
fn lists_have_pages_and_filters() {
    let Request::ListLayers(list) = parse("GET /2018-10-31/layers", "").unwrap() else {
        panic!()
    };
    assert_eq!((list.filter, list.page.limit), (LayerFilter::default(), 50));
    let marker = page::marker(&NewestFirst(NonZeroU64::new(3).unwrap()));
    let request = format!(
        "GET /2018-10-31/layers/tools/versions?CompatibleRuntime=python3.12&CompatibleArchitecture=arm64&MaxItems=2&Marker={marker}"
    );
    let Request::ListLayerVersions(list) = parse(&request, "").unwrap() else {
        panic!()
    };
    assert_eq!(list.page.limit, 2);
    assert_eq!(list.filter.architecture, Some(Architecture::Arm64));
    let after = list.page.after.unwrap();
    assert_eq!(after.0.get(), 3);
    // What comes after it is older.
    assert!(NewestFirst(NonZeroU64::new(2).unwrap()) > after);
}

#[test]
fn permissions_name_everybody_or_an_account() {
    let add = "POST /2018-10-31/layers/tools/versions/1/policy";
    let added = |principal: &str| {
        let body = format!(
            r#"{{"StatementId":"s","Action":"lambda:GetLayerVersion","Principal":"{principal}"}}"#
        );
        match parse(add, &body).unwrap() {
            Request::AddLayerVersionPermission(add) => add.grant.principal,
            other => panic!("{other:?}"),
        }
    };
    let account = LayerPrincipal::Account("210987654321".parse().unwrap());
    assert_eq!(added("*"), LayerPrincipal::Everybody);
    assert_eq!(added("210987654321"), account);
    assert_eq!(added("arn:aws:iam::210987654321:root"), account);
    assert_eq!(
        refused(
            add,
            r#"{"StatementId":"s","Action":"lambda:GetLayerVersion","Principal":"210987654321","OrganizationId":"o-0123456789"}"#
        ),
        "InvalidParameterValueException: OrganizationId can only be given together with the principal *."
    );
}

#[test]
fn refusals() {
    for (request, expected) in [
        (
            "GET /2018-10-31/layers/tools/versions/0",
            "InvalidParameterValueException: Layer Version Cannot be less than 1.",
        ),
        (
            "GET /2018-10-31/layers/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Alayer%3Atools/versions/1",
            "ResourceNotFoundException: Layers from 'eu-west-1' are not reachable in this region ('us-east-1')",
        ),
        (
            "DELETE /2018-10-31/layers/arn%3Aaws%3Alambda%3Aus-east-1%3A210987654321%3Alayer%3Atools/versions/1",
            "AccessDeniedException: User: arn:aws:iam::123456789012:root is not authorized to perform: lambda:DeleteLayerVersion on resource: arn:aws:lambda:us-east-1:210987654321:layer:tools because no resource-based policy allows the lambda:DeleteLayerVersion action",
        ),
        (
            "GET /2018-10-31/layers?find=LayerVersion&Arn=arn:aws:lambda:us-east-1:123456789012:layer:tools:0",
            "ResourceNotFoundException: The resource you requested does not exist.",
        ),
        (
            "DELETE /2018-10-31/layers/tools/versions/1/policy/s?RevisionId=x",
            "PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id",
        ),
    ] {
        assert_eq!(refused(request, ""), expected);
    }
    assert_eq!(
        refused(
            "POST /2018-10-31/layers/tools/versions",
            r#"{"Content":{}}"#
        ),
        "InvalidParameterValueException: Please provide a source for function code."
    );
}
