use std::path::Path;

use audit::{
    Event,
    line::{Writer, encode},
};
use host::Segments;
use model::{Incarnation, Timestamp};

use super::*;

async fn log(root: &Path) -> Head {
    let segments = DirectorySegments::new(&root.join("audit"), AUDIT_FILES);
    let writer = Writer {
        node: "a".parse().unwrap(),
        incarnation: Incarnation(1),
    };
    let mut head = Head::NONE;
    let mut bytes = Vec::new();
    for calls in 1..=3 {
        let event = Event::Unlisted { calls };
        let (line, next) = encode(head, &writer, Timestamp(1_767_323_045_123), &event).unwrap();
        bytes.extend(line);
        head = next;
    }
    segments.append(1, 0, bytes.into()).await.unwrap();
    head
}

async fn verified(root: &Path, wanted: Option<Head>) -> String {
    let report = audit::verify(&segments(root).unwrap(), wanted)
        .await
        .unwrap();
    let text = verify::text(Path::new("d"), &report, wanted);
    format!("{}\n{text}", verify::is_proven(&report))
}

#[tokio::test]
async fn a_log_verifies_until_a_byte_of_it_changes() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    let head = log(root).await;
    let source = |root: &Path| Source {
        data_dir: Some(root.to_owned()),
        endpoint: String::new(),
    };
    assert_eq!(super::head(&source(root)).await.unwrap(), head);
    // A copy of the files is as good as the data directory.
    assert_eq!(
        super::head(&source(&root.join("audit"))).await.unwrap(),
        head
    );
    let sound = format!("true\nd: 3 records, 1 to 3, verified; head {head}\n");
    assert_eq!(verified(root, None).await, sound);
    let known = format!("{sound}d: record 3 is the one that is known\n");
    assert_eq!(verified(root, Some(head)).await, known);

    let file = root.join("audit/00000000000000000001.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"calls\":2", "\"calls\":3")).unwrap();
    let second = text.find('\n').unwrap() + 1;
    assert_eq!(
        verified(root, None).await,
        format!(
            "false\nd: BROKEN: file 00000000000000000001, line 2, byte {second}: the record was changed: its hash does not \
             fit its content\n"
        )
    );
    assert!(super::head(&source(root)).await.is_err());
    std::fs::write(&file, &text[..second]).unwrap();
    let cut = verified(root, Some(head)).await;
    assert!(
        cut.contains("the log was cut off: it ends with record 1"),
        "{cut}"
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        verified(root, None).await,
        "false\nd: no records: no frontend wrote here, or all of it is gone\n"
    );
    assert!(segments(&root.join("nowhere")).is_err());
}

#[test]
fn a_line_for_people_says_who_what_and_how_it_ended() {
    let record = r#"{"v":1,"seq":7,"time":"2026-01-02T03:04:05.123Z","node":"a","incarnation":"1","event":"call",
        "request_id":"id","api":"aws","operation":"GetFunction","account":"1","caller":"1/AKID","source":"127.0.0.1:1",
        "resource":"arn","outcome":"failed","status":404,"error":"ResourceNotFoundException","took_ms":3}"#;
    assert_eq!(
        show::line(record),
        "2026-01-02T03:04:05.123Z a GetFunction 1/AKID arn failed 404 ResourceNotFoundException from 127.0.0.1:1 id"
    );
    let user = r#"{"time":"t","node":"a","event":"call","operation":"GetFunction","caller":"1/AKID",
        "principal":"arn:aws:iam::1:user/alice","source":"s","outcome":"done","status":200,"request_id":"id"}"#;
    assert_eq!(
        show::line(user),
        "t a GetFunction arn:aws:iam::1:user/alice - done 200 from s id"
    );
    let stranger = r#"{"time":"t","node":"a","event":"call","operation":"Unknown","access_key":"K\u001b[2J",
        "source":"s","outcome":"failed","status":403,"error":"E","request_id":"id"}"#;
    assert_eq!(
        show::line(stranger),
        "t a Unknown ?K?[2J - failed 403 E from s id"
    );
    let notice = r#"{"time":"t","node":"a","event":"started","version":"0.1.0"}"#;
    assert_eq!(show::line(notice), format!("t a -- started {notice}"));
    assert_eq!(show::line("no record"), "no record");
}
