//! JSON objects (RFC 8259), written member by member into one buffer.

/// An object while it is written.
pub(super) struct Object<'a> {
    buffer: &'a mut Vec<u8>,
    /// What comes before the next member.
    before: u8,
}

/// A list of objects while it is written.
pub(super) struct List<'a> {
    buffer: &'a mut Vec<u8>,
    /// What comes before the next object.
    before: u8,
}

/// The name of a member, in quotes and with the colon behind it. Made by [`name!`].
#[derive(Clone, Copy)]
pub(super) struct Name(pub(super) &'static str);

/// The [`Name`] of a member. It must hold nothing that has to be escaped.
macro_rules! name {
    ($name:literal) => {
        $crate::dialect::json::Name(concat!("\"", $name, "\":"))
    };
}
pub(super) use name;

/// By what the bytes below 0x20 are escaped; the rest of them by their number.
const NAMED: [(u8, u8); 5] =
    [(0x08, b'b'), (b'\t', b't'), (b'\n', b'n'), (0x0C, b'f'), (b'\r', b'r')];

// === impl Object ===

impl<'a> Object<'a> {
    pub(super) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer, before: b'{' }
    }

    /// A string.
    pub(super) fn text(&mut self, name: Name, text: &str) {
        self.name(name);
        self.buffer.push(b'"');
        escape(text, self.buffer);
        self.buffer.push(b'"');
    }

    /// A string, all `parts` one after the other, of which it is known that they hold nothing that
    /// has to be escaped.
    pub(super) fn plain<const N: usize>(&mut self, name: Name, parts: [&[u8]; N]) {
        self.name(name);
        self.buffer.push(b'"');
        for part in parts {
            debug_assert!(is_plain(part), "{}", part.escape_ascii());
            self.buffer.extend_from_slice(part);
        }
        self.buffer.push(b'"');
    }

    pub(super) fn number(&mut self, name: Name, number: u64) {
        self.name(name);
        decimal(number, self.buffer);
    }

    /// An object; once all is written into it, it has to be [ended](Object::end).
    pub(super) fn object(&mut self, name: Name) -> Object<'_> {
        self.name(name);
        Object::new(self.buffer)
    }

    /// A list of objects; once all are in it, it has to be [ended](List::end).
    pub(super) fn list(&mut self, name: Name) -> List<'_> {
        self.name(name);
        List { buffer: self.buffer, before: b'[' }
    }

    pub(super) fn end(self) {
        if self.before == b'{' {
            self.buffer.push(b'{');
        }
        self.buffer.push(b'}');
    }

    fn name(&mut self, name: Name) {
        self.buffer.push(self.before);
        self.buffer.extend_from_slice(name.0.as_bytes());
        self.before = b',';
    }
}

// === impl List ===

impl List<'_> {
    /// The next object; it has to be [ended](Object::end).
    pub(super) fn object(&mut self) -> Object<'_> {
        self.buffer.push(self.before);
        self.before = b',';
        Object::new(self.buffer)
    }

    pub(super) fn end(self) {
        if self.before == b'[' {
            self.buffer.push(b'[');
        }
        self.buffer.push(b']');
    }
}

/// The text as it stands between the quotes of a string.
pub(super) fn escaped(text: &str) -> String {
    let mut buffer = Vec::new();
    escape(text, &mut buffer);
    String::from_utf8(buffer).expect("escapes are ASCII, and stand in the place of ASCII")
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
    if is_plain(bytes) {
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

fn is_plain(bytes: &[u8]) -> bool {
    // Looks at all of them, and so at many at a time.
    !bytes.iter().fold(false, |any, byte| any | is_special(*byte))
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
            object.plain(name!("b"), [b"one", b"", b" two"]);
            object.number(name!("a"), 10);
            let mut inner = object.object(name!("inner"));
            inner.text(name!("c"), "");
            inner.end();
            object.object(name!("empty")).end();
            let mut list = object.list(name!("list"));
            list.object().end();
            list.object().end();
            list.end();
            object.list(name!("none")).end();
        });
        let expected =
            br#"{"b":"one two","a":10,"inner":{"c":""},"empty":{},"list":[{},{}],"none":[]}"#;
        assert_eq!(document, expected);
        assert_eq!(written(|_| {}), b"{}");
    }

    #[test]
    fn every_control_character_is_escaped() {
        for control in 0..0x20_u8 {
            let text = char::from(control).to_string();
            let document = written(|object| object.text(name!("text"), &text));
            assert!(document.iter().all(|byte| *byte >= 0x20), "{control:#x}");
            let read: Value = serde_json::from_slice(&document).expect("JSON");
            assert_eq!(read["text"], text, "{control:#x}");
        }
        let document = written(|object| object.text(name!("text"), "\u{8}\t\n\u{c}\r\0\u{1f}"));
        assert_eq!(document, br#"{"text":"\b\t\n\f\r\u0000\u001f"}"#);
    }

    #[test]
    fn quotes_and_backslashes_are_escaped_and_nothing_else_above_the_control_characters() {
        let document = written(|object| object.text(name!("text"), "a\"b\\c/d\u{7f}ä€𝄞\u{2028}"));
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
            // Not any string: those have no control characters.
            text in prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
            number in any::<u64>(),
        ) {
            let document = written(|object| {
                object.text(name!("text"), &text);
                object.number(name!("number"), number);
            });
            let read: Value = serde_json::from_slice(&document).expect("JSON");
            prop_assert_eq!(read, json!({ "text": text, "number": number }));
            let expected = format!("{{\"text\":{},\"number\":{number}}}", json!(text));
            prop_assert_eq!(document, expected.into_bytes());
        }
    }
}
