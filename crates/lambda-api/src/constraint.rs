//! The constraints of the API model, each declared once.
//!
//! A pattern is kept twice: as the text that a violation quotes, and as the function that decides.

use crate::target;

/// One constraint on a text.
pub(crate) enum Rule {
    MinLength(usize),
    MaxLength(usize),
    Pattern(&'static str, fn(&str) -> bool),
    OneOf(&'static [&'static str]),
}

/// Every constraint on a text.
pub(crate) type Text = &'static [Rule];

/// The least and the greatest value of an integer.
pub(crate) struct Range {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

use Rule::{MaxLength, MinLength, OneOf, Pattern};

impl Rule {
    pub(crate) fn holds(&self, value: &str) -> bool {
        match self {
            MinLength(min) => value.chars().count() >= *min,
            MaxLength(max) => value.chars().count() <= *max,
            Pattern(_, matches) => matches(value),
            OneOf(set) => set.contains(&value),
        }
    }

    /// What a violation says that the member must do.
    pub(crate) fn demand(&self) -> String {
        match self {
            MinLength(min) => format!("have length greater than or equal to {min}"),
            MaxLength(max) => format!("have length less than or equal to {max}"),
            Pattern(pattern, _) => format!("satisfy regular expression pattern: {pattern}"),
            OneOf(set) => format!("satisfy enum value set: [{}]", set.join(", ")),
        }
    }
}

/// A function's name, partial ARN or ARN, with or without a qualifier.
pub(crate) static FUNCTION_NAME: Text = &[
    MinLength(1),
    MaxLength(140),
    Pattern(
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
        target::is_reference,
    ),
];

/// The same for the operations that only read or invoke.
pub(crate) static NAMESPACED_FUNCTION_NAME: Text = &[
    MinLength(1),
    MaxLength(256),
    Pattern(
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
        target::is_reference,
    ),
];

/// The name in a function's name, partial ARN or ARN.
pub(crate) static BARE_FUNCTION_NAME: Text = &[MaxLength(64)];

pub(crate) static QUALIFIER: Text = &[
    MinLength(1),
    MaxLength(128),
    Pattern(r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+", |s| {
        every(s, |c| is_word(c) || c == '$') || s == "$LATEST.PUBLISHED"
    }),
];

pub(crate) static ALIAS_NAME: Text = &[
    MinLength(1),
    MaxLength(128),
    Pattern(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", |s| {
        every(s, is_word) && !every(s, |c| c.is_ascii_digit())
    }),
];

pub(crate) static VERSION: Text = &[
    MinLength(1),
    MaxLength(1024),
    Pattern(r"(\$LATEST(\.PUBLISHED)?|[0-9]+)", |s| {
        every(s, |c| c.is_ascii_digit()) || s == "$LATEST" || s == "$LATEST.PUBLISHED"
    }),
];

pub(crate) static CANARY_VERSION: Text = &[
    MinLength(1),
    MaxLength(1024),
    Pattern("[0-9]+", |s| every(s, |c| c.is_ascii_digit())),
];

pub(crate) static ROLE: Text = &[Pattern(
    r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
    is_role,
)];

pub(crate) static HANDLER: Text = &[
    MaxLength(128),
    Pattern(r"[^\s]+", |s| every(s, |c| !c.is_whitespace())),
];

pub(crate) static DESCRIPTION: Text = &[MaxLength(256)];

pub(crate) static PACKAGE_TYPE: Text = &[OneOf(&["Zip", "Image"])];

pub(crate) static ARCHITECTURE: Text = &[OneOf(&["x86_64", "arm64"])];

pub(crate) static TRACING_MODE: Text = &[OneOf(&["Active", "PassThrough"])];

pub(crate) static SNAP_START: Text = &[OneOf(&["PublishedVersions", "None"])];

pub(crate) static LOG_FORMAT: Text = &[OneOf(&["JSON", "Text"])];

