use std::{borrow::Cow, sync::Arc};

use http::HeaderValue;

use super::{Hop, json};
use crate::{operation::OperationId, signature::Signature};

/// Where the layer's own routes are: the path below which operations are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    base: String,
}

/// The references to an operation that callers are given.
///
/// Path-absolute by default (`/operations/{id}`), which no proxy and no forged `Host` can spoil;
/// absolute once the public base is known. Where URLs are
/// [signed](crate::Builder::signed_urls), they hold the signature for the one operation that they were
/// given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    base: Arc<Base>,
    signature: Option<Signature>,
}

/// What all references have in common.
#[derive(Debug, PartialEq, Eq)]
struct Base {
    plain: String,
    escaped: String,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    PathAbsolute,
    Absolute,
}

// === impl Mount ===

impl Mount {
    /// Routes below `base`, which begins with a slash and ends without one; empty where something
    /// outside has taken the base off already.
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned() }
    }

    /// What follows the base in an undecoded path: empty, or beginning with a slash. `None` if the
    /// path is not below the base.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.base.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

// === impl Links ===

impl Links {
    /// References below `mount`, as seen from `public`: empty, a path, or an absolute URL.
    pub(crate) fn new(public: &str, mount: &Mount) -> Self {
        let form = match public.contains("://") {
            true => Form::Absolute,
            false => Form::PathAbsolute,
        };
        let plain = format!("{public}{}", mount.base);
        let base = Base { escaped: json::escaped(&plain), plain, form };
        Self { base: Arc::new(base), signature: None }
    }

    /// The same references, signed if there is a signature.
    pub(crate) fn signed(&self, signature: Option<Signature>) -> Cow<'_, Self> {
        match signature {
            None => Cow::Borrowed(self),
            Some(_) => Cow::Owned(Self { base: Arc::clone(&self.base), signature }),
        }
    }

    /// The URL of the status document.
    pub fn status(&self, id: OperationId) -> HeaderValue {
        reference(&[self.base(), "/", id.encode().as_str(), self.query()])
    }

    /// The URL of the result.
    pub fn result(&self, id: OperationId) -> HeaderValue {
        reference(&[self.base(), "/", id.encode().as_str(), "/result", self.query()])
    }

    /// The URL of the result for a caller that is redirected there: at each hop another one.
    pub fn hop(&self, id: OperationId, hop: Hop) -> HeaderValue {
        let (and, signature) = match &self.signature {
            None => ("", ""),
            Some(signature) => ("&", signature.parameter()),
        };
        reference(&[&format!("{}/{id}/result?{hop}{and}{signature}", self.base())])
    }

    /// What comes before the operation's id.
    pub(super) fn base(&self) -> &str {
        &self.base.plain
    }

    /// The same, as it is written within a string of JSON.
    pub(super) fn escaped_base(&self) -> &str {
        &self.base.escaped
    }

    /// What comes after the path, with the question mark; empty if nothing is signed.
    pub(super) fn query(&self) -> &str {
        self.signature.as_ref().map_or("", Signature::query)
    }

    /// Whether references have a scheme and a host.
    pub fn are_absolute(&self) -> bool {
        self.base.form == Form::Absolute
    }
}

fn reference(parts: &[&str]) -> HeaderValue {
    // As long as it has to be, so that no more memory is needed to share it.
    let text = parts.concat();
    HeaderValue::try_from(text).expect("the base was checked when the layer was built")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_segments_are_below_the_base() {
        let mount = Mount::new("/operations");
        assert_eq!(mount.strip("/operations/7"), Some("/7"));
        assert_eq!(mount.strip("/operations"), Some(""));
        assert_eq!(mount.strip("/operationsx"), None);
        assert_eq!(mount.strip("/Operations/7"), None);
        assert_eq!(mount.strip("//operations/7"), None);
    }

    #[test]
    fn references_are_path_absolute_until_a_public_base_is_known() {
        let (mount, id) = (Mount::new("/operations"), OperationId::from_bytes([7; 16]));
        let links = Links::new("", &mount);
        assert!(!links.are_absolute());
        assert_eq!(links.status(id), format!("/operations/{id}").as_str());

        let links = Links::new("/shop", &mount);
        assert!(!links.are_absolute());
        assert_eq!(links.result(id), format!("/shop/operations/{id}/result").as_str());

        let links = Links::new("https://api.example.com/v1", &mount);
        assert!(links.are_absolute());
        let expected = format!("https://api.example.com/v1/operations/{id}");
        assert_eq!(links.status(id), expected.as_str());
    }
}
