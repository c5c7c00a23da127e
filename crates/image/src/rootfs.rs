//! What is where in a stack of layers, as overlayfs will show it. Links are not followed.

use std::{
    collections::BTreeMap,
    fs::{FileType, Metadata},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use crate::unpack::OPAQUE_ATTRIBUTE;

/// The names of what is in a directory and is no directory itself. `layers` begins with the lowest one. Empty if there is no
/// such directory.
#[must_use]
pub fn files_in(layers: &[PathBuf], directory: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    'layers: for layer in layers.iter().rev() {
        let (mut place, mut is_last) = (layer.clone(), false);
        for part in directory.split('/').filter(|p| !p.is_empty()) {
            place.push(part);
            match std::fs::symlink_metadata(&place) {
                Ok(found) if found.is_dir() => is_last |= is_opaque(&place),
                Ok(_) => break 'layers, // Whatever this is, it covers the directories below.
                Err(_) if is_last => break 'layers,
                Err(_) => continue 'layers,
            }
        }
        for entry in std::fs::read_dir(&place).into_iter().flatten().flatten() {
            let shown = entry.metadata().is_ok_and(|found| is_shown(&found));
            if let Ok(name) = entry.file_name().into_string() {
                seen.entry(name).or_insert(shown);
            }
        }
        if is_last {
            break;
        }
    }
    let shown = seen.into_iter().filter(|(_, shown)| *shown);
    shown.map(|(name, _)| name).collect()
}

fn is_shown(found: &Metadata) -> bool {
    let kind: FileType = found.file_type();
    let is_whiteout = kind.is_char_device() && found.rdev() == 0;
    !kind.is_dir() && !is_whiteout
}

fn is_opaque(directory: &Path) -> bool {
    let mut value = [0_u8; 1];
    rustix::fs::getxattr(directory, OPAQUE_ATTRIBUTE, &mut value).is_ok() && value == *b"y"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_cover_earlier_ones() {
        let place = tempfile::tempdir().unwrap();
        let layer = |name: &str, files: &[&str]| {
            let root = place.path().join(name);
            let dir = root.join("opt/extensions");
            std::fs::create_dir_all(&dir).unwrap();
            for file in files {
                std::fs::write(dir.join(file), "").unwrap();
            }
            root
        };
        let (low, top) = (layer("low", &["a", "b"]), layer("top", &["c"]));
        let empty = place.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let files = |layers: &[&PathBuf]| {
            let layers: Vec<PathBuf> = layers.iter().map(|l| (*l).clone()).collect();
            files_in(&layers, "opt/extensions").join(" ")
        };
        assert_eq!(files(&[&low, &top, &empty]), "a b c");
        let whiteout = top.join("opt/extensions/a");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &whiteout,
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::empty(),
            rustix::fs::makedev(0, 0),
        )
        .unwrap();
        assert_eq!(files(&[&low, &top]), "b c");
        assert_eq!(files(&[&top, &low]), "a b c");
        rustix::fs::setxattr(
            top.join("opt"),
            OPAQUE_ATTRIBUTE,
            b"y",
            rustix::fs::XattrFlags::empty(),
        )
        .unwrap();
        assert_eq!(files(&[&low, &top]), "c");
        let covered = place.path().join("covered");
        std::fs::create_dir(&covered).unwrap();
        std::fs::write(covered.join("opt"), "").unwrap();
        assert_eq!(files(&[&low, &covered]), "");
    }
}
