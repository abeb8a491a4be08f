//! JSON objects (RFC 8259), written member by member into one buffer.

/// An object while it is written.
pub(super) struct Object<'a> {
    buffer: &'a mut Vec<u8>,
    /// What comes before the next member.
    before: u8,
}

/// By what the bytes below 0x20 are escaped; the rest of them by their number.
const NAMED: [(u8, u8); 5] =
    [(0x08, b'b'), (b'\t', b't'), (b'\n', b'n'), (0x0C, b'f'), (b'\r', b'r')];

// === impl Object ===

impl<'a> Object<'a> {
    pub(super) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer, before: b'{' }
    }

    /// A string: all `parts`, one after the other.
    pub(super) fn text<const N: usize>(&mut self, name: &'static str, parts: [&str; N]) {
        self.name(name);
        self.buffer.push(b'"');
        for part in parts {
            escape(part, self.buffer);
        }
        self.buffer.push(b'"');
    }

    pub(super) fn number(&mut self, name: &'static str, number: u64) {
        self.name(name);
        decimal(number, self.buffer);
    }

    /// An object; whatever is written into it has to be [ended](Object::end).
    pub(super) fn object(&mut self, name: &'static str) -> Object<'_> {
        self.name(name);
        Object::new(self.buffer)
    }

    pub(super) fn end(self) {
        if self.before == b'{' {
            self.buffer.push(b'{');
        }
        self.buffer.push(b'}');
    }

    /// Names hold nothing that would have to be escaped.
    fn name(&mut self, name: &'static str) {
        self.buffer.extend_from_slice(&[self.before, b'"']);
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
        self.before = b',';
    }
}

/// Writes a number without sign and leading zeros.
pub(super) fn decimal(number: u64, buffer: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut first, mut rest) = (digits.len(), number);
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[first..]);
}

fn escape(text: &str, buffer: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    // Looks at all of them, and so at many at a time.
    if !bytes.iter().fold(false, |any, byte| any | is_special(*byte)) {
        buffer.extend_from_slice(bytes);
        return;
    }
    for &byte in bytes {
        match byte {
            byte if !is_special(byte) => buffer.push(byte),
            b'"' | b'\\' => buffer.extend_from_slice(&[b'\\', byte]),
            control => escape_control(control, buffer),
        }
    }
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape_control(control: u8, buffer: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match NAMED.iter().find(|(named, _)| *named == control) {
        Some((_, letter)) => buffer.extend_from_slice(&[b'\\', *letter]),
        None => {
            buffer.extend_from_slice(b"\\u00");
            buffer.push(HEX[usize::from(control >> 4)]);
            buffer.push(HEX[usize::from(control & 0xF)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn written(write: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
        let mut buffer = Vec::new();
        let mut object = Object::new(&mut buffer);
        write(&mut object);
        object.end();
        buffer
    }

    #[test]
    fn objects_are_written_without_spaces_and_in_order() {
        let document = written(|object| {
            object.text("b", ["one", "", " two"]);
            object.number("a", 10);
            let mut inner = object.object("inner");
            inner.text("c", []);
            inner.end();
            object.object("empty").end();
        });
        assert_eq!(document, br#"{"b":"one two","a":10,"inner":{"c":""},"empty":{}}"#);
        assert_eq!(written(|_| {}), b"{}");
    }

    #[test]
    fn every_control_character_is_escaped() {
        for control in 0..0x20_u8 {
            let text = char::from(control).to_string();
            let document = written(|object| object.text("text", [&text]));
            assert!(document.iter().all(|byte| *byte >= 0x20), "{control:#x}");
            let read: Value = serde_json::from_slice(&document).expect("JSON");
            assert_eq!(read["text"], text, "{control:#x}");
        }
        let document = written(|object| object.text("text", ["\u{8}\t\n\u{c}\r\0\u{1f}"]));
        assert_eq!(document, br#"{"text":"\b\t\n\f\r\u0000\u001f"}"#);
    }

    #[test]
    fn quotes_and_backslashes_are_escaped_and_nothing_else_above_the_control_characters() {
        let document = written(|object| object.text("text", [r#"a"b\c/d"#, "\u{7f}ä€𝄞\u{2028}"]));
        assert_eq!(document, "{\"text\":\"a\\\"b\\\\c/d\u{7f}ä€𝄞\u{2028}\"}".as_bytes());
    }

    #[test]
    fn numbers_are_written_to_their_last_digit() {
        for number in [0, 9, 10, 99, 100, 2000, u64::MAX] {
            let mut buffer = Vec::new();
            decimal(number, &mut buffer);
            assert_eq!(buffer, number.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_another_library_writes_and_reads(
            first in any::<String>(),
            second in any::<String>(),
            number in any::<u64>(),
        ) {
            let document = written(|object| {
                object.text("both", [&first, &second]);
                object.number("number", number);
            });
            let both = first + &second;
            let read: Value = serde_json::from_slice(&document).expect("JSON");
            prop_assert_eq!(read, json!({ "both": both, "number": number }));
            let expected = format!("{{\"both\":{},\"number\":{number}}}", json!(both));
            prop_assert_eq!(document, expected.into_bytes());
        }
    }
}
