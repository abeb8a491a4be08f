//! Signed URLs: what one lets its holder do, until when, and whether we said so.
//!
//! A signature is a parameter of the query, `sig=<key>.<verbs>.<end>.<tag>`: which key of the ring has
//! made it, `r`, `c` or `rc`, the end in seconds since the Unix epoch, and 128 bits of an HMAC-SHA256 over
//! all that and the operation's id. Everything here is pure: the time is an argument.

mod key;
mod ticket;

use std::{error::Error, fmt, time::Duration};

use self::{key::SigningKey, ticket::Ticket};
use crate::clock::Timestamp;

/// The secrets that sign the URLs of operations: the first one signs, and what any of them has signed is
/// taken ([`Builder::signed_urls`](crate::Builder::signed_urls)).
///
/// So a secret is changed without a URL breaking: on every replica add the new one as the second, then put
/// it first, and take the old one off when the last URL that it has signed is over.
///
/// A secret is taken as it is, and only its length is checked: 32 bytes at least. From the environment:
/// `openssl rand -hex 32` makes one, and `KeyRing::new([std::env::var("URL_SECRET")?])` takes its 64 digits,
/// without decoding them.
///
/// ```
/// use std::time::Duration;
/// use tower_respond_async::{KeyRing, RespondAsyncLayer};
///
/// # let (new, old) = ([1; 32], [2; 32]);
/// // 32 bytes each, from a cryptographically secure generator, the same on every replica.
/// let ring = KeyRing::new([new, old])?.lifetime(Duration::from_secs(3 * 60 * 60));
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2)).signed_urls(ring).build()?;
/// # drop(layer);
/// # Ok::<(), tower_respond_async::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    first: SigningKey,
    /// Those that only verify.
    former: Vec<SigningKey>,
    lifetime: Duration,
}

/// The secrets make no [`KeyRing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRingError {
    /// There are none.
    Empty,
    /// One of them has fewer than 32 bytes.
    Short {
        /// How many it has.
        bytes: usize,
    },
}

/// What a signed URL lets its holder do with the operation. One does not imply the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbs {
    /// `GET` and `HEAD` of status and result, and being held there.
    Read,
    /// `DELETE`, which is answered with the status document; in dialects whose `DELETE` forgets what has ended
    /// (FHIR, OData, Redfish, gRPC's `DeleteOperation`), that too.
    Cancel,
    /// Both.
    ReadAndCancel,
}

/// A signature as it stands in a URL: whoever has it may do what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature {
    text: [u8; Self::LONGEST],
    length: u8,
}

/// How many bytes a secret has at least: as many as the hash.
const SHORTEST_KEY: usize = 32;

/// How long URLs are valid if nobody says so.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How far the clocks of two replicas may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

// === impl KeyRing ===

impl KeyRing {
    /// The ring of these secrets, of which the first one signs; URLs are valid for 24 hours.
    ///
    /// The secrets themselves are not kept, but what is derived from them is as good, and stays in memory as
    /// long as the layer.
    ///
    /// # Errors
    ///
    /// If there is no secret, or one of fewer than 32 bytes.
    pub fn new<K: AsRef<[u8]>>(secrets: impl IntoIterator<Item = K>) -> Result<Self, KeyRingError> {
        let mut keys = secrets.into_iter().map(|secret| match secret.as_ref() {
            secret if secret.len() < SHORTEST_KEY => {
                Err(KeyRingError::Short { bytes: secret.len() })
            }
            secret => Ok(SigningKey::new(secret)),
        });
        let first = keys.next().ok_or(KeyRingError::Empty)??;
        Ok(Self { first, former: keys.collect::<Result<_, _>>()?, lifetime: LIFETIME })
    }

    /// How long the URLs of an operation are valid after it was accepted: 24 hours by default, to the
    /// second above, and for a minute more, by which clocks may differ.
    ///
    /// It counts from the acceptance, and not from each answer, so that one operation has the same URLs from
    /// every replica. So it has to be as long as the longest operation runs and its result is wanted
    /// afterwards: beyond [`retention`](crate::Builder::retention) after its end there is nothing to fetch
    /// any more, and before that its URLs may be over though it is still kept.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// Signs what the caller of an operation is given, which was accepted at `created`.
    pub(crate) fn sign_for_caller(&self, id: &[u8; 16], created: Timestamp) -> Signature {
        self.sign(id, Verbs::ReadAndCancel, created.after(self.lifetime))
    }

    /// Signs with the first key. It ends on a whole second, not before `end`.
    pub(crate) fn sign(&self, id: &[u8; 16], verbs: Verbs, end: Timestamp) -> Signature {
        Ticket::sign(&self.first, id, verbs, end.unix_millis().div_ceil(1000)).write()
    }

    /// The signature in the query of a URL, if it is one for `needed` that has not ended `now`.
    pub(crate) fn verify(
        &self,
        id: &[u8; 16],
        query: Option<&str>,
        needed: Verbs,
        now: Timestamp,
    ) -> Option<Signature> {
        let ticket = Ticket::from_query(query?)?;
        let end = Timestamp::from_unix_millis(ticket.end.saturating_mul(1000)).after(LEEWAY);
        let is_meant = ticket.verbs.include(needed) && now <= end;
        let mut keys = std::iter::once(&self.first).chain(&self.former);
        (is_meant && keys.any(|key| ticket.is_of(key, id))).then(|| ticket.write())
    }
}

impl fmt::Debug for KeyRing {
    /// How many keys there are, and nothing of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &(1 + self.former.len()))
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

// === impl Verbs ===

impl Verbs {
    fn include(self, needed: Self) -> bool {
        self == Self::ReadAndCancel || self == needed
    }

    fn letters(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Cancel => "c",
            Self::ReadAndCancel => "rc",
        }
    }

    fn from_letters(letters: &str) -> Option<Self> {
        [Self::Read, Self::Cancel, Self::ReadAndCancel]
            .into_iter()
            .find(|verbs| verbs.letters() == letters)
    }
}

// === impl Signature ===

impl Signature {
    /// `?sig=`, the key, two letters, twelve digits and the tag, with three dots.
    const LONGEST: usize = 5 + key::ID + 1 + 2 + 1 + ticket::DIGITS + 1 + ticket::TAG_TEXT;

    /// As all of a query, with the question mark. ASCII that needs no escape anywhere.
    pub(crate) fn query(&self) -> &str {
        str::from_utf8(&self.text[..self.length.into()]).expect("it is written in ASCII")
    }

    /// As a further parameter of a query.
    pub(crate) fn parameter(&self) -> &str {
        &self.query()[1..]
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}

// === impl KeyRingError ===

impl fmt::Display for KeyRingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no key to sign URLs with"),
            Self::Short { bytes } => {
                write!(f, "a key that signs URLs has {bytes} bytes; it needs {SHORTEST_KEY}")
            }
        }
    }
}

impl Error for KeyRingError {}

#[cfg(test)]
mod tests;
