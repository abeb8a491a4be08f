//! `--sign-key-file`: the secrets by which URLs are signed.

use std::fs;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tower_respond_async::{KeyRing, KeyRingError};

/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads a file with a secret on each line, in hexadecimal digits or base64; the first one signs. Empty lines
/// and those that begin with `#` are left out.
///
/// # Errors
///
/// If the file cannot be read, or a line is no secret of at least 32 bytes. No message holds one.
pub fn read(path: &str) -> Result<KeyRing, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    ring(&text)
}

fn ring(text: &str) -> Result<KeyRing, String> {
    let mut secrets = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let secret = hexadecimal(line)
            .or_else(|| base64(line))
            .ok_or_else(|| format!("line {number} is neither hexadecimal digits nor base64"))?;
        // By itself, so that the message names the line.
        KeyRing::new([&secret]).map_err(|error| format!("line {number}: {error}"))?;
        secrets.push(secret);
    }
    KeyRing::new(secrets).map_err(|error: KeyRingError| error.to_string())
}

/// What could be both, 64 hexadecimal digits say, is this.
fn hexadecimal(line: &str) -> Option<Vec<u8>> {
    let digits = line.chars().map(|digit| digit.to_digit(16)?.try_into().ok());
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    pairs.collect()
}

fn base64(line: &str) -> Option<Vec<u8>> {
    BASE64.decode(line.replace('+', "-").replace('/', "_")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    #[test]
    fn a_line_is_hexadecimal_or_base64_of_either_kind() {
        let bytes = hexadecimal(HEX).unwrap();
        assert_eq!((bytes.len(), bytes[1], bytes[31]), (32, 0x11, 0xff));
        for text in ["-_-_", "+/+/"] {
            assert_eq!(base64(text), Some(vec![0xfb, 0xff, 0xbf]), "{text}");
        }
        for text in ["Zm8=", "Zm8"] {
            assert_eq!(base64(text), Some(b"fo".to_vec()), "{text}");
        }
        assert_eq!(hexadecimal("123"), None);
        assert_eq!(hexadecimal("äb"), None);
    }

    #[test]
    fn every_line_is_a_key_but_comments_and_empty_ones() {
        let text = format!("# new\n{HEX}\n\n  {} \n", "A".repeat(43));
        let ring = ring(&text).unwrap();
        assert!(format!("{ring:?}").contains("keys: 2"), "{ring:?}");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_without_the_secret() {
        for (text, expected) in [
            (format!("{HEX}\nnot base64!"), "line 2 is neither hexadecimal digits nor base64"),
            ("abcd".into(), "line 1: a key that signs URLs has 2 bytes; it needs 32"),
            ("# nothing\n".into(), "there is no key to sign URLs with"),
        ] {
            assert_eq!(ring(&text).unwrap_err(), expected);
        }
        assert!(read("/nowhere/at/all").unwrap_err().starts_with("it cannot be read"));
    }
}
