//! The wire format of protocol buffers: fields that are numbered, and varints or lengths of bytes.

use std::fmt;

use bytes::{Buf, Bytes};

/// A message that is written and read.
pub(crate) trait Message: Default {
    /// Writes its fields.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes in a field; one that it does not know is skipped.
    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed>;

    /// The message's bytes.
    fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }

    /// Reads a message. Its bytes are shared, not copied; of a field that is there more than once the last
    /// one counts, unless it is repeated.
    fn decode(mut bytes: Bytes) -> Result<Self, Malformed> {
        let mut message = Self::default();
        while let Some((number, value)) = field(&mut bytes)? {
            message.read(number, value)?;
        }
        Ok(message)
    }
}

/// A field's value.
#[derive(Debug)]
pub(crate) enum Value {
    Varint(u64),
    Bytes(Bytes),
    /// Eight or four bytes; none of our messages has such a field.
    Fixed,
}

/// It is no message of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED_32: u64 = 5;

// === Reading ===

fn field(bytes: &mut Bytes) -> Result<Option<(u64, Value)>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tag = varint(bytes)?;
    let value = match tag & 0b111 {
        VARINT => Value::Varint(varint(bytes)?),
        LENGTH => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| Malformed)?;
            Value::Bytes(take(bytes, length)?)
        }
        FIXED_64 => take(bytes, 8).map(|_| Value::Fixed)?,
        FIXED_32 => take(bytes, 4).map(|_| Value::Fixed)?,
        _ => return Err(Malformed),
    };
    match tag >> 3 {
        0 => Err(Malformed),
        number => Ok(Some((number, value))),
    }
}

fn varint(bytes: &mut Bytes) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = bytes.try_get_u8().map_err(|_| Malformed)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, Malformed> {
    if length > bytes.len() {
        return Err(Malformed);
    }
    Ok(bytes.split_to(length))
}

impl Value {
    pub(super) fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(number) => Ok(number),
            Self::Bytes(_) | Self::Fixed => Err(Malformed),
        }
    }

    /// An `int32`, which is written as an `int64`.
    pub(super) fn int32(self) -> Result<i32, Malformed> {
        self.number().map(|number| number as i32)
    }

    pub(super) fn bytes(self) -> Result<Bytes, Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Fixed => Err(Malformed),
        }
    }

    pub(super) fn text(self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| Malformed)
    }

    pub(super) fn message<M: Message>(self) -> Result<M, Malformed> {
        M::decode(self.bytes()?)
    }
}

// === Writing ===

/// A number, unless it is 0.
pub(super) fn put_number(number: u64, field: u64, out: &mut Vec<u8>) {
    if number != 0 {
        put_varint(field << 3 | VARINT, out);
        put_varint(number, out);
    }
}

/// Bytes or a text, unless they are empty.
pub(super) fn put_bytes(bytes: &[u8], field: u64, out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        put_varint(field << 3 | LENGTH, out);
        put_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

/// A message, which may be empty.
pub(super) fn put_message(message: &impl Message, field: u64, out: &mut Vec<u8>) {
    let bytes = message.encode();
    put_varint(field << 3 | LENGTH, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(&bytes);
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

// === impl Malformed ===

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a message of its type")
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_varint_has_ten_bytes_at_most() {
        for number in [0, 1, 0x7f, 0x80, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(number, &mut out);
            assert_eq!(varint(&mut out.into()), Ok(number));
        }
        assert_eq!(varint(&mut Bytes::from_static(&[0x96, 0x01])), Ok(150));
        assert_eq!(varint(&mut Bytes::from_static(&[0xff; 10])), Err(Malformed));
        assert_eq!(varint(&mut Bytes::from_static(&[0x80])), Err(Malformed));
    }

    #[test]
    fn what_is_cut_off_or_of_a_group_is_malformed() {
        for bytes in [&[0x0a, 2, b'x'][..], &[0x0a], &[0x09, 1, 2], &[0x0b], &[0x0c], &[0x02, 0]] {
            assert!(field(&mut Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
        let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(field(&mut Bytes::copy_from_slice(&huge)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = Bytes::from(bytes);
            while let Ok(Some(_)) = field(&mut bytes) {}
        }
    }
}
