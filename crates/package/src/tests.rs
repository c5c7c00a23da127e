use std::{collections::BTreeMap, io::Write};

use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

const LIMITS: PackageLimits = PackageLimits {
    zipped: 10_000_000,
    unzipped: 1_000_000,
    entries: 100,
};

/// A zip with these entries, deflated; a name that ends with a slash is a directory.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

/// A zip made by hand: the writer of the library refuses much of what an attacker would write.
struct Raw {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl Raw {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            directory: Vec::new(),
            entries: 0,
        }
    }

    /// A stored entry with this mode in its external attributes.
    fn stored(self, name: &[u8], mode: u32, content: &[u8]) -> Self {
        let size = u32::try_from(content.len()).unwrap();
        self.entry(
            name,
            mode,
            (0, crc32fast::hash(content)),
            (size, size),
            content,
        )
    }

    fn entry(
        mut self,
        name: &[u8],
        mode: u32,
        (method, crc): (u16, u32),
        (packed, size): (u32, u32),
        content: &[u8],
    ) -> Self {
        let offset = u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend(b"PK\x03\x04");
        Self::common(&mut self.bytes, name, method, crc, packed, size);
        self.bytes.extend(name);
        self.bytes.extend(content);
        self.link(name, mode, (method, crc), (packed, size), offset)
    }

    /// An entry of the directory whose data is at `offset`.
    fn link(
        mut self,
        name: &[u8],
        mode: u32,
        (method, crc): (u16, u32),
        (packed, size): (u32, u32),
        offset: u32,
    ) -> Self {
        let directory = &mut self.directory;
        directory.extend(b"PK\x01\x02\x14\x03");
        Self::common(directory, name, method, crc, packed, size);
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name);
        self.entries += 1;
        self
    }

    fn common(out: &mut Vec<u8>, name: &[u8], method: u16, crc: u32, packed: u32, size: u32) {
        out.extend([20, 0, 0, 0]);
        out.extend(method.to_le_bytes());
        out.extend([0; 4]);
        out.extend(crc.to_le_bytes());
        out.extend(packed.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        out.extend([0; 2]);
    }

    fn finish(mut self) -> Vec<u8> {
        let offset = u32::try_from(self.bytes.len()).unwrap();
        let size = u32::try_from(self.directory.len()).unwrap();
        self.bytes.extend(self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend(offset.to_le_bytes());
        self.bytes.extend([0; 2]);
        self.bytes
    }
}

#[track_caller]
fn refused(zip: &[u8]) -> String {
    match inspect(zip, &LIMITS) {
        Ok(summary) => format!("accepted: {summary:?}"),
        Err(e) => e.to_string(),
    }
}

/// What a visitor sees: path, mode and a word on the content.
fn seen(zip: &[u8]) -> Vec<(String, Option<u32>, String)> {
    let mut seen = Vec::new();
    for_each_entry(Cursor::new(zip), &LIMITS, |entry| {
        let what = match entry.kind {
            Kind::Directory => "directory".to_owned(),
            Kind::Symlink { target } => format!("-> {target}"),
            Kind::File { content, .. } => {
                let mut text = String::new();
                content.read_to_string(&mut text)?;
                text
            }
        };
        seen.push((entry.path.to_owned(), entry.mode, what));
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
    seen
}

#[test]
fn an_ordinary_package() {
    let zip = zip(&[
        ("lib/b.py", b"bb"),
        ("a.py", b"aaa"),
        ("lib/", b""),
        ("empty", b""),
    ]);
    assert_eq!(
        inspect(&zip, &LIMITS).unwrap(),
        Summary {
            entries: 4,
            unzipped: 5
        }
    );
    let entry = |path: &str, what: &str| (path.to_owned(), Some(0o755), what.to_owned());
    assert_eq!(
        seen(&zip),
        [
            entry("a.py", "aaa"),
            entry("empty", ""),
            entry("lib", "directory"),
            entry("lib/b.py", "bb")
        ]
    );
}

#[test]
fn modes_lose_their_special_bits_and_may_be_absent() {
    let zip = Raw::new()
        .stored(b"s", 0o104_755, b"x")
        .stored(b"n", 0, b"y")
        .finish();
    assert_eq!(
        seen(&zip),
        [
            ("n".to_owned(), None, "y".to_owned()),
            ("s".to_owned(), Some(0o755), "x".to_owned())
        ]
    );
}

#[test]
fn names_are_normalised() {
    let zip = Raw::new()
        .stored(b"./", 0o040_755, b"")
        .stored(b"./a//b", 0o100_644, b"x")
        .stored(b"d", 0o040_755, b"")
        .finish();
    let paths: Vec<_> = seen(&zip)
        .into_iter()
        .map(|(path, _, what)| (path, what))
        .collect();
    assert_eq!(
        paths,
        [
            ("a/b".to_owned(), "x".to_owned()),
            ("d".to_owned(), "directory".to_owned())
        ]
    );
}

#[test]
fn what_is_no_zip() {
    for bytes in [
        &b""[..],
        b"PK",
        b"hello",
        &[0; 100],
        &zip(&[("a", b"x")])[4..],
    ] {
        assert_eq!(refused(bytes), "the package is not a readable zip");
    }
    let whole = zip(&[("a", b"x"), ("b", b"y")]);
    for cut in 0..whole.len() {
        assert!(inspect(&whole[..cut], &LIMITS).is_err(), "{cut}");
    }
    assert_eq!(refused(&zip(&[])), "the package has no files");
    assert_eq!(refused(&zip(&[("d/", b"")])), "the package has no files");
}

#[test]
fn unsafe_names() {
    let long = [b"a".as_slice(); 130].join(&b'/');
    for (name, why) in [
        (&b"../a"[..], "it climbs with `..`"),
        (b"a/../../b", "it climbs with `..`"),
        (b"a/..", "it climbs with `..`"),
        (b"/etc/passwd", "it is an absolute path"),
        (b"a\\..\\b", "it has a backslash in it"),
        (b"C:\\a", "it has a backslash in it"),
        (b"a\0b", "it has a NUL in it"),
        (b".", "it names nothing"),
        (&[b'a'; 256], "it is too deep, or a name in it is too long"),
        (&[b'a'; 5000], "it is too long"),
        (&long, "it is too deep, or a name in it is too long"),
    ] {
        let refused = refused(&Raw::new().stored(name, 0o100_644, b"x").finish());
        assert!(
            refused.ends_with(why),
            "{:?}: {refused}",
            String::from_utf8_lossy(name)
        );
    }
    // A name that is not UTF-8 is read as zip's old code page.
    let zip = Raw::new().stored(b"gr\x81n", 0o100_644, b"x").finish();
    assert_eq!(seen(&zip)[0].0, "grün");
}

#[test]
fn duplicates_and_files_used_as_directories() {
    let pair = |a: &[u8], b: &[u8]| {
        refused(
            &Raw::new()
                .stored(a, 0o100_644, b"x")
                .stored(b, 0o100_644, b"y")
                .finish(),
        )
    };
    assert_eq!(pair(b"a", b"a"), "two entries have the name \"\"");
    assert_eq!(pair(b"a", b"./a"), "two entries have the name \"a\"");
    assert_eq!(pair(b"a//b", b"a/b"), "two entries have the name \"a/b\"");
    assert_eq!(
        pair(b"a/b", b"a"),
        "the entry \"a/b\" lies beneath \"a\", which is not a directory"
    );
    // `a-` sorts between `a` and `a/b` by bytes; the check must not be fooled.
    let zip = Raw::new()
        .stored(b"a-", 0o100_644, b"")
        .stored(b"a/b", 0o100_644, b"")
        .stored(b"a", 0o100_644, b"")
        .finish();
    assert_eq!(
        refused(&zip),
        "the entry \"a/b\" lies beneath \"a\", which is not a directory"
    );
    let zip = Raw::new()
        .stored(b"a", 0o120_777, b"d")
        .stored(b"a/b", 0o100_644, b"")
        .stored(b"d/", 0o040_755, b"")
        .finish();
    assert_eq!(
        refused(&zip),
        "the entry \"a/b\" lies beneath \"a\", which is not a directory"
    );
}

#[test]
fn special_files() {
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
        let refused = refused(&Raw::new().stored(b"a", kind | 0o644, b"").finish());
        assert!(
            refused.starts_with("the entry \"a\" is neither file, directory nor symbolic link"),
            "{refused}"
        );
    }
    for (name, mode) in [(&b"a/"[..], 0o100_644), (b"a/", 0o120_777)] {
        assert!(refused(&Raw::new().stored(name, mode, b"").finish()).contains("is neither"));
    }
}

#[test]
fn links() {
    let link = |path: &[u8], target: &[u8]| {
        Raw::new()
            .stored(path, 0o120_777, target)
            .stored(b"f", 0o100_644, b"")
            .finish()
    };
    for (path, target) in [
        (&b"l"[..], &b"f"[..]),
        (b"a/l", b"../f"),
        (b"a/b/l", b"../../f"),
        (b"l", b"./a/f"),
        (b"node_modules/.bin/x", b"../x/cli.js"),
    ] {
        assert!(
            inspect(&link(path, target), &LIMITS).is_ok(),
            "{}",
            String::from_utf8_lossy(target)
        );
    }
    let target = String::from_utf8(b"../f".to_vec()).unwrap();
    assert_eq!(seen(&link(b"a/l", b"../f"))[0].2, format!("-> {target}"));
    for (path, target) in [
        (&b"l"[..], &b"/etc/passwd"[..]),
        (b"l", b"../x"),
        (b"l", b".."),
        (b"a/l", b"../../x"),
        (b"l", b"a/../f"),
        (b"l", b"a/../../x"),
        (b"l", b""),
        (b"l", b"a\0"),
        (b"l", b"..\\x"),
        (b"l", b"\xff"),
        (b"l", &[b'a'; 5000]),
    ] {
        assert_eq!(
            refused(&link(path, target)),
            format!(
                "the symbolic link {:?} leads out of the package",
                String::from_utf8_lossy(path)
            )
        );
    }
}

#[test]
fn sizes_are_limited_as_declared_and_as_inflated() {
    let limit = usize::try_from(LIMITS.unzipped).unwrap();
    let exact = zip(&[("a", &vec![0; limit - 1]), ("b", b"x")]);
    assert_eq!(inspect(&exact, &LIMITS).unwrap().unzipped, LIMITS.unzipped);
    let above = zip(&[("a", &vec![0; limit]), ("b", b"x")]);
    assert_eq!(
        refused(&above),
        "expected a package of at most 1000000 bytes once unpacked"
    );

    // A bomb that declares little: what it really holds is never inflated.
    let honest = zip(&[("a", &vec![0; 100_000_000])]);
    let archive = ZipArchive::new(Cursor::new(&honest)).unwrap();
    let (entry, start) = (archive.by_index_data(0).unwrap(), 30 + 1);
    let packed = &honest[start..start + usize::try_from(entry.compressed_size()).unwrap()];
    assert_eq!(entry.compression(), CompressionMethod::Deflated);
    for declared in [10, 999_999] {
        let sizes = (u32::try_from(packed.len()).unwrap(), declared);
        let liar = Raw::new()
            .entry(b"a", 0o100_644, (8, entry.crc32()), sizes, packed)
            .finish();
        assert_eq!(refused(&liar), "the entry \"a\" is damaged");
    }
}

#[test]
fn damage_is_not_the_visitors_fault() {
    let short = Raw::new()
        .entry(b"a", 0o100_644, (0, crc32fast::hash(b"xy")), (2, 3), b"xy")
        .finish();
    assert_eq!(refused(&short), "the entry \"a\" is damaged");
    let wrong = Raw::new()
        .entry(b"a", 0o100_644, (0, 1), (2, 2), b"xy")
        .finish();
    assert_eq!(refused(&wrong), "the entry \"a\" is damaged");
    let walked = for_each_entry(Cursor::new(&wrong), &LIMITS, |entry| match entry.kind {
        Kind::File { content, .. } => std::io::copy(content, &mut std::io::sink()).map(|_| ()),
        Kind::Directory | Kind::Symlink { .. } => Ok(()),
    });
    assert!(
        matches!(
            walked,
            Err(WalkError::Package(PackageError::Damaged { .. }))
        ),
        "{walked:?}"
    );
    // Encrypted.
    let mut zip = zip(&[("a", b"x")]);
    zip[6] |= 1;
    let directory = zip.windows(4).position(|w| w == DIRECTORY_ENTRY).unwrap();
    zip[directory + 8] |= 1;
    assert!(inspect(&zip, &LIMITS).is_err());
}

#[test]
fn a_visitor_may_give_up_and_may_leave_content_unread() {
    let zip = zip(&[("a", b"x"), ("b", b"y")]);
    let gave_up = for_each_entry(Cursor::new(&zip), &LIMITS, |_| Err("enough"));
    assert!(matches!(gave_up, Err(WalkError::Visitor("enough"))));
    let damaged = Raw::new()
        .entry(b"a", 0o100_644, (0, 1), (2, 2), b"xy")
        .finish();
    assert!(for_each_entry(Cursor::new(&damaged), &LIMITS, |_| Ok::<_, ()>(())).is_err());
}

#[test]
fn entries_are_counted_before_they_are_read() {
    let names: Vec<String> = (0..101).map(|i| i.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
    assert_eq!(
        inspect(&zip(&entries[..100]), &LIMITS).unwrap().entries,
        100
    );
    assert_eq!(
        refused(&zip(&entries)),
        "expected a package of at most 100 entries"
    );
    let flood = [zip(&entries[..1]), DIRECTORY_ENTRY.repeat(201)].concat();
    assert_eq!(refused(&flood), "expected a package of at most 100 entries");
    let small = PackageLimits {
        zipped: 10,
        ..LIMITS
    };
    assert!(matches!(
        inspect(&[0; 11], &small),
        Err(PackageError::ZippedTooLarge {
            limit: 10,
            size: 11
        })
    ));
}

#[test]
fn entries_may_not_share_their_data() {
    let content = [b'x'; 1000];
    let crc = crc32fast::hash(&content);
    let mut raw = Raw::new().stored(b"first", 0o100_644, &content);
    for i in 0..50 {
        raw = raw.link(
            format!("{i:05}").as_bytes(),
            0o100_644,
            (0, crc),
            (1000, 1000),
            0,
        );
    }
    assert_eq!(
        refused(&raw.finish()),
        "entries of the package share their data"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_zipped_is_seen(files in proptest::collection::btree_map("[a-z]{1,3}(/[A-Z]{1,3}){0,2}", proptest::collection::vec(any::<u8>(), 0..300), 1..12)) {
        // A path that another one lies beneath would be file and directory.
        let files: BTreeMap<_, _> = files.iter().filter(|(p, _)| !files.keys().any(|other| other.starts_with(&format!("{p}/")))).collect();
        let entries: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), c.as_slice())).collect();
        let mut unpacked = BTreeMap::new();
        let summary = for_each_entry(Cursor::new(zip(&entries)), &LIMITS, |entry| {
            if let Kind::File { content, size } = entry.kind {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                assert_eq!(bytes.len() as u64, size);
                unpacked.insert(entry.path.to_owned(), bytes);
            }
            Ok::<_, std::io::Error>(())
        }).unwrap();
        prop_assert_eq!(summary.unzipped, files.values().map(|c| c.len() as u64).sum::<u64>());
        prop_assert!(unpacked.iter().eq(files.iter().map(|(p, c)| (*p, *c))));
    }

    #[test]
    fn a_damaged_zip_is_answered(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = zip(&[("a/b", b"hello hello hello"), ("c", b"x")]);
        let at = position.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let _ = inspect(&bytes, &LIMITS);
    }

    #[test]
    fn no_accepted_link_leaves_the_package(path in "[ab](/[ab]){0,3}", target in "(\\.\\.|\\.|[ab]|)(/(\\.\\.|\\.|[ab]|)){0,5}") {
        if plan::check_link(&path, &target).is_ok() {
            let mut depth = i64::try_from(path.matches('/').count()).unwrap();
            for name in target.split('/') {
                depth += match name { "" | "." => 0, ".." => -1, _ => 1 };
                prop_assert!(depth >= 0);
            }
        }
    }
}
