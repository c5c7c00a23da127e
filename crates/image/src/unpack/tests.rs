use std::{
    io::{Seek as _, Write as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
};

use super::*;

/// An archive under construction.
struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Writes a name as it is: the builder would refuse some.
    fn entry(mut self, name: &str, kind: EntryType, mode: u32, content: &[u8], link: &str) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000);
        header.set_size(u64::try_from(content.len()).unwrap());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn dir(self, name: &str, mode: u32) -> Self {
        self.entry(name, EntryType::Directory, mode, b"", "")
    }

    fn file(self, name: &str, mode: u32, content: &[u8]) -> Self {
        self.entry(name, EntryType::Regular, mode, content, "")
    }

    fn link(self, name: &str, kind: EntryType, to: &str) -> Self {
        self.entry(name, kind, 0o777, b"", to)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

const WIDE: Limits = Limits {
    bytes: 1 << 20,
    entries: 100,
};

struct Place {
    _place: tempfile::TempDir,
    root: PathBuf,
}

fn unpack_into(
    archive: &[u8],
    sent: &[u8],
    limits: Limits,
) -> (Place, Result<Unpacked, UnpackError>) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let mut file = tempfile::tempfile_in(place.path()).unwrap();
    file.write_all(sent).unwrap();
    file.rewind().unwrap();
    let done = unpack(file, &root, Digest::of(archive), limits);
    (
        Place {
            _place: place,
            root,
        },
        done,
    )
}

fn unpacked(layer: Layer) -> Place {
    let bytes = layer.bytes();
    let (place, done) = unpack_into(&bytes, &bytes, WIDE);
    done.unwrap();
    place
}

#[track_caller]
fn refused(layer: Layer, why: &str) {
    let bytes = layer.bytes();
    let (place, done) = unpack_into(&bytes, &bytes, WIDE);
    let error = done.unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    let beside = std::fs::read_dir(place.root.parent().unwrap()).unwrap();
    assert_eq!(beside.count(), 1, "nothing is made beside the directory");
}

#[test]
fn files_keep_times_and_the_right_to_be_executed_and_nothing_else() {
    let place = unpacked(
        Layer::new()
            .dir("./", 0o700)
            .dir("bin/", 0o700)
            .file("bin/su", 0o4711, b"x")
            .file("deep/er/secret", 0o600, b"content")
            .entry("dev/sda", EntryType::Block, 0o666, b"", "")
            .link("bin/sh", EntryType::Symlink, "/etc/passwd")
            .link("bin/again", EntryType::Link, "deep/er/secret"),
    );
    let found = |name: &str| std::fs::symlink_metadata(place.root.join(name)).unwrap();
    assert_eq!(found("bin").permissions().mode() & 0o7777, 0o755);
    assert_eq!(found("bin/su").permissions().mode() & 0o7777, 0o755);
    assert_eq!(found("deep/er/secret").permissions().mode() & 0o7777, 0o644);
    assert_eq!(found("bin/su").mtime(), 1_000_000);
    assert_eq!(found("bin/again").ino(), found("deep/er/secret").ino());
    assert_eq!(
        std::fs::read_link(place.root.join("bin/sh")).unwrap(),
        PathBuf::from("/etc/passwd")
    );
    assert!(std::fs::symlink_metadata(place.root.join("dev/sda")).is_err());
}

#[test]
fn every_compression_is_read() {
    let archive = Layer::new().file("a", 0o644, b"content").bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    let zstd = zstd::encode_all(archive.as_slice(), 1).unwrap();
    for sent in [archive.clone(), gzip.finish().unwrap(), zstd] {
        let (place, done) = unpack_into(&archive, &sent, WIDE);
        done.unwrap();
        assert_eq!(std::fs::read(place.root.join("a")).unwrap(), b"content");
    }
}

