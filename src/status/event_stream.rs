//! Server-sent events, as bytes (WHATWG HTML, section 9.2).

use bytes::Bytes;

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The operation has changed.
    Status,
    /// It has ended. Nothing follows.
    End,
}

/// A comment: shows to both sides, and to all between them, that the other one is still there.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// One event. A line break within `data` begins another line of it, and is a line feed to whoever
/// reads it, whatever it was.
pub(super) fn event(kind: Kind, id: &str, data: &[u8]) -> Bytes {
    debug_assert!(!id.contains(['\r', '\n', '\0']), "{id:?}");
    let mut event = Vec::with_capacity(data.len() + 64);
    for part in ["id: ", id, "\nevent: ", kind.name(), "\n"] {
        event.extend_from_slice(part.as_bytes());
    }
    for line in Lines(Some(data)) {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line);
        event.push(b'\n');
    }
    event.push(b'\n');
    event.into()
}

/// The lines of what is left.
struct Lines<'a>(Option<&'a [u8]>);

// === impl Kind ===

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::End => "end",
        }
    }
}

// === impl Lines ===

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.take()?;
        let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            return Some(rest);
        };
        let broken = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        self.0 = Some(&rest[end + broken..]);
        Some(&rest[..end])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_has_an_id_a_name_and_its_data() {
        let bytes = event(Kind::Status, "7c", br#"{"status":"Running"}"#);
        assert_eq!(bytes, "id: 7c\nevent: status\ndata: {\"status\":\"Running\"}\n\n");
        assert_eq!(event(Kind::End, "8", b""), "id: 8\nevent: end\ndata: \n\n");
    }

    #[test]
    fn every_kind_of_line_break_begins_a_line_of_data() {
        let bytes = event(Kind::Status, "0", b"a\nb\rc\r\nd\n\n");
        assert!(bytes.ends_with(b"data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n"));
    }

    proptest! {
        /// Whatever a document holds, it ends no event, names no other one, and comes out whole.
        #[test]
        fn data_stays_data(data in "(?s)[a-d:\r\n ]{0,40}") {
            let bytes = event(Kind::Status, "1", data.as_bytes());
            let text = std::str::from_utf8(&bytes).unwrap();
            let lines = text.strip_prefix("id: 1\nevent: status\n").unwrap();
            let lines = lines.strip_suffix("\n\n").unwrap();
            let read: Vec<_> = lines.split('\n').map(|line| line.strip_prefix("data: ").unwrap()).collect();
            prop_assert_eq!(read.join("\n"), data.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }
}
