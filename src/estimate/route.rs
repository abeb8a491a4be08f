//! Which calls are of one kind.

use http::{Method, uri::PathAndQuery};

/// The longest route: what is beyond is not looked at.
const LONGEST: usize = 256;
/// A longer segment is no word.
const LONGEST_WORD: usize = 32;

/// The method and the path, with `*` in the place of what looks like an id: numbers, UUIDs, hashes, tokens.
/// The query is left out.
pub(super) fn folded(method: &Method, target: &PathAndQuery) -> String {
    let path = target.path();
    let mut route = String::with_capacity(method.as_str().len() + path.len().min(LONGEST) + 1);
    route.push_str(method.as_str());
    for segment in path.split('/').skip(1) {
        if route.len() + segment.len() >= LONGEST {
            break;
        }
        route.push('/');
        route.push_str(if is_id(segment) { "*" } else { segment });
    }
    route
}

/// Whether a segment of a path names one thing of many.
fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits == segment.len() && digits > 0;
    let is_hex =
        segment.len() >= 8 && segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    // `v2` and `2026-report` are words; a word with four digits in it is none.
    is_number
        || (is_hex && digits > 0)
        || digits >= 4 && segment.len() >= 8
        || segment.len() > LONGEST_WORD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_folded_and_words_are_not() {
        for (target, route) in [
            ("/", "POST/"),
            ("/reports", "POST/reports"),
            ("/reports?year=2026", "POST/reports"),
            ("/reports/7/rows", "POST/reports/*/rows"),
            ("/v2/reports", "POST/v2/reports"),
            ("/x/8f0c2d34-55aa-4b7e-9c1d-000000000001", "POST/x/*"),
            ("/x/deadbeef01", "POST/x/*"),
            ("/x/facade", "POST/x/facade"),
            ("/x/ord_2026_0001", "POST/x/*"),
            ("/x/averyveryverylongtokenwithoutanydigits", "POST/x/*"),
        ] {
            let target = PathAndQuery::from_static(target);
            assert_eq!(folded(&Method::POST, &target), route);
        }
    }

    #[test]
    fn a_route_has_a_longest_length() {
        let target: PathAndQuery = format!("/{}", "segment/".repeat(1_000)).parse().unwrap();
        assert!(folded(&Method::POST, &target).len() <= LONGEST);
    }
}
