//! Messages to the kernel over netlink: a header, a fixed part, and attributes that may hold attributes.

use std::io;

const HEADER: usize = 16;
const ALIGNED: usize = 4;
const NESTED: u16 = 1 << 15;

/// A message under construction. Its parts are small; lengths fit their fields.
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// Of this kind and with these flags.
    pub(crate) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; HEADER];
        put(&mut bytes, 4, &kind.to_ne_bytes());
        put(&mut bytes, 6, &flags.to_ne_bytes());
        Self(bytes)
    }

    /// A part of fixed size.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(ALIGNED), 0);
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let at = self.begin(kind);
        self.0.extend_from_slice(value);
        self.end(at);
    }

    /// An attribute that is a text with a zero at its end.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        let at = self.begin(kind);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self.end(at);
    }

    /// An attribute of attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let at = self.begin(kind | NESTED);
        fill(self);
        self.end(at);
    }

    fn begin(&mut self, kind: u16) -> usize {
        let at = self.0.len();
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        at
    }

    fn end(&mut self, at: usize) {
        let length = u16::try_from(self.0.len() - at).unwrap_or(u16::MAX);
        put(&mut self.0, at, &length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(ALIGNED), 0);
    }

    /// The whole, with its length in it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        put(&mut self.0, 0, &length.to_ne_bytes());
        self.0
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// What an answer says: the errors of every message that it acknowledges, the first of them.
///
/// # Errors
/// The kernel's; `InvalidData` if it is no answer.
pub(crate) fn outcome(mut answers: &[u8]) -> io::Result<()> {
    const NLMSG_ERROR: u16 = 2;
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let word =
        |bytes: &[u8], at: usize| -> Option<[u8; 4]> { bytes.get(at..at + 4)?.try_into().ok() };
    while !answers.is_empty() {
        let length = word(answers, 0)
            .map(u32::from_ne_bytes)
            .ok_or_else(invalid)?;
        let length = usize::try_from(length).map_err(|_| invalid())?;
        let message = answers.get(..length).filter(|m| m.len() >= HEADER);
        let message = message.ok_or_else(invalid)?;
        let kind = message.get(4..6).and_then(|k| k.try_into().ok());
        if kind.map(u16::from_ne_bytes) == Some(NLMSG_ERROR) {
            let code = word(message, HEADER)
                .map(i32::from_ne_bytes)
                .ok_or_else(invalid)?;
            if code != 0 {
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
        }
        answers = answers
            .get(length.next_multiple_of(ALIGNED)..)
            .unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_parts_and_everything_is_aligned() {
        let mut message = Message::new(16, 5);
        message.bytes(&[1, 2, 3, 4]);
        message.nest(7, |inner| inner.text(3, "ab"));
        let bytes = message.finish();
        let expected = [
            &32_u32.to_ne_bytes()[..],
            &16_u16.to_ne_bytes(),
            &5_u16.to_ne_bytes(),
            &[0; 8],
            &[1, 2, 3, 4],
            &12_u16.to_ne_bytes(),
            &(7 | NESTED).to_ne_bytes(),
            &7_u16.to_ne_bytes(),
            &3_u16.to_ne_bytes(),
            b"ab\0\0",
        ]
        .concat();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn an_answer_is_an_error_by_its_number_or_an_acknowledgement() {
        let answer = |code: i32| {
            let mut message = Message::new(2, 0);
            message.bytes(&code.to_ne_bytes());
            message.finish()
        };
        outcome(&answer(0)).unwrap();
        let two = [answer(0), answer(-17)].concat();
        assert_eq!(outcome(&two).unwrap_err().raw_os_error(), Some(17));
        assert!(outcome(&[1, 2]).is_err());
    }
}
