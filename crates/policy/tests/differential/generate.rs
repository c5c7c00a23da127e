//! Documents and requests out of bytes, from few words, so that they meet. Fewer and smaller bytes make smaller cases:
//! that is how a failure shrinks.

use std::fmt::Write as _;

/// Policies, and who asks for what under them.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) identity: Vec<String>,
    pub(crate) boundary: Option<String>,
    pub(crate) session: Vec<String>,
    pub(crate) resource: Option<String>,
    /// Whether `resource` is a trust policy.
    pub(crate) trust: bool,
    pub(crate) asks: Vec<Ask>,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) who: Who,
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) account: &'static str,
    pub(crate) context: Vec<(&'static str, Vec<&'static str>)>,
}

/// A principal as text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Arn(&'static str),
    /// Of the role of this ARN.
    Session(&'static str, &'static str),
    Service(&'static str),
    Federated(&'static str),
    Anonymous,
}

const ASKS_PER_CASE: usize = 8;

const WHO: [Who; 12] = [
    Who::Arn("arn:aws:iam::111111111111:user/ann"),
    Who::Session("arn:aws:iam::111111111111:role/p/worker", "f"),
    Who::Arn("arn:aws:iam::222222222222:user/ann"),
    Who::Arn("arn:aws:iam::111111111111:root"),
    Who::Anonymous,
    Who::Service("s3.amazonaws.com"),
    Who::Arn("arn:aws:iam::222222222222:root"),
    Who::Session("arn:aws:iam::222222222222:role/worker", "f"),
    Who::Session("arn:aws:iam::111111111111:role/p/worker", "g"),
    Who::Arn("arn:aws:iam::111111111111:role/p/worker"),
    Who::Service("sns.amazonaws.com"),
    Who::Federated("accounts.google.com"),
];

const PRINCIPALS: [&str; 16] = [
    r#""*""#,
    r#"{"AWS":"arn:aws:iam::111111111111:user/ann"}"#,
    r#"{"AWS":"111111111111"}"#,
    r#"{"AWS":["222222222222","arn:aws:iam::111111111111:role/p/worker"]}"#,
    r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/worker/f"}"#,
    r#"{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::111111111111:user/ann"]}"#,
    r#"{"AWS":"*"}"#,
    r#"{"Service":"s3.amazonaws.com"}"#,
    r#"{"Service":["sns.amazonaws.com","s3.amazonaws.com"],"AWS":"arn:aws-cn:iam::222222222222:root"}"#,
    r#"{"AWS":["111111111111","arn:aws:iam::111111111111:role/p/worker","arn:aws:sts::111111111111:assumed-role/worker/f"]}"#,
    r#"{"Federated":"accounts.google.com"}"#,
    r#"{"AWS":["arn:aws:iam::222222222222:user/ann","222222222222"]}"#,
    r#"{"AWS":"arn:aws:iam::111111111111:role/p/worker"}"#,
    r#"{"AWS":[]}"#,
    r#"{"CanonicalUser":"79a5","AWS":"arn:aws:iam::222222222222:role/worker"}"#,
    r#"{}"#,
];

const ACTIONS: [&str; 4] = [
    "lambda:InvokeFunction",
    "lambda:GetFunction",
    "Lambda:INVOKEfunction",
    "s3:GetObject",
];

const ACTION_PATTERNS: [&str; 11] = [
    "*",
    "lambda:InvokeFunction",
    "lambda:*",
    "lambda:Invoke*",
    "LAMBDA:*function",
    "lambda:?etFunction",
    "s3:*",
    "*:Get*",
    "lambda:*o*n",
    "lambda:GETfunction",
    "*:*n*e*n",
];

const RESOURCES: [&str; 5] = [
    "arn:aws:lambda:eu-west-1:111111111111:function:f",
    "arn:aws:lambda:eu-west-1:111111111111:function:f:live",
    "arn:aws:lambda:eu-west-1:111111111111:function:ann",
    "arn:aws:lambda:eu-west-1:111111111111:function:*",
    "arn:aws:s3:::f",
];

const RESOURCE_PATTERNS: [&str; 15] = [
    "*",
    "arn:aws:lambda:eu-west-1:111111111111:function:f",
    "arn:aws:lambda:eu-west-1:111111111111:function:*",
    "arn:aws:lambda:eu-west-1:111111111111:function:${aws:username}",
    "arn:aws:lambda:*:live",
    "arn:aws:lambda:eu-west-1:111111111111:function:f*",
    "arn:aws:lambda:eu-west-1:111111111111:function:f:*",
    "arn:*:function:?",
    "arn:aws:lambda:eu-west-1:111111111111:function:${aws:userid, 'f'}",
    "arn:aws:lambda:eu-west-1:111111111111:function:${*}",
    "arn:aws:lambda:EU-WEST-1:*",
    "arn:aws:lambda:*1:*f",
    "arn:aws:lambda:*:*:${aws:username}*${?}",
    "arn:aws:lambda:eu-west-1:111111111111:function:?*",
    "arn:aws:s3:::${AWS:USERID}*",
];

/// A kind of value: keys that usually have it, values of requests, values of documents as JSON, operators.
struct Values {
    keys: &'static [&'static str],
    asked: &'static [&'static str],
    written: &'static [&'static str],
    operators: &'static [&'static str],
}

