//! Texts with wildcards and variables, and how they match.
//!
//! `*` stands for any characters, none included, and `?` for one. `${key}` stands for the value of a condition key,
//! `${key, 'default'}` for a default where there is none, and `${*}`, `${?}`, `${$}` for the character itself: the guide's
//! pages *IAM JSON policy elements: Resource* and *IAM policy elements: Variables and tags*.
//!
//! A variable without a value is like nothing and equal to nothing: a pattern that has one matches no text. Values are
//! text, so that nobody can name himself `*` and be everyone.

use std::fmt;

use crate::{Context, document::tree::Quoted, error::InvalidDocument};

/// A text as it was written, and its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: Box<str>,
    tokens: Box<[Token]>,
}

/// A pattern for ARNs: its six components are matched one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArnPattern {
    /// `None` if the pattern has fewer than six: then it matches no ARN.
    components: Option<[Box<[Token]>; 6]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(Box<str>),
    /// `*`
    Any,
    /// `?`
    One,
    /// `${key}`
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// What has a meaning in a pattern; everything else is text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Matters,
    Ignored,
}

impl Pattern {
    /// # Errors
    /// A variable that is not closed, or that names nothing.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, InvalidDocument> {
        Ok(Self {
            text: text.into(),
            tokens: tokens(text, syntax)?.into(),
        })
    }

    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        matches(&self.tokens, text, context, Case::Matters)
    }

    /// Without regard to the case of ASCII letters: the names of actions have no others.
    pub(crate) fn matches_ignoring_case(&self, text: &str, context: &Context) -> bool {
        matches(&self.tokens, text, context, Case::Ignored)
    }

    /// Whether the text is the same but for case, in any script. For patterns without wildcards.
    pub(crate) fn equals_ignoring_case(&self, text: &str, context: &Context) -> bool {
        let resolved = || self.tokens.iter().map(|token| token.resolve(context));
        let whole = resolved().flatten().flat_map(str::chars);
        resolved().all(|part| part.is_some())
            && whole
                .flat_map(char::to_lowercase)
                .eq(text.chars().flat_map(char::to_lowercase))
    }

    /// Whether a variable stands before the fifth colon, where none is allowed in a resource.
    pub(crate) fn has_early_variable(&self) -> bool {
        let mut colons = 0;
        for token in &*self.tokens {
            match token {
                Token::Text(text) => colons += text.matches(':').count(),
                Token::Variable { .. } if colons < 5 => return true,
                Token::Variable { .. } | Token::Any | Token::One => {}
            }
        }
        false
    }
}

impl ArnPattern {
    /// # Errors
    /// A variable that is not closed, or that names nothing.
    pub(crate) fn parse(text: &str, variables: bool) -> Result<Self, InvalidDocument> {
        let syntax = Syntax {
            wildcards: true,
            variables,
        };
        Ok(Self {
            components: components(tokens(text, syntax)?),
        })
    }

    /// "Each of the six colon-delimited components of the ARN is checked separately": *IAM JSON policy elements: Condition
    /// operators*.
    pub(crate) fn matches(&self, arn: &str, context: &Context) -> bool {
        let Some(components) = &self.components else {
            return false;
        };
        let mut parts = arn.splitn(6, ':');
        components.iter().all(|tokens| {
            parts
                .next()
                .is_some_and(|part| matches(tokens, part, context, Case::Matters))
        })
    }
}

/// As JSON, the way it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(&self.text).fmt(f)
    }
}

impl Token {
    /// The text that stands for this token; `None` if there is none.
    fn resolve<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Variable { key, default } => context.single(key).or(default.as_deref()),
            Self::Any | Self::One => None,
        }
    }
}

