//! What a caller prefers: the `Prefer` field of RFC 7240.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

/// The two preferences of RFC 7240 that say when to answer.
///
/// All `Prefer` lines of a request are one list, and the first well-formed instance of each
/// preference in it counts (section 2). Preferences that are unknown or malformed are skipped, for a
/// preference never makes a request fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preference {
    /// `respond-async` (section 4.1): the caller understands a `202 Accepted`.
    pub respond_async: bool,
    /// `wait` (section 4.3): how long the caller would wait for an answer, in whole seconds.
    pub wait: Option<Duration>,
}

/// One preference of the list; its parameters are of no use here.
struct Member<'a> {
    name: &'a [u8],
    /// Without quotes but with the backslashes; empty is the same as none.
    value: &'a [u8],
}

const PREFER: &str = "prefer";

// === impl Preference ===

impl Preference {
    /// Reads all `Prefer` lines of a request, for a [policy](crate::Builder::policy) that asks for them.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, header::HeaderName};
    /// use tower_respond_async::dialect::Preference;
    ///
    /// let prefer = HeaderName::from_static("prefer");
    /// let value = HeaderValue::from_static("respond-async, wait=10");
    /// let headers: HeaderMap = [(prefer, value)].into_iter().collect();
    /// assert!(Preference::from_headers(&headers).respond_async);
    /// ```
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut preference = Self::default();
        // One pass that compares names by length first is cheaper than a look-up by hash.
        for (name, line) in headers {
            if name.as_str() == PREFER {
                members(line.as_bytes()).filter_map(Member::parse).for_each(|m| preference.add(&m));
            }
        }
        preference
    }

    /// The value of a `Preference-Applied` field (section 3) that names these preferences; `None` if
    /// there are none.
    pub fn header(self) -> Option<HeaderValue> {
        let wait = self.wait.map(|wait| format!("wait={}", wait.as_secs()));
        let text = match (self.respond_async, wait) {
            (false, None) => return None,
            (true, None) => return Some(HeaderValue::from_static("respond-async")),
            (true, Some(wait)) => format!("respond-async, {wait}"),
            (false, Some(wait)) => wait,
        };
        Some(HeaderValue::try_from(text).expect("digits and letters are a header value"))
    }

    fn add(&mut self, member: &Member<'_>) {
        if member.name.eq_ignore_ascii_case(b"respond-async") {
            self.respond_async |= member.value.is_empty();
        } else if member.name.eq_ignore_ascii_case(b"wait") {
            self.wait = self.wait.or_else(|| delta_seconds(member.value));
        }
    }
}

// === impl Member ===

impl<'a> Member<'a> {
    /// `token [ BWS "=" BWS word ] *( OWS ";" [ OWS parameter ] )`, or `None`.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (name, rest) = token(text.trim_ascii_start())?;
        let (value, rest) = match rest.trim_ascii_start() {
            [b'=', word @ ..] => {
                let word = word.trim_ascii_start();
                if word.first() == Some(&b'"') { quoted(word)? } else { token(word)? }
            }
            rest => (&rest[..0], rest),
        };
        let ends = matches!(rest.trim_ascii_start(), [] | [b';', ..]);
        ends.then_some(Self { name, value })
    }
}

/// The members of one line: what stands between the commas, except those in quotes. A quotation mark
/// without its partner quotes nothing, so that it costs no member but its own.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    let mut quotes_match = true;
    std::iter::from_fn(move || {
        let text = rest?;
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b',' => {
                    rest = Some(&text[at + 1..]);
                    return Some(&text[..at]);
                }
                b'"' if quotes_match => match quoted(&text[at..]) {
                    Some((_, after)) => at = text.len() - after.len(),
                    // Remembered, or a line of such marks would be read to its end for each.
                    None => {
                        quotes_match = false;
                        at += 1;
                    }
                },
                _ => at += 1,
            }
        }
        rest = None;
        Some(text)
    })
}

/// What is between the quotation mark that `text` begins with and its partner, and what follows.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some((&text[1..at], &text[at + 1..])),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The token that `text` begins with (RFC 9110, section 5.6.2), and what follows.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().position(|byte| !is_in_token(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Digits only (RFC 9111, section 1.2.2): as many seconds as there can be, if they say more.
fn delta_seconds(value: &[u8]) -> Option<Duration> {
    let digits = || unescaped(value).map(|byte| char::from(byte).to_digit(10));
    let seconds = digits().try_fold(0_u64, |seconds, digit| {
        Some(seconds.saturating_mul(10).saturating_add(digit?.into()))
    })?;
    digits().next().map(|_| Duration::from_secs(seconds))
}

/// A backslash stands for the byte that follows it. Tokens contain none.
fn unescaped(value: &[u8]) -> impl Iterator<Item = u8> {
    let mut bytes = value.iter().copied();
    std::iter::from_fn(move || match bytes.next()? {
        b'\\' => bytes.next(),
        byte => Some(byte),
    })
}

#[cfg(test)]
mod tests;
