//! What confines a sandbox on this host, piece by piece.
//!
//! A piece is either enforced or missing; there is no silent third state. A driver refuses to start with a missing
//! piece unless the operator named that piece. Pieces without which the driver cannot work at all are *essential*
//! and cannot be waived.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One wall of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// Identities of its own: no id inside is an id of the host.
    UserNamespace,
    /// Processes of its own.
    PidNamespace,
    /// Files of its own.
    MountNamespace,
    /// A network of its own.
    NetNamespace,
    /// System V and POSIX queues of its own.
    IpcNamespace,
    /// A host name of its own.
    UtsNamespace,
    /// A cgroup root of its own: `/proc/self/cgroup` shows no host path.
    CgroupNamespace,
    /// A `/proc` of its own pid namespace, with masks. Without it there is no `/proc` inside.
    FreshProc,
    /// Directories merged and mounted without showing where they are on the host. Without it several layers are
    /// refused, and `/proc/self/mountinfo` shows host paths.
    Overlay,
    /// The memory limit. Without it the worker looks at the processes now and then, and ends those that have too much.
    CgroupMemory,
    /// The CPU quota.
    CgroupCpu,
    /// The limit on processes. Without it a resource limit of the user namespace holds.
    CgroupPids,
    /// Freezing by cgroup. Without it processes are stopped by signal, which their parents can see and undo.
    CgroupFreezer,
    /// The system call filter.
    Seccomp,
    /// A second wall on file access.
    Landlock,
    /// Setuid programs gain nothing.
    NoNewPrivs,
    /// The worker's supplementary groups are dropped inside.
    GroupsDropped,
    /// A way to other machines that keeps to a network policy. Looked at only where there are policies.
    Egress,
}

impl Piece {
    /// All pieces, in the order of a report.
    pub const ALL: [Self; 18] = [
        Self::UserNamespace,
        Self::PidNamespace,
        Self::MountNamespace,
        Self::NetNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::CgroupNamespace,
        Self::FreshProc,
        Self::Overlay,
        Self::CgroupMemory,
        Self::CgroupCpu,
        Self::CgroupPids,
        Self::CgroupFreezer,
        Self::Seccomp,
        Self::Landlock,
        Self::NoNewPrivs,
        Self::GroupsDropped,
        Self::Egress,
    ];

    /// Whether the Linux driver cannot work at all without it.
    #[must_use]
    pub fn is_essential(self) -> bool {
        matches!(
            self,
            Self::UserNamespace
                | Self::PidNamespace
                | Self::MountNamespace
                | Self::NetNamespace
                | Self::NoNewPrivs
        )
    }

    /// The name used in configuration and in [`fmt::Display`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserNamespace => "user-namespace",
            Self::PidNamespace => "pid-namespace",
            Self::MountNamespace => "mount-namespace",
            Self::NetNamespace => "net-namespace",
            Self::IpcNamespace => "ipc-namespace",
            Self::UtsNamespace => "uts-namespace",
            Self::CgroupNamespace => "cgroup-namespace",
            Self::FreshProc => "fresh-proc",
            Self::Overlay => "overlay",
            Self::CgroupMemory => "cgroup-memory",
            Self::CgroupCpu => "cgroup-cpu",
            Self::CgroupPids => "cgroup-pids",
            Self::CgroupFreezer => "cgroup-freezer",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
            Self::NoNewPrivs => "no-new-privs",
            Self::GroupsDropped => "groups-dropped",
            Self::Egress => "egress",
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no piece.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a sandbox piece such as `landlock`, got `{0}`")]
pub struct UnknownPiece(pub String);

impl FromStr for Piece {
    type Err = UnknownPiece;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == s)
            .ok_or_else(|| UnknownPiece(s.to_owned()))
    }
}

/// What was found out about one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It holds; `detail` says how (`cgroup v1`, `ABI 7`), or is empty.
    Enforced {
        /// How.
        detail: String,
    },
    /// It does not hold.
    Missing {
        /// What was tried and what the host said.
        why: String,
        /// What the operator can do.
        remedy: String,
    },
}

/// The findings about every piece.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    findings: Vec<(Piece, Finding)>,
}

impl Report {
    /// Records a finding, replacing an earlier one about the same piece.
    pub fn set(&mut self, piece: Piece, finding: Finding) {
        self.findings.retain(|(p, _)| *p != piece);
        self.findings.push((piece, finding));
        self.findings.sort_by_key(|(p, _)| *p);
    }

    /// The finding about one piece, if it was looked at.
    #[must_use]
    pub fn get(&self, piece: Piece) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|(p, _)| *p == piece)
            .map(|(_, f)| f)
    }

    /// Whether a piece holds. A piece that nobody looked at does not.
    #[must_use]
    pub fn enforces(&self, piece: Piece) -> bool {
        matches!(self.get(piece), Some(Finding::Enforced { .. }))
    }

    /// All findings, in the order of [`Piece::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Piece, &Finding)> {
        self.findings.iter().map(|(p, f)| (*p, f))
    }

    /// The missing pieces.
    #[must_use]
    pub fn missing(&self) -> BTreeSet<Piece> {
        self.iter()
            .filter(|(_, f)| matches!(f, Finding::Missing { .. }))
            .map(|(p, _)| p)
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (piece, finding) in self.iter() {
            match finding {
                Finding::Enforced { detail } if detail.is_empty() => {
                    writeln!(f, "{piece:<17} enforced")?
                }
                Finding::Enforced { detail } => writeln!(f, "{piece:<17} enforced ({detail})")?,
                Finding::Missing { why, remedy } => {
                    writeln!(f, "{piece:<17} MISSING: {why}; {remedy}")?
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_match_the_stored_form() {
        for piece in Piece::ALL {
            assert_eq!(piece.to_string().parse::<Piece>(), Ok(piece));
            assert_eq!(
                serde_json::to_string(&piece).unwrap(),
                format!("\"{piece}\"")
            );
        }
        assert_eq!(
            "nonsense".parse::<Piece>(),
            Err(UnknownPiece("nonsense".to_owned()))
        );
    }

    #[test]
    fn a_piece_nobody_looked_at_is_not_enforced() {
        let mut report = Report::default();
        assert!(!report.enforces(Piece::Seccomp));
        report.set(
            Piece::Seccomp,
            Finding::Missing {
                why: "off".into(),
                remedy: "turn it on".into(),
            },
        );
        assert_eq!(report.missing(), BTreeSet::from([Piece::Seccomp]));
        report.set(
            Piece::Seccomp,
            Finding::Enforced {
                detail: String::new(),
            },
        );
        assert!(report.enforces(Piece::Seccomp));
        assert!(report.missing().is_empty());
    }

    #[test]
    fn the_text_says_what_to_do() {
        let mut report = Report::default();
        report.set(
            Piece::Landlock,
            Finding::Missing {
                why: "kernel 5.10".into(),
                remedy: "use 5.13 or newer".into(),
            },
        );
        report.set(
            Piece::UserNamespace,
            Finding::Enforced {
                detail: String::new(),
            },
        );
        assert_eq!(
            report.to_string(),
            "user-namespace    enforced\nlandlock          MISSING: kernel 5.10; use 5.13 or newer\n"
        );
    }
}
