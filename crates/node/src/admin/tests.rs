use std::collections::BTreeMap;

use http_body_util::BodyExt;
use model::{ByteCount, Capacity, Incarnation, Role, Roles, capacity::Member};

use super::{
    metrics::{Figure, Figures, Measure},
    status::*,
    *,
};

struct Told {
    reasons: Vec<String>,
}

impl Subject for Told {
    fn readiness(&self) -> Readiness {
        Readiness::of(self.reasons.clone())
    }

    fn status(&self) -> Status {
        status(self.readiness())
    }
}

struct Counted;

impl Figures for Counted {
    fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::counter("invocations", "Invocations ended.", 7).with("outcome", "ok"),
            Figure::counter("invocations", "Invocations ended.", 1).with("outcome", "error"),
            Figure::gauge("environments", "Environments alive.", 3),
            Figure {
                name: "duration_seconds",
                help: "How long they took.",
                measure: Measure::Histogram {
                    sum: 4.5,
                    buckets: vec![(0.5, 2), (f64::INFINITY, 1)],
                },
                labels: Vec::new(),
            },
        ]
    }
}

fn member() -> Member {
    Member {
        name: "a".parse().unwrap(),
        incarnation: Incarnation(1),
        generation: 5,
        roles: Roles::default().with(Role::Worker),
        zone: "z1".parse().unwrap(),
        address: "127.0.0.1:9010".to_owned(),
        public_address: String::new(),
        architecture: None,
        draining: false,
        capacity: Capacity {
            slots_free: 3,
            slots: 4,
            memory_free: ByteCount::mib(1),
            cpu_free_millis: 1500,
        },
        warm: BTreeMap::new(),
        runtimes: vec!["python3.12".to_owned()],
        newest_format: 2,
    }
}

fn status(readiness: Readiness) -> Status {
    Status {
        node: NodeStatus {
            name: "a".to_owned(),
            zone: "z1".to_owned(),
            roles: role_names(Roles::ALL),
            incarnation: 1,
            version: "0.1.0".to_owned(),
            newest_format: 2,
            uptime_ms: 12,
            wall_ms: 1_700_000_000_000,
            audit: None,
            sandbox: None,
        },
        cluster: ClusterStatus {
            name: "local".to_owned(),
            id: None,
            leader: Some("a".to_owned()),
            term: 2,
            applied: 9,
            format: 1,
            controllers: Vec::new(),
        },
        catalog: CatalogStatus {
            revision: 8,
            caught_up: true,
            following: true,
            functions: 1,
        },
        members: vec![MemberStatus::from(&member())],
        readiness,
    }
}

async fn get(reasons: &[&str], path: &str) -> (StatusCode, String) {
    let told = Told {
        reasons: reasons.iter().map(|r| (*r).to_owned()).collect(),
    };
    let admin = Admin::new(Arc::new(told), Metrics::new(vec![Arc::new(Counted)]));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let response = admin.answer(&Method::GET, path, query).await;
    assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
    let code = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_says_what_it_waits_for() {
    let (code, body) = get(&[], "/readyz").await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(
        serde_json::from_str::<Readiness>(&body).unwrap(),
        Readiness::of(vec![])
    );
    let (code, body) = get(&["the catalog is not caught up"], "/readyz").await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("the catalog is not caught up"), "{body}");
}

#[tokio::test]
async fn status_is_the_documented_json() {
    let (code, body) = get(&[], "/status").await;
    assert_eq!(code, StatusCode::OK);
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value["cluster"]["leader"], "a");
    assert_eq!(value["cluster"]["term"], 2);
    assert_eq!(
        value["members"][0]["capacity"]["memory_free_bytes"],
        1 << 20
    );
    assert_eq!(value["members"][0]["roles"][0], "worker");
    assert_eq!(
        serde_json::from_str::<Status>(&body).unwrap(),
        status(Readiness::of(vec![]))
    );
}

