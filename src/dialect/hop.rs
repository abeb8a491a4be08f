use std::fmt;

/// How often a caller has been redirected, for those that follow redirects and know nothing of 202
/// ([`Deferral::Redirect`](crate::Deferral::Redirect)).
///
/// It stands in the query of the URL that they are sent to, so that no two are the same: clients
/// that are sent to one URL again and again take it for a circle. There are eight, because clients
/// follow only so many redirects: Python's urllib ten, Node's fetch twenty, others more.
///
/// ```
/// use tower_respond_async::dialect::Hop;
///
/// assert_eq!(Hop::FIRST.to_string(), "hop=1");
/// let last = Hop::from_query("hop=8").expect("the last hop");
/// assert_eq!(last.next(), None);
/// assert_eq!(Hop::from_query("hop=9"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop(u8);

const LAST: u8 = 8;

// === impl Hop ===

impl Hop {
    /// Where the caller of a late call is sent.
    pub const FIRST: Self = Self(1);

    /// The hop in the query of a URL: a digit from 1 to 8 in the parameter `hop`. `None` if the
    /// parameter is missing, says anything else, or is there more than once; nothing is decoded.
    pub fn from_query(query: &str) -> Option<Self> {
        let mut values = query.split('&').filter_map(|pair| match pair.split_once('=') {
            Some(("hop", value)) => Some(value),
            Some(_) => None,
            None => (pair == "hop").then_some(""),
        });
        let (value, None) = (values.next()?, values.next()) else { return None };
        match value.as_bytes() {
            [digit @ b'1'..=b'8'] => Some(Self(digit - b'0')),
            _ => None,
        }
    }

    /// Where a caller is sent from here; `None` at the last.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        (self.0 < LAST).then_some(Self(self.0 + 1))
    }
}

impl fmt::Display for Hop {
    /// As in a query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hop={}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_eight_hops_and_each_is_read_as_it_was_written() {
        let hops: Vec<_> = std::iter::successors(Some(Hop::FIRST), |hop| hop.next()).collect();
        assert_eq!(hops.len(), 8);
        for (hop, number) in hops.into_iter().zip(1..) {
            assert_eq!(hop.to_string(), format!("hop={number}"));
            assert_eq!(Hop::from_query(&hop.to_string()), Some(hop));
        }
    }

    #[test]
    fn other_parameters_are_not_looked_at() {
        for query in ["hop=3&x=1", "x=1&hop=3", "&hop=3&", "x&hop=3", "hops=4&hop=3&HOP=5&shop=6"] {
            assert_eq!(Hop::from_query(query), Some(Hop(3)), "{query}");
        }
    }

    #[test]
    fn what_is_malformed_or_said_twice_is_no_hop() {
        for value in
            ["", "0", "9", "10", "01", "+1", "-1", "1.0", " 1", "%31", "1=1", "x", "256", "²"]
        {
            assert_eq!(Hop::from_query(&format!("hop={value}")), None, "{value}");
        }
        for query in
            ["", "hop", "hop=1&hop=1", "hop=1&hop", "hop=1&hop=9", "Hop=1", "x=hop=1", "%68op=1"]
        {
            assert_eq!(Hop::from_query(query), None, "{query}");
        }
    }
}
