//! The response of a call as R5 has it: the one entry of a `Bundle` of the type `batch-response`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::FHIR_JSON;
use crate::{
    dialect::{Patch, RESPOND_ASYNC, STORED, json},
    operation::StoredResponse,
};

const BEGIN: &str =
    r#"{"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":""#;

/// The stored response in a bundle; `None` if it holds what cannot stand in one: anything but JSON.
pub(super) fn wrap(response: &StoredResponse) -> Option<Patch> {
    if !response.body.is_empty() && !is_json(&response.headers) {
        return None;
    }
    let location = response.headers.get(header::LOCATION);
    let (prefix, suffix) = around(response.status, location, response.body.is_empty());
    let set = HeaderMap::from_iter([(RESPOND_ASYNC, STORED), (header::CONTENT_TYPE, FHIR_JSON)]);
    // They are of what is in the bundle.
    let remove = vec![header::LOCATION, header::ETAG, header::LAST_MODIFIED];
    let status = Some(StatusCode::OK);
    Some(Patch { status, remove, set, prefix, suffix, ..Patch::default() })
}

/// An outcome that stands for a response.
pub(super) fn of_outcome(status: StatusCode, outcome: &Bytes) -> Bytes {
    let (prefix, suffix) = around(status, None, false);
    [&prefix[..], outcome, &suffix].concat().into()
}

/// What stands before and after a body.
fn around(status: StatusCode, location: Option<&HeaderValue>, is_empty: bool) -> (Bytes, Bytes) {
    let location = location.and_then(|location| location.to_str().ok());
    let location = location.map(|location| format!(r#","location":"{}""#, json::escaped(location)));
    let (before, after) = match (is_empty, status.as_u16()) {
        (true, _) => ("", "}}]}"),
        (false, ..400) => (r#"},"resource":"#, "}]}"),
        (false, 400..) => (r#","outcome":"#, "}}]}"),
    };
    let status = status.as_str();
    let prefix = [BEGIN, status, "\"", location.as_deref().unwrap_or_default(), before].concat();
    (prefix.into(), after.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is_json = [&b"application/fhir+json"[..], b"application/json"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    is_json && !headers.contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a client gets of a response.
    fn bundle(status: u16, fields: &[(&'static str, &'static str)], body: &'static str) -> Value {
        let patch = wrap(&response(status, fields, body)).expect("a bundle");
        let text = [&patch.prefix[..], body.as_bytes(), &patch.suffix].concat();
        assert_eq!(patch.status, Some(StatusCode::OK));
        serde_json::from_slice(&text).expect("JSON")
    }

    fn response(
        status: u16,
        fields: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> StoredResponse {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        StoredResponse { status, headers, body: Bytes::from(body).into(), trailers: None }
    }

    fn entry(entry: &Value) -> Value {
        json!({ "resourceType": "Bundle", "type": "batch-response", "entry": [entry] })
    }

    const FHIR: (&str, &str) = ("content-type", "application/FHIR+json; charset=utf-8");

    #[test]
    fn a_resource_stands_beside_its_status_and_location() {
        let body = r#"{"resourceType":"Patient"}"#;
        let location = ("location", r#"/Patient/7"\"#);
        let expected = json!({
            "response": { "status": "201", "location": r#"/Patient/7"\"# },
            "resource": { "resourceType": "Patient" },
        });
        assert_eq!(bundle(201, &[FHIR, location], body), entry(&expected));
        let patch = wrap(&response(201, &[FHIR, location], body)).expect("a bundle");
        assert!(patch.remove.contains(&header::LOCATION));
    }

    #[test]
    fn a_failure_is_an_outcome_within_the_response() {
        let body = r#"{"resourceType":"OperationOutcome"}"#;
        let expected = json!({
            "response": { "status": "422", "outcome": { "resourceType": "OperationOutcome" } },
        });
        assert_eq!(bundle(422, &[FHIR], body), entry(&expected));
        let wrapped = of_outcome(StatusCode::UNPROCESSABLE_ENTITY, &Bytes::from(body));
        let wrapped: Value = serde_json::from_slice(&wrapped).expect("JSON");
        assert_eq!(wrapped, entry(&expected));
    }

    #[test]
    fn a_response_without_a_body_is_its_status() {
        assert_eq!(bundle(204, &[], ""), entry(&json!({ "response": { "status": "204" } })));
    }

    #[test]
    fn what_is_not_json_stays_as_it_is() {
        for fields in [
            &[("content-type", "application/fhir+ndjson")][..],
            &[FHIR, ("content-encoding", "gzip")],
            &[],
        ] {
            assert!(wrap(&response(200, fields, "{}")).is_none(), "{fields:?}");
        }
    }
}
