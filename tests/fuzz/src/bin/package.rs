//! Deployment packages: what is accepted stays within its root and within its limits, whoever unpacks it and however much of it
//! he reads.
//!
//! The first byte says what the rest is: a zip as it is, or entries of which a zip is made that is whole, because chance finds
//! no checksum.

#![no_main]

use std::{collections::BTreeMap, io::Cursor};

use libfuzzer_sys::fuzz_target;
use package::{Kind, PackageError, PackageLimits, Summary, WalkError, for_each_entry, inspect};

const LIMITS: PackageLimits = PackageLimits {
    zipped: 4096,
    unzipped: 16 << 10,
    entries: 12,
};

/// Links that lead to links: what more there is, is a circle.
const HOPS_MAX: usize = 40;

/// What an unpacked package would be.
type Tree = BTreeMap<String, Node>;

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Directory,
    File(Vec<u8>),
    Link(String),
}

fuzz_target!(|input: &[u8]| {
    match input {
        [b'z', zip @ ..] => drop(unpacked(zip)),
        [b'e', entries @ ..] => {
            let entries = described(entries);
            if let Some(tree) = unpacked(&zip(&entries)) {
                all_there(&entries, &tree);
                climbing(&entries, &tree);
            }
        }
        _ => {}
    }
});

/// The tree of a package that is accepted.
fn unpacked(zip: &[u8]) -> Option<Tree> {
    let inspected = inspect(zip, &LIMITS);
    let mut tree = Tree::new();
    let walked = walk(zip, Some(&mut tree));
    let unread = walk(zip, None);
    match (inspected, walked, unread) {
        (Ok(summary), Ok(walked), Ok(unread)) => {
            assert_eq!((summary, summary), (walked, unread));
            within_limits(zip, summary, &tree);
            for path in tree.keys() {
                within_root(path, &tree);
            }
            Some(tree)
        }
        (Err(_), Err(_), Err(_)) => None,
        // These two are what a walk leaves to an inspection.
        (
            Err(PackageError::ZippedTooLarge { .. } | PackageError::TooManyEntries { .. }),
            Ok(_),
            Ok(_),
        ) => None,
        (inspected, walked, unread) => panic!("{inspected:?}, {walked:?}, {unread:?}"),
    }
}

fn walk(zip: &[u8], mut tree: Option<&mut Tree>) -> Result<Summary, WalkError<std::io::Error>> {
    let mut left = LIMITS.unzipped;
    for_each_entry(Cursor::new(zip), &LIMITS, |entry| {
        assert!(entry.mode.is_none_or(|mode| mode <= 0o777));
        let node = match entry.kind {
            Kind::Directory => Node::Directory,
            Kind::Symlink { target } => Node::Link(target.to_owned()),
            Kind::File { size, content } => {
                left = left.checked_sub(size).expect("files within the limit");
                let mut bytes = Vec::new();
                if tree.is_some() {
                    content.read_to_end(&mut bytes)?;
                    assert_eq!(u64::try_from(bytes.len()).ok(), Some(size));
                }
                Node::File(bytes)
            }
        };
        if let Some(tree) = &mut tree {
            // A directory would be made for what lies in it; its own entry may only come before.
            let beneath = format!("{}/", entry.path);
            assert!(!tree.keys().any(|path| path.starts_with(&beneath)));
            assert_eq!(tree.insert(entry.path.to_owned(), node), None);
        }
        Ok(())
    })
}

fn within_limits(zip: &[u8], summary: Summary, tree: &Tree) {
    let bytes: usize = tree
        .values()
        .map(|node| match node {
            Node::File(bytes) => bytes.len(),
            Node::Directory | Node::Link(_) => 0,
        })
        .sum();
    assert_eq!(u64::try_from(bytes).ok(), Some(summary.unzipped));
    assert_eq!(u64::try_from(tree.len()).ok(), Some(summary.entries));
    assert!(summary.unzipped <= LIMITS.unzipped && summary.entries <= LIMITS.entries);
    assert!(u64::try_from(zip.len()).expect("a length") <= LIMITS.zipped);
    assert!(tree.values().any(|node| *node != Node::Directory));
}

