use super::*;
use crate::{
    line::{Head, encode},
    testing::{Memory, NOW, call, chain, writer},
};

fn ids(page: &Page) -> Vec<String> {
    let ids = page.records.iter().map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["request_id"].as_str().unwrap_or("-").to_owned()
    });
    ids.collect()
}

#[tokio::test]
async fn pages_follow_one_another_across_segments() {
    let (segments, _) = chain(&[3, 1, 3]);
    let memory = Memory::holding(segments);
    for limit in [1, 2, 3, 7, 100] {
        let (mut all, mut from, mut pages) = (Vec::new(), Cursor::default(), 0);
        loop {
            let next = page(&memory, &Filter::default(), from, limit)
                .await
                .unwrap();
            assert!(next.records.len() <= limit);
            all.extend(ids(&next));
            pages += 1;
            let Some(cursor) = next.next else { break };
            from = cursor.to_string().parse().unwrap();
        }
        assert_eq!(all, ["r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
        assert_eq!(pages, 7_usize.div_ceil(limit), "{limit}");
    }
}

#[tokio::test]
async fn a_filter_chooses_by_time_operation_and_account() {
    let mut head = Head::NONE;
    let mut bytes = Vec::new();
    for (id, operation, at) in [
        ("a", "Get", 0),
        ("b", "Create", 1000),
        ("c", "Create", 2000),
    ] {
        let time = NOW.plus(std::time::Duration::from_millis(at));
        let (line, next) = encode(head, &writer(), time, &call(id, operation)).unwrap();
        bytes.extend(line);
        head = next;
    }
    let memory = Memory::holding([(1, bytes)]);
    let check = async |filter: Filter, expected: &[&str]| {
        let page = page(&memory, &filter, Cursor::default(), 10).await.unwrap();
        assert_eq!(ids(&page), expected, "{filter:?}");
    };
    let since = |ms| Some(NOW.plus(std::time::Duration::from_millis(ms)));
    let all = Filter::default;
    check(all(), &["a", "b", "c"]).await;
    check(
        Filter {
            since: since(0),
            ..all()
        },
        &["a", "b", "c"],
    )
    .await;
    check(
        Filter {
            since: since(1),
            ..all()
        },
        &["b", "c"],
    )
    .await;
    check(
        Filter {
            since: since(2001),
            ..all()
        },
        &[],
    )
    .await;
    let operation = Some("Create".to_owned());
    check(Filter { operation, ..all() }, &["b", "c"]).await;
    for (account, expected) in [("123456789012", 3), ("210987654321", 0)] {
        let account = Some(account.to_owned());
        let filter = Filter { account, ..all() };
        let page = page(&memory, &filter, Cursor::default(), 10).await.unwrap();
        assert_eq!(page.records.len(), expected);
    }
}

#[tokio::test]
async fn one_page_looks_at_a_bounded_part_of_the_log_and_the_next_goes_on() {
    let (segments, _) = chain(&[1]);
    let line = &segments[&1];
    let many = 2 * LOOK_MAX / line.len() + 1;
    let memory = Memory::holding([(1, line.repeat(many))]);
    let nothing = Filter {
        operation: Some("None".to_owned()),
        ..Filter::default()
    };
    let (mut from, mut pages) = (Cursor::default(), 0);
    loop {
        let next = page(&memory, &nothing, from, 10).await.unwrap();
        assert!(next.records.is_empty());
        pages += 1;
        let Some(cursor) = next.next else { break };
        assert!(cursor > from);
        from = cursor;
    }
    assert!((2..=4).contains(&pages), "{pages}");
}

#[tokio::test]
async fn what_is_no_record_is_shown_or_passed_over() {
    let (segments, _) = chain(&[1]);
    let line = segments[&1].clone();
    let endless = vec![b'x'; 3 * CHUNK];
    let memory = Memory::holding([
        (1, [&line[..], b"no record\n", &line[..]].concat()),
        (2, [&endless[..], b"\n", &line[..]].concat()),
        (3, [&line[..], b"{\"v\":1"].concat()),
    ]);
    let page = page(&memory, &Filter::default(), Cursor::default(), 100)
        .await
        .unwrap();
    assert_eq!(page.next, None);
    let told: Vec<_> = page.records.iter().map(|r| r.len()).collect();
    let whole = line.len() - 1;
    assert_eq!((told[0], told[1], told[2]), (whole, 9, whole));
    assert_eq!(told.last(), Some(&whole));
}

#[test]
fn cursors_are_read_as_they_are_written() {
    for text in ["", "1", "1-", "-1", "a-b", "1-2-3"] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}
