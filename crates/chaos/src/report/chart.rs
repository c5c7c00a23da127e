//! The timeline: faults as bands over invocations, latency and control writes, as one SVG.

use std::fmt::{self, Write};

use super::Text;
use crate::outcome::{Bucket, Outcome};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 10.0;
/// The most columns: a long run is drawn in wider ones.
const COLUMNS_MAX: usize = 400;
const INVOKES: Panel = Panel {
    top: 20.0,
    height: 110.0,
};
const LATENCY: Panel = Panel {
    top: 160.0,
    height: 130.0,
};
const WRITES: Panel = Panel {
    top: 320.0,
    height: 50.0,
};
const HEIGHT: f64 = 395.0;
/// The bounds of latency, in milliseconds; the axis is logarithmic.
const LATENCY_MIN: f64 = 1.0;
const LATENCY_MAX: f64 = 10_000.0;

#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    height: f64,
}

/// Some buckets as one.
#[derive(Default)]
struct Column {
    begin_ms: u64,
    end_ms: u64,
    ok: u32,
    bad: u32,
    acked: u32,
    p50: Option<u64>,
    p99: Option<u64>,
}

pub(super) fn write(page: &mut String, outcome: &Outcome) -> fmt::Result {
    let columns = columns(&outcome.series);
    let Some(last) = columns.last() else {
        page.push_str("<p class=\"note\">The load told nothing.</p>\n");
        return Ok(());
    };
    let until = last.end_ms.max(1);
    writeln!(
        page,
        "<div class=\"scroll chart\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"invocations, latency and control writes over time, with faults\">"
    )?;
    axes(page, until)?;
    bands(page, outcome, until)?;
    bars(page, &columns, until)?;
    for (class, of) in [
        ("p50", Column::p50 as fn(&Column) -> Option<u64>),
        ("p99", Column::p99),
    ] {
        writeln!(
            page,
            "<path class=\"{class}\" d=\"{}\"/>",
            path(&columns, until, of)
        )?;
    }
    page.push_str("</svg></div>\n<p class=\"legend\">");
    for (color, what) in [
        ("--good", "invocations that succeeded"),
        ("--bad", "that did not"),
        ("--p50", "median; writes acknowledged"),
        ("--p99", "99th percentile"),
        ("--band-edge", "a fault, by its number"),
    ] {
        write!(
            page,
            "<span><i style=\"background:var({color})\"></i>{what}</span>"
        )?;
    }
    page.push_str("</p>\n");
    Ok(())
}

fn columns(series: &[Bucket]) -> Vec<Column> {
    let wide = series.len().div_ceil(COLUMNS_MAX).max(1);
    let column = |buckets: &[Bucket]| {
        let begin_ms = buckets.first().map_or(0, |b| b.at_ms);
        let end_ms = buckets
            .last()
            .map_or(0, |b| b.at_ms + crate::outcome::BUCKET_MS);
        Column {
            begin_ms,
            end_ms,
            ok: buckets.iter().map(|b| b.ok).sum(),
            bad: buckets.iter().map(|b| b.failed + b.throttled).sum(),
            acked: buckets.iter().map(|b| b.acked).sum(),
            p50: buckets.iter().filter_map(|b| b.p50_ms).max(),
            p99: buckets.iter().filter_map(|b| b.p99_ms).max(),
        }
    };
    series.chunks(wide).map(column).collect()
}

fn axes(page: &mut String, until: u64) -> fmt::Result {
    for (panel, title) in [
        (INVOKES, "invocations"),
        (LATENCY, "latency"),
        (WRITES, "control writes"),
    ] {
        let bottom = panel.top + panel.height;
        writeln!(
            page,
            "<text x=\"{LEFT}\" y=\"{}\">{title}</text>",
            panel.top - 5.0
        )?;
        rule(page, bottom)?;
    }
    for (ms, label) in [
        (1.0, "1 ms"),
        (10.0, "10 ms"),
        (100.0, "100 ms"),
        (1000.0, "1 s"),
        (10_000.0, "10 s"),
    ] {
        let y = latency_y(ms);
        rule(page, y)?;
        writeln!(
            page,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 5.0,
            y + 4.0
        )?;
    }
    let step = tick(until);
    let mut at = 0;
    while at <= until {
        writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}:{:02}</text>",
            x(at, until),
            HEIGHT - 8.0,
            at / 60_000,
            at % 60_000 / 1000
        )?;
        at += step;
    }
    Ok(())
}