/// A path that a file system takes, over nothing but directories, and, if it is a link, one that leads nowhere else.
fn within_root(path: &str, tree: &Tree) {
    let names: Vec<&str> = path.split('/').collect();
    assert!(path.len() < 4096 && !path.contains(['\0', '\\']), "{path}");
    for name in &names {
        assert!(
            !matches!(*name, "" | "." | "..") && name.len() <= 255,
            "{path}"
        );
    }
    for end in 1..names.len() {
        let above = tree.get(&names[..end].join("/"));
        assert!(matches!(above, None | Some(Node::Directory)), "{path}");
    }
    if let Some(Node::Link(target)) = tree.get(path) {
        let mut at: Vec<&str> = names[..names.len() - 1].to_vec();
        follow(&mut at, target, tree, HOPS_MAX);
    }
}

/// Goes where a link leads, as a kernel would, and gives up on circles; `at` is the directory that it lies in.
fn follow<'t>(at: &mut Vec<&'t str>, target: &'t str, tree: &'t Tree, hops: usize) -> Option<()> {
    let hops = hops.checked_sub(1)?;
    assert!(!target.starts_with('/'), "{target}");
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(at.pop().expect("a way up that stays within the root")),
            name => {
                at.push(name);
                if let Some(Node::Link(next)) = tree.get(&at.join("/")) {
                    at.pop();
                    follow(at, next, tree, hops)?;
                }
            }
        }
    }
    Some(())
}

#[derive(Clone)]
struct Described<'a> {
    mode: u16,
    name: &'a [u8],
    content: &'a [u8],
}

/// Entries, each as its mode (two bytes), the lengths of name and content (one byte each), name and content.
fn described(mut rest: &[u8]) -> Vec<Described<'_>> {
    let mut entries = Vec::new();
    while let [high, low, name, content, after @ ..] = rest {
        let (name, after) = after.split_at(usize::from(*name).min(after.len()));
        let (content, after) = after.split_at(usize::from(*content).min(after.len()));
        entries.push(Described {
            mode: u16::from(*high) << 8 | u16::from(*low),
            name,
            content,
        });
        rest = after;
    }
    entries
}

/// A zip of these entries, stored as they are.
fn zip(entries: &[Described<'_>]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = length(zip.len()).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc32fast::hash(entry.content).to_le_bytes());
        common.extend(length(entry.content.len()).to_le_bytes());
        common.extend(length(entry.content.len()).to_le_bytes());
        common.extend(short(entry.name.len()).to_le_bytes());
        common.extend([0; 2]);
        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        zip.extend(entry.name);
        zip.extend(entry.content);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((u32::from(entry.mode) << 16).to_le_bytes());
        directory.extend(offset);
        directory.extend(entry.name);
    }
    let offset = length(zip.len());
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend(short(entries.len()).to_le_bytes());
    zip.extend(short(entries.len()).to_le_bytes());
    zip.extend(length(directory.len()).to_le_bytes());
    zip.extend(offset.to_le_bytes());
    zip.extend([0; 2]);
    zip
}

/// Nothing of what was described is missing, and nothing else is there.
fn all_there(entries: &[Described<'_>], tree: &Tree) {
    let files = |node: &&Node| matches!(node, Node::File(_));
    let regular = |entry: &&Described<'_>| entry.mode & 0o170_000 == 0o100_000;
    let described = entries.iter().filter(regular);
    for entry in described.clone() {
        let found = tree
            .values()
            .filter(files)
            .any(|node| matches!(node, Node::File(bytes) if bytes == entry.content));
        assert!(found, "a file that is not there");
    }
    assert!(tree.len() <= entries.len());
    assert!(tree.values().filter(files).count() >= described.count());
}

/// Beside every link one that climbs from wherever the first leads: two that fit are not found by chance.
fn climbing(entries: &[Described<'_>], tree: &Tree) {
    let links = tree
        .iter()
        .filter(|(_, node)| matches!(node, Node::Link(_)));
    for (path, _) in links {
        let (name, target) = (
            format!("{path}+"),
            format!("{}/..", path.rsplit('/').next().unwrap_or(path)),
        );
        let mut more = entries.to_vec();
        more.push(Described {
            mode: 0o120_777,
            name: name.as_bytes(),
            content: target.as_bytes(),
        });
        unpacked(&zip(&more));
    }
}

fn length(n: usize) -> u32 {
    u32::try_from(n).expect("short")
}

fn short(n: usize) -> u16 {
    u16::try_from(n).expect("short")
}
