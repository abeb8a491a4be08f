//! References resolved against the URL that was asked (RFC 3986, section 5.2).

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// Where a reference leads. Without a scheme and an authority it is where the request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) site: Option<(Scheme, Authority)>,
    pub(super) target: PathAndQuery,
}

/// What the base's scheme is taken for where a reference names another host and the base has none.
const UNKNOWN: Scheme = Scheme::HTTP;

/// Resolves `reference` against `base`, which may be a path alone. A fragment is dropped. `None` if it is no
/// reference, if its scheme is neither `http` nor `https`, or if it holds a user's name or password.
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Place> {
    let reference = reference.split_once('#').map_or(reference, |(before, _)| before);
    let (scheme, rest) = scheme(reference)?;
    let authority = rest.strip_prefix("//").map(|rest| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        rest.split_at(end)
    });
    let base_site = base.scheme().cloned().zip(base.authority().cloned());
    let (site, rest) = match (scheme, authority) {
        (Some(scheme), Some((authority, rest))) => (Some((scheme, site(authority)?)), rest),
        // `http:x`, which only old clients took for a relative reference.
        (Some(_), None) => return None,
        (None, Some((authority, rest))) => {
            let scheme = base.scheme().cloned().unwrap_or(UNKNOWN);
            (Some((scheme, site(authority)?)), rest)
        }
        (None, None) => return Some(Place { site: base_site, target: relative(base, rest)? }),
    };
    let (path, query) = split(rest);
    Some(Place { site, target: target(&without_dots(path), query)? })
}

/// The scheme before the first colon, if that stands before everything else.
fn scheme(reference: &str) -> Option<(Option<Scheme>, &str)> {
    match reference.find([':', '/', '?']) {
        Some(at) if reference.as_bytes()[at] == b':' => {
            let (name, rest) = (&reference[..at], &reference[at + 1..]);
            let scheme = match name.to_ascii_lowercase().as_str() {
                "http" => Scheme::HTTP,
                "https" => Scheme::HTTPS,
                _ => return None,
            };
            Some((Some(scheme), rest))
        }
        _ => Some((None, reference)),
    }
}

fn site(authority: &str) -> Option<Authority> {
    let authority: Authority = authority.parse().ok()?;
    (!authority.as_str().contains('@') && !authority.host().is_empty()).then_some(authority)
}

fn relative(base: &Uri, rest: &str) -> Option<PathAndQuery> {
    let (path, query) = split(rest);
    match path {
        "" => target(base.path(), query.or(base.query())),
        _ if path.starts_with('/') => target(&without_dots(path), query),
        _ => {
            let folder = base.path().rfind('/').map_or("/", |end| &base.path()[..=end]);
            target(&without_dots(&format!("{folder}{path}")), query)
        }
    }
}

fn split(path_and_query: &str) -> (&str, Option<&str>) {
    match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    }
}

fn target(path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    let path = if path.is_empty() { "/" } else { path };
    match query {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

/// Takes out `.` and `..` (section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => {
                kept.push(other);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolved(base: &str, reference: &str) -> Option<String> {
        let Place { site, target } = resolve(&base.parse().unwrap(), reference)?;
        Some(match site {
            Some((scheme, authority)) => format!("{scheme}://{authority}{target}"),
            None => target.to_string(),
        })
    }

    #[test]
    fn references_are_resolved_as_the_rfc_has_it() {
        // RFC 3986, sections 5.4.1 and 5.4.2. What names no path has `/`, and fragments are dropped.
        for (reference, url) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/../x", "http://a/b/c/g"),
        ] {
            let found = resolved("http://a/b/c/d;p?q", reference);
            assert_eq!(found.as_deref(), Some(url), "{reference}");
        }
    }

    #[test]
    fn a_base_that_is_a_path_stays_one() {
        for (reference, url) in [
            ("/operations/7", "/operations/7"),
            ("7/result?x=1", "/reports/7/result?x=1"),
            ("../7", "/7"),
            ("?hop=2", "/reports/new?hop=2"),
            ("//b.example/7", "http://b.example/7"),
            ("HTTPS://b.example", "https://b.example/"),
        ] {
            assert_eq!(resolved("/reports/new", reference).as_deref(), Some(url), "{reference}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for reference in [
            "g:h",
            "http:g",
            "ftp://a/b",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://",
            "//",
            "///x",
            "http://user@a/",
            "//user:secret@a/",
            "/a b",
            "http://a b/",
            "\u{fc}:x",
            "http://[::1/",
        ] {
            assert_eq!(resolved("https://a/b", reference), None, "{reference}");
        }
    }

    proptest! {
        #[test]
        fn any_text_leads_to_a_url_or_nowhere(
            reference in "(https?:)?(//)?[a-z@:./?#%\\[\\] ]{0,20}|.{0,20}",
            base in "(https?://a[.]b)?/[a-z./]{0,10}",
        ) {
            let base: Uri = base.parse().unwrap();
            if let Some(Place { site, target }) = resolve(&base, &reference) {
                let host = site.as_ref().map(|(_, authority)| authority.host());
                prop_assert!(host.is_none_or(|host| !host.is_empty() && !host.contains('@')));
                prop_assert!(target.path().starts_with('/'));
                // A reference without a path has the base's, as it is (section 5.2.2).
                let has_dots = |path: &str| path.split('/').any(|segment| segment == "..");
                prop_assert!(!has_dots(target.path()) || target.path() == base.path());
            }
        }
    }
}
