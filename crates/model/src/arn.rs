//! Function ARNs, and the forms in which callers name a function.

use std::{fmt, str::FromStr};

use crate::{AccountId, FunctionId, FunctionName, Qualifier, Region};

/// `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionArn {
    /// The function.
    pub id: FunctionId,
    /// Its qualifier, if the ARN has one.
    pub qualifier: Option<Qualifier>,
}

/// A function as a caller names it: `name`, `name:qualifier`, `account:function:name`, `function:name` or an ARN, each
/// with or without a qualifier. What is missing comes from the caller's own scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionReference {
    /// The ARN's region, if one was given.
    pub region: Option<Region>,
    /// The account, if one was given.
    pub account: Option<AccountId>,
    /// The name.
    pub name: FunctionName,
    /// The qualifier, if one was given.
    pub qualifier: Option<Qualifier>,
}

/// A text that names no function in any of the accepted forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a function name, a partial ARN or an ARN, got {0:?}")]
pub struct InvalidFunctionReference(pub String);

impl FromStr for FunctionReference {
    type Err = InvalidFunctionReference;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        parse(s).ok_or_else(|| InvalidFunctionReference(s.chars().take(300).collect()))
    }
}

fn parse(s: &str) -> Option<FunctionReference> {
    let mut parts: Vec<&str> = s.split(':').collect();
    let mut region = None;
    let mut account = None;
    // A function may be called `arn` or `function`.
    if parts.first() == Some(&"arn") && parts.len() > 2 {
        let [_, partition, "lambda", r, a, ..] = parts.as_slice() else {
            return None;
        };
        if !is_partition(partition) {
            return None;
        }
        region = Some(r.parse().ok()?);
        account = Some(a.parse().ok()?);
        parts.drain(..5);
        // Nothing behind it would leave the word itself for a name.
        if parts.len() < 2 || parts.first() != Some(&"function") {
            return None;
        }
    } else if parts.len() >= 3
        && parts.first() != Some(&"function")
        && parts.get(1) == Some(&"function")
    {
        account = Some(parts.first()?.parse().ok()?);
        parts.remove(0);
    }
    if parts.len() >= 2 && parts.first() == Some(&"function") {
        parts.remove(0);
    }
    let (name, qualifier) = match parts.as_slice() {
        [name] => (name, None),
        [name, qualifier] => (name, Some(qualifier.parse().ok()?)),
        _ => return None,
    };
    Some(FunctionReference {
        region,
        account,
        name: name.parse().ok()?,
        qualifier,
    })
}

/// Whether this is what the second part of an ARN may be: `aws`, `aws-cn` and the like.
pub(crate) fn is_partition(text: &str) -> bool {
    text == "aws" || text.starts_with("aws-")
}

impl FromStr for FunctionArn {
    type Err = InvalidFunctionReference;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.parse()? {
            FunctionReference {
                region: Some(region),
                account: Some(account),
                name,
                qualifier,
            } => Ok(Self {
                id: FunctionId {
                    account,
                    region,
                    name,
                },
                qualifier,
            }),
            _ => Err(InvalidFunctionReference(s.chars().take(300).collect())),
        }
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FunctionId {
            account,
            region,
            name,
        } = &self.id;
        write!(
            f,
            "arn:{}:lambda:{region}:{account}:function:{name}",
            region.partition()
        )?;
        match &self.qualifier {
            Some(q) => write!(f, ":{q}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Region, account, name, qualifier.
    type Parts<'a> = (Option<&'a str>, Option<&'a str>, &'a str, Option<&'a str>);

    fn check(input: &str, expected: Option<Parts<'_>>) {
        let got = input.parse::<FunctionReference>().ok();
        let got = got.as_ref().map(|r| {
            (
                r.region.as_ref().map(ToString::to_string),
                r.account.map(|a| a.to_string()),
                r.name.to_string(),
                r.qualifier.as_ref().map(ToString::to_string),
            )
        });
        let own = |s: Option<&str>| s.map(str::to_owned);
        assert_eq!(
            got,
            expected.map(|(r, a, n, q)| (own(r), own(a), n.to_owned(), own(q))),
            "{input}"
        );
    }

    #[test]
    fn every_accepted_form() {
        check("hello", Some((None, None, "hello", None)));
        check("function", Some((None, None, "function", None)));
        check("arn", Some((None, None, "arn", None)));
        check("arn:live", Some((None, None, "arn", Some("live"))));
        check("hello:live", Some((None, None, "hello", Some("live"))));
        check(
            "hello:$LATEST",
            Some((None, None, "hello", Some("$LATEST"))),
        );
        check("function:hello", Some((None, None, "hello", None)));
        check("function:hello:7", Some((None, None, "hello", Some("7"))));
        check(
            "function:function:7",
            Some((None, None, "function", Some("7"))),
        );
        check(
            "123456789012:function:hello",
            Some((None, Some("123456789012"), "hello", None)),
        );
        check(
            "123456789012:function:hello:live",
            Some((None, Some("123456789012"), "hello", Some("live"))),
        );
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:hello";
        check(
            arn,
            Some((Some("eu-west-1"), Some("123456789012"), "hello", None)),
        );
        check(
            &format!("{arn}:3"),
            Some((Some("eu-west-1"), Some("123456789012"), "hello", Some("3"))),
        );
    }

    #[test]
    fn refused_forms() {
        for bad in [
            "",
            ":",
            "a:b:c",
            "hello world",
            "arn:aws:sqs:eu-west-1:123456789012:function:hello",
            "arn:aws:lambda:eu-west-1:12:function:hello",
            "hello:",
            "hello:0",
            "arn:aws:lambda:eu-west-1:123456789012:layer:hello",
            "arn:aws:lambda:eu-west-1:123456789012:function",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn an_arn_prints_as_it_was() {
        for arn in [
            "arn:aws:lambda:eu-west-1:123456789012:function:hello:live",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:x",
        ] {
            assert_eq!(arn.parse::<FunctionArn>().unwrap().to_string(), arn);
        }
    }
}
