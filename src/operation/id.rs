//! Who an operation is: the id that its caller holds.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::seeded::random_bytes;

/// The unguessable id of an operation: 122 random bits, written as 32 lowercase hexadecimal digits.
///
/// Whoever knows an id may read and cancel its operation, so an id is a secret: `Debug` shows only
/// the beginning of its hash, and stores and logs are given the [`Key`](crate::store::Key) made
/// from it.
///
/// ```
/// use tower_respond_async::OperationId;
///
/// let id = OperationId::random();
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("0123".parse::<OperationId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationId(Uuid);

/// An [`OperationId`] as it is written.
#[derive(Clone, Copy)]
pub(crate) struct EncodedId([u8; TEXT_LEN]);

/// The text is not an [`OperationId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError(());

/// How many characters an id is written with.
const TEXT_LEN: usize = 32;

// === impl OperationId ===

impl OperationId {
    /// A new id from a cryptographically secure generator.
    pub fn random() -> Self {
        Self(Uuid::from_bytes(random_bytes()))
    }

    /// The 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The text that [`Display`](fmt::Display) writes.
    pub(crate) fn encode(&self) -> EncodedId {
        let mut text = [0; TEXT_LEN];
        self.0.simple().encode_lower(&mut text);
        EncodedId(text)
    }
}

impl FromStr for OperationId {
    type Err = ParseIdError;

    /// Reads exactly the text that [`Display`](fmt::Display) writes: no other form of a UUID, so
    /// that one operation has one URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text: &[u8; TEXT_LEN] = text.as_bytes().try_into().map_err(|_| ParseIdError(()))?;
        let mut bytes = [0; TEXT_LEN / 2];
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = (digit(digits[0])?, digit(digits[1])?);
            *byte = high << 4 | low;
        }
        Ok(Self::from_bytes(bytes))
    }
}

fn digit(text: u8) -> Result<u8, ParseIdError> {
    match text {
        b'0'..=b'9' => Ok(text - b'0'),
        b'a'..=b'f' => Ok(text - b'a' + 10),
        _ => Err(ParseIdError(())),
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode().as_str())
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperationId(#{})", super::Key::of(*self))
    }
}

// === impl EncodedId ===

impl EncodedId {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

// === impl ParseIdError ===

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation id is 32 lowercase hexadecimal digits")
    }
}

impl std::error::Error for ParseIdError {}
