//! The section about what confines user code.

use std::{collections::BTreeSet, str::FromStr};

use sandbox::{
    Piece,
    linux::{Allotment, SUBUIDS},
};

use super::scope::Scope;

/// Ids below belong to the system and to the users of the machine.
const SUBUID_BASE_MIN: u32 = 65_536;
/// The longest path of groups, so that with a node's own name a file in them can still be named.
const CGROUP_PARENT_MAX: usize = 1024;

/// What confines user code.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sandbox {
    /// Pieces that the operator goes without.
    pub allow_missing: BTreeSet<Piece>,
    /// What of the machine belongs to sandboxes.
    pub allotment: Allotment,
}

/// A directory below each mount of cgroups.
#[derive(Debug, PartialEq, Eq)]
struct CgroupPath(String);

impl FromStr for CgroupPath {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        let legal = s.split('/').all(plain) && !s.contains(['\0', '\n']);
        if legal && s.len() <= CGROUP_PARENT_MAX {
            Ok(Self(s.to_owned()))
        } else {
            Err(format!(
                "expected a path below the mounts of cgroups such as \"system.slice/dunlin.service\", got {s:?}"
            ))
        }
    }
}

pub(super) fn sandbox(scope: &Scope<'_>) -> Option<Sandbox> {
    let allow_missing = scope.list("allow_missing");
    let cgroup_parent = scope.parse::<CgroupPath>("cgroup_parent");
    let subuid_base = scope.integer::<u32>("subuid_base");
    let last = u32::MAX - SUBUIDS;
    if subuid_base.is_some_and(|base| !(SUBUID_BASE_MIN..=last).contains(&base)) {
        scope.refuse(
            "subuid_base",
            format!("expected {SUBUID_BASE_MIN} to {last}: {SUBUIDS} ids follow it"),
        );
    }
    Some(Sandbox {
        allow_missing: allow_missing?.into_iter().collect(),
        allotment: Allotment {
            cgroup_parent: cgroup_parent?.0,
            subuid_base: subuid_base?,
        },
    })
}
