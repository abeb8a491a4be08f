//! Who is calling, as the proxy in front says: `--principal-header NAME`.

use http::HeaderName;
use tower_respond_async::{Principal, RequestHead};

/// The caller that the field names; `None` if it is missing or empty. Several fields are one list, and
/// another caller than each of its members.
pub fn named(request: &RequestHead<'_>, field: &HeaderName) -> Option<Principal> {
    let values: Vec<&[u8]> =
        request.headers.get_all(field).iter().map(|value| value.as_bytes()).collect();
    let name = values.join(&b", "[..]);
    (!name.is_empty()).then(|| Principal::from(name))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn caller(values: &[&str]) -> Option<Principal> {
        let request = values
            .iter()
            .fold(Request::get("/"), |request, value| request.header("x-user", *value));
        let request = request.body(()).unwrap();
        named(&RequestHead::from(&request), &HeaderName::from_static("x-user"))
    }

    #[test]
    fn the_field_names_the_caller() {
        assert_eq!(caller(&["alice"]), Some("alice".into()));
    }

    #[test]
    fn without_the_field_nobody_is_named() {
        assert_eq!(caller(&[]), None);
        assert_eq!(caller(&[""]), None);
    }

    #[test]
    fn a_second_field_does_not_make_a_caller_somebody_else() {
        let both = caller(&["alice", "bob"]);
        assert!(both.is_some() && both != caller(&["alice"]) && both != caller(&["bob"]));
    }
}
