use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// What a caller calls its request, to be able to send it again: the value of an
/// `Idempotency-Key` field.
///
/// A key can be as good as a password to what it stands for, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(Box<[u8]>);

/// The `Idempotency-Key` field is neither a string of structured fields (RFC 9651, section 3.3.3)
/// nor a bare value, is empty or too long, or there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidKey;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

// === impl IdempotencyKey ===

impl IdempotencyKey {
    /// The longest key, in bytes, without quotes and backslashes.
    pub(crate) const MAX_LEN: usize = 255;

    /// The key of a request, if it has one.
    ///
    /// The draft wants a string in quotes; many clients send the bare value, and mean the same.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, InvalidKey> {
        let mut fields = headers.get_all(IDEMPOTENCY_KEY).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(None),
            (Some(field), None) => Self::parse(field).map(Some),
            (Some(_), Some(_)) => Err(InvalidKey),
        }
    }

    fn parse(field: &HeaderValue) -> Result<Self, InvalidKey> {
        let text = field.as_bytes().trim_ascii();
        let key = match text.strip_prefix(b"\"") {
            Some(rest) => quoted(rest),
            None => text.iter().all(is_bare).then(|| text.to_vec()),
        };
        key.filter(|key| (1..=Self::MAX_LEN).contains(&key.len()))
            .map(|key| Self(key.into_boxed_slice()))
            .ok_or(InvalidKey)
    }

    /// The key without quotes and backslashes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What may stand in a bare value: what is visible, except what has a meaning in a list of
/// parameters or strings.
fn is_bare(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !b"\"\\,;".contains(byte)
}

/// The string whose opening quotation mark has been read, if it ends where the field does.
fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut string = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    loop {
        match bytes.next()? {
            b'"' => return bytes.as_slice().is_empty().then_some(string),
            b'\\' => string.push(*bytes.next().filter(|byte| b"\"\\".contains(byte))?),
            byte @ b' '..=b'~' => string.push(*byte),
            _ => return None,
        }
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<Option<Vec<u8>>, InvalidKey> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(field).expect("visible"));
        }
        IdempotencyKey::from_headers(&headers).map(|key| key.map(|key| key.as_bytes().to_vec()))
    }

    fn key(text: &str) -> Result<Option<Vec<u8>>, InvalidKey> {
        Ok(Some(text.as_bytes().to_vec()))
    }

    #[test]
    fn no_field_is_no_key() {
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn a_string_and_a_bare_value_of_the_same_text_are_the_same_key() {
        let uuid = "8e03978e-40d5-43e8-bc93-6894a57f9324";
        assert_eq!(read(&[uuid]), key(uuid));
        assert_eq!(read(&[&format!("\"{uuid}\"")]), key(uuid));
        assert_eq!(read(&[&format!("  \"{uuid}\" ")]), key(uuid));
    }

    #[test]
    fn backslashes_in_a_string_stand_for_what_follows_them() {
        assert_eq!(read(&[r#""a \"b\" \\""#]), key(r#"a "b" \"#));
    }

    #[test]
    fn what_is_neither_a_string_nor_bare_is_refused() {
        for field in [
            "",
            " ",
            "\"\"",
            "\"",
            "\"a",
            "a\"",
            "\"a\"b",
            "\"a\";p=1",
            "\"a\", \"b\"",
            "a, b",
            "a;b",
            "a b",
            r#""\a""#,
            r#""a\"#,
            r"a\b",
            "\"a\tb\"",
        ] {
            assert_eq!(read(&[field]), Err(InvalidKey), "{field:?}");
        }
    }

    #[test]
    fn two_fields_are_refused() {
        assert_eq!(read(&["a", "a"]), Err(InvalidKey));
    }

    #[test]
    fn bytes_beyond_ascii_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(b"\"\xc3\xa4\"").expect("opaque"));
        assert_eq!(IdempotencyKey::from_headers(&headers).map(drop), Err(InvalidKey));
    }

    #[test]
    fn a_key_has_at_most_255_bytes_without_its_quotes_and_backslashes() {
        let longest = "k".repeat(IdempotencyKey::MAX_LEN);
        assert_eq!(read(&[&longest]), key(&longest));
        assert_eq!(read(&[&format!("\"{longest}\"")]), key(&longest));
        assert_eq!(read(&[&format!("{longest}k")]), Err(InvalidKey));
        let escaped = r"\\".repeat(IdempotencyKey::MAX_LEN);
        assert_eq!(read(&[&format!("\"{escaped}\"")]), key(&r"\".repeat(255)));
    }
}