fn rule(page: &mut String, y: f64) -> fmt::Result {
    writeln!(
        page,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
        WIDTH - RIGHT
    )
}

fn bands(page: &mut String, outcome: &Outcome, until: u64) -> fmt::Result {
    let bottom = WRITES.top + WRITES.height;
    for (number, fault) in (1..).zip(&outcome.faults) {
        let (from, to) = (x(fault.begins_ms.0, until), x(fault.over_ms.0, until));
        let wide = (to - from).max(1.0);
        writeln!(
            page,
            "<g><title>{number}. {}</title><rect class=\"band\" x=\"{from:.1}\" y=\"8\" width=\"{wide:.1}\" height=\"{:.1}\"/><text class=\"band-label\" x=\"{:.1}\" y=\"18\" text-anchor=\"middle\">{number}</text></g>",
            Text(&fault.what),
            bottom - 8.0,
            from + wide / 2.0
        )?;
    }
    Ok(())
}

fn bars(page: &mut String, columns: &[Column], until: u64) -> fmt::Result {
    let most = columns
        .iter()
        .map(|c| c.ok + c.bad)
        .max()
        .unwrap_or(0)
        .max(1);
    let most_acked = columns.iter().map(|c| c.acked).max().unwrap_or(0).max(1);
    for column in columns {
        let from = x(column.begin_ms, until);
        let wide = (x(column.end_ms, until) - from - 0.4).max(0.4);
        let mut bar = |class: &str, panel: Panel, below: f64, count: u32, most: u32| {
            if count == 0 {
                return Ok(0.0);
            }
            let high = panel.height * f64::from(count) / f64::from(most);
            let y = panel.top + panel.height - below - high;
            writeln!(
                page,
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"/>"
            )?;
            Ok::<_, fmt::Error>(high)
        };
        let below = bar("ok", INVOKES, 0.0, column.ok, most)?;
        bar("failed", INVOKES, below, column.bad, most)?;
        bar("writes", WRITES, 0.0, column.acked, most_acked)?;
    }
    Ok(())
}

/// A line through the columns that have a value; it breaks where there is none.
fn path(columns: &[Column], until: u64, of: fn(&Column) -> Option<u64>) -> String {
    let mut path = String::new();
    let mut draws = false;
    for column in columns {
        let Some(ms) = of(column) else {
            draws = false;
            continue;
        };
        let middle = u64::midpoint(column.begin_ms, column.end_ms);
        let step = if draws { 'L' } else { 'M' };
        let y = latency_y(f64::from(u32::try_from(ms).unwrap_or(u32::MAX)));
        // Writing to a string does not fail.
        let _written = write!(path, "{step}{:.1} {y:.1}", x(middle, until));
        draws = true;
    }
    path
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of one run fit 53 bits"
)]
fn x(at_ms: u64, until_ms: u64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * (at_ms.min(until_ms) as f64 / until_ms as f64)
}

fn latency_y(ms: f64) -> f64 {
    let part = (ms.clamp(LATENCY_MIN, LATENCY_MAX) / LATENCY_MIN).log10()
        / (LATENCY_MAX / LATENCY_MIN).log10();
    LATENCY.top + LATENCY.height * (1.0 - part)
}

/// A step of the axis of time that leaves at most a dozen labels.
fn tick(until_ms: u64) -> u64 {
    let steps = [
        5_u64, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 36_000,
    ];
    let fits = steps
        .iter()
        .map(|s| s * 1000)
        .find(|step| until_ms / step <= 12);
    fits.unwrap_or(until_ms)
}

impl Column {
    const fn p50(&self) -> Option<u64> {
        self.p50
    }

    const fn p99(&self) -> Option<u64> {
        self.p99
    }
}
