use host::Tasks;
use model::{Timestamp, Version};

use super::*;
use crate::logs::files::{Files, Name, Retention};

/// Logs of functions `f` and `g`, of which `g` shares the group `/shared` with `h`.
fn shelf(dir: &Path) -> Shelf {
    let retention = Retention::default();
    let files = Files::start(dir.to_owned(), retention, &Tasks::in_place()).unwrap();
    for (function, group, environment, text) in [
        ("f", None, "e1", "one\n"),
        ("f", None, "e2", "two\n"),
        ("g", Some("/shared"), "e3", "three\n"),
        ("h", Some("/shared"), "e4", "four\n"),
    ] {
        let mut log = files.open(Name {
            function: model::FunctionId {
                account: AccountId::DEFAULT,
                region: Region::default(),
                name: function.parse().unwrap(),
            },
            group: group.map(str::to_owned),
            version: Version::Latest,
            at: Timestamp(1_767_323_045_123),
            environment: environment.into(),
            least: None,
        });
        log.append(Timestamp(1_767_323_045_123), text.as_bytes());
    }
    Shelf::new(dir.to_owned())
}

fn group(name: &str) -> Group {
    Group {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: name.to_owned(),
    }
}

#[test]
fn groups_are_those_of_one_account_and_region_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = shelf(dir.path());
    let names = |account: &str, region: &str, wanted: &Groups| {
        let (account, region) = (account.parse().unwrap(), region.parse().unwrap());
        let (groups, more) = shelf.groups(account, &region, wanted).unwrap();
        let names = groups.into_iter().map(|group| {
            assert!(group.created > 0 && group.stored > 0, "{group:?}");
            group.name
        });
        (names.collect::<Vec<_>>(), more)
    };
    let mut wanted = Groups {
        limit: 10,
        ..Groups::default()
    };
    let own = AccountId::DEFAULT.to_string();
    let both = vec!["/aws/lambda/f".to_owned(), "/shared".to_owned()];
    assert_eq!(names(&own, "us-east-1", &wanted), (both.clone(), false));
    assert_eq!(names("123456789012", "us-east-1", &wanted), (vec![], false));
    assert_eq!(names(&own, "eu-west-1", &wanted), (vec![], false));
    wanted.pattern = "hare".into();
    assert_eq!(names(&own, "us-east-1", &wanted).0, both[1..]);
    (wanted.pattern, wanted.limit) = (String::new(), 1);
    assert_eq!(
        names(&own, "us-east-1", &wanted),
        (both[..1].to_vec(), true)
    );
    wanted.after = both[0].clone();
    assert_eq!(
        names(&own, "us-east-1", &wanted),
        (both[1..].to_vec(), false)
    );
}

#[test]
fn streams_come_in_either_order_and_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = shelf(dir.path());
    let (f, shared) = (group("/aws/lambda/f"), group("/shared"));
    let names = |group: &Group, listing: &Listing| {
        let chosen = Chosen::default();
        let (streams, more) = shelf.streams(group, &chosen, listing).unwrap().unwrap();
        let names = streams.into_iter().map(|stream| {
            assert_eq!(stream.first, 1_767_323_045_123);
            stream.name
        });
        (names.collect::<Vec<_>>(), more)
    };
    let mut listing = Listing {
        limit: 10,
        ..Listing::default()
    };
    let of_f = ["2026/01/02/[$LATEST]e1", "2026/01/02/[$LATEST]e2"];
    assert_eq!(
        names(&f, &listing),
        (of_f.map(str::to_owned).to_vec(), false)
    );
    assert_eq!(
        names(&shared, &listing).0,
        ["2026/01/02/g[$LATEST]e3", "2026/01/02/h[$LATEST]e4"]
    );
    listing.descending = true;
    listing.limit = 1;
    assert_eq!(names(&f, &listing), (vec![of_f[1].to_owned()], true));
    listing.after = Some((0, of_f[1].to_owned()));
    assert_eq!(names(&f, &listing), (vec![of_f[0].to_owned()], false));
    listing = Listing {
        by_last_event: true,
        limit: 10,
        ..Listing::default()
    };
    assert_eq!(names(&f, &listing).0.len(), 2);
    let none = shelf.streams(&group("/none"), &Chosen::default(), &listing);
    assert_eq!(none.unwrap(), None);
}

#[test]
fn events_of_the_streams_that_were_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = shelf(dir.path());
    let wanted = Wanted {
        start: 0,
        end: u64::MAX,
        after: None,
        before: None,
        newest: false,
        filter: None,
        limit: 10,
        bytes: 1 << 20,
    };
    let read = |name: &str, names: &[&str], prefixes: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let chosen = Chosen {
            names: owned(names),
            prefixes: owned(prefixes),
        };
        let found = shelf.events(&group(name), &chosen, &wanted).unwrap()?;
        let texts = found.0.events.into_iter().map(|event| event.message);
        Some((texts.collect::<String>(), found.1))
    };
    let check = |got: Option<(String, bool)>, text: &str, is_there: bool| {
        assert_eq!(got, Some((text.to_owned(), is_there)));
    };
    check(read("/aws/lambda/f", &[], &[]), "one\ntwo\n", true);
    check(
        read("/aws/lambda/f", &["2026/01/02/[$LATEST]e2"], &[]),
        "two\n",
        true,
    );
    check(read("/aws/lambda/f", &["e2"], &[]), "", false);
    check(read("/shared", &[], &["2026/01/02/h"]), "four\n", true);
    assert_eq!(read("/aws/lambda/g", &[], &[]), None);
}
