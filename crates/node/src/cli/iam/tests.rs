//! What the command line takes.

use clap::Parser;

use crate::cli::Cli;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["dunlin", "iam"].into_iter().chain(line.split_whitespace()))
}

#[test]
fn options_stand_anywhere() {
    for line in [
        "--endpoint h:1 --json user list",
        "user list --endpoint h:1 --json",
        "user --account 123456789012 show alice --profile p",
        "key create",
        "key create --user alice --ca ca.pem",
        "account put 123456789012 --name n --limit concurrent_executions=5 --limit code_storage=1",
        "role create r --service lambda.amazonaws.com --max-session 7200",
        "role create r --trust -",
        "policy put p policy.json",
        "attach p --role r",
        "inline put p file --user u",
        "boundary clear --user u",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for line in [
        "attach p",
        "attach p --role r --user u",
        "role create r --trust f --service s",
        "--account 12 user list",
        "account put 12",
        "account put 123456789012 --limit x",
        "account put 123456789012 --limit x=y",
        "boundary clear",
        "user show",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}
