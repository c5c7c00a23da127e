//! The program of a pack and its arguments, with places for what is known only of the function.

use std::str::FromStr;

use model::MemoryMib;

/// The most arguments of a command.
const ARGUMENTS_MAX: usize = 128;
/// The longest argument before its places are filled.
const ARGUMENT_MAX: usize = 4096;

/// Program and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    program: String,
    arguments: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// So many hundredths of the function's memory, in bytes.
    Memory(u8),
    Handler,
}

/// Why a command is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing to start.
    #[error("expected an absolute path as the first word, got {0:?}")]
    Program(String),
    /// Too much.
    #[error("expected at most {ARGUMENTS_MAX} arguments of {ARGUMENT_MAX} bytes")]
    Length,
    /// A place that nobody knows how to fill.
    #[error(
        "expected {{handler}}, {{memory}} or {{memory:50%}} in braces, or {{{{ for a brace, got {0:?}"
    )]
    Place(String),
}

impl Template {
    /// The command of these words.
    ///
    /// # Errors
    /// [`TemplateError`] says which word is wrong.
    pub fn new(words: &[String]) -> Result<Self, TemplateError> {
        let (program, arguments) = words
            .split_first()
            .filter(|(program, _)| program.starts_with('/') && !program.contains(['\0', '{', '}']))
            .ok_or_else(|| TemplateError::Program(words.first().cloned().unwrap_or_default()))?;
        if arguments.len() > ARGUMENTS_MAX || words.iter().any(|w| w.len() > ARGUMENT_MAX) {
            return Err(TemplateError::Length);
        }
        Ok(Self {
            program: program.clone(),
            arguments: arguments
                .iter()
                .map(|a| pieces(a))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The path of what is started.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The words for a function with this handler and this much memory.
    pub(crate) fn fill(&self, memory: MemoryMib, handler: &str) -> Vec<String> {
        let filled = self.arguments.iter().map(|pieces| {
            let texts = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Handler => handler.to_owned(),
                // Whole KiB: the JVM takes no others.
                Piece::Memory(percent) => {
                    let kib = u64::from(memory.get()) * 1024 * u64::from(*percent) / 100;
                    (kib * 1024).to_string()
                }
            });
            texts.collect()
        });
        std::iter::once(self.program.clone())
            .chain(filled)
            .collect()
    }
}

fn pieces(word: &str) -> Result<Vec<Piece>, TemplateError> {
    let wrong = || TemplateError::Place(word.to_owned());
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            text.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            text.push('}');
            rest = after;
        } else {
            let inside = from.strip_prefix('{').ok_or_else(wrong)?;
            let (place, after) = inside.split_once('}').ok_or_else(wrong)?;
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(place.parse().map_err(|()| wrong())?);
            rest = after;
        }
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    if pieces.is_empty() {
        pieces.push(Piece::Text(String::new()));
    }
    Ok(pieces)
}

impl FromStr for Piece {
    type Err = ();

    fn from_str(place: &str) -> Result<Self, ()> {
        match place.split_once(':') {
            None if place == "handler" => Ok(Self::Handler),
            None if place == "memory" => Ok(Self::Memory(100)),
            Some(("memory", part)) => {
                let percent = part.strip_suffix('%').and_then(|p| p.parse().ok());
                percent
                    .filter(|p| (1..=100).contains(p))
                    .map(Self::Memory)
                    .ok_or(())
            }
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn places_are_filled() {
        let check = |line: &str, expected: &str| {
            let template = Template::new(&words(line)).unwrap();
            let filled = template.fill(MemoryMib::new(512).unwrap(), "a.B::c");
            assert_eq!(filled, words(expected));
        };
        check("/bin/x", "/bin/x");
        check(
            "/bin/x -m={memory} {handler}!",
            "/bin/x -m=536870912 a.B::c!",
        );
        check(
            "/bin/x {memory:85%}k {{handler}}",
            "/bin/x 456339456k {handler}",
        );
        check("/bin/x {handler}{handler} }}{{", "/bin/x a.B::ca.B::c }{");
        check("/bin/x  y", "/bin/x  y");
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [
            "",
            "java",
            "/bin/{handler}",
            "/bin/x {",
            "/bin/x }",
            "/bin/x {}",
            "/bin/x {home}",
            "/bin/x {memory:0%}",
            "/bin/x {memory:101%}",
            "/bin/x {memory:5}",
            "/bin/x {handler:1}",
        ] {
            assert!(Template::new(&words(line)).is_err(), "{line}");
        }
        assert!(Template::new(&[]).is_err());
        let many = vec!["/bin/x".to_owned(); 200];
        assert_eq!(Template::new(&many), Err(TemplateError::Length));
    }
}