fn tokens(text: &str, syntax: Syntax) -> Result<Vec<Token>, InvalidDocument> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars();
    let flush = |literal: &mut String, tokens: &mut Vec<Token>| {
        if !literal.is_empty() {
            tokens.push(Token::Text(std::mem::take(literal).into()));
        }
    };
    loop {
        if syntax.variables
            && let Some(inside) = rest.as_str().strip_prefix("${")
        {
            let (name, after) = inside
                .split_once('}')
                .ok_or_else(|| InvalidDocument::text("a variable that ends with }", text))?;
            match name {
                "*" | "?" | "$" => literal.push_str(name),
                _ => {
                    flush(&mut literal, &mut tokens);
                    tokens.push(variable(name)?);
                }
            }
            rest = after.chars();
            continue;
        }
        match rest.next() {
            None => break,
            Some('*') if syntax.wildcards => {
                flush(&mut literal, &mut tokens);
                // Two in a row are no more than one.
                if tokens.last() != Some(&Token::Any) {
                    tokens.push(Token::Any);
                }
            }
            Some('?') if syntax.wildcards => {
                flush(&mut literal, &mut tokens);
                tokens.push(Token::One);
            }
            Some(c) => literal.push(c),
        }
    }
    flush(&mut literal, &mut tokens);
    Ok(tokens)
}

/// What stands between `${` and `}`.
fn variable(inside: &str) -> Result<Token, InvalidDocument> {
    let wrong = || {
        InvalidDocument::text(
            "a variable such as aws:username, or with a default: key, 'default'",
            inside,
        )
    };
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'').ok_or_else(wrong)?;
            (key, Some(default.strip_suffix('\'').ok_or_else(wrong)?))
        }
    };
    let key = key.trim();
    if key.is_empty() || key.contains(['$', '{', '*', '?', '\'']) {
        return Err(wrong());
    }
    Ok(Token::Variable {
        key: key.into(),
        default: default.map(Into::into),
    })
}

/// Splits at the first five colons that are written in the pattern itself.
fn components(tokens: Vec<Token>) -> Option<[Box<[Token]>; 6]> {
    let mut done: Vec<Box<[Token]>> = Vec::with_capacity(6);
    let mut open: Vec<Token> = Vec::new();
    for token in tokens {
        let Token::Text(text) = token else {
            open.push(token);
            continue;
        };
        let mut rest = &*text;
        while done.len() < 5
            && let Some((before, after)) = rest.split_once(':')
        {
            if !before.is_empty() {
                open.push(Token::Text(before.into()));
            }
            done.push(std::mem::take(&mut open).into());
            rest = after;
        }
        if !rest.is_empty() {
            open.push(Token::Text(rest.into()));
        }
    }
    done.push(open.into());
    done.try_into().ok()
}

/// Goes along tokens and text, and where it gets stuck gives the last `*` one more character. An earlier `*` need never
/// be tried again: what follows it was found at its earliest place, and every later place leaves less text.
fn matches(tokens: &[Token], text: &str, context: &Context, case: Case) -> bool {
    let text = text.as_bytes();
    let mut at = 0;
    let mut rest = tokens;
    let mut star: Option<(&[Token], usize)> = None;
    loop {
        let stuck = match rest.split_first() {
            None => at != text.len(),
            Some((Token::Any, after)) => {
                if after.is_empty() {
                    return true;
                }
                star = Some((after, at));
                rest = after;
                false
            }
            Some((Token::One, after)) => {
                let stuck = at >= text.len();
                at = next_character(text, at);
                rest = after;
                stuck
            }
            Some((token, after)) => {
                let Some(literal) = token.resolve(context) else {
                    return false;
                };
                let end = at + literal.len();
                let there = text.get(at..end).is_some_and(|part| match case {
                    Case::Matters => part == literal.as_bytes(),
                    Case::Ignored => part.eq_ignore_ascii_case(literal.as_bytes()),
                });
                at = end;
                rest = after;
                !there
            }
        };
        if !stuck {
            if rest.is_empty() && at == text.len() {
                return true;
            }
            continue;
        }
        match star {
            Some((after, from)) if from < text.len() => {
                at = next_character(text, from);
                rest = after;
                star = Some((after, at));
            }
            _ => return false,
        }
    }
}

/// Where the character after the one at `at` begins.
fn next_character(text: &[u8], at: usize) -> usize {
    let continues = |b: &&u8| **b & 0b1100_0000 == 0b1000_0000;
    let after = text.iter().skip(at + 1).take_while(continues).count();
    at + 1 + after
}

#[cfg(test)]
mod tests;
