use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{
    Signature, Verbs,
    key::{self, SigningKey},
};
use crate::base64;

/// What a signature says.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    pub(super) verbs: Verbs,
    /// In seconds since the Unix epoch.
    pub(super) end: u64,
    key: [u8; key::ID],
    tag: [u8; TAG],
}

/// How many bytes of the HMAC are kept.
const TAG: usize = 16;
/// How many characters they are written with.
pub(super) const TAG_TEXT: usize = 22;
/// How many digits the end has at most: that of the year 9999 has so many.
pub(super) const DIGITS: usize = 12;
/// What is signed begins with it, so that the same secret signs nothing else by mistake; with the version
/// of this form.
const LABEL: &[u8] = b"tower-respond-async signed url 1";

// === impl Ticket ===

impl Ticket {
    pub(super) fn sign(key: &SigningKey, id: &[u8; 16], verbs: Verbs, end: u64) -> Self {
        let unsigned = Self { verbs, end, key: key.id, tag: [0; TAG] };
        let whole = unsigned.mac(key, id).finalize().into_bytes();
        Self { tag: std::array::from_fn(|index| whole[index]), ..unsigned }
    }

    /// Whether this key has signed it for this operation. Takes as long for a wrong tag as for the right
    /// one.
    pub(super) fn is_of(&self, key: &SigningKey, id: &[u8; 16]) -> bool {
        self.key == key.id && self.mac(key, id).verify_truncated_left(&self.tag).is_ok()
    }

    /// All parts have one length, so no two tickets are the same bytes.
    fn mac(&self, key: &SigningKey, id: &[u8; 16]) -> Hmac<Sha256> {
        let verbs = match self.verbs {
            Verbs::Read => 1,
            Verbs::Cancel => 2,
            Verbs::ReadAndCancel => 3,
        };
        key.mac()
            .chain_update(LABEL)
            .chain_update(self.key)
            .chain_update([verbs])
            .chain_update(self.end.to_be_bytes())
            .chain_update(id)
    }

    /// Reads the parameter `sig`, in the one form in which it is written. `None` if it is missing, or there
    /// more than once; nothing is decoded.
    pub(super) fn from_query(query: &str) -> Option<Self> {
        let mut values = query.split('&').filter_map(|pair| match pair.split_once('=') {
            Some(("sig", value)) => Some(value),
            Some(_) => None,
            None => (pair == "sig").then_some(""),
        });
        let (value, None) = (values.next()?, values.next()) else { return None };
        let mut parts = value.split('.');
        let key = parts.next()?.as_bytes().try_into().ok()?;
        let verbs = Verbs::from_letters(parts.next()?)?;
        let end = seconds(parts.next()?)?;
        let tag = base64::decode(parts.next()?.as_bytes())?;
        parts.next().is_none().then_some(Self { verbs, end, key, tag })
    }

    pub(super) fn write(&self) -> Signature {
        let mut text = [0; Signature::LONGEST];
        let mut length = 0;
        let mut put = |part: &[u8]| {
            text[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        };
        put(b"?sig=");
        put(&self.key);
        put(b".");
        put(self.verbs.letters().as_bytes());
        put(b".");
        let mut digits = [0; DIGITS];
        put(written(self.end, &mut digits));
        put(b".");
        put(&base64::encode::<TAG_TEXT>(&self.tag));
        let length = length.try_into().expect("the longest one has fewer than 256 bytes");
        Signature { text, length }
    }
}

/// A number without sign and leading zeros.
fn seconds(text: &str) -> Option<u64> {
    let is_number = (1..=DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    is_number.then(|| text.parse().expect("twelve digits are a small number"))
}

/// The number's digits, which are no more than fit.
fn written(mut number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut first = DIGITS;
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || first == 0 {
            return &digits[first..];
        }
    }
}
