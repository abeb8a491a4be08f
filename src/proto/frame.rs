//! How gRPC carries messages in bodies, and texts in trailers.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;

/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A message as a body carries it, uncompressed.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a message is at most 4 GiB");
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.extend_from_slice(message);
    framed.freeze()
}

/// The message of a body that holds one, uncompressed, and nothing else.
pub(crate) fn unframe(body: &Bytes) -> Option<Bytes> {
    let (&[0, a, b, c, d], message) = body.split_first_chunk::<PREFIX>()? else { return None };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    (message.len() == length).then(|| body.slice(PREFIX..))
}

/// A text as `grpc-message` has it: percent-encoded, except for printable ASCII.
pub(crate) fn escape(text: &str) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => escaped.push(byte),
            _ => {
                let digit = |sextet: u8| DIGITS[usize::from(sextet)];
                escaped.extend([b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
        }
    }
    HeaderValue::from_maybe_shared(Bytes::from(escaped)).expect("printable ASCII")
}

/// The text of `grpc-message`. What is not encoded as it should be stays as it is.
#[cfg(test)]
pub(crate) fn unescape(value: &HeaderValue) -> String {
    let mut bytes = value.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    while let Some((&byte, rest)) = bytes.split_first() {
        let escaped = match (byte, rest) {
            (b'%', [high, low, ..]) => hexadecimal(*high).zip(hexadecimal(*low)),
            _ => None,
        };
        let (byte, rest) = match escaped {
            Some((high, low)) => (high << 4 | low, &rest[2..]),
            None => (byte, rest),
        };
        text.push(byte);
        bytes = rest;
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_behind_its_length() {
        assert_eq!(&frame(b"abc")[..], b"\0\0\0\0\x03abc");
        for body in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x04abc", b"\0\0\0\0\x02abc", b"\x01\0\0\0\0"]
        {
            assert_eq!(unframe(&Bytes::copy_from_slice(body)), None, "{body:?}");
        }
    }

    #[test]
    fn what_is_not_printable_is_percent_encoded() {
        assert_eq!(escape("100 % of \u{fc}\n"), "100 %25 of %C3%BC%0A");
        for (value, text) in [("%zz%", "%zz%"), ("%4", "%4"), ("%41%", "A%"), ("%ff", "\u{fffd}")] {
            assert_eq!(unescape(&HeaderValue::from_static(value)), text);
        }
    }

    proptest! {
        #[test]
        fn messages_and_texts_come_back(message in any::<Vec<u8>>(), text in any::<String>()) {
            prop_assert_eq!(unframe(&frame(&message)), Some(Bytes::from(message)));
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}
