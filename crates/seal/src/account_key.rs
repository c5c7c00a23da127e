//! Data keys at work.

use model::{Generation, Sealed};
use zeroize::Zeroizing;

use crate::{
    KEY_BYTES, Place,
    siv::{self, KeyBytes, OVERHEAD},
};

/// The format of sealed texts: its number, the generation of the data key in 4 bytes, and what [`siv`] gives.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 5;
/// The longest text that is sealed. The catalog's records are smaller by far.
const TEXT_MAX: usize = 1 << 20;

/// A data key of an account, ready to use.
pub struct AccountKey {
    pub(crate) generation: Generation,
    pub(crate) key: KeyBytes,
}

/// The key of one sealed text.
pub struct TextKey(KeyBytes);

/// Why a sealed text does not open, or a text cannot be sealed. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed by a newer build.
    #[error("expected a text of seal format {FORMAT}, got format {0}")]
    Format(u8),
    /// Not a sealed text at all.
    #[error("expected a sealed text, got {0} bytes that are none")]
    Short(usize),
    /// Sealed with another of the account's data keys.
    #[error("the text is sealed with generation {wanted} of the data key, got generation {got}")]
    Generation {
        /// The one it is sealed with.
        wanted: Generation,
        /// The one at hand.
        got: Generation,
    },
    /// Altered, moved or sealed with another key: these look alike.
    #[error("the sealed text was altered, belongs elsewhere, or was sealed with another key")]
    Damaged,
    /// Too long to be sealed.
    #[error("expected a text of at most {TEXT_MAX} bytes, got {0}")]
    Long(usize),
    /// A key that has another length than keys have.
    #[error("expected a key of {KEY_BYTES} bytes, got {0}")]
    KeyLength(usize),
}

impl From<siv::Damaged> for OpenError {
    fn from(_: siv::Damaged) -> Self {
        Self::Damaged
    }
}

/// Which data key of its account a text is sealed with.
///
/// # Errors
/// [`OpenError`] if it is no sealed text of a format that this build knows.
pub fn generation_of(sealed: &Sealed) -> Result<Generation, OpenError> {
    read(sealed.as_bytes()).map(|(generation, _)| generation)
}

/// Opens a text with its own key.
///
/// # Errors
/// [`OpenError`].
pub fn open_with(
    key: &TextKey,
    place: Place<'_>,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (generation, body) = read(sealed.as_bytes())?;
    Ok(siv::open_one(&key.0, &context(place, generation), body)?)
}

impl AccountKey {
    /// Which of its account's keys it is.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Seals a text for a place: the same text always gives the same bytes.
    ///
    /// # Errors
    /// [`OpenError::Long`].
    pub fn seal(&self, place: Place<'_>, text: &[u8]) -> Result<Sealed, OpenError> {
        if text.len() > TEXT_MAX {
            return Err(OpenError::Long(text.len()));
        }
        let body = siv::seal(&self.key, &context(place, self.generation), text)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.generation.get().to_be_bytes());
        bytes.extend_from_slice(&body);
        Ok(Sealed::from_bytes(bytes))
    }

    /// Opens a text.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let body = self.body(sealed)?;
        Ok(siv::open(
            &self.key,
            &context(place, self.generation),
            body,
        )?)
    }

    /// The key that opens this text and no other.
    ///
    /// # Errors
    /// [`OpenError`] if the text is not sealed with this data key.
    pub fn text_key(&self, sealed: &Sealed) -> Result<TextKey, OpenError> {
        let body = self.body(sealed)?;
        Ok(TextKey(siv::message_key_of(&self.key, body)?))
    }

    fn body<'a>(&self, sealed: &'a Sealed) -> Result<&'a [u8], OpenError> {
        let (wanted, body) = read(sealed.as_bytes())?;
        if wanted == self.generation {
            Ok(body)
        } else {
            Err(OpenError::Generation {
                wanted,
                got: self.generation,
            })
        }
    }
}

impl TextKey {
    /// Takes over a key that was sent by [`TextKey::expose`].
    ///
    /// # Errors
    /// [`OpenError::KeyLength`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpenError> {
        let key = <[u8; KEY_BYTES]>::try_from(bytes);
        let key = key.map_err(|_| OpenError::KeyLength(bytes.len()))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The key itself, to be sent to whoever may read the text.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

fn read(bytes: &[u8]) -> Result<(Generation, &[u8]), OpenError> {
    let short = OpenError::Short(bytes.len());
    let (format, rest) = bytes.split_first().ok_or(short)?;
    if *format != FORMAT {
        return Err(OpenError::Format(*format));
    }
    let (number, body) = rest.split_first_chunk::<4>().ok_or(short)?;
    let generation = Generation::new(u32::from_be_bytes(*number)).map_err(|_| short)?;
    if body.len() < OVERHEAD {
        return Err(short);
    }
    Ok((generation, body))
}

/// Everything that a text is bound to besides its key.
fn context(place: Place<'_>, generation: Generation) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&generation.get().to_be_bytes());
    bytes.extend_from_slice(&place.to_bytes());
    bytes
}

#[cfg(test)]
mod tests;
