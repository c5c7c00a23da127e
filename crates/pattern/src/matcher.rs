//! The leaves of a pattern: what a value may be.

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// Exactly this; the empty text and null are values like others.
    Equals(Scalar),
    /// `equals-ignore-case`: this text, whatever the case of its letters.
    EqualsIgnoreCase(String),
    /// `prefix`: a text that begins so.
    Prefix(Text),
    /// `suffix`: a text that ends so.
    Suffix(Text),
    /// `numeric`: a number within a range.
    Numeric(Range),
    /// `exists`: whether the member is there at all.
    Exists(bool),
    /// `anything-but`: everything else.
    AnythingBut(Except),
}

/// A value of a record that is neither an object nor a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// The beginning or the end of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// With the letters as they are.
    Exact(String),
    /// Whatever the case of its letters.
    IgnoreCase(String),
}

/// The numbers between two bounds. At least one bound is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The lower bound.
    pub lower: Option<Bound>,
    /// The upper bound.
    pub upper: Option<Bound>,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub number: f64,
    /// Whether the number itself belongs to the range.
    pub inclusive: bool,
}

/// What `anything-but` leaves out. No list is empty.
#[derive(Clone, Debug, PartialEq)]
pub enum Except {
    /// These texts.
    Texts(Vec<String>),
    /// These numbers.
    Numbers(Vec<f64>),
    /// Texts that begin with one of these.
    Prefixes(Vec<String>),
    /// Texts that end with one of these.
    Suffixes(Vec<String>),
    /// These texts, whatever the case of their letters.
    IgnoreCase(Vec<String>),
}
