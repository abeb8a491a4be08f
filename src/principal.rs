//! Who is asking, and whose an operation is.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

mod callers;

pub(crate) use self::callers::{Callers, Share};

/// Who a request comes from: what the application calls its callers, such as a user's or a tenant's
/// id.
///
/// Two requests come from the same caller if the bytes are the same. Never logged or stored, unless
/// [`ReplayPolicy::principal`](crate::ReplayPolicy::principal) saves it: an operation keeps a hash of it, made with the
/// operation's own id.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal(Box<[u8]>);

/// Whose an operation is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding([u8; 32]);

// === impl Principal ===

impl Principal {
    /// The bytes that name the caller.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Principal {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Principal {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<Vec<u8>> for Principal {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<String> for Principal {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal")
    }
}

// === impl Binding ===

impl Binding {
    /// Binds the operation with these bytes of an id to a caller. The id, which no store holds, is
    /// the key of the hash: from the record alone nobody can find out whose it is by trying names.
    pub(crate) fn new(id: &[u8; 16], principal: &Principal) -> Self {
        Self(mac(id, principal).finalize().into_bytes().into())
    }

    /// Whether the operation is this caller's. Takes as long for a wrong one as for the right one.
    pub(crate) fn admits(&self, id: &[u8; 16], principal: Option<&Principal>) -> bool {
        principal.is_some_and(|principal| mac(id, principal).verify_slice(&self.0).is_ok())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn mac(id: &[u8; 16], principal: &Principal) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(id).expect("HMAC takes keys of every length");
    mac.update(principal.as_bytes());
    mac
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_admits_its_caller_and_nobody_else() {
        let (id, alice) = ([7; 16], Principal::from("alice"));
        let binding = Binding::new(&id, &alice);
        assert!(binding.admits(&id, Some(&alice)));
        assert!(!binding.admits(&id, Some(&Principal::from("bob"))));
        assert!(!binding.admits(&id, Some(&Principal::from(""))));
        assert!(!binding.admits(&id, None));
    }

    #[test]
    fn the_same_caller_leaves_another_mark_on_every_operation() {
        let alice = Principal::from("alice");
        assert_ne!(Binding::new(&[7; 16], &alice), Binding::new(&[8; 16], &alice));
    }

    #[test]
    fn a_caller_is_never_shown() {
        assert_eq!(format!("{:?}", Principal::from("alice")), "Principal");
    }
}
