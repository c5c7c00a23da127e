//! Reads filter patterns.

use super::{
    InvalidLogFilter, Kind, LOG_FILTER_MAX, LogFilter, Words,
    json::{Comparison, Condition, Selector, Step, Test, Wild},
};

/// Parentheses within each other.
const DEPTH_MAX: usize = 16;

pub(super) fn filter(text: &str) -> Result<LogFilter, InvalidLogFilter> {
    if text.len() > LOG_FILTER_MAX {
        return Err(InvalidLogFilter {
            expected: "the end, after at most 1024 bytes,",
            at: LOG_FILTER_MAX + 1,
        });
    }
    let mut reader = Reader {
        rest: text,
        all: text,
    };
    reader.skip_space();
    let kind = match reader.peek() {
        Some('{') => {
            reader.next();
            let condition = any(&mut reader, 0)?;
            reader.token("}", "} or an operator")?;
            Kind::Json(condition)
        }
        Some('[') => {
            return Err(reader.wrong("words or { … }, because lists of columns are not supported,"));
        }
        _ => Kind::Words(words(&mut reader)?),
    };
    reader.skip_space();
    match reader.peek() {
        None => Ok(LogFilter(kind)),
        Some(_) => Err(reader.wrong("the end")),
    }
}

fn words(reader: &mut Reader<'_>) -> Result<Words, InvalidLogFilter> {
    let mut words = Words::default();
    loop {
        reader.skip_space();
        let kind = match reader.peek() {
            None => return Ok(words),
            Some('?') => {
                reader.next();
                &mut words.any
            }
            Some('-') => {
                reader.next();
                &mut words.none
            }
            Some(_) => &mut words.all,
        };
        let word = match reader.peek() {
            Some('"') => reader.quoted()?,
            Some('%') => {
                return Err(reader.wrong("a word, because regular expressions are not supported,"));
            }
            _ => {
                // AWS takes letters, digits and underscores; what people write bare besides is unambiguous.
                let bare = |c: char| !c.is_whitespace() && !"\"'{}[]()%&|,;=<>!?*`\\".contains(c);
                reader.take_while(bare)
            }
        };
        if word.is_empty() {
            return Err(reader.wrong("a word, or what is wanted in double quotes,"));
        }
        if reader.peek().is_some_and(|c| !c.is_whitespace()) {
            return Err(reader.wrong("a space; other characters go in double quotes,"));
        }
        kind.push(word);
    }
}

fn any(reader: &mut Reader<'_>, depth: usize) -> Result<Condition, InvalidLogFilter> {
    let mut alternatives = vec![all(reader, depth)?];
    while reader.is_next("||") {
        alternatives.push(all(reader, depth)?);
    }
    Ok(one_or(alternatives, Condition::Any))
}

fn all(reader: &mut Reader<'_>, depth: usize) -> Result<Condition, InvalidLogFilter> {
    let mut parts = vec![test(reader, depth)?];
    while reader.is_next("&&") {
        parts.push(test(reader, depth)?);
    }
    Ok(one_or(parts, Condition::All))
}

fn one_or(mut parts: Vec<Condition>, more: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            more(parts)
        }
        None => more(parts),
    }
}

