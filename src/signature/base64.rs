//! base64url without padding (RFC 4648, section 5), in the one form in which it is written.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many bits a character stands for.
const BITS: usize = 6;

/// Writes `bytes` as exactly as many characters as they need.
pub(super) fn encode<const CHARACTERS: usize>(bytes: &[u8]) -> [u8; CHARACTERS] {
    debug_assert_eq!((bytes.len() * 8).div_ceil(BITS), CHARACTERS);
    std::array::from_fn(|index| {
        let sextet = (0..BITS).fold(0, |sextet, bit| {
            let at = index * BITS + bit;
            // What is missing at the end is zero.
            let byte = bytes.get(at / 8).copied().unwrap_or_default();
            sextet << 1 | byte >> (7 - at % 8) & 1
        });
        ALPHABET[usize::from(sextet)]
    })
}

/// Reads what [`encode`] writes, and nothing else: another length, another alphabet and bits that stand
/// for nothing are refused.
pub(super) fn decode<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
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
