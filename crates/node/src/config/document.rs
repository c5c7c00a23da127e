//! The reference of every key, as Markdown and as text.

use std::fmt::Write;

use model::limits::{Limits, Most};

use super::table::{Fallback, KEYS, Key, SECTIONS, Shape};

/// `docs/configuration.md`, whole.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made by `make fix` from crates/node/src/config/table.rs; edit there. -->\n\n\
         A node reads one TOML file: `dunlin server --config FILE`. `dunlin server --config FILE --check` reads it, tells every\n\
         problem it has and stops. A key that does not exist is refused, with the nearest one that does. A relative path\n\
         starts at the directory of the file.\n\n\
         A variable overrides the file: `DUNLIN_<SECTION>__<KEY>`, a list separated by commas. A variable that begins with\n\
         `DUNLIN_` and names no key is refused as well. `dunlin dev` reads neither.\n\n\
         `deploy/dunlin.toml` is a sample to start from.\n",
    );
    for (section, about) in SECTIONS {
        let brackets = if section.contains('.') {
            format!("[[{section}]]")
        } else {
            format!("[{section}]")
        };
        let _ = write!(page, "\n## `{brackets}`\n\n{about}\n");
        for key in KEYS.iter().filter(|k| k.section == *section) {
            entry(&mut page, key);
        }
    }
    page
}

/// One line a key: name, kind, default, variable. For `dunlin config keys`.
#[must_use]
pub fn listing() -> String {
    let mut text = String::new();
    for key in KEYS {
        let name = format!("{}.{}", key.section, key.name);
        let shape = key.shape.as_str().replace('`', "");
        let fallback = fallback(key).replace('`', "");
        let variable = key.variable().unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(text, "{name:<30} {shape:<30} {fallback:<52} {variable}");
    }
    text
}

fn entry(page: &mut String, key: &Key) {
    let _ = write!(page, "\n### `{}`\n\n{}\n\n", key.name, key.doc);
    let _ = writeln!(page, "- Kind: {}", key.shape.as_str());
    let _ = writeln!(page, "- Default: {}", fallback(key));
    if let Some(variable) = key.variable() {
        let _ = writeln!(page, "- Variable: `{variable}`");
    }
    let own = (key.section == "limits").then(|| Limits::of_accounts(key.name));
    if let Some(limit) = own.flatten() {
        let _ = writeln!(page, "- An account can have its own: {}", most(limit.most));
    }
    let _ = writeln!(page, "- Since: {}", key.since);
}

const fn most(most: Most) -> &'static str {
    match most {
        Most::Any => "less or more",
        Most::At(_) => "less or more, up to what is said here",
        Most::Cluster => "less",
    }
}

fn fallback(key: &Key) -> String {
    match key.fallback {
        Fallback::Required => "none, must be written".to_owned(),
        Fallback::Otherwise(words) => words.to_owned(),
        Fallback::Value(text) => match key.shape {
            Shape::Integer | Shape::Decimal | Shape::Boolean => format!("`{text}`"),
            Shape::Text | Shape::Path | Shape::Duration | Shape::Bytes => format!("`\"{text}\"`"),
            Shape::List | Shape::Paths => {
                let items = text.split(',').filter(|i| !i.is_empty());
                let items = items.map(|i| format!("\"{i}\"")).collect::<Vec<_>>();
                format!("`[{}]`", items.join(", "))
            }
        },
    }
}
