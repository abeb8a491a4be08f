//! Which of a layer's dialects speaks of which calls.

use std::{fmt, sync::Arc};

use super::{Dialect, Links, Mount, PublicBase, References, Route};
use crate::request::RequestHead;

/// A dialect, and the calls of whose operations it speaks.
pub(crate) struct Voice {
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) mount: Mount,
    pub(crate) links: Links,
    pub(crate) calls: Calls,
}

/// Of which calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// All that no other dialect speaks of.
    Rest,
    /// Those whose path is this or below it.
    Below(String),
    /// Those of these gRPC methods.
    Grpc(Box<[String]>),
}

/// All dialects of a layer.
#[derive(Debug)]
pub(crate) struct Voices {
    rest: Voice,
    /// Those with the longest paths first.
    others: Vec<Voice>,
}

/// One of a layer's dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VoiceId(u8);

// === impl VoiceId ===

impl VoiceId {
    /// The dialect of whatever no other one speaks of.
    pub(crate) const REST: Self = Self(0);

    fn other(at: usize) -> Self {
        Self(u8::try_from(at + 1).expect("a layer has no more dialects than that"))
    }
}

// === impl Voice ===

impl Voice {
    /// References below `mount`, as seen from `public`, in the form that the dialect's clients can follow.
    pub(crate) fn new(dialect: Arc<dyn Dialect>, calls: Calls, public: &str, base: &str) -> Self {
        let mount = match &calls {
            Calls::Below(prefix) => Mount::new(&format!("{prefix}{base}")),
            Calls::Rest | Calls::Grpc(_) => Mount::new(base),
        };
        let links = Links::new(usable(public, dialect.references()), &mount);
        Self { dialect, mount, links, calls }
    }

    /// The references for a caller that has to put this before the base path.
    pub(crate) fn links_from(&self, public: &PublicBase) -> Links {
        Links::new(usable(public.as_str(), self.dialect.references()), &self.mount)
    }

    fn is_below(&self, path: &str) -> bool {
        let Calls::Below(prefix) = &self.calls else { return false };
        path.strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn has_method(&self, path: &str) -> bool {
        matches!(&self.calls, Calls::Grpc(methods) if methods.iter().any(|method| method == path))
    }
}

/// What of the public base there may be in references.
fn usable(public: &str, references: References) -> &str {
    match (references, public.split_once("://")) {
        (References::PathAbsolute, Some((_, rest))) => {
            rest.find('/').map_or("", |path| &rest[path..])
        }
        _ => public,
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice")
            .field("calls", &self.calls)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

// === impl Voices ===

impl Voices {
    /// How many others there may be.
    pub(crate) const MOST: usize = 64;

    pub(crate) fn new(rest: Voice, mut others: Vec<Voice>) -> Self {
        others.sort_by_key(|voice| match &voice.calls {
            Calls::Below(prefix) => usize::MAX - prefix.len(),
            Calls::Rest | Calls::Grpc(_) => usize::MAX,
        });
        Self { rest, others }
    }

    #[inline]
    pub(crate) fn get(&self, id: VoiceId) -> &Voice {
        match id {
            VoiceId::REST => &self.rest,
            VoiceId(at) => &self.others[usize::from(at) - 1],
        }
    }

    /// Whether one speaks of all calls, and none of gRPC.
    #[inline]
    pub(crate) fn are_one(&self) -> bool {
        self.others.is_empty()
    }

    /// Which one speaks of calls of a path.
    pub(crate) fn of(&self, path: &str) -> VoiceId {
        self.find(|voice| voice.is_below(path)).unwrap_or(VoiceId::REST)
    }

    /// Which one speaks of calls of a gRPC method, if any does.
    pub(crate) fn of_method(&self, path: &str) -> Option<VoiceId> {
        self.find(|voice| voice.has_method(path))
    }

    fn find(&self, speaks: impl Fn(&Voice) -> bool) -> Option<VoiceId> {
        self.others.iter().position(speaks).map(VoiceId::other)
    }

    /// What the request is, and to which one; `None` if it is for the service.
    #[inline]
    pub(crate) fn route(&self, request: &RequestHead<'_>) -> Option<(VoiceId, Route)> {
        match self.rest.dialect.route(&self.rest.mount, request) {
            Some(route) => Some((VoiceId::REST, route)),
            None if self.are_one() => None,
            None => self.route_to_others(request),
        }
    }

    fn route_to_others(&self, request: &RequestHead<'_>) -> Option<(VoiceId, Route)> {
        self.others.iter().enumerate().find_map(|(at, voice)| {
            let route = voice.dialect.route(&voice.mount, request)?;
            Some((VoiceId::other(at), route))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::StandardDialect;

    fn voice(calls: Calls) -> Voice {
        Voice::new(Arc::new(StandardDialect::new()), calls, "https://a.example/v1", "/operations")
    }

    fn voices() -> Voices {
        let below = |prefix: &str| voice(Calls::Below(prefix.to_owned()));
        let grpc = voice(Calls::Grpc(["/a.B/C".to_owned()].into()));
        Voices::new(voice(Calls::Rest), vec![below("/a"), grpc, below("/a/b")])
    }

    #[test]
    fn the_longest_path_speaks_and_only_of_whole_segments() {
        let voices = voices();
        let prefix = |path: &str| match &voices.get(voices.of(path)).calls {
            Calls::Below(prefix) => prefix.clone(),
            Calls::Rest => "rest".to_owned(),
            Calls::Grpc(_) => "grpc".to_owned(),
        };
        for (path, expected) in [
            ("/a", "/a"),
            ("/a/x", "/a"),
            ("/a/b", "/a/b"),
            ("/a/b/c", "/a/b"),
            ("/a/bc", "/a"),
            ("/ab", "rest"),
            ("/", "rest"),
            ("/a.B/C", "rest"),
        ] {
            assert_eq!(prefix(path), expected, "{path}");
        }
    }

    #[test]
    fn methods_are_whole_paths() {
        let voices = voices();
        let method = voices.of_method("/a.B/C").expect("it is listed");
        assert!(matches!(voices.get(method).calls, Calls::Grpc(_)));
        for other in ["/a.B/CD", "/a.B/C/", "/a.B", "/a", "/a/b"] {
            assert_eq!(voices.of_method(other), None, "{other}");
        }
    }

    #[test]
    fn operations_are_below_the_path_of_their_calls() {
        let voices = voices();
        let links = &voices.get(voices.of("/a/b")).links;
        let id = crate::operation::OperationId::from_bytes([7; 16]);
        let expected = format!("https://a.example/v1/a/b/operations/{id}");
        assert_eq!(links.status(id), expected.as_str());
    }

    #[test]
    fn of_an_absolute_base_only_the_path_is_left_where_clients_follow_no_other() {
        let public = "https://a.example/v1";
        assert_eq!(usable(public, References::PathAbsolute), "/v1");
        assert_eq!(usable("https://a.example", References::PathAbsolute), "");
        assert_eq!(usable("/v1", References::PathAbsolute), "/v1");
        assert_eq!(usable(public, References::Any), public);
        assert_eq!(usable(public, References::Absolute), public);
    }
}
