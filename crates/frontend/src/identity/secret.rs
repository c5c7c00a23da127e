//! The secret half of an access key that is being made.

use base64::{Engine, engine::general_purpose::STANDARD};
use host::Entropy;
use seal::Zeroizing;

/// Random bytes of a secret: 40 characters of base64, without padding.
const BYTES: usize = 30;
const CHARACTERS: usize = 40;

/// The secret half of a new access key, on its way to the one who asked for it. It is shown to nobody else, so it has no
/// `Debug` and no `Display`, and it is wiped when it is dropped.
pub(crate) struct NewSecret(Zeroizing<String>);

impl NewSecret {
    /// Draws one. The source must be fit for keys.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        entropy.fill(&mut bytes[..]);
        // Room for all of it: a text that grows leaves its beginning behind.
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS));
        STANDARD.encode_string(&bytes[..], &mut text);
        Self(text)
    }

    /// The secret itself: to be sealed, and to be told once.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use host::SeededEntropy;

    use super::*;

    #[test]
    fn forty_characters_that_differ() {
        let entropy = SeededEntropy::new(7);
        let (one, other) = (NewSecret::draw(&entropy), NewSecret::draw(&entropy));
        for secret in [&one, &other] {
            let text = secret.expose();
            assert_eq!(text.len(), CHARACTERS);
            let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
            assert!(text.bytes().all(legal));
        }
        assert!(one.expose() != other.expose());
    }
}