fn test(reader: &mut Reader<'_>, depth: usize) -> Result<Condition, InvalidLogFilter> {
    if reader.is_next("(") {
        if depth >= DEPTH_MAX {
            return Err(reader.wrong("at most 16 parentheses within each other"));
        }
        let inner = any(reader, depth + 1)?;
        reader.token(")", ") or an operator")?;
        return Ok(inner);
    }
    let selector = selector(reader)?;
    reader.skip_space();
    let comparisons = [
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    for (sign, comparison) in comparisons {
        if reader.is_next(sign) {
            let test = value(reader, comparison)?;
            return Ok(Condition::Test(selector, test));
        }
    }
    let test = match (reader.word().as_str(), reader.word().as_str()) {
        ("IS", "NULL") => Test::IsNull,
        ("IS", "TRUE") => Test::Is(true),
        ("IS", "FALSE") => Test::Is(false),
        ("NOT", "EXISTS") => Test::Absent,
        _ => {
            return Err(
                reader.wrong("a comparison, IS NULL, IS TRUE, IS FALSE or NOT EXISTS before this,")
            );
        }
    };
    Ok(Condition::Test(selector, test))
}

fn selector(reader: &mut Reader<'_>) -> Result<Selector, InvalidLogFilter> {
    reader.token("$", "a selector such as $.level")?;
    let mut steps = Vec::new();
    loop {
        match reader.peek() {
            Some('.') => {
                reader.next();
                let legal = |c: char| c.is_alphanumeric() || "_-@:/".contains(c);
                let name = reader.take_while(legal);
                if name.is_empty() {
                    return Err(reader.wrong("the name of a member"));
                }
                steps.push(Step::Member(name));
            }
            Some('[') => {
                reader.next();
                steps.push(bracket(reader)?);
                reader.token("]", "]")?;
            }
            _ if steps.is_empty() => return Err(reader.wrong("a selector such as $.level")),
            _ => return Ok(Selector(steps)),
        }
    }
}

fn bracket(reader: &mut Reader<'_>) -> Result<Step, InvalidLogFilter> {
    match reader.peek() {
        Some('*') => {
            reader.next();
            Ok(Step::Each)
        }
        Some('"') => Ok(Step::Member(reader.quoted()?)),
        Some('\'') => {
            reader.next();
            let name = reader.take_while(|c| c != '\'');
            reader.token("'", "'")?;
            Ok(Step::Member(name))
        }
        _ => {
            let digits = reader.take_while(|c| c.is_ascii_digit());
            let n = digits.parse().ok().filter(|n| *n <= 10_000);
            n.map(Step::Element)
                .ok_or_else(|| reader.wrong("the number of an element before this,"))
        }
    }
}

fn value(reader: &mut Reader<'_>, comparison: Comparison) -> Result<Test, InvalidLogFilter> {
    reader.skip_space();
    let text = match reader.peek() {
        Some('"') => reader.quoted()?,
        Some('%') => {
            return Err(reader.wrong("a value, because regular expressions are not supported,"));
        }
        _ => {
            let bare = reader.take_while(|c| c.is_alphanumeric() || "_-.*:/+@#$".contains(c));
            let number = bare.parse::<f64>().ok().filter(|n| n.is_finite());
            if let Some(number) = number {
                return Ok(Test::Number(comparison, number));
            }
            bare
        }
    };
    let equal = match comparison {
        Comparison::Equal => true,
        Comparison::NotEqual => false,
        Comparison::Less
        | Comparison::LessOrEqual
        | Comparison::Greater
        | Comparison::GreaterOrEqual => {
            return Err(reader.wrong("a number before this,"));
        }
    };
    if text.is_empty() {
        return Err(reader.wrong("a value"));
    }
    let text = Wild(text.split('*').map(str::to_owned).collect());
    Ok(Test::Text { equal, text })
}

struct Reader<'t> {
    rest: &'t str,
    all: &'t str,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take_while(&mut self, legal: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !legal(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn word(&mut self) -> String {
        self.skip_space();
        self.take_while(|c| c.is_ascii_alphabetic())
            .to_ascii_uppercase()
    }

    fn is_next(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self, token: &str, expected: &'static str) -> Result<(), InvalidLogFilter> {
        if self.is_next(token) {
            Ok(())
        } else {
            Err(self.wrong(expected))
        }
    }

    /// What stands between double quotes; a backslash keeps the character behind it.
    fn quoted(&mut self) -> Result<String, InvalidLogFilter> {
        self.token("\"", "\"")?;
        let mut text = String::new();
        loop {
            let next = self.peek();
            self.next();
            let kept = match next {
                Some('"') => return Ok(text),
                Some('\\') => {
                    let kept = self.peek();
                    self.next();
                    kept
                }
                next => next,
            };
            text.push(kept.ok_or_else(|| self.wrong("\" at the end of a phrase"))?);
        }
    }

    fn wrong(&self, expected: &'static str) -> InvalidLogFilter {
        let read = self.all.len() - self.rest.len();
        let at = self.all.get(..read).map_or(0, |read| read.chars().count()) + 1;
        InvalidLogFilter { expected, at }
    }
}
