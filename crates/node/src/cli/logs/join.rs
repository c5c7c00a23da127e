//! Which invocation a line is of.
//!
//! An environment serves one invocation at a time, so that in its stream all lines from START to REPORT are of that one. A line
//! in JSON names its invocation itself. What is printed before the first invocation is of none.

use std::collections::BTreeMap;

use serde_json::Value;

/// Streams that are remembered.
const STREAMS_MAX: usize = 10_000;

/// What runs in each stream.
#[derive(Debug, Default)]
pub(super) struct Join(BTreeMap<String, String>);

impl Join {
    /// The invocation of the next line of a stream, if it is known.
    pub(super) fn request_of(&mut self, stream: &str, line: &str) -> Option<String> {
        if let Some(id) = after(line, "START RequestId: ") {
            self.begin(stream, id);
            return Some(id.to_owned());
        }
        if let Some(id) = after(line, "REPORT RequestId: ") {
            self.0.remove(stream);
            return Some(id.to_owned());
        }
        if let Some((id, is_start, is_report)) = named(line) {
            if is_start {
                self.begin(stream, &id);
            } else if is_report {
                self.0.remove(stream);
            }
            return Some(id);
        }
        self.0.get(stream).cloned()
    }

    fn begin(&mut self, stream: &str, id: &str) {
        if self.0.len() >= STREAMS_MAX {
            self.0.clear();
        }
        self.0.insert(stream.to_owned(), id.to_owned());
    }
}

fn after<'l>(line: &'l str, mark: &str) -> Option<&'l str> {
    let rest = line.strip_prefix(mark)?;
    rest.split(char::is_whitespace)
        .next()
        .filter(|id| !id.is_empty())
}

/// The invocation that a line in JSON names, and whether it is the platform's first or last line of it.
fn named(line: &str) -> Option<(String, bool, bool)> {
    if !line.starts_with('{') {
        return None;
    }
    let record: Value = serde_json::from_str(line).ok()?;
    let within = record
        .get("record")
        .and_then(|inner| inner.get("requestId"));
    let names = ["requestId", "AWSRequestId"];
    let id = names.iter().find_map(|name| record.get(*name)).or(within)?;
    let kind = record.get("type").and_then(Value::as_str);
    Some((
        id.as_str()?.to_owned(),
        kind == Some("platform.start"),
        kind == Some("platform.report"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_start_and_report() {
        let mut join = Join::default();
        for (stream, line, expected) in [
            ("a", "INIT_START Runtime Version: x", None),
            ("a", "loading", None),
            ("a", "START RequestId: 1 Version: $LATEST\n", Some("1")),
            ("b", "START RequestId: 2 Version: $LATEST\n", Some("2")),
            ("a", "hello", Some("1")),
            ("b", "hello", Some("2")),
            ("a", "END RequestId: 1\n", Some("1")),
            ("a", "REPORT RequestId: 1\tDuration: 1 ms\t\n", Some("1")),
            ("a", "between", None),
            (
                "c",
                r#"{"type":"platform.start","record":{"requestId":"3"}}"#,
                Some("3"),
            ),
            ("c", r#"{"level":"INFO","AWSRequestId":"3"}"#, Some("3")),
            ("c", "plain", Some("3")),
            (
                "c",
                r#"{"type":"platform.report","record":{"requestId":"3"}}"#,
                Some("3"),
            ),
            ("c", "{no json", None),
        ] {
            let found = join.request_of(stream, line);
            assert_eq!(found.as_deref(), expected, "{stream}: {line}");
        }
    }
}
