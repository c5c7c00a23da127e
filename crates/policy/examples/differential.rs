//! Asks both evaluators as often as one likes, and measures the fast one.
//!
//! `cargo run --release -p policy --example differential -- [DECISIONS] [SEED]`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a tool for people, that measures real time"
)]

use std::{collections::BTreeMap, error::Error, hint::black_box, io::Write as _, time::Instant};

use policy::{
    Context, Decision, Document, Kind, Permission, Policies, Principal, Request, Version, evaluate,
};

#[path = "../tests/differential/compare.rs"]
mod compare;
#[path = "../tests/differential/generate.rs"]
mod generate;
#[path = "../tests/differential/reference.rs"]
mod reference;

/// Bytes of a case; what it needs beyond them is zero.
const CASE_BYTES: usize = 700;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let wanted: u64 = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let first_seed: u64 = arguments.next().map_or(Ok(0), |n| n.parse())?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut done = 0;
    let mut seed = first_seed;
    let start = Instant::now();
    while done < wanted {
        let bytes = generate::bytes(seed, CASE_BYTES);
        let answers = compare::run(&generate::case(&bytes))
            .map_err(|difference| format!("seed {seed}: {difference}"))?;
        for answer in answers {
            *counts.entry(answer.to_string()).or_default() += 1;
            done += 1;
        }
        seed = seed.wrapping_add(1);
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(done)?) / seconds;
    say(&format!(
        "{done} decisions, both evaluators agree on all of them: {seconds:.1} s, {rate:.0}/s"
    ))?;
    for (answer, count) in counts {
        say(&format!("  {answer}: {count}"))?;
    }
    measure()
}

/// One invocation by a role's session, and one by a service, under policies of a usual size.
fn measure() -> Result<(), Box<dyn Error>> {
    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111111111111:function:orders:live";
    let mut resource = Document::new(Kind::Resource, Version::V2012, Some("default"));
    let buckets: Vec<String> = (0..10)
        .map(|n| format!("arn:aws:s3:::bucket-{n}"))
        .collect();
    for bucket in &buckets {
        let permission = Permission {
            source_arn: Some(bucket),
            source_account: Some("111111111111".parse()?),
            ..Permission::new(
                bucket,
                "lambda:InvokeFunction",
                "s3.amazonaws.com",
                FUNCTION,
            )
        };
        resource.add(&permission.statement()?)?;
    }
    let identity = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:*"},
        {"Effect":"Allow","Action":"lambda:Get*","Resource":"*"},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
        {"Effect":"Allow","Action":"lambda:Invoke*","Resource":"arn:aws:lambda:*:111111111111:function:orders*",
         "Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.168.0.0/16"]}}}]}"#;
    let identity = [Document::parse(Kind::Identity, identity, 6144)?.into()];
    let session = Principal::session("arn:aws:iam::111111111111:role/service-role/shop", "shop")?;
    let service = Principal::service("s3.amazonaws.com")?;
    let mut context: Context = [
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", "2026-01-01T00:00:00Z"),
        ("aws:EpochTime", "1767225600"),
        ("aws:UserAgent", "Boto3/1.40"),
        ("aws:PrincipalAccount", "111111111111"),
        (
            "aws:PrincipalArn",
            "arn:aws:iam::111111111111:role/service-role/shop",
        ),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:userid", "AROA:shop"),
        ("aws:RequestedRegion", "eu-west-1"),
    ]
    .into_iter()
    .collect();
    context.set("aws:SourceArn", &*buckets[9]);
    context.set("aws:SourceAccount", "111111111111");
    for (who, principal, identity) in [
        (
            "a session, one policy and ten statements of the function",
            &session,
            &identity[..],
        ),
        (
            "a service, by the last of ten statements of the function",
            &service,
            &[],
        ),
    ] {
        let request = Request {
            principal,
            action: "lambda:InvokeFunction",
            resource: FUNCTION,
            account: "111111111111".parse()?,
            context: &context,
        };
        let policies = Policies {
            identity,
            resource: Some(&resource),
            ..Policies::default()
        };
        const ROUNDS: u32 = 1_000_000;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let decision = evaluate(black_box(&request), black_box(&policies));
            if decision != Decision::Allowed {
                return Err(format!("{who}: {decision:?}").into());
            }
        }
        let each = start.elapsed() / ROUNDS;
        say(&format!("{who}: {} ns a decision", each.as_nanos()))?;
    }
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
