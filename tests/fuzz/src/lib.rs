//! What the fuzz targets share: a request written down as text, so that a corpus can be read, and rules of AWS's that are
//! written down a second time, for parsers to be held against.
//!
//! A target is one file in `bin/`. It gets bytes and asserts more of a parser than that it survives them; what it asserts
//! stands at its head. `deploy/local/fuzz.py` runs them all from the kept corpus in `corpus/`.

pub mod grammar;
pub mod signature;
pub mod wire;