const TEXTS: Values = Values {
    keys: &["aws:username", "aws:userid", "aws:TagKeys", "AWS:UserName"],
    asked: &["f", "ann", "", "Ann", "*", "f*", "10", "bob"],
    written: &[
        r#""f""#,
        r#""ann""#,
        r#"["f","ann"]"#,
        r#""*""#,
        r#""ANN""#,
        "[]",
        r#""a*""#,
        r#"["","bob"]"#,
        r#""${aws:username}""#,
        r#"["x${aws:userid, 'n'}","?"]"#,
        r#""${*}""#,
        "10",
        r#""${aws:TagKeys}""#,
        r#""f${*}""#,
        r#""${aws:username}*""#,
    ],
    operators: &[
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ],
};

const ARNS: Values = Values {
    keys: &["aws:SourceArn", "aws:PrincipalArn"],
    asked: &[
        "arn:aws:s3:::f",
        "arn:aws:s3:::f:x",
        "arn:aws:sns:eu-west-1:111111111111:f",
        "arn:aws:sns:a:b:c:111111111111:f",
        "f",
        "",
    ],
    written: &[
        r#""arn:aws:s3:::f""#,
        r#""arn:aws:s3:::*""#,
        r#""arn:aws:sns:*:111111111111:f""#,
        r#""arn:*:*:*:*:*""#,
        r#""*""#,
        r#"["arn:aws:s3:::?","arn:aws:*:f"]"#,
        r#""arn:aws:s3:::${aws:username}*""#,
        "[]",
        r#""arn:aws:sns:${aws:userid, 'eu-west-1'}:*:f""#,
    ],
    operators: &["ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"],
};

const NUMBERS: Values = Values {
    keys: &["x:Count"],
    asked: &["10", "9.5", "-1", "ten", "10.0", "0", ""],
    written: &[
        "10",
        r#""9.5""#,
        "[0,10]",
        "-1",
        "[]",
        r#"["-0","11"]"#,
        "0.5",
    ],
    operators: &[
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ],
};

const DATES: Values = Values {
    keys: &["aws:CurrentTime"],
    asked: &[
        "2020-01-01T00:00:00Z",
        "1577836800",
        "2019-12-31T23:59:59.5Z",
        "2020-06-01",
        "soon",
        "2020-01-01T01:00+01:00",
    ],
    written: &[
        r#""2020-01-01T00:00:00Z""#,
        r#""2020""#,
        "1577836801",
        r#"["2019-12","2020-06-01"]"#,
        "[]",
        r#""2020-01-01T00:00:00.000000001-00:30""#,
    ],
    operators: &[
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
    ],
};

const FLAGS: Values = Values {
    keys: &["aws:SecureTransport", "lambda:InvokedViaFunctionUrl"],
    asked: &["true", "false", "TRUE", "yes", ""],
    written: &["true", r#""false""#, r#"["true","false"]"#, "[]"],
    operators: &["Bool"],
};

const ADDRESSES: Values = Values {
    keys: &["aws:SourceIp"],
    asked: &[
        "10.0.0.1",
        "10.1.0.1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "here",
        "2001:db9::1",
    ],
    written: &[
        r#""10.0.0.0/16""#,
        r#""10.0.0.1""#,
        r#""0.0.0.0/0""#,
        r#"["2001:DB8::/32","10.1.0.0/31"]"#,
        "[]",
        r#""::/0""#,
    ],
    operators: &["IpAddress", "NotIpAddress"],
};

const BYTES: Values = Values {
    keys: &["x:Blob"],
    asked: &["QQ==", "Qg==", "Q", ""],
    written: &[r#""QQ==""#, r#"["Qg==","QUI="]"#, "[]"],
    operators: &["BinaryEquals"],
};

const NULLS: Values = Values {
    keys: &["aws:username", "aws:TagKeys", "aws:SourceArn", "x:Count"],
    asked: &[],
    written: &[r#""true""#, "false", r#"["true","false"]"#, "[]"],
    operators: &["Null"],
};

const KINDS: [&Values; 8] = [
    &TEXTS, &ARNS, &NUMBERS, &DATES, &FLAGS, &ADDRESSES, &BYTES, &NULLS,
];

/// Takes bytes one after the other; when there are none left, they are zero.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % limit
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True in so many of a hundred cases.
    fn percent(&mut self, percent: usize) -> bool {
        // Zero is no: the smallest case has the least in it.
        self.below(100) > 99 - percent
    }
}

/// Bytes of a seed, by the generator SplitMix64.
pub(crate) fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    });
    words.flatten().take(count).collect()
}

