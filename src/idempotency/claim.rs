//! How a key becomes an operation, the same one in every process.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, header, uri::PathAndQuery};
use sha2::{Digest, Sha256};

use super::IdempotencyKey;
use crate::{
    operation::{Fingerprint, OperationId, Salt},
    principal::Principal,
};

/// Within which the same key means the same request: whose it is, the method, and the path.
#[derive(Clone, Debug)]
pub(crate) struct Scope(Vec<u8>);

/// What stands for a request's body in its fingerprint.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// The body itself, in two pieces.
    Whole(&'a [u8], &'a [u8]),
    /// Its length and its digest (RFC 9530, section 2), as its sender states them.
    Digest { length: u64, digest: &'a [u8] },
}

// === impl Scope ===

impl Scope {
    pub(crate) fn new(principal: Option<&Principal>, method: &Method, path: &str) -> Self {
        let mut scope = Vec::new();
        match principal {
            None => scope.push(0),
            Some(principal) => {
                scope.push(1);
                put(&mut scope, principal.as_bytes());
            }
        }
        put(&mut scope, method.as_str().as_bytes());
        put(&mut scope, path.as_bytes());
        Self(scope)
    }

    /// What a store files the key under: hashed, so that it does not hold keys.
    pub(crate) fn index(&self, key: &IdempotencyKey) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"respond-async key");
        hash.update(&self.0);
        hash.update(key.as_bytes());
        hash.finalize().into()
    }

    /// The operation that the key stands for. Whoever has the key, and is given the record's salt,
    /// finds its id; the store, which has only the salt, does not.
    pub(crate) fn operation(&self, key: &IdempotencyKey, salt: &Salt) -> OperationId {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
            .expect("HMAC takes keys of every length");
        mac.update(&self.0);
        mac.update(salt.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        OperationId::from_bytes(id)
    }
}

/// What two requests with the same key have to have in common: the whole target, and what is sent.
pub(crate) fn fingerprint(
    target: &PathAndQuery,
    headers: &HeaderMap,
    content: Content<'_>,
) -> Fingerprint {
    let mut text = Vec::new();
    put(&mut text, target.as_str().as_bytes());
    for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
        let values = headers.get_all(name);
        text.push(u8::try_from(values.iter().count()).unwrap_or(u8::MAX));
        for value in values {
            put(&mut text, value.as_bytes());
        }
    }
    let mut hash = Sha256::new();
    hash.update(b"respond-async request");
    match content {
        Content::Whole(first, more) => {
            text.push(0);
            hash.update(&text);
            hash.update(first);
            hash.update(more);
        }
        Content::Digest { length, digest } => {
            text.push(1);
            text.extend_from_slice(&length.to_le_bytes());
            put(&mut text, digest);
            hash.update(&text);
        }
    }
    Fingerprint::from_bytes(hash.finalize().into())
}

/// With their lengths, so that no two lists of parts read the same.
fn put(text: &mut Vec<u8>, part: &[u8]) {
    text.extend_from_slice(&(part.len() as u64).to_le_bytes());
    text.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(text: &'static str) -> IdempotencyKey {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::from_static(text));
        let key = IdempotencyKey::from_headers(&headers).expect("a valid key");
        key.expect("the field is there")
    }

    fn target(text: &'static str) -> PathAndQuery {
        PathAndQuery::from_static(text)
    }

    #[test]
    fn whose_and_for_what_make_different_entries() {
        let (alice, bob) = (Principal::from("alice"), Principal::from("bob"));
        let (post, put) = (Method::POST, Method::PUT);
        let scopes = [
            Scope::new(None, &post, "/a"),
            Scope::new(Some(&alice), &post, "/a"),
            Scope::new(Some(&bob), &post, "/a"),
            Scope::new(Some(&alice), &put, "/a"),
            Scope::new(Some(&alice), &post, "/b"),
        ];
        let mut entries = Vec::new();
        for scope in &scopes {
            for key in [key("k"), key("l")] {
                entries.push(scope.index(&key));
            }
        }
        let all = entries.len();
        entries.sort_unstable();
        entries.dedup();
        assert_eq!(entries.len(), all);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let post = Method::POST;
        let one = Scope::new(Some(&Principal::from("a")), &post, "/bc");
        let other = Scope::new(Some(&Principal::from("aPOST")), &post, "/bc");
        assert_ne!(one.index(&key("k")), other.index(&key("k")));
    }

    #[test]
    fn the_key_and_the_salt_name_the_operation_and_neither_does_alone() {
        let scope = Scope::new(None, &Method::POST, "/a");
        let (salt, other_salt) = (Salt::from_bytes([1; 16]), Salt::from_bytes([2; 16]));
        let id = scope.operation(&key("k"), &salt);
        assert_eq!(scope.operation(&key("\"k\""), &salt), id);
        assert_ne!(scope.operation(&key("l"), &salt), id);
        assert_ne!(scope.operation(&key("k"), &other_salt), id);
        let elsewhere = Scope::new(None, &Method::POST, "/b");
        assert_ne!(elsewhere.operation(&key("k"), &salt), id);
    }

    #[test]
    fn the_id_of_a_key_never_changes_between_versions() {
        let scope = Scope::new(Some(&Principal::from("alice")), &Method::POST, "/reports");
        let id = scope.operation(&key("k"), &Salt::from_bytes([7; 16]));
        assert_eq!(id.to_string(), "5bd56231b50f9c99a264e0cc6a40ffad");
    }

    #[test]
    fn another_target_type_or_body_is_another_request() {
        let none = HeaderMap::new();
        let mut json = HeaderMap::new();
        json.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut gzip = HeaderMap::new();
        gzip.insert(header::CONTENT_ENCODING, HeaderValue::from_static("application/json"));
        let digest = |length, digest| Content::Digest { length, digest };
        let requests = [
            fingerprint(&target("/a"), &none, Content::Whole(b"", b"")),
            fingerprint(&target("/a?b"), &none, Content::Whole(b"", b"")),
            fingerprint(&target("/a"), &none, Content::Whole(b"1", b"")),
            fingerprint(&target("/a"), &json, Content::Whole(b"1", b"")),
            fingerprint(&target("/a"), &gzip, Content::Whole(b"1", b"")),
            fingerprint(&target("/a"), &none, digest(1, b"sha-256=:x:")),
            fingerprint(&target("/a"), &none, digest(2, b"sha-256=:x:")),
            fingerprint(&target("/a"), &none, digest(1, b"sha-256=:y:")),
        ];
        for (at, one) in requests.iter().enumerate() {
            assert_eq!(requests.iter().position(|other| other == one), Some(at));
        }
    }

    #[test]
    fn a_body_is_the_same_however_it_arrived() {
        let none = HeaderMap::new();
        let whole = |first, more| fingerprint(&target("/a"), &none, Content::Whole(first, more));
        assert_eq!(whole(b"ab", b"c"), whole(b"abc", b""));
    }
}
