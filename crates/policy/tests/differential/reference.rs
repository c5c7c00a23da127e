//! A second evaluator, to be read beside the guide: it knows nothing of the first one, takes documents as JSON, has no
//! tokens and no early exit, and writes every rule down as a set or a truth table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use serde_json::Value;

use crate::generate::{Ask, Case, Who};

/// The answer, without the statement that denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Allowed,
    Denied(&'static str),
    Lacks(&'static str),
}

/// What applies: layer, document, statement.
pub(crate) type Place = (&'static str, usize, usize);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Account,
    Role,
    Itself,
}

/// Case-insensitive keys and their values, without the keys that have none.
type Known = BTreeMap<String, Vec<String>>;

/// The answer and every statement that denies.
pub(crate) fn answer(case: &Case, ask: &Ask) -> (Answer, BTreeSet<Place>) {
    let resource = if case.trust { "trust" } else { "resource" };
    let boundary: Vec<String> = case.boundary.iter().cloned().collect();
    let foreign: Vec<String> = case.resource.iter().cloned().collect();
    let layers = [
        ("identity", &case.identity),
        ("boundary", &boundary),
        ("session", &case.session),
        (resource, &foreign),
    ];
    let bounded = case.boundary.is_some();
    let mut denying = BTreeSet::new();
    let mut allowing = BTreeSet::new();
    let mut named = BTreeSet::new();
    for (layer, documents) in layers {
        for (place, document) in documents.iter().enumerate() {
            let document: Value = serde_json::from_str(document).unwrap();
            let variables = document["Version"] == "2012-10-17";
            for (number, statement) in list(&document["Statement"]).iter().enumerate() {
                if !is_about(statement, ask, variables) {
                    continue;
                }
                let names = if layer == resource {
                    names(statement, ask.who, bounded)
                } else {
                    BTreeSet::from([Named::Itself])
                };
                if names.is_empty() {
                    continue;
                }
                if statement["Effect"] == "Deny" {
                    denying.insert((layer, place, number));
                } else {
                    allowing.insert(layer);
                    named.extend(if layer == resource {
                        names
                    } else {
                        BTreeSet::new()
                    });
                }
            }
        }
    }
    // Deny evaluation.
    let order = ["identity", "boundary", "session", resource];
    let first = order
        .iter()
        .find(|layer| denying.iter().any(|(l, ..)| l == *layer));
    if let Some(layer) = first {
        return (Answer::Denied(layer), denying);
    }
    let limits = [
        ("boundary", !bounded || allowing.contains("boundary")),
        (
            "session",
            case.session.is_empty() || allowing.contains("session"),
        ),
    ];
    let own = [
        ("identity", allowing.contains("identity")),
        limits[0],
        limits[1],
    ];
    let required = required(ask, &named, resource, &own, &limits);
    let lacking = required.iter().find(|(_, allows)| !allows);
    let answer = lacking.map_or(Answer::Allowed, |(layer, _)| Answer::Lacks(layer));
    (answer, denying)
}

/// What must allow, in the order in which it is asked.
fn required(
    ask: &Ask,
    named: &BTreeSet<Named>,
    resource: &'static str,
    own: &[(&'static str, bool)],
    limits: &[(&'static str, bool)],
) -> Vec<(&'static str, bool)> {
    let account = account(ask.who);
    let root = matches!(ask.who, Who::Arn(arn) if arn.ends_with(":root"));
    let granted = vec![(resource, !named.is_empty())];
    let through = match named.last() {
        Some(Named::Itself) => vec![],
        Some(Named::Role) => limits.to_vec(),
        Some(Named::Account) | None => own.to_vec(),
    };
    let same_account = account == Some(ask.account);
    match account {
        None => granted,
        Some(_) if resource == "trust" && same_account => [granted, through].concat(),
        Some(_) if same_account && root => vec![],
        Some(_) if same_account => through,
        Some(_) if root => granted,
        Some(_) => [own.to_vec(), granted].concat(),
    }
}

fn account(who: Who) -> Option<&'static str> {
    match who {
        Who::Arn(arn) | Who::Session(arn, _) => arn.split(':').nth(4),
        Who::Service(_) | Who::Federated(_) | Who::Anonymous => None,
    }
}

/// One value is a list of one.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => vec![],
        one => vec![one.clone()],
    }
}

fn is_about(statement: &Value, ask: &Ask, variables: bool) -> bool {
    let known: Known = ask
        .context
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| {
            (
                key.to_lowercase(),
                values.iter().map(|v| (*v).to_owned()).collect(),
            )
        })
        .collect();
    let any = |element: &str, test: &dyn Fn(&str) -> bool| {
        let positive = statement.get(element);
        let negative = statement.get(format!("Not{element}"));
        let matches = |value: &Value| list(value).iter().any(|v| test(v.as_str().unwrap()));
        positive.is_none_or(matches) && negative.is_none_or(|value| !matches(value))
    };
    let action = |pattern: &str| {
        like(
            &pattern.to_lowercase(),
            &ask.action.to_lowercase(),
            false,
            &known,
        )
    };
    let resource = |pattern: &str| like(pattern, ask.resource, variables, &known);
    let empty = serde_json::Map::new();
    let conditions = statement["Condition"].as_object().unwrap_or(&empty);
    any("Action", &action)
        && any("Resource", &resource)
        && conditions.iter().all(|(operator, tests)| {
            let tests = tests.as_object().unwrap();
            tests
                .iter()
                .all(|(key, values)| holds(operator, &known, key, &list(values), variables))
        })
}

/// All the ways in which an element names somebody: every name that he has is looked up in it.
fn names(statement: &Value, who: Who, bounded: bool) -> BTreeSet<Named> {
    let mut of_aws: Vec<(String, Named)> = vec![("*".to_owned(), Named::Itself)];
    let roots = |account: &str| {
        let arns = ["aws", "aws-cn"].map(|p| format!("arn:{p}:iam::{account}:root"));
        [vec![account.to_owned()], arns.to_vec()].concat()
    };
    let session_arn = |role: &str, name: &str| {
        let short = role.rsplit('/').next().unwrap();
        let account = account(who).unwrap();
        format!("arn:aws:sts::{account}:assumed-role/{short}/{name}")
    };
    // Everything that he is, each under all its names.
    let mut parts: Vec<Vec<String>> = vec![];
    if let Some(account) = account(who) {
        let root = matches!(who, Who::Arn(arn) if arn.ends_with(":root"));
        let how = if root { Named::Itself } else { Named::Account };
        of_aws.extend(roots(account).into_iter().map(|name| (name, how)));
        parts.push(roots(account));
    }
    match who {
        Who::Arn(arn) if arn.ends_with(":root") => {}
        Who::Arn(arn) => {
            let how = if arn.contains(":role/") {
                Named::Role
            } else {
                Named::Itself
            };
            of_aws.push((arn.to_owned(), how));
            parts.push(vec![arn.to_owned()]);
        }
        Who::Session(role, name) => {
            of_aws.push((role.to_owned(), Named::Role));
            of_aws.push((session_arn(role, name), Named::Itself));
            parts.push(vec![role.to_owned()]);
            parts.push(vec![session_arn(role, name)]);
        }
        Who::Service(_) | Who::Federated(_) | Who::Anonymous => {}
    }
    let listed = |element: &Value, of: &str| -> BTreeSet<String> {
        if element == "*" {
            let all = if of == "AWS" { vec!["*"] } else { vec![] };
            return all.into_iter().map(str::to_owned).collect();
        }
        list(&element[of])
            .iter()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect()
    };
    let typed = |element: &Value| match who {
        Who::Service(name) => listed(element, "Service").contains(name),
        Who::Federated(name) => listed(element, "Federated").contains(name),
        Who::Arn(_) | Who::Session(..) | Who::Anonymous => false,
    };
    if let Some(element) = statement.get("Principal") {
        let texts = listed(element, "AWS");
        let found = of_aws.iter().filter(|(name, _)| texts.contains(name));
        let mut found: BTreeSet<Named> = found.map(|(_, how)| *how).collect();
        if typed(element) {
            found.insert(Named::Itself);
        }
        return found;
    }
    let element = &statement["NotPrincipal"];
    let texts = listed(element, "AWS");
    let whole = !parts.is_empty()
        && parts
            .iter()
            .all(|part| part.iter().any(|name| texts.contains(name)));
    let spared = texts.contains("*") || whole || typed(element);
    if spared && !bounded {
        BTreeSet::new()
    } else {
        BTreeSet::from([Named::Itself])
    }
}

fn holds(operator: &str, known: &Known, key: &str, values: &[Value], variables: bool) -> bool {
    let values: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    let asked = known.get(&key.to_lowercase());
    let empty = asked.is_none_or(|asked| asked.iter().all(String::is_empty));
    if operator == "Null" {
        return values.contains(&empty.to_string());
    }
    let (set, rest) = operator.split_once(':').unwrap_or(("", operator));
    let base = rest.strip_suffix("IfExists").unwrap_or(rest);
    let negated = base.contains("Not");
    let positive = base.replace("Not", "");
    let Some(asked) = asked else {
        return match set {
            _ if base != rest => true,
            "ForAllValues" => true,
            "ForAnyValue" => false,
            _ => negated,
        };
    };
    // One row for each value of the request: whether it meets any value of the document.
    let rows: Vec<bool> = asked
        .iter()
        .map(|value| {
            values
                .iter()
                .any(|v| meets(&positive, value, v, variables, known))
        })
        .collect();
    let counted = rows.iter().filter(|meets| **meets != negated).count();
    match set {
        "ForAllValues" => empty || counted == rows.len(),
        "ForAnyValue" => !empty && counted > 0,
        _ if negated => counted == rows.len(),
        _ => counted > 0,
    }
}

/// Whether a value of the request meets a value of the document.
fn meets(operator: &str, asked: &str, written: &str, variables: bool, known: &Known) -> bool {
    let symbols = |wildcards| symbols(written, wildcards, variables, known);
    let text = |symbols: Option<Vec<Symbol>>| {
        symbols.map(|s| s.iter().map(ToString::to_string).collect::<String>())
    };
    let ordered = |less: bool, equal: bool| match operator
        .trim_start_matches("Numeric")
        .trim_start_matches("Date")
    {
        "Equals" => equal,
        "LessThan" => less,
        "LessThanEquals" => less || equal,
        "GreaterThan" => !less && !equal,
        "GreaterThanEquals" => !less,
        _ => unreachable!("{operator}"),
    };
    match operator {
        "StringEquals" => text(symbols(false)).is_some_and(|t| t == asked),
        "StringEqualsIgnoreCase" => {
            text(symbols(false)).is_some_and(|t| t.to_lowercase() == asked.to_lowercase())
        }
        "StringLike" => like(written, asked, variables, known),
        "ArnEquals" | "ArnLike" => arn_like(symbols(true), asked),
        "Bool" => {
            ["true", "false"].contains(&&*asked.to_lowercase())
                && asked.to_lowercase() == written.to_lowercase()
        }
        "BinaryEquals" => asked == written,
        "IpAddress" => within(asked, written),
        _ if operator.starts_with("Numeric") => match (number(asked), number(written)) {
            (Some(a), Some(w)) => ordered(a < w, a == w),
            _ => false,
        },
        _ => match (date(asked), date(written)) {
            (Some(a), Some(w)) => ordered(a < w, a == w),
            _ => false,
        },
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Symbol {
    Exactly(char),
    One,
    Any,
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(c) => write!(f, "{c}"),
            Self::One => f.write_str("?"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// The pattern with its variables replaced; `None` if one has no value.
fn symbols(pattern: &str, wildcards: bool, variables: bool, known: &Known) -> Option<Vec<Symbol>> {
    let Some(first) = pattern.chars().next() else {
        return Some(vec![]);
    };
    if variables && pattern.starts_with("${") {
        let end = pattern.find('}').unwrap();
        let (inside, after) = (&pattern[2..end], &pattern[end + 1..]);
        let value = match (inside, inside.split_once(", '")) {
            ("*" | "?" | "$", _) => inside.to_owned(),
            (_, Some((key, default))) => {
                single(known, key).unwrap_or_else(|| default.trim_end_matches('\'').to_owned())
            }
            (key, None) => single(known, key)?,
        };
        let value = value.chars().map(Symbol::Exactly).collect::<Vec<_>>();
        return Some([value, symbols(after, wildcards, variables, known)?].concat());
    }
    let symbol = match first {
        '*' if wildcards => Symbol::Any,
        '?' if wildcards => Symbol::One,
        other => Symbol::Exactly(other),
    };
    let after = symbols(&pattern[first.len_utf8()..], wildcards, variables, known)?;
    Some([vec![symbol], after].concat())
}

fn single(known: &Known, key: &str) -> Option<String> {
    match &**known.get(&key.to_lowercase())? {
        [value] => Some(value.clone()),
        _ => None,
    }
}

fn like(pattern: &str, text: &str, variables: bool, known: &Known) -> bool {
    let text: Vec<char> = text.chars().collect();
    symbols(pattern, true, variables, known).is_some_and(|symbols| glob(&symbols, &text))
}

fn glob(pattern: &[Symbol], text: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([Symbol::Any, rest @ ..], _) => {
            glob(rest, text) || (!text.is_empty() && glob(pattern, &text[1..]))
        }
        ([Symbol::One, rest @ ..], [_, after @ ..]) => glob(rest, after),
        ([Symbol::Exactly(c), rest @ ..], [first, after @ ..]) => c == first && glob(rest, after),
        ([_, ..], []) => false,
    }
}

/// Six components each. No value of the vocabulary has a colon in a variable, so that splitting late is right here.
fn arn_like(pattern: Option<Vec<Symbol>>, arn: &str) -> bool {
    let Some(pattern) = pattern else {
        return false;
    };
    let arn: Vec<char> = arn.chars().collect();
    let patterns: Vec<&[Symbol]> = pattern.splitn(6, |s| *s == Symbol::Exactly(':')).collect();
    let parts: Vec<&[char]> = arn.splitn(6, |c| *c == ':').collect();
    let both = patterns.iter().zip(&parts);
    patterns.len() == 6 && parts.len() == 6 && both.into_iter().all(|(p, t)| glob(p, t))
}

fn number(text: &str) -> Option<f64> {
    let legal = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    text.chars().all(legal).then(|| text.parse().ok())?
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    let digits = text.chars().all(|c| c.is_ascii_digit());
    if digits && text.len() != 4 {
        return jiff::Timestamp::from_second(text.parse().ok()?).ok();
    }
    let whole = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z"),
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    whole.parse().ok()
}

/// Compares the first bits, written as zeros and ones.
fn within(address: &str, network: &str) -> bool {
    let (base, prefix) = network.split_once('/').unwrap_or((network, "128"));
    let prefix: usize = prefix.parse().unwrap();
    let (Ok(address), Ok(base)) = (address.parse::<IpAddr>(), base.parse::<IpAddr>()) else {
        return false;
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => format!("{:032b}", v4.to_bits()),
        IpAddr::V6(v6) => format!("{:0128b}", v6.to_bits()),
    };
    let forms = [address, address.to_canonical()];
    forms.iter().any(|form| {
        form.is_ipv4() == base.is_ipv4()
            && bits(*form)
                .chars()
                .take(prefix)
                .eq(bits(base).chars().take(prefix))
    })
}
