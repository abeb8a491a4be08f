use http::{HeaderMap, HeaderValue};

use crate::idempotency::{IdempotencyKey, InvalidKey};

type Read = Result<Option<IdempotencyKey>, InvalidKey>;

/// Reading `Idempotency-Key` never panics; a key has 1 to 255 visible bytes, and is the same in quotes
/// and bare; several are none.
///
/// The lines of `data` are the field's; also, all of it is the text of a key.
pub fn idempotency_key(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n');
    let values: Vec<_> = lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    fields(&values);
    text(data);
}

fn fields(values: &[HeaderValue]) {
    let found = read(values);
    match values {
        [] => assert!(found == Ok(None), "no field is no key"),
        [value] => field(value, &found),
        _ => assert!(found == Err(InvalidKey), "several fields"),
    }
}

fn field(value: &HeaderValue, found: &Read) {
    let padded = [b" \t", value.as_bytes(), b"\t "].concat();
    assert!(read(&[opaque(&padded)]) == *found, "blanks around it say something");
    assert!(read(&[value.clone(), opaque(b"k")]) == Err(InvalidKey), "a second field");
    match found {
        Ok(Some(key)) => valid(value, key),
        Ok(None) => panic!("a field that is nothing"),
        Err(InvalidKey) => assert!(!is_bare(value.as_bytes()), "{value:?} was refused"),
    }
}

fn valid(value: &HeaderValue, key: &IdempotencyKey) {
    let text = key.as_bytes();
    assert!(is_key(text), "{text:?} is no key");
    let value = value.as_bytes().trim_ascii();
    assert!(value == text && is_bare(text) || value == quoted(text), "{value:?} was read {text:?}");
}

/// What is written as a string is read back; what may stand bare is the same key.
fn text(text: &[u8]) {
    let Ok(string) = HeaderValue::from_bytes(&quoted(text)) else { return };
    let found = read(&[string]);
    match &found {
        Ok(Some(key)) => assert_eq!(key.as_bytes(), text),
        Ok(None) | Err(InvalidKey) => assert!(!is_key(text), "{text:?} was refused"),
    }
    if is_bare(text) {
        assert!(read(&[opaque(text)]) == found, "{text:?} bare is another key");
    }
}

fn read(values: &[HeaderValue]) -> Read {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("idempotency-key", value.clone());
    }
    IdempotencyKey::from_headers(&headers)
}

fn opaque(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).expect("blanks around a value make another one")
}

/// As RFC 9651 has a string written (section 4.1.6).
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut string = vec![b'"'];
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            string.push(b'\\');
        }
        string.push(*byte);
    }
    string.push(b'"');
    string
}

fn is_key(text: &[u8]) -> bool {
    (1..=255).contains(&text.len()) && text.iter().all(|byte| (0x20..=0x7e).contains(byte))
}

fn is_bare(text: &[u8]) -> bool {
    is_key(text) && !text.iter().any(|byte| b" \"\\,;".contains(byte))
}
