//! A file system that knows what a disk has and what it only says it has.
//!
//! Programs see an ordinary file system. Underneath there are two states: what was written ([`Image`], served to whoever
//! reads) and what is *durable*, which grows only where somebody asked for it: `fsync` of a file makes its content durable,
//! `fsync` of a directory makes its names durable, and nothing else makes anything durable. Between the two lies a
//! [`Journal`] of operations that nobody synced. When the power is cut, the disk keeps the durable state and as much of the
//! journal as a [`Survival`] says: nothing, everything, some of it in any order, a write torn at a sector.
//!
//! ```text
//!  program ── FUSE ──▶ Gate (stall, slow, EIO, ENOSPC, cut) ──▶ Image now
//!                                                          └──▶ Journal ── sync ──▶ Image durable
//! ```
//!
//! - [`Mount`] puts a disk at a directory (root, Linux, no `fusermount`); [`Control`] breaks it from any thread.
//! - [`Recording`] is the sequence of steps that a program made. It can be replayed to any length and cut there without a
//!   mount, which is how thousands of crash points are tried in seconds.
//!
//! It is stricter than ext4 where POSIX is: a synced file whose name was not synced may be gone, and a rename that nobody
//! synced may have happened or not, whatever happened after it. It is as kind as every journaling file system in two things:
//! a rename is never half, and changes of one name keep their order.

mod attributes;
mod control;
mod dice;
mod filesystem;
mod gate;
mod image;
mod journal;
mod mount;
mod recording;
mod state;
mod survival;

pub use control::{Area, Control, ControlError, Usage};
pub use gate::{Errno, Lasting};
pub use image::{Body, Image, Ino, Inode};
pub use journal::{Journal, Kind, Op, Step};
pub use mount::{Mount, MountError, Options};
pub use recording::{Recording, Replay};
pub use survival::Survival;
