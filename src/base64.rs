//! base64url without padding (RFC 4648, section 5), in the one form in which it is written; and base64
//! (section 4), as binary metadata of gRPC has it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many bits a character stands for.
const BITS: usize = 6;

/// Writes `bytes` as exactly as many characters as they need.
pub(crate) fn encode<const CHARACTERS: usize>(bytes: &[u8]) -> [u8; CHARACTERS] {
    debug_assert_eq!((bytes.len() * 8).div_ceil(BITS), CHARACTERS);
    std::array::from_fn(|index| character(bytes, index))
}

/// Writes `bytes` in base64 without padding.
#[cfg(feature = "client")]
pub(crate) fn encode_standard(bytes: &[u8]) -> String {
    let characters = (bytes.len() * 8).div_ceil(BITS);
    let standard = |index| match character(bytes, index) {
        b'-' => '+',
        b'_' => '/',
        other => char::from(other),
    };
    (0..characters).map(standard).collect()
}

/// Reads base64 with or without padding. What else would be refused, bits at the end that stand for
/// nothing, is not looked at: others wrote it.
#[cfg(feature = "client")]
pub(crate) fn decode_standard(text: &[u8]) -> Option<Vec<u8>> {
    let text = match text {
        [text @ .., b'=', b'='] | [text @ .., b'='] => text,
        text => text,
    };
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * BITS / 8);
    let (mut bits, mut held) = (0u32, 0);
    for character in text {
        let character = match character {
            b'+' => b'-',
            b'/' => b'_',
            b'-' | b'_' => return None,
            other => *other,
        };
        bits = bits << BITS | u32::from(sextet(character)?);
        held += BITS;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).expect("eight bits"));
        }
    }
    Some(bytes)
}

fn character(bytes: &[u8], index: usize) -> u8 {
    let sextet = (0..BITS).fold(0, |sextet, bit| {
        let at = index * BITS + bit;
        // What is missing at the end is zero.
        let byte = bytes.get(at / 8).copied().unwrap_or_default();
        sextet << 1 | byte >> (7 - at % 8) & 1
    });
    ALPHABET[usize::from(sextet)]
}

/// Reads what [`encode`] writes, and nothing else: another length, another alphabet and bits that stand
/// for nothing are refused.
pub(crate) fn decode<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    if text.len() != (BYTES * 8).div_ceil(BITS) {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (index, character) in text.iter().enumerate() {
        let sextet = sextet(*character)?;
        for bit in 0..BITS {
            let (at, value) = (index * BITS + bit, sextet >> (BITS - 1 - bit) & 1);
            match bytes.get_mut(at / 8) {
                Some(byte) => *byte |= value << (7 - at % 8),
                None if value == 0 => {}
                None => return None,
            }
        }
    }
    Some(bytes)
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_written_as_the_rfc_has_it() {
        // RFC 4648, section 10, and the two characters that are not those of base64.
        assert_eq!(&encode::<2>(b"f"), b"Zg");
        assert_eq!(&encode::<3>(b"fo"), b"Zm8");
        assert_eq!(&encode::<8>(b"foobar"), b"Zm9vYmFy");
        assert_eq!(&encode::<4>(&[0xfb, 0xff, 0xfe]), b"-__-");
    }

    #[test]
    fn only_one_text_stands_for_some_bytes() {
        assert_eq!(decode::<1>(b"Zg"), Some(*b"f"));
        for text in ["Zh", "Zv", "Z", "Zg=", "Zg==", "Zgg", "Z+", "Z/", "Z ", "Z.", ""] {
            assert_eq!(decode::<1>(text.as_bytes()), None, "{text}");
        }
    }

    #[cfg(feature = "client")]
    #[test]
    fn metadata_of_grpc_is_read_with_and_without_padding() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")]
        {
            assert_eq!(encode_standard(bytes.as_bytes()), text);
            let length = text.len().next_multiple_of(4);
            let padded = format!("{text:=<length$}");
            for text in [text, &padded] {
                assert_eq!(decode_standard(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
            }
        }
        assert_eq!(encode_standard(&[0xfb, 0xff, 0xfe]), "+//+");
        for text in ["Z", "Zm9vY", "Z m9", "-__-", "Zg===", "=Zg"] {
            assert_eq!(decode_standard(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(decode(&encode::<22>(&bytes)), Some(bytes));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(text in "[A-Za-z0-9_-]{22}") {
            if let Some(bytes) = decode::<16>(text.as_bytes()) {
                prop_assert_eq!(encode::<22>(&bytes), text.as_bytes());
            }
        }
    }
}