#[test]
fn whiteouts_become_those_of_overlayfs() {
    let place = unpacked(
        Layer::new()
            .file("etc/.wh.passwd", 0o644, b"")
            .file("opt/.wh..wh..opq", 0o644, b"")
            .file("opt/new", 0o644, b"")
            .dir("both/", 0o755)
            .file(".wh.both", 0o644, b"")
            .file("kept", 0o644, b"new")
            .file(".wh.kept", 0o644, b"")
            .file(".wh.back", 0o644, b"")
            .dir("back/", 0o755),
    );
    let hidden = std::fs::symlink_metadata(place.root.join("etc/passwd")).unwrap();
    assert!(hidden.file_type().is_char_device() && hidden.rdev() == 0);
    let is_opaque = |name: &str| {
        let mut value = [0_u8; 1];
        rustix::fs::getxattr(place.root.join(name), OPAQUE_ATTRIBUTE, &mut value).is_ok()
    };
    assert!(is_opaque("opt") && is_opaque("both") && is_opaque("back"));
    assert!(!is_opaque("etc"));
    assert_eq!(std::fs::read(place.root.join("kept")).unwrap(), b"new");
}

#[test]
fn of_two_entries_the_later_one_counts() {
    let place = unpacked(
        Layer::new()
            .file("a", 0o644, b"old")
            .file("a", 0o644, b"new")
            .file("d/x", 0o644, b"")
            .file("d", 0o644, b"file")
            .link("l", EntryType::Symlink, "a")
            .file("l", 0o644, b"own"),
    );
    let read = |name: &str| std::fs::read_to_string(place.root.join(name)).unwrap();
    assert_eq!(
        (read("a"), read("d"), read("l")),
        ("new".into(), "file".into(), "own".into())
    );
}

#[test]
fn nothing_leads_out() {
    refused(Layer::new().file("../a", 0o644, b""), "inside the image");
    refused(
        Layer::new().file("a/../../b", 0o644, b""),
        "inside the image",
    );
    refused(
        Layer::new().link("a", EntryType::Link, "../../etc/passwd"),
        "inside the image",
    );
    refused(
        Layer::new().link("a", EntryType::Link, "/etc/passwd"),
        "does not have",
    );
    refused(Layer::new().file(".wh...", 0o644, b""), "hides nothing");
    // Absolute names and links mean the image.
    let place = unpacked(
        Layer::new()
            .file("/abs", 0o644, b"")
            .link("up", EntryType::Symlink, "../..")
            .link("root", EntryType::Symlink, "/")
            .file("up/through", 0o644, b"")
            .file("root/too", 0o644, b""),
    );
    for name in ["abs", "through", "too"] {
        assert!(place.root.join(name).is_file(), "{name}");
    }
    // A link to outside is followed inside, where it leads nowhere.
    refused(
        Layer::new()
            .link("out", EntryType::Symlink, "/nowhere/at/all")
            .file("out/x", 0o644, b""),
        "leads nowhere",
    );
    // And a hard link to a link is one to the link itself.
    let place = unpacked(
        Layer::new()
            .link("s", EntryType::Symlink, "/etc/hostname")
            .link("h", EntryType::Link, "s"),
    );
    assert!(
        std::fs::symlink_metadata(place.root.join("h"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn limits_and_damage() {
    let archive = Layer::new()
        .file("a", 0o644, &[0; 4096])
        .file("b", 0o644, b"")
        .bytes();
    let narrow = Limits {
        bytes: 4096,
        ..WIDE
    };
    let bomb = zstd::encode_all(archive.as_slice(), 1).unwrap();
    let (_, done) = unpack_into(&archive, &bomb, narrow);
    assert!(done.unwrap_err().to_string().contains("at most 4096 bytes"));
    let (_, done) = unpack_into(&archive, &archive, Limits { entries: 1, ..WIDE });
    assert!(done.unwrap_err().to_string().contains("at most 1 entries"));
    let (_, done) = unpack_into(&archive, &archive[..1000], WIDE);
    assert!(done.unwrap_err().to_string().contains("cannot be read"));
    let (_, done) = unpack_into(b"other", &archive, WIDE);
    assert!(
        done.unwrap_err()
            .to_string()
            .contains("expected a layer with content")
    );
    refused(
        Layer::new().entry("f", EntryType::new(b'Z'), 0o644, b"", ""),
        "of kind",
    );
}
