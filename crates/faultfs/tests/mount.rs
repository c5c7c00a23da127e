//! A mounted disk is an ordinary file system until somebody breaks it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may give up, and says so when it is skipped"
)]

mod fuse;

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
    time::Duration,
};

use faultfs::{Area, ControlError, Errno, Lasting, Mount, Options, Survival};
use fuse::{PATIENCE, disk_or_skip};

fn write_synced(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    File::open(path.parent().unwrap())
        .unwrap()
        .sync_all()
        .unwrap();
}

#[test]
fn files_directories_and_names_behave() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path();
    fs::create_dir_all(root.join("a/b")).unwrap();
    let path = root.join("a/b/file");
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.write_all(b"one").unwrap();
    file.write_all(b"two").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "onetwo");
    file.set_len(4).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"onet");
    file.write_all_at(b"far", 10_000).unwrap();

    fs::rename(&path, root.join("a/moved")).unwrap();
    fs::hard_link(root.join("a/moved"), root.join("hard")).unwrap();
    std::os::unix::fs::symlink("a/moved", root.join("soft")).unwrap();
    fs::set_permissions(root.join("hard"), fs::Permissions::from_mode(0o640)).unwrap();
    let moved = fs::metadata(root.join("soft")).unwrap();
    assert_eq!(moved.permissions().mode() & 0o777, 0o640);
    assert_eq!(
        fs::remove_dir(root.join("a")).unwrap_err().kind(),
        ErrorKind::DirectoryNotEmpty
    );
    fs::remove_file(root.join("a/moved")).unwrap();
    assert!(fs::read(root.join("hard")).unwrap().starts_with(b"one"));

    for number in 0..2000 {
        fs::write(root.join("a/b").join(format!("f{number}")), b"x").unwrap();
    }
    assert_eq!(fs::read_dir(root.join("a/b")).unwrap().count(), 2000);
    fs::remove_dir_all(root.join("a")).unwrap();
    let mut left: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["hard", "soft"]);
}

#[test]
fn a_cut_takes_what_was_not_synced_and_readers_see_it() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path();
    let control = disk.mount.control();
    write_synced(&root.join("kept"), b"kept");
    fs::write(root.join("kept"), b"changed, but not synced").unwrap();
    fs::write(root.join("gone"), b"gone").unwrap();
    assert_eq!(control.usage().files, 2);

    let open = File::open(root.join("kept")).unwrap();
    control.power_cut(Survival::Nothing);
    assert!(!control.usage().is_on);
    assert!(fs::read(root.join("gone")).is_err());
    let early = control.restore_power(Duration::from_millis(10));
    assert!(matches!(early, Err(ControlError::InUse { .. })));
    drop(open);
    control.restore_power(PATIENCE).unwrap();
    assert_eq!(fs::read(root.join("kept")).unwrap(), b"kept");
    assert!(!root.join("gone").try_exists().unwrap());
    let again = control.restore_power(PATIENCE);
    assert!(matches!(again, Err(ControlError::PowerIsOn { .. })));
}

#[test]
fn the_power_goes_at_the_step_that_was_named() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path();
    let control = disk.mount.control();
    write_synced(&root.join("file"), b"a");
    let file = OpenOptions::new()
        .append(true)
        .open(root.join("file"))
        .unwrap();
    control.power_cut_at(2, Survival::Everything);
    file.write_at(b"b", 1).unwrap();
    file.write_at(b"c", 2).unwrap();
    file.write_at(b"d", 3).unwrap_err();
    drop(file);
    control.restore_power(PATIENCE).unwrap();
    assert_eq!(fs::read(root.join("file")).unwrap(), b"abc");
}

#[test]
fn errors_come_when_ordered_and_go_when_healed() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path();
    let control = disk.mount.control();
    let file = File::create(root.join("file")).unwrap();
    control.no_space();
    let full = file.write_at(b"a", 0).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    control.heal();
    file.write_at(b"a", 0).unwrap();

    control.fail_at(1, Errno::Io, Lasting::Once);
    file.write_at(b"b", 1).unwrap();
    assert!(file.sync_data().is_err());
    // The kernel has dropped the bytes by now, and says yes to whoever asks again.
    file.sync_data().unwrap();
    assert_eq!(fs::read(root.join("file")).unwrap(), b"ab");
    assert_eq!(control.usage().failed_syncs, 1);
    File::open(root).unwrap().sync_all().unwrap();

    control.fail_at(0, Errno::Io, Lasting::UntilHealed);
    for _ in 0..3 {
        assert!(file.write_at(b"c", 2).is_err());
    }
    control.heal();
    file.write_at(b"c", 2).unwrap();
    file.sync_data().unwrap();
    drop(file);
    control.power_cut(Survival::Nothing);
    control.restore_power(PATIENCE).unwrap();
    assert_eq!(fs::read(root.join("file")).unwrap(), b"\0\0c");
}

