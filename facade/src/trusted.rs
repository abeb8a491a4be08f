//! Which proxies in front are believed, and what they say of the URL that their callers see. Pure: no I/O,
//! no clock.
//!
//! Only the last entry of each field is looked at, which is the peer's own word: those before it may be
//! anybody's.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use tower_respond_async::dialect::PublicBase;

use crate::forwarded::{X_FORWARDED_HOST, X_FORWARDED_PREFIX, X_FORWARDED_PROTO};

/// Addresses that begin with the same bits: `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Trusted(Arc<[Network]>);

// === impl Network ===

impl Network {
    /// Whether the address is one of these. Version 4 written as version 6 is version 4.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let begins_alike = |own: u128, other: u128, width: u8| {
            let rest = u32::from(width - self.bits);
            own.checked_shr(rest) == other.checked_shr(rest)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                begins_alike(own.to_bits().into(), other.to_bits().into(), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                begins_alike(own.to_bits(), other.to_bits(), 128)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr =
            address.parse().map_err(|_| format!("`{address}` is no address of a network"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(width), |bits| bits.parse().ok().filter(|bits| *bits <= width));
        let bits = bits.ok_or_else(|| format!("a prefix of {address} has 0 to {width} bits"))?;
        Ok(Self { address, bits })
    }
}

// === impl Trusted ===

impl Trusted {
    /// Whether anybody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this peer is.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }
}

impl From<&[Network]> for Trusted {
    fn from(networks: &[Network]) -> Self {
        Self(networks.into())
    }
}

/// What the peer that sent these fields says that callers have to put before references. Nothing, if what
/// it says is no plain host or path.
pub(crate) fn public_base(headers: &HeaderMap) -> Option<PublicBase> {
    // A proxy that writes `Forwarded` is asked by it alone.
    let (host, scheme) = match last(headers, &FORWARDED) {
        Some(element) => (parameter(element, "host"), parameter(element, "proto")),
        None => {
            let field = |name| last(headers, name).map(str::to_owned);
            (field(&X_FORWARDED_HOST), field(&X_FORWARDED_PROTO))
        }
    };
    let prefix = last(headers, &X_FORWARDED_PREFIX).filter(|prefix| prefix.starts_with('/'));
    let prefix = prefix.filter(|prefix| PublicBase::new(prefix).is_some()).unwrap_or_default();
    let scheme = scheme.unwrap_or_else(|| "http".to_owned()).to_ascii_lowercase();
    let absolute = host
        .filter(|host| !host.contains('/') && matches!(scheme.as_str(), "http" | "https"))
        .and_then(|host| PublicBase::new(&format!("{scheme}://{host}{prefix}")));
    absolute.or_else(|| PublicBase::new(prefix).filter(|_| !prefix.is_empty()))
}

/// The last entry of the last line of a field.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    // No host, scheme or clean path has a comma in it: what is cut off within quotes is none.
    line.rsplit(',').next().map(str::trim)
}

/// A parameter of a `forwarded-element` (RFC 7239 section 4), without its quotes.
fn parameter(element: &str, name: &str) -> Option<String> {
    let pair = element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })?;
    let unquoted = pair.strip_prefix('"').and_then(|pair| pair.strip_suffix('"'));
    Some(unquoted.unwrap_or(pair).to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn base(fields: &[(&'static str, &'static str)]) -> Option<PublicBase> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        public_base(&headers)
    }

    #[test]
    fn a_network_holds_what_begins_with_its_bits() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.1", "::1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network:?} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network:?} {outside}");
        }
        for wrong in ["", "192.0.2.0/33", "::/129", "192.0.2.0/", "localhost", "192.0.2.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_entry_counts_and_forwarded_wins() {
        let both = [
            ("forwarded", "for=x;host=evil.example, for=y;Host=\"api.example:8443\";proto=https"),
            ("x-forwarded-host", "other.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/evil, /api"),
        ];
        assert_eq!(base(&both), PublicBase::new("https://api.example:8443/api"));
        assert_eq!(base(&both[1..]), PublicBase::new("http://other.example/api"));
        assert_eq!(base(&both[3..]), PublicBase::new("/api"));
        assert_eq!(base(&[]), None);
    }

    #[test]
    fn what_is_no_plain_host_scheme_or_path_is_ignored() {
        for (name, value) in [
            ("x-forwarded-host", "user@evil.example"),
            ("x-forwarded-host", "evil.example/path"),
            ("x-forwarded-host", "evil.example?x"),
            ("x-forwarded-host", "evil.example\"><script>"),
            ("x-forwarded-host", ""),
            ("forwarded", "host=\"evil.example/\""),
            ("forwarded", "for=a;host=\"x,host=evil/\""),
            ("x-forwarded-prefix", "//evil.example"),
            ("x-forwarded-prefix", "http://evil.example"),
            ("x-forwarded-prefix", "/a/../b"),
            ("x-forwarded-prefix", "evil"),
            ("x-forwarded-prefix", "/"),
        ] {
            let found = base(&[(name, value)]);
            assert!(found.is_none() || found == PublicBase::new(""), "{name}: {value}: {found:?}");
        }
        let fields = [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "javascript")];
        assert_eq!(base(&fields), None);
    }
}
