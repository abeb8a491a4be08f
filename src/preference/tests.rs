use http::{HeaderValue, header};
use proptest::prelude::*;

use super::*;

fn read(lines: &[&[u8]]) -> Preference {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("respond-async, wait=1"));
    for line in lines {
        headers.append("prefer", HeaderValue::from_bytes(line).expect("a header value"));
    }
    Preference::from_headers(&headers)
}

fn wait(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn lists_are_read_as_rfc_7240_says() {
    #[rustfmt::skip]
    let cases: &[(&str, bool, Option<Duration>)] = &[
        ("", false, None),
        ("respond-async", true, None),
        ("wait=10", false, wait(10)),
        ("respond-async, wait=10", true, wait(10)),
        ("respond-async,wait=10", true, wait(10)),
        ("\twait = 10 \t,\trespond-async ", true, wait(10)),
        // Names are case-insensitive.
        ("Respond-Async, WAIT=10", true, wait(10)),
        // Empty members.
        (",, respond-async,, wait=10,", true, wait(10)),
        // An empty value is no value.
        ("respond-async=\"\"", true, None),
        ("respond-async = \"\" ; x", true, None),
        ("respond-async=true, wait=10", false, wait(10)),
        ("respond-async=\"true\", wait=10", false, wait(10)),
        ("respond-async=false, respond-async", true, None),
        ("respond-async=, wait=10", false, wait(10)),
        // A quoted value is the same as one that is not.
        ("wait=\"10\"", false, wait(10)),
        ("wait=\"1\\0\"", false, wait(10)),
        ("wait=\"\\1\\0\", respond-async", true, wait(10)),
        ("wait=\"1\\\"0\", respond-async", true, None),
        ("wait=\"10", false, None),
        // Parameters say nothing.
        ("wait=10; wait=20; respond-async", false, wait(10)),
        ("respond-async;wait=10", true, None),
        ("respond-async ; a=\"x, wait=10\"; b, wait=20", true, wait(20)),
        ("respond-async;;=", true, None),
        // Unknown preferences.
        ("return=minimal, handling=lenient, wait=10", false, wait(10)),
        ("respond-asynchronously, await=10, wait-=10", false, None),
        // Commas in quotes.
        ("foo=\"a, wait=20, respond-async\", wait=10", false, wait(10)),
        ("foo=\"\\\", wait=20\", wait=10", false, wait(10)),
        ("foo=\"\\\", wait=20, bar\", wait=10", false, wait(10)),
        ("foo=\"\\\\\", wait=20, bar=\"\", wait=10", false, wait(20)),
        // The first instance counts.
        ("wait=10, wait=20", false, wait(10)),
        ("wait=0, wait=20", false, wait(0)),
        ("respond-async, respond-async", true, None),
        // What is malformed is no instance, and costs no other member.
        ("wait, wait=, wait=\"\", wait=-1, wait=+1, wait=1.5, wait=1s, wait=0x1, wait=10", false, wait(10)),
        ("wait=1 0, wait=1=0, wait=10 20, wait=30", false, wait(30)),
        ("=, =10, ;, ;wait=10, respond-async", true, None),
        ("wait:10, (wait=10), respond-async wait=20, wait=30", false, wait(30)),
        ("wait=\"10\"0, respond-async", true, None),
        ("foo=\"a, wait=10, respond-async", true, wait(10)),
        ("foo\", wait=10, respond-async", true, wait(10)),
        ("foo=\"\\\", wait=10", false, wait(10)),
        ("foo=\"a\\", false, None),
        // As many seconds as there can be.
        ("wait=18446744073709551615", false, wait(u64::MAX)),
        ("wait=18446744073709551616", false, wait(u64::MAX)),
        ("wait=99999999999999999999999999999999", false, wait(u64::MAX)),
        ("wait=000000000000000000000000000000010", false, wait(10)),
    ];
    for &(line, respond_async, wait) in cases {
        assert_eq!(read(&[line.as_bytes()]), Preference { respond_async, wait }, "{line}");
    }
}

#[test]
fn several_lines_are_one_list() {
    let both = Preference { respond_async: true, wait: wait(10) };
    assert_eq!(read(&[b"respond-async", b"wait=10"]), both);
    assert_eq!(read(&[b"wait=10", b"wait=20, respond-async"]), both);
    assert_eq!(read(&[b"wait=x", b"foo=\"", b"wait=10", b"respond-async"]), both);
    assert_eq!(read(&[]), Preference::default());
}

#[test]
fn bytes_that_are_no_text_are_skipped() {
    assert_eq!(read(&[b"\xff\xfe=\xff, wait=10"]).wait, wait(10));
    assert_eq!(read(&[b"foo=\"\xff,\xc3\\\xa9\", wait=10"]).wait, wait(10));
    assert_eq!(read(&[b"wait=\"\xff\", wait=\xff, w\xe4it=5, wait=10"]).wait, wait(10));
}

#[test]
fn a_long_line_of_quotation_marks_is_read_in_one_pass() {
    // Quadratic in the length of the line, this would take hours.
    let mut line = b"\\\"".repeat(1 << 20);
    line.extend(b", wait=10");
    assert_eq!(read(&[&line]).wait, wait(10));
}

proptest! {
    #[test]
    fn any_bytes_are_read(lines in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let mut headers = HeaderMap::new();
        for line in &lines {
            members(line).filter_map(Member::parse).for_each(|m| Preference::default().add(&m));
            if let Ok(value) = HeaderValue::from_bytes(line) {
                headers.append("prefer", value);
            }
        }
        Preference::from_headers(&headers);
    }

    #[test]
    fn what_is_well_formed_is_found_among_anything(
        before in r#"([a-z=;," \\]|wait|respond-async){0,12}"#,
        after in r#"([a-z=;," \\0-9]|wait|respond-async){0,12}"#,
    ) {
        // A line of its own, so that no quotation mark of another line can hide it.
        let found = read(&[before.as_bytes(), b"wait=10, respond-async", after.as_bytes()]);
        prop_assert_eq!(found, Preference { respond_async: true, wait: wait(10) });
    }

    #[test]
    fn members_and_commas_make_up_the_line(line in any::<Vec<u8>>()) {
        let whole = members(&line).collect::<Vec<_>>().join(&b',');
        prop_assert_eq!(whole, line);
    }
}