#[test]
fn a_small_disk_fills_up() {
    let options = Options {
        capacity: 1 << 20,
        ..Options::default()
    };
    let Some(disk) = disk_or_skip(options) else {
        return;
    };
    let root = disk.directory.path();
    fs::write(root.join("half"), vec![1; 600 << 10]).unwrap();
    let full = fs::write(root.join("more"), vec![1; 600 << 10]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    fs::write(root.join("half"), b"").unwrap();
    fs::write(root.join("more"), vec![1; 600 << 10]).unwrap();
}

#[test]
fn a_stalled_disk_goes_on_when_healed_and_gives_up_without_power() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path();
    let control = disk.mount.control();
    let waits = |name: &'static str| {
        let path = root.join(name);
        let (done, finished) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(fs::write(path, b"x")));
        finished
    };
    control.stall();
    let healed = waits("healed");
    assert!(healed.recv_timeout(Duration::from_millis(200)).is_err());
    control.heal();
    healed.recv_timeout(PATIENCE).unwrap().unwrap();

    control.stall();
    let cut = waits("cut");
    assert!(cut.recv_timeout(Duration::from_millis(50)).is_err());
    control.power_cut(Survival::Nothing);
    cut.recv_timeout(PATIENCE).unwrap().unwrap_err();
}

#[test]
fn a_flipped_bit_is_read_though_the_page_was_cached() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path();
    let control = disk.mount.control();
    write_synced(&root.join("file"), &[0; 4096]);
    let mut open = File::open(root.join("file")).unwrap();
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).unwrap();
    let mut area = Area {
        file: "file".into(),
        bytes: Some(1000..1010),
        seed: 7,
    };
    control.flip_bit(&area).unwrap();
    let mut ones = [0; 4096];
    open.read_exact_at(&mut ones, 0).unwrap();
    assert_eq!(ones.iter().map(|b| b.count_ones()).sum::<u32>(), 1);
    assert!(ones[1000..1010].iter().any(|b| *b != 0));
    drop(open);
    control.power_cut(Survival::Nothing);
    control.restore_power(PATIENCE).unwrap();
    assert_eq!(fs::read(root.join("file")).unwrap(), ones);
    area.file = "other".into();
    assert!(matches!(
        control.flip_bit(&area),
        Err(ControlError::NothingThere { .. })
    ));
}

#[test]
fn a_backing_directory_keeps_the_disk_between_mounts() {
    let backing = tempfile::tempdir().unwrap();
    let options = Options {
        backing: Some(backing.path().to_owned()),
        ..Options::default()
    };
    for round in 0..3 {
        let Some(disk) = disk_or_skip(options.clone()) else {
            return;
        };
        let root = disk.directory.path().to_owned();
        for before in 0..round {
            let path = root.join(format!("d{before}/file"));
            assert_eq!(fs::read(path).unwrap(), format!("{before}").as_bytes());
        }
        fs::create_dir(root.join(format!("d{round}"))).unwrap();
        fs::write(root.join(format!("d{round}/file")), format!("{round}")).unwrap();
        disk.mount.unmount().unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "it is unmounted");
    }
}

#[test]
fn a_copy_of_the_mount_elsewhere_does_not_keep_the_disk_up() {
    let Some(disk) = disk_or_skip(Options::default()) else {
        return;
    };
    let root = disk.directory.path().to_owned();
    fs::write(root.join("file"), b"here").unwrap();
    // Whoever makes a sandbox on the machine copies every mount into it.
    let mut elsewhere = Command::new("unshare")
        .args(["--mount", "sleep", "60"])
        .spawn()
        .unwrap();
    let mounts = format!("/proc/{}/mountinfo", elsewhere.id());
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let place = format!("/proc/{}/ns/mnt", elsewhere.id());
    while fs::read_link(&place).unwrap() == own {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (told, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(disk.mount.unmount()));
    let unmounted = ended.recv_timeout(PATIENCE);
    let is_there_too = fs::read_to_string(mounts).unwrap();
    elsewhere.kill().unwrap();
    elsewhere.wait().unwrap();
    assert!(is_there_too.contains(&*root.to_string_lossy()));
    // It did not wait for the copy.
    unmounted.unwrap().unwrap();
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "it is unmounted");
}

#[test]
fn nothing_is_mounted_where_there_is_nothing() {
    assert!(Mount::new(Path::new("/nonexistent/place"), Options::default()).is_err());
}
