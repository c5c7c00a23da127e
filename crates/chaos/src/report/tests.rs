use super::*;
use crate::{
    moment::Moment,
    outcome::{About, Bucket},
    verdict::{FaultJudgement, Judgement, NotTried, Totals, Verdict},
};

fn outcome() -> Outcome {
    let broken = Line {
        name: "success",
        measured: "97 %".to_owned(),
        value: Some(0.97),
        unit: "share",
        limit: "≥ 99.9 %".to_owned(),
        held: false,
        examples: vec!["i7 said <script>alert(1)</script> & \"more\"".to_owned()],
    };
    let judged = FaultJudgement {
        held: false,
        lines: vec![broken.clone()],
        judged: 100,
        blast_radius: vec!["a2".to_owned()],
    };
    let bucket = |second: u64| Bucket {
        at_ms: second * 1000,
        ok: 20,
        failed: u32::from(second == 3),
        p50_ms: (second != 5).then_some(12),
        p99_ms: Some(90_000),
        acked: 4,
        ..Bucket::default()
    };
    Outcome {
        format: crate::outcome::FORMAT,
        about: About {
            scenario: "smoke".to_owned(),
            summary: "a <summary>".to_owned(),
            seed: 7,
            version: "0.1.0".to_owned(),
            target: "local".to_owned(),
            began_wall_ms: 1_700_000_000_000,
            took: Moment(61_500),
            steps: 1,
        },
        judgement: Judgement {
            verdict: Verdict::Broken,
            invalid: Vec::new(),
            faults: vec![judged.clone()],
            promises: Vec::new(),
            totals: Totals::default(),
        },
        verdict: "broken",
        invalid: Vec::new(),
        faults: vec![FaultOutcome {
            kind: "kill".to_owned(),
            what: "kill a1 at once".to_owned(),
            victims: vec!["a1".to_owned()],
            begins_ms: Moment(2000),
            holds_ms: Moment(2100),
            ends_ms: Moment(7000),
            over_ms: Moment(7100),
            ready_ms: Some(Moment(8000)),
            leader_before: None,
            leader_after: None,
            trouble: None,
            judgement: judged,
        }],
        not_tried: Vec::new(),
        promises: vec![broken],
        remarks: Vec::new(),
        totals: Totals::default(),
        series: (0..10).map(bucket).collect(),
    }
}

/// Every tag is closed, in its order.
fn check_nesting(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let void = ["!doctype", "meta", "rect", "line", "path"];
    let body = page.split("</style>").nth(1).unwrap();
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("every tag ends");
        let name = tag.split([' ', '/']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "in {open:?}");
        } else if !void.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0].to_vec());
}

#[test]
fn a_page_is_whole_and_needs_nothing_else() {
    let page = html(&outcome());
    // The head was opened before the style.
    check_nesting(&page.replace("</style>", "</style><html><head>"));
    for outside in ["http://", "https://", "src=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
    assert!(page.contains("dunlin chaos run smoke --seed 7"));
}

#[test]
fn what_nodes_said_is_text() {
    let page = html(&outcome());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"));
    assert!(page.contains("a &lt;summary&gt;"));
}

#[test]
fn what_was_not_tried_is_told() {
    assert!(!html(&outcome()).contains("Not tried"));
    let mut partial = outcome();
    partial.not_tried = vec![NotTried {
        kind: "cut-zone".to_owned(),
        what: "cut <zone> off".to_owned(),
        needs: "links of ours".to_owned(),
        times: 3,
    }];
    let page = html(&partial);
    check_nesting(&page.replace("</style>", "</style><html><head>"));
    let row = "<tr><td>cut &lt;zone&gt; off</td><td>links of ours</td><td>3</td></tr>";
    assert!(page.contains("<h2>Not tried</h2>") && page.contains(row));
}

#[test]
fn the_chart_shows_faults_failures_and_gaps() {
    let page = html(&outcome());
    assert_eq!(page.matches("class=\"band\"").count(), 1);
    assert_eq!(page.matches("class=\"ok\"").count(), 10);
    assert_eq!(page.matches("class=\"failed\"").count(), 1);
    let p50 = page.split("class=\"p50\" d=\"").nth(1).unwrap();
    let p50 = p50.split('"').next().unwrap();
    assert_eq!(
        p50.matches('M').count(),
        2,
        "a second without a value breaks the line: {p50}"
    );
    let mut long = outcome();
    long.series = (0..14_400)
        .map(|s| Bucket {
            at_ms: s * 1000,
            ok: 1,
            ..Bucket::default()
        })
        .collect();
    assert!(html(&long).matches("class=\"ok\"").count() <= 400);
    long.series.clear();
    assert!(html(&long).contains("The load told nothing"));
}
