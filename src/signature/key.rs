use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base64;

/// A secret that signs.
#[derive(Clone)]
pub(super) struct SigningKey {
    /// By which a signature says that it is of this key: derived from it, so that it is the same wherever
    /// the key stands in a ring. Two keys may have one.
    pub(super) id: [u8; ID],
    /// Has taken in the secret, and nothing else.
    mac: Hmac<Sha256>,
}

/// How many characters a key's id has.
pub(super) const ID: usize = 4;

// === impl SigningKey ===

impl SigningKey {
    pub(super) fn new(secret: &[u8]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
        let id = mac.clone().chain_update(b"tower-respond-async key id").finalize().into_bytes();
        Self { id: base64::encode(&id[..3]), mac }
    }

    pub(super) fn mac(&self) -> Hmac<Sha256> {
        self.mac.clone()
    }
}