pub(crate) fn case(bytes: &[u8]) -> Case {
    let choices = &mut Choices(bytes.iter());
    let trust = choices.percent(10);
    let asks = (0..ASKS_PER_CASE).map(|_| ask(choices)).collect();
    let some = |choices: &mut Choices<'_>, percent| choices.percent(percent);
    Case {
        identity: (0..choices.below(3))
            .map(|_| document(choices, Place::Own))
            .collect(),
        boundary: some(choices, 25).then(|| document(choices, Place::Own)),
        session: (0..choices.below(5).saturating_sub(2))
            .map(|_| document(choices, Place::Own))
            .collect(),
        resource: some(choices, 75).then(|| {
            let place = if trust { Place::Trust } else { Place::Resource };
            document(choices, place)
        }),
        trust,
        asks,
    }
}

fn ask(choices: &mut Choices<'_>) -> Ask {
    Ask {
        who: choices.one(&WHO),
        action: choices.one(&ACTIONS),
        resource: choices.one(&RESOURCES),
        account: choices.one(&["111111111111", "111111111111", "222222222222"]),
        context: context(choices),
    }
}

fn context(choices: &mut Choices<'_>) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut context: Vec<(&str, Vec<&str>)> = Vec::new();
    for _ in 0..choices.below(7) {
        let kind = choices.one(&KINDS[..7]);
        let key = choices.one(kind.keys);
        let kind = if choices.percent(5) { &TEXTS } else { kind };
        let values = (0..choices.one(&[1, 1, 1, 1, 2, 3, 0])).map(|_| choices.one(kind.asked));
        let values = values.collect();
        context.retain(|(k, _)| !k.eq_ignore_ascii_case(key));
        context.push((key, values));
    }
    context
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Own,
    Resource,
    Trust,
}

fn document(choices: &mut Choices<'_>, place: Place) -> String {
    let version = choices.one(&[
        r#""Version":"2012-10-17","#,
        r#""Version":"2012-10-17","#,
        r#""Version":"2012-10-17","#,
        r#""Version":"2008-10-17","#,
        "",
    ]);
    let count = choices.one(&[1, 1, 2, 3, 0, 4]);
    let statements: Vec<String> = (0..count).map(|_| statement(choices, place)).collect();
    let statements = match &*statements {
        [one] if choices.percent(30) => one.clone(),
        _ => format!("[{}]", statements.join(",")),
    };
    format!(r#"{{{version}"Statement":{statements}}}"#)
}

fn statement(choices: &mut Choices<'_>, place: Place) -> String {
    let deny = choices.percent(25);
    let mut text = format!(r#"{{"Effect":"{}""#, if deny { "Deny" } else { "Allow" });
    if place != Place::Own {
        let not = place == Place::Resource && deny && choices.percent(40);
        let not = if not { "Not" } else { "" };
        let _ = write!(text, r#","{not}Principal":{}"#, choices.one(&PRINCIPALS));
    }
    element(choices, &mut text, "Action", &ACTION_PATTERNS);
    if place != Place::Trust {
        element(choices, &mut text, "Resource", &RESOURCE_PATTERNS);
    }
    if choices.percent(45) {
        let _ = write!(text, r#","Condition":{}"#, conditions(choices));
    }
    text.push('}');
    text
}

fn element(choices: &mut Choices<'_>, text: &mut String, name: &str, patterns: &[&str]) {
    let not = if choices.percent(15) { "Not" } else { "" };
    let _ = write!(text, r#","{not}{name}":"#);
    let count = choices.one(&[1, 1, 1, 2, 3, 0]);
    let one = count == 1 && choices.percent(50);
    let list: Vec<String> = (0..count)
        .map(|_| format!("\"{}\"", choices.one(patterns)))
        .collect();
    let list = list.join(",");
    text.push_str(&if one { list } else { format!("[{list}]") });
}

fn conditions(choices: &mut Choices<'_>) -> String {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for _ in 0..choices.one(&[1, 1, 2]) {
        let kind = choices.one(&KINDS);
        let base = choices.one(kind.operators);
        let (set, suffix) = match base {
            "Null" => ("", ""),
            _ => (
                choices.one(&["", "", "", "ForAllValues:", "ForAnyValue:"]),
                choices.one(&["", "", "IfExists"]),
            ),
        };
        let operator = format!("{set}{base}{suffix}");
        let keys = if choices.percent(10) {
            choices.one(&KINDS).keys
        } else {
            kind.keys
        };
        let test = format!("\"{}\":{}", choices.one(keys), choices.one(kind.written));
        if blocks.iter().all(|(o, _)| *o != operator) {
            blocks.push((operator, test));
        }
    }
    let blocks = blocks
        .iter()
        .map(|(operator, test)| format!(r#""{operator}":{{{test}}}"#));
    format!("{{{}}}", blocks.collect::<Vec<_>>().join(","))
}
