use http::{HeaderMap, HeaderValue};

use crate::preference::Preference;

/// A line of this length would take minutes if the time that it takes grew with the square.
const LONG: usize = 256 * 1024;

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
    let [first, others @ ..] = lines else { return };
    let within = [b"foo=bar, ", *first, b" , ; baz"].concat();
    assert_eq!(read(&[&within]), read(&[first]), "unknown preferences on the same line");

    let is_plain = |line: &&[u8]| is_value(line) && !line.contains(&b'"');
    if is_plain(first) && others.iter().all(is_plain) {
        assert_eq!(read(&[&lines.join(&b',')]), read(lines), "one line instead of several");
    }
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