#[tokio::test]
async fn metrics_hold_the_figures_of_every_part() {
    let (code, body) = get(&[], "/metrics").await;
    assert_eq!(code, StatusCode::OK);
    for line in [
        "# TYPE dunlin_invocations counter",
        "dunlin_invocations_total{outcome=\"ok\"} 7.0",
        "dunlin_invocations_total{outcome=\"error\"} 1.0",
        "# TYPE dunlin_environments gauge",
        "dunlin_duration_seconds_bucket{le=\"0.5\"} 2",
        "dunlin_duration_seconds_bucket{le=\"+Inf\"} 3",
        "dunlin_duration_seconds_count 3",
        "dunlin_process_open_fds",
    ] {
        assert!(body.contains(line), "{body}\n-- lacks --\n{line}");
    }
    assert_eq!(body.matches("# TYPE dunlin_invocations ").count(), 1);
    assert!(body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    for path in ["/", "/page.js", "/page.css"] {
        let (code, body) = get(&[], path).await;
        assert_eq!(code, StatusCode::OK);
        assert!(
            !body.contains("http://") && !body.contains("https://"),
            "{path}"
        );
    }
    let (_, page) = get(&[], "/").await;
    assert!(
        !page.contains("style=") && !page.contains("onclick"),
        "the policy forbids it"
    );
}

#[tokio::test]
async fn nothing_else_is_answered() {
    assert_eq!(get(&[], "/../etc/passwd").await.0, StatusCode::NOT_FOUND);
    let admin = Admin::new(Arc::new(Told { reasons: vec![] }), Metrics::new(vec![]));
    assert_eq!(
        admin.answer(&Method::POST, "/status", "").await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn the_audit_log_of_a_frontend_is_answered_in_pages() {
    assert_eq!(get(&[], "/audit").await.0, StatusCode::NOT_FOUND);
    let (place, tasks) = (tempfile::tempdir().unwrap(), Tasks::new());
    let segments = Arc::new(host::DirectorySegments::new(place.path(), "jsonl"));
    let writer = audit::line::Writer {
        node: "a".parse().unwrap(),
        incarnation: Incarnation(1),
    };
    let options = audit::Options::new(writer, "test");
    let recorder = Recorder::start(options, segments, Arc::new(host::SystemClock), &tasks);
    for calls in 1..=3 {
        let place = recorder.admit().unwrap();
        place.write(audit::Event::Unlisted { calls }).await.unwrap();
    }
    let admin = Admin::new(Arc::new(Told { reasons: vec![] }), Metrics::new(vec![]))
        .with_audit(Some(recorder.clone()));
    let ask = async |query: &str| {
        let response = admin.answer(&Method::GET, "/audit", query).await;
        let code = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, body)
    };
    let (mut all, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let (code, body) = ask(&query).await;
        assert_eq!(code, StatusCode::OK);
        let page: audit_log::Records = serde_json::from_slice(&body).unwrap();
        assert_eq!(page.head, recorder.figures().head.to_string());
        all.extend(page.records.iter().map(|r| format!("{}\n", r.get())));
        let Some(next) = page.next else { break };
        query = format!("limit=3&from={next}");
    }
    let file = std::fs::read_to_string(place.path().join("00000000000000000001.jsonl"));
    assert_eq!(all.len(), 4);
    assert_eq!(all.concat(), file.unwrap());
    assert_eq!(ask("order=1").await.0, StatusCode::BAD_REQUEST);
    tasks.stop().await;
}

#[tokio::test]
async fn it_answers_over_a_socket_until_its_tasks_drain() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Admin::new(Arc::new(Told { reasons: vec![] }), Metrics::new(vec![])).serve(listener, &tasks);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive\n"),
        "{answer}"
    );
    assert!(tasks.drain(Duration::from_secs(5)).await);
    assert!(TcpStream::connect(address).await.is_err());
}
