//! Amounts of bytes.

use std::fmt;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// That many mebibytes.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

/// A function's memory in MiB (AWS writes MB and means MiB): 128–10240.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemoryMib(u32);

/// A function's `/tmp` in MiB: 512–10240.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EphemeralMib(u32);

/// An amount outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {min} to {max} MB, got {got}")]
pub struct OutOfRange {
    /// The least that is allowed.
    pub min: u32,
    /// The most that is allowed.
    pub max: u32,
    /// What came.
    pub got: u64,
}

macro_rules! mib {
    ($name:ident, $min:literal, $max:literal) => {
        impl $name {
            /// The least.
            pub const MIN: Self = Self($min);
            /// The most.
            pub const MAX: Self = Self($max);

            /// # Errors
            /// [`OutOfRange`] outside the range of this type.
            pub fn new(mib: u64) -> Result<Self, OutOfRange> {
                u32::try_from(mib)
                    .ok()
                    .filter(|m| ($min..=$max).contains(m))
                    .map(Self)
                    .ok_or(OutOfRange {
                        min: $min,
                        max: $max,
                        got: mib,
                    })
            }

            /// The amount in MiB.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }

            /// The amount in bytes.
            #[must_use]
            pub const fn bytes(self) -> ByteCount {
                ByteCount::mib(self.0 as u64)
            }
        }
    };
}
/// The memory that brings one CPU with it, as AWS has it.
pub const MIB_PER_CPU: u64 = 1769;

mib!(MemoryMib, 128, 10240);
mib!(EphemeralMib, 512, 10240);

impl Default for MemoryMib {
    fn default() -> Self {
        Self::MIN
    }
}

impl Default for EphemeralMib {
    fn default() -> Self {
        Self::MIN
    }
}
