use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::preference::Preference;

/// A line of this length would take minutes if the time that it takes grew with the square.
const LONG: usize = 512 * 1024;

const UNKNOWN: &[u8] = b"foo=\"wait=1, respond-async\"; wait=2; respond-async";
const BOTH: &[u8] = b"wait=7, respond-async";

/// Reading `Prefer` never panics; all lines are one list, the first instance of a preference in it
/// counts, and unknown ones change nothing.
///
/// The lines of `data` are the field's.
pub fn prefer(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let found = read(&lines);
    more_lines(&lines, found);
    same_line(&lines);
    letter_case(&lines, found);

    let written = found.header();
    let again = written.as_ref().map_or(Preference::default(), |line| read(&[line.as_bytes()]));
    assert_eq!(again, found, "written as {written:?}");
}

/// Reading `Prefer` takes one pass, whatever is repeated in it. `data` is, to a long line: a fuzzer notices
/// what takes too long.
pub fn prefer_long(data: &[u8]) {
    let times = LONG / data.len().max(1);
    read(&[&data.repeat(times)]);
}

/// Every line counts for itself, in its order.
fn more_lines(lines: &[&[u8]], found: Preference) {
    let alone = || lines.iter().map(|line| read(&[line]));
    assert_eq!(alone().any(|line| line.respond_async), found.respond_async);
    assert_eq!(alone().find_map(|line| line.wait), found.wait);

    let before = |line| read(&[&[line], lines].concat());
    let after = |line| read(&[lines, &[line]].concat());
    assert_eq!((before(UNKNOWN), after(UNKNOWN)), (found, found), "an unknown preference");
    let both = read(&[BOTH]);
    assert_eq!(before(BOTH), both, "a later instance");
    let wait = found.wait.or(both.wait);
    assert_eq!(after(BOTH), Preference { wait, ..both }, "an earlier instance");
}

/// A comma is the same as a new line, unless a quotation mark of one line could pair with one of another.
fn same_line(lines: &[&[u8]]) {
    let [first, ..] = lines else { return };
    let within = [b"foo=bar, ", *first, b" , ; baz"].concat();
    assert_eq!(read(&[&within]), read(&[first]), "unknown preferences on the same line");

    let is_plain = |line: &&[u8]| is_value(line) && !line.contains(&b'"');
    if lines.iter().all(is_plain) {
        let line = lines.join(&b',');
        assert_eq!(read(&[&line]), read(lines), "one line instead of several");
        let found = read(lines);
        assert_eq!((found.respond_async, found.wait), plain(&line), "without quotation marks");
    }
}

/// What a line says that has no quotation marks.
fn plain(line: &[u8]) -> (bool, Option<Duration>) {
    let members =
        || line.split(|byte| *byte == b',').filter_map(|it| it.split(|b| *b == b';').next());
    let respond_async = members().any(|it| it.trim_ascii().eq_ignore_ascii_case(b"respond-async"));
    let wait = members().find_map(|it| {
        let (name, value) = it.split_at(it.iter().position(|byte| *byte == b'=')?);
        let value = std::str::from_utf8(value[1..].trim_ascii()).ok()?;
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        // Digits are a number, or one that is too large.
        (digits && name.trim_ascii().eq_ignore_ascii_case(b"wait"))
            .then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
    });
    (respond_async, wait)
}

fn letter_case(lines: &[&[u8]], found: Preference) {
    let upper: Vec<Vec<u8>> = lines.iter().map(|line| line.to_ascii_uppercase()).collect();
    let upper: Vec<&[u8]> = upper.iter().map(Vec::as_slice).collect();
    assert_eq!(read(&upper), found, "in upper case");
}

/// What these lines say; those that are no header value are left out.
fn read(lines: &[&[u8]]) -> Preference {
    let mut headers = HeaderMap::new();
    for line in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append("prefer", line);
    }
    Preference::from_headers(&headers)
}

fn is_value(line: &[u8]) -> bool {
    HeaderValue::from_bytes(line).is_ok()
}
