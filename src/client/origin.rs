//! Where a poll may go, and as whom.

use http::{
    HeaderMap, HeaderValue, Uri,
    header::HOST,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use super::reference::{Place, resolve};

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    /// In lower case.
    host: String,
    port: u16,
}

/// The URL of a poll, and whether it is where the call went.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) uri: Uri,
    pub(super) reach: Reach,
}

/// Whose a URL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The origin of the call, which may be told what the call told.
    Same,
    /// Another one, which is allowed. Whatever comes after it counts as such, too.
    Other,
}

// === impl Origin ===

impl Origin {
    /// The origin of an absolute URL.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        Some(Self::new(uri.scheme()?, uri.authority()?))
    }

    fn new(scheme: &Scheme, authority: &Authority) -> Self {
        let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(default);
        Self { scheme: scheme.clone(), host: authority.host().to_ascii_lowercase(), port }
    }
}

// === impl Target ===

impl Target {
    /// Where the call itself went.
    pub(super) fn of_call(uri: &Uri) -> Self {
        Self { uri: uri.clone(), reach: Reach::Same }
    }

    /// Where `reference`, found in an answer of this target, leads. `None` if it is nowhere, not allowed, or
    /// from `https` to `http`.
    ///
    /// `call` and `headers` are those of the call. Where that is a path alone, for a connection that is
    /// there already, the host is the one in its `Host`, whatever the scheme, and the target is a path, too.
    pub(super) fn follow(
        &self,
        reference: &HeaderValue,
        call: &Uri,
        headers: &HeaderMap,
        allowed: &[Origin],
    ) -> Option<Self> {
        let place = resolve(&self.uri, reference.to_str().ok()?)?;
        let Place { site: Some((scheme, authority)), target } = place else {
            let uri = Uri::from(place.target);
            return Some(Self { uri, reach: self.reach });
        };
        let found = Origin::new(&scheme, &authority);
        let is_downgrade = |from: &Uri| from.scheme() == Some(&Scheme::HTTPS);
        if scheme != Scheme::HTTPS && (is_downgrade(call) || is_downgrade(&self.uri)) {
            return None;
        }
        let same = match Origin::of(call) {
            Some(origin) => (origin == found)
                .then(|| absolute(scheme.clone(), authority.clone(), target.clone())),
            None => (Some(&found) == by_host(&scheme, headers).as_ref())
                .then(|| Uri::from(target.clone())),
        };
        match (same, self.reach) {
            (Some(uri), Reach::Same) => Some(Self { uri, reach: Reach::Same }),
            (same, _) if same.is_some() || allowed.contains(&found) => {
                Some(Self { uri: absolute(scheme, authority, target), reach: Reach::Other })
            }
            _ => None,
        }
    }
}

fn by_host(scheme: &Scheme, headers: &HeaderMap) -> Option<Origin> {
    let authority = Authority::try_from(headers.get(HOST)?.as_bytes()).ok()?;
    Some(Origin::new(scheme, &authority))
}

fn absolute(scheme: Scheme, authority: Authority, target: PathAndQuery) -> Uri {
    let mut parts = Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).expect("a scheme, an authority and a path are a URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(call: &str, host: Option<&str>, reference: &str) -> Option<(String, Reach)> {
        let call: Uri = call.parse().unwrap();
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(HOST, host.parse().unwrap());
        }
        let allowed: Vec<_> = ["https://jobs.example", "http://plain.example:8080"]
            .iter()
            .map(|origin| Origin::of(&origin.parse().unwrap()).unwrap())
            .collect();
        let reference = HeaderValue::from_str(reference).unwrap();
        let target = Target::of_call(&call).follow(&reference, &call, &headers, &allowed)?;
        Some((target.uri.to_string(), target.reach))
    }

    #[test]
    fn the_same_origin_may_be_written_in_other_ways() {
        for (call, reference, url) in [
            ("http://a.example/x", "/y", "http://a.example/y"),
            ("http://a.example/x", "http://A.Example:80/y", "http://A.Example:80/y"),
            ("https://a.example:443/x", "https://a.example/y", "https://a.example/y"),
            ("https://a.example/x", "//a.example/y", "https://a.example/y"),
            ("http://[::1]:9000/x", "http://[::1]:9000/y", "http://[::1]:9000/y"),
        ] {
            let found = follow(call, None, reference);
            assert_eq!(found, Some((url.to_owned(), Reach::Same)), "{call} {reference}");
        }
    }

    #[test]
    fn another_origin_is_refused_unless_it_is_allowed() {
        for reference in [
            "http://b.example/y",
            "http://a.example:81/y",
            "https://a.example/y",
            "//b.example/y",
            "http://a.example.evil/y",
            "http://jobs.example/y",
            "https://jobs.example:444/y",
        ] {
            assert_eq!(follow("http://a.example/x", None, reference), None, "{reference}");
        }
        for reference in ["https://jobs.example/y", "http://plain.example:8080/y"] {
            let found = follow("http://a.example/x", None, reference);
            assert_eq!(found, Some((reference.to_owned(), Reach::Other)));
        }
    }

    #[test]
    fn https_is_never_left_for_http() {
        for reference in
            ["http://a.example/y", "http://a.example:443/y", "http://plain.example:8080/y"]
        {
            assert_eq!(follow("https://a.example/x", None, reference), None, "{reference}");
        }
    }

    #[test]
    fn where_the_call_is_a_path_the_host_says_what_is_the_same() {
        for (host, reference, url) in [
            (Some("a.example"), "/y", "/y"),
            (None, "/y", "/y"),
            (Some("a.example"), "http://a.example/y", "/y"),
            (Some("a.example"), "https://a.example:443/y?z", "/y?z"),
            (Some("a.example:80"), "//A.example/y", "/y"),
        ] {
            let found = follow("/x", host, reference);
            assert_eq!(found, Some((url.to_owned(), Reach::Same)), "{host:?} {reference}");
        }
        for (host, reference) in [
            (None, "http://a.example/y"),
            (Some("a.example"), "http://b.example/y"),
            (Some("a.example:81"), "http://a.example/y"),
        ] {
            assert_eq!(follow("/x", host, reference), None, "{host:?} {reference}");
        }
    }

    #[test]
    fn once_elsewhere_the_call_s_own_origin_is_told_nothing_either() {
        let call: Uri = "http://a.example/x".parse().unwrap();
        let elsewhere = Target { uri: "http://b.example/".parse().unwrap(), reach: Reach::Other };
        for reference in ["/z", "http://a.example/y"] {
            let reference = HeaderValue::from_static(reference);
            let target =
                elsewhere.follow(&reference, &call, &HeaderMap::new(), &[]).map(|t| t.reach);
            assert_ne!(target, Some(Reach::Same));
        }
    }
}
