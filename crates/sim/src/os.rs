//! What libraries ask the operating system for behind our back: random bytes and the time.
//!
//! The keys of hash maps, and with them the order in which they are walked, some choices of `futures::select!`, dates in
//! HTTP answers and the ages of closed streams come from `getrandom` and `clock_gettime`. This binary defines both
//! symbols itself. They ask the kernel until a run begins; from then on they follow its seed and its virtual time.
#![allow(
    unsafe_code,
    reason = "symbols of the C library can be defined in no other way"
)]

use std::{
    ffi::{c_int, c_uint, c_void},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

static SIMULATES: AtomicBool = AtomicBool::new(false);
static STATE: AtomicU64 = AtomicU64::new(0);

/// Begins to answer from a seed.
pub(crate) fn simulate(seed: u64) {
    STATE.store(seed, Ordering::SeqCst);
    SIMULATES.store(true, Ordering::SeqCst);
}

/// The next 64 bits (SplitMix64, Steele et al. 2014).
fn draw() -> u64 {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = STATE.fetch_add(GAMMA, Ordering::SeqCst).wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `getrandom(2)`.
///
/// # Safety
/// `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getrandom(
    buffer: *mut c_void,
    length: usize,
    _flags: c_uint,
) -> isize {
    if length == 0 {
        return 0;
    }
    // SAFETY: the caller's promise; bytes need no alignment.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    if SIMULATES.load(Ordering::SeqCst) {
        for chunk in bytes.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(draw().to_le_bytes()) {
                *to = from;
            }
        }
        return length.cast_signed();
    }
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return -1,
        }
    }
    length.cast_signed()
}

/// `clock_gettime(2)`.
///
/// # Safety
/// `time` must be valid for a write of two 64-bit numbers.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Time) -> c_int {
    let now = if SIMULATES.load(Ordering::SeqCst) {
        let millis = sim::virtual_millis();
        Time {
            seconds: (millis / 1000).cast_signed(),
            nanos: (millis % 1000 * 1_000_000).cast_signed(),
        }
    } else {
        let asked = match clock {
            0 => rustix::time::ClockId::Realtime,
            _ => rustix::time::ClockId::Monotonic,
        };
        let now = rustix::time::clock_gettime(asked);
        Time {
            seconds: now.tv_sec,
            nanos: now.tv_nsec,
        }
    };
    // SAFETY: the caller's promise.
    unsafe { time.write(now) };
    0
}

/// `struct timespec` of 64-bit Linux.
#[repr(C)]
pub(crate) struct Time {
    seconds: i64,
    nanos: i64,
}