pub(crate) static APPLICATION_LOG_LEVEL: Text =
    &[OneOf(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"])];

pub(crate) static SYSTEM_LOG_LEVEL: Text = &[OneOf(&["DEBUG", "INFO", "WARN"])];

pub(crate) static LOG_GROUP: Text = &[
    MinLength(1),
    MaxLength(512),
    Pattern(r"[\.\-_/#A-Za-z0-9]+", |s| {
        every(s, |c| c.is_ascii_alphanumeric() || ".-_/#".contains(c))
    }),
];

pub(crate) static ENVIRONMENT_NAME: Text = &[Pattern("[a-zA-Z]([a-zA-Z0-9_])+", |s| {
    s.len() >= 2
        && s.starts_with(|c: char| c.is_ascii_alphabetic())
        && every(s, |c| c.is_ascii_alphanumeric() || c == '_')
})];

const TAG_PATTERN: Rule = Pattern(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", |s| {
    s.chars().all(is_tag_character)
});

pub(crate) static TAG_KEY: Text = &[MinLength(1), MaxLength(128), TAG_PATTERN];

pub(crate) static TAG_VALUE: Text = &[MaxLength(256), TAG_PATTERN];

pub(crate) static INVOCATION_TYPE: Text = &[OneOf(&["Event", "RequestResponse", "DryRun"])];

pub(crate) static LOG_TYPE: Text = &[OneOf(&["None", "Tail"])];

pub(crate) static DURABLE_EXECUTION_NAME: Text = &[
    MinLength(1),
    MaxLength(64),
    Pattern("[a-zA-Z0-9-_]+", |s| every(s, is_word)),
];

pub(crate) static TENANT_ID: Text = &[
    MinLength(1),
    MaxLength(256),
    Pattern(r"[a-zA-Z0-9\._:\/=+\-@ ]+", |s| {
        every(s, |c| c.is_ascii_alphanumeric() || "._:/=+-@ ".contains(c))
    }),
];

pub(crate) static FUNCTION_VERSION: Text = &[OneOf(&["ALL"])];

pub(crate) static MASTER_REGION: Text = &[
    MinLength(1),
    MaxLength(50),
    Pattern(
        r"ALL|(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}",
        |s| s == "ALL" || s.parse::<model::Region>().is_ok(),
    ),
];

pub(crate) static TIMEOUT: Range = Range { min: 1, max: 5400 };

pub(crate) static MEMORY: Range = Range {
    min: 128,
    max: 32_768,
};

pub(crate) static EPHEMERAL: Range = Range {
    min: 512,
    max: 32_768,
};

pub(crate) static MAX_ITEMS: Range = Range {
    min: 1,
    max: 10_000,
};

fn every(s: &str, legal: impl Fn(char) -> bool) -> bool {
    !s.is_empty() && s.chars().all(legal)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || "_.:/=+-@".contains(c) || (c.is_whitespace() && !c.is_control())
}

fn is_role(s: &str) -> bool {
    let Some((partition, rest)) = s.strip_prefix("arn:").and_then(|s| s.split_once(":iam::"))
    else {
        return false;
    };
    let partition_ok = partition.is_empty()
        || partition
            .strip_prefix("aws")
            .is_some_and(|p| p.chars().all(|c| c.is_ascii_alphabetic() || c == '-'));
    let Some((account, name)) = rest.split_once(":role") else {
        return false;
    };
    partition_ok
        && account.parse::<model::AccountId>().is_ok()
        && every(name, |c| {
            c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c)
        })
        && name != "/"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: Text, good: &[&str], bad: &[&str]) {
        let holds = |value: &&&str| rules.iter().all(|rule| rule.holds(value));
        assert_eq!(
            good.iter().filter(|v| !holds(v)).collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "refused"
        );
        assert_eq!(
            bad.iter().filter(holds).collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "accepted"
        );
    }

    #[test]
    fn patterns_decide_as_they_read() {
        let long = "a".repeat(129);
        check(
            ROLE,
            &[
                "arn:aws:iam::123456789012:role/r",
                "arn:aws-cn:iam::123456789012:role/a/b+c@d",
                "arn::iam::123456789012:role/r",
            ],
            &[
                "",
                "r",
                "arn:aws:iam::12:role/r",
                "arn:aws:iam::123456789012:user/r",
                "arn:aws:iam::123456789012:role/",
                "arn:gcp:iam::123456789012:role/r",
                "arn:aws:iam::123456789012:role/a b",
            ],
        );
        check(
            HANDLER,
            &["index.handler", "a::b", "ä"],
            &["", "a b", "a\n", &long],
        );
        check(
            QUALIFIER,
            &["$LATEST", "1", "live", "$LATEST.PUBLISHED", "a$b"],
            &["", "a.b", "a:b", &long],
        );
        check(
            ALIAS_NAME,
            &["live", "1a", "a-b_c"],
            &["", "1", "a.b", "$LATEST", &long],
        );
        check(
            VERSION,
            &["$LATEST", "0", "17", "$LATEST.PUBLISHED"],
            &["", "live", "-1", "1.0"],
        );
        check(
            ENVIRONMENT_NAME,
            &["AB", "a1", "A_B"],
            &["", "A", "1A", "_A", "A-B", "Ä1"],
        );
        check(
            TAG_KEY,
            &["team", "Größe", "a b", "x:y/z=+-@._"],
            &["", "a\tb", "a*b", "a#b", &long],
        );
        check(TAG_VALUE, &["", "x y"], &["a;b", "\n"]);
        check(
            LOG_GROUP,
            &["/aws/lambda/f", "a.b-c_d#"],
            &["", "a b", "a:b"],
        );
        check(TENANT_ID, &["tenant 1", "a@b.c"], &["", "a*"]);
        check(MASTER_REGION, &["ALL", "us-east-1"], &["", "US EAST"]);
        check(
            FUNCTION_NAME,
            &[
                "f",
                "f:1",
                "f:$LATEST",
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                "f:01",
            ],
            &["", "a b", "f:", "a:b:c", "f:a.b"],
        );
    }
}
