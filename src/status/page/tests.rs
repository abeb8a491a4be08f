use std::fmt::Write;

use http::Method;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    clock::unix_now,
    dialect::Mount,
    estimate::RetryAfter,
    operation::{Head, OperationId, Report, Stage},
};

fn running(message: Option<String>, progress: Option<f64>) -> Snapshot {
    let head = Head {
        created: unix_now(),
        method: Method::POST,
        target: "/reports/'a'&b?secret=1".parse().unwrap(),
        report: Report { stage: Stage::Running, progress, message },
        binding: None,
        keyed: None,
        request: None,
    };
    Snapshot::accepted(OperationId::from_bytes([7; 16]), head)
}

/// Noon.
const NOW: u64 = 1_795_348_800_250;

fn links() -> Links {
    Links::new("", &Mount::new("/operations"))
}

fn shown(operation: &Snapshot) -> String {
    page(operation, None, &links(), Timestamp::from_unix_millis(NOW))
}

/// As a source expression of a Content-Security-Policy has it.
fn hash(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = Sha256::digest(text);
    let mut encoded = String::from("'sha256-");
    for three in digest.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            encoded.push(DIGITS[(bits >> (18 - 6 * at) & 63) as usize].into());
        }
    }
    encoded + "='"
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() {
    let policy = POLICY.to_str().unwrap().to_owned();
    let expected = format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT),
    );
    assert_eq!(policy, expected);
}

#[test]
fn the_style_and_the_script_cannot_end_their_elements() {
    assert!(!STYLE.contains("</") && !STYLE.contains("<!--"));
    assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
}

#[test]
fn a_page_says_what_runs_and_how_far_it_is() {
    let page = shown(&running(Some("step 1".into()), Some(0.429)));
    for part in [
        "<title>Running: POST /reports/&#39;a&#39;&amp;b</title>",
        "<bdi class=\"path\">/reports/&#39;a&#39;&amp;b</bdi>",
        "<p class=\"word\">Running</p>",
        "<bdi>step 1</bdi>",
        "max=\"100\" value=\"42\"",
        ">Cancel</button>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("{{"));
    assert!(!page.contains("secret"), "the query is for whoever has sent it");
}

#[test]
fn what_is_loaded_is_loaded_from_nowhere() {
    let page = shown(&running(None, None)).replace(SCRIPT, "");
    for sign in ["src=", "<link", "url(", "@import", "http:", "https:", " onclick=", " style="] {
        assert!(!page.contains(sign), "{sign} in {page}");
    }
}

#[test]
fn a_message_in_any_writing_stays_apart_from_the_rest() {
    let message = "\u{202e}</bdi><script>alert(1)</script>\u{0}\u{7}'\"`";
    let page = shown(&running(Some(message.into()), None));
    let mut expected = String::from("<bdi>");
    write!(
        expected,
        "\u{202e}&lt;/bdi&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}\u{fffd}&#39;&quot;`</bdi>"
    )
    .unwrap();
    assert!(page.contains(&expected), "{page}");
}

#[test]
fn a_page_says_when_the_end_is_expected_in_words_and_as_a_time() {
    let mut operation = running(None, None);
    let dd = |operation: &Snapshot, verdict| {
        let page = page(operation, verdict, &links(), Timestamp::from_unix_millis(NOW));
        let (_, rest) = page.split_once("<dd id=\"expected\">").unwrap();
        rest.split_once("</dd>").unwrap().0.to_owned()
    };
    assert_eq!(dd(&operation, None), "Not known");
    for (millis, words, end) in [
        (400, "1 more second", "12:00:00.650"),
        (11_600, "12 more seconds", "12:00:11.850"),
        (118_001, "119 more seconds", "12:01:58.251"),
        (119_999, "2 more minutes", "12:02:00.249"),
        (150_000, "3 more minutes", "12:02:30.250"),
        (7_300_000, "3 more hours", "14:01:40.250"),
    ] {
        operation.retry_after = Some(RetryAfter {
            exact: Duration::from_secs(1),
            seconds: 1,
            remaining: Some(Duration::from_millis(millis)),
        });
        let end = format!("2026-11-22T{end}Z");
        let expected =
            format!("Expected to take about {words}, until <time datetime=\"{end}\">{end}</time>");
        assert_eq!(dd(&operation, None), expected);
    }
    let ended = State::Ended {
        outcome: Outcome::Failure(Failure::Canceled),
        expires: Timestamp::from_unix_millis(NOW),
    };
    operation.state = ended;
    assert_eq!(dd(&operation, Some(Verdict::Canceled)), "It has ended");
}

proptest! {
    #[test]
    fn no_text_opens_or_closes_anything(text in any::<String>()) {
        let page = shown(&running(Some(text), None));
        let plain = shown(&running(Some(String::new()), None));
        for mark in ['<', '>', '"', '\''] {
            prop_assert_eq!(page.matches(mark).count(), plain.matches(mark).count());
        }
    }
}
