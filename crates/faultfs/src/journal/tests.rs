use super::*;
use crate::image::{Body, ROOT};

fn create(journal: &mut Journal, ino: Ino, directory: Ino, name: &str, kind: Kind) {
    journal.take(&Step::Create { ino, kind });
    journal.take(&Step::Change(Op::Link {
        directory,
        name: name.into(),
        ino,
    }));
}

fn write(journal: &mut Journal, ino: Ino, offset: u64, bytes: &[u8]) {
    let bytes = bytes.into();
    journal.take(&Step::Change(Op::Write { ino, offset, bytes }));
}

fn rename(journal: &mut Journal, from: (Ino, &str), to: (Ino, &str), ino: Ino) {
    journal.take(&Step::Change(Op::Rename {
        from: (from.0, from.1.into()),
        to: (to.0, to.1.into()),
        ino,
    }));
}

fn kept(journal: &Journal, survival: Survival) -> Image {
    journal.after(&journal.survivors(survival))
}

fn content<'a>(image: &'a Image, path: &str) -> Option<&'a [u8]> {
    let ino = *image.files().get(std::path::Path::new(path))?;
    match &image.get(ino)?.body {
        Body::File(bytes) => Some(image_bytes(bytes)),
        Body::Directory(_) | Body::Symlink(_) => None,
    }
}

fn image_bytes(bytes: &Arc<Vec<u8>>) -> &[u8] {
    bytes.as_slice()
}

#[test]
fn a_file_needs_two_syncs() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "a", Kind::File(0o600));
    write(&mut journal, 2, 0, b"hello");
    assert_eq!(
        content(&kept(&journal, Survival::Everything), "a"),
        Some(&b"hello"[..])
    );
    assert_eq!(content(&kept(&journal, Survival::Nothing), "a"), None);
    journal.take(&Step::SyncFile(2));
    assert_eq!(content(&kept(&journal, Survival::Nothing), "a"), None);
    journal.take(&Step::SyncDirectory(ROOT));
    assert_eq!(
        content(&kept(&journal, Survival::Nothing), "a"),
        Some(&b"hello"[..])
    );
    assert!(journal.pending().is_empty());
}

#[test]
fn a_name_without_its_content_is_an_empty_file() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "a", Kind::File(0o600));
    write(&mut journal, 2, 0, b"hello");
    journal.take(&Step::SyncDirectory(ROOT));
    assert_eq!(
        content(&kept(&journal, Survival::Nothing), "a"),
        Some(&b""[..])
    );
}

#[test]
fn a_rename_is_whole_and_arrives_with_its_target() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "from", Kind::Directory(0o700));
    create(&mut journal, 3, ROOT, "to", Kind::Directory(0o700));
    journal.take(&Step::SyncDirectory(ROOT));
    create(&mut journal, 4, 2, "a", Kind::File(0o600));
    write(&mut journal, 4, 0, b"x");
    journal.take(&Step::SyncFile(4));
    rename(&mut journal, (2, "a"), (3, "b"), 4);
    journal.take(&Step::SyncDirectory(2));
    assert_eq!(
        content(&kept(&journal, Survival::Nothing), "from/a"),
        Some(&b"x"[..])
    );
    journal.take(&Step::SyncDirectory(3));
    let image = kept(&journal, Survival::Nothing);
    assert_eq!(content(&image, "from/a"), None);
    assert_eq!(content(&image, "to/b"), Some(&b"x"[..]));
}

#[test]
fn changes_of_one_name_keep_their_order() {
    let mut journal = Journal::default();
    for round in 2..6 {
        create(&mut journal, round, ROOT, "new", Kind::File(0o600));
        write(&mut journal, round, 0, &[u8::try_from(round).unwrap()]);
        journal.take(&Step::SyncFile(round));
        rename(&mut journal, (ROOT, "new"), (ROOT, "name"), round);
    }
    for seed in 0..64 {
        for survival in [Survival::Some(seed), Survival::Reordered(seed)] {
            let image = kept(&journal, survival);
            // Whatever survives, a file is under one name, and whole.
            let inos: Vec<Ino> = image.files().into_values().collect();
            let distinct: BTreeSet<Ino> = inos.iter().copied().collect();
            assert_eq!(inos.len(), distinct.len(), "{survival}");
            assert!(content(&image, "name").is_none_or(|bytes| bytes.len() == 1));
        }
    }
}

#[test]
fn a_torn_write_is_whole_in_its_sectors_and_not_as_a_whole() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "a", Kind::File(0o600));
    write(&mut journal, 2, 0, &[1; 4096]);
    journal.take(&Step::SyncFile(2));
    journal.take(&Step::SyncDirectory(ROOT));
    write(&mut journal, 2, 256, &[2; 2048]);
    let mut distinct = BTreeSet::new();
    for seed in 0..64 {
        let image = kept(&journal, Survival::Torn(seed));
        let bytes = content(&image, "a").unwrap();
        assert_eq!(bytes.len(), 4096);
        assert!(bytes[256..2304].contains(&1), "seed {seed} tore nothing");
        for sector in bytes.chunks(512).skip(1).take(3) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
        distinct.insert(bytes.to_vec());
    }
    assert!(distinct.len() > 10);
}

#[test]
fn a_failed_sync_drops_what_waited() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "a", Kind::File(0o600));
    journal.take(&Step::SyncDirectory(ROOT));
    write(&mut journal, 2, 0, b"lost");
    journal.take(&Step::Forget(2));
    journal.take(&Step::SyncFile(2));
    assert_eq!(
        content(&kept(&journal, Survival::Everything), "a"),
        Some(&b""[..])
    );
}

#[test]
fn what_nobody_syncs_is_written_back_in_the_end() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "a", Kind::File(0o600));
    for at in 0..80 {
        write(&mut journal, 2, at << 20, &vec![7; 1 << 20]);
    }
    assert!(journal.pending_bytes() <= PENDING_BYTES_MAX);
    let image = kept(&journal, Survival::Nothing);
    assert!(content(&image, "a").is_some_and(|bytes| bytes.len() >= 16 << 20));
}

#[test]
fn what_cannot_be_reached_is_dropped() {
    let mut journal = Journal::default();
    create(&mut journal, 2, ROOT, "a", Kind::File(0o600));
    create(&mut journal, 3, ROOT, "b", Kind::File(0o600));
    journal.take(&Step::SyncDirectory(ROOT));
    journal.take(&Step::Change(Op::Unlink {
        directory: ROOT,
        name: "a".into(),
    }));
    journal.collect(&BTreeSet::new());
    assert!(
        journal.durable().get(2).is_some(),
        "the removal is not durable"
    );
    journal.take(&Step::SyncDirectory(ROOT));
    journal.collect(&BTreeSet::new());
    assert!(journal.durable().get(2).is_none());
    assert!(journal.durable().get(3).is_some());
}
