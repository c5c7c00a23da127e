//! A run for people: one HTML file that needs nothing else. Made from an [`Outcome`] alone.

mod chart;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Write};

use crate::{
    outcome::{FaultOutcome, Outcome},
    verdict::{Line, NotTried, seconds},
};

const STYLE: &str = include_str!("report/style.css");

/// A text in HTML.
struct Text<'a>(&'a str);

/// The page.
#[must_use]
pub fn html(outcome: &Outcome) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _written = write_page(&mut page, outcome);
    page
}

fn write_page(page: &mut String, outcome: &Outcome) -> fmt::Result {
    let about = &outcome.about;
    let verdict = outcome.verdict;
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>chaos: {name} {verdict}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{name} <span class=\"badge {verdict}\">{verdict}</span></h1>\n<p>{summary}</p>\n",
        name = Text(&about.scenario),
        summary = Text(&about.summary),
    )?;
    facts(page, outcome)?;
    for why in &outcome.invalid {
        writeln!(page, "<p class=\"why\">Says nothing: {}</p>", Text(why))?;
    }
    page.push_str("</header>\n<section>\n<h2>What clients felt</h2>\n");
    chart::write(page, outcome)?;
    page.push_str("</section>\n<section>\n<h2>What was promised for all the time</h2>\n");
    table(page, &outcome.promises)?;
    page.push_str("</section>\n<section>\n<h2>Around each fault</h2>\n");
    overview(page, &outcome.faults)?;
    for (number, fault) in (1..).zip(&outcome.faults) {
        one_fault(page, number, fault)?;
    }
    page.push_str("</section>\n");
    not_tried(page, &outcome.not_tried)?;
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

/// What was left out, so that nobody takes it for something that held.
fn not_tried(page: &mut String, faults: &[NotTried]) -> fmt::Result {
    if faults.is_empty() {
        return Ok(());
    }
    page.push_str("<section>\n<h2>Not tried</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>fault</th><th>needs</th><th>times</th></tr></thead>\n<tbody>\n");
    for fault in faults {
        writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            Text(&fault.what),
            Text(&fault.needs),
            fault.times
        )?;
    }
    page.push_str("</tbody></table></div>\n</section>\n");
    Ok(())
}

fn facts(page: &mut String, outcome: &Outcome) -> fmt::Result {
    let (about, totals) = (&outcome.about, &outcome.totals);
    let took = format!("{} min", about.took);
    let invokes = format!(
        "{} tried, {} succeeded, {} skipped by a busy client",
        totals.invokes, totals.succeeded, totals.skipped
    );
    let writes = format!(
        "{} tried, {} acknowledged, {} unknown",
        totals.writes, totals.acknowledged, totals.unknown
    );
    let changes = totals.leader_changes.to_string();
    page.push_str("<dl>\n");
    for (what, value) in [
        ("seed", about.seed.to_string().as_str()),
        ("version", &about.version),
        ("cluster", &about.target),
        ("began", &outcome.began()),
        ("took", &took),
        ("invocations", &invokes),
        ("control writes", &writes),
        ("changes of the leader", &changes),
        ("again with", &outcome.replay()),
    ] {
        writeln!(page, "<div><dt>{what}</dt><dd>{}</dd></div>", Text(value))?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn overview(page: &mut String, faults: &[FaultOutcome]) -> fmt::Result {
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr><th>#</th><th>fault</th><th>at</th><th>success</th><th>longest gap</th><th>p99</th><th>recovered</th><th></th></tr></thead>\n<tbody>\n");
    for (number, fault) in (1..).zip(faults) {
        let cell = |name: &str| {
            let line = fault.judgement.lines.iter().find(|line| line.name == name);
            line.map_or((String::new(), true), |line| {
                (line.measured.clone(), line.held)
            })
        };
        write!(
            page,
            "<tr><td><a href=\"#fault-{number}\">{number}</a></td><td>{}</td><td>{}</td>",
            Text(&fault.what),
            fault.begins_ms
        )?;
        for name in ["success", "longest gap", "p99", "recovered after"] {
            let (measured, held) = cell(name);
            let class = if held { "" } else { " class=\"bad\"" };
            write!(page, "<td{class}>{}</td>", Text(&measured))?;
        }
        let word = word(fault);
        writeln!(
            page,
            "<td><span class=\"badge {word}\">{word}</span></td></tr>"
        )?;
    }
    page.push_str("</tbody></table></div>\n");
    Ok(())
}

fn one_fault(page: &mut String, number: usize, fault: &FaultOutcome) -> fmt::Result {
    let word = word(fault);
    let open = if word == "held" { "" } else { " open" };
    writeln!(
        page,
        "<details id=\"fault-{number}\"{open}>\n<summary><span class=\"badge {word}\">{word}</span> {number}. {}</summary>",
        Text(&fault.what)
    )?;
    if let Some(trouble) = &fault.trouble {
        writeln!(page, "<p class=\"why\">{}</p>", Text(trouble))?;
    }
    let leader = |led: &Option<crate::verdict::Leadership>| {
        led.as_ref().map_or_else(
            || "nobody".to_owned(),
            |l| format!("{} (term {})", l.name, l.term),
        )
    };
    let radius = if fault.judgement.blast_radius.is_empty() {
        "nobody".to_owned()
    } else {
        fault.judgement.blast_radius.join(", ")
    };
    writeln!(
        page,
        "<p class=\"note\">Began at {}, healed after {}; {} invocations judged, not those through {}; led before: {}, after: {}.</p>",
        fault.begins_ms,
        seconds(fault.over_ms.since(fault.begins_ms)),
        fault.judgement.judged,
        Text(&radius),
        Text(&leader(&fault.leader_before)),
        Text(&leader(&fault.leader_after)),
    )?;
    table(page, &fault.judgement.lines)?;
    page.push_str("</details>\n");
    Ok(())
}

fn word(fault: &FaultOutcome) -> &'static str {
    match (&fault.trouble, fault.judgement.held) {
        (Some(_), _) => "invalid",
        (None, true) => "held",
        (None, false) => "broken",
    }
}

fn table(page: &mut String, lines: &[Line]) -> fmt::Result {
    page.push_str("<div class=\"scroll\"><table class=\"lines\">\n<thead><tr><th>what</th><th>measured</th><th>limit</th><th></th></tr></thead>\n<tbody>\n");
    for line in lines {
        let (class, word) = if line.held {
            ("held", "held")
        } else {
            ("broken", "broken")
        };
        writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td><span class=\"badge {class}\">{word}</span></td></tr>",
            Text(line.name),
            Text(&line.measured),
            Text(&line.limit)
        )?;
        for example in &line.examples {
            writeln!(
                page,
                "<tr class=\"example\"><td colspan=\"4\"><code>{}</code></td></tr>",
                Text(example)
            )?;
        }
    }
    page.push_str("</tbody></table></div>\n");
    Ok(())
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
