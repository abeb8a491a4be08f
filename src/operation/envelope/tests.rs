use proptest::prelude::*;

use super::*;

const KEPT: Duration = Duration::from_secs(60);

fn head() -> Head {
    Head {
        created: Timestamp::from_unix_millis(1_795_348_800_250),
        method: Method::POST,
        target: PathAndQuery::from_static("/reports?year=2026"),
        report: Report::at(Stage::NotStarted),
        binding: None,
        keyed: None,
        request: None,
    }
}

fn response(body: &'static [u8]) -> StoredResponse {
    let mut headers = HeaderMap::new();
    headers.append("x-many", HeaderValue::from_static("a, b"));
    headers.append("x-many", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    StoredResponse {
        status: StatusCode::from_u16(599).unwrap(),
        headers,
        body: Bytes::from_static(body).into(),
        trailers: Some(trailers),
    }
}

fn ended(outcome: Outcome) -> Tail {
    Tail::Outcome { revision: 7, ended: Timestamp::from_unix_millis(5), kept: KEPT, outcome }
}

#[test]
fn a_head_is_read_as_it_was_written() {
    assert_eq!(Head::decode(&head().encode()), Ok(head()));
}

#[test]
fn whose_it_is_and_its_key_are_read_as_they_were_written() {
    let salt = Salt::from_bytes([1; 16]);
    let keyed = Keyed { salt, fingerprint: Fingerprint::from_bytes([2; 32]) };
    let binding = Binding::from_bytes([3; 32]);
    for (binding, keyed) in
        [(Some(binding), None), (None, Some(keyed)), (Some(binding), Some(keyed))]
    {
        let head = Head { binding, keyed, ..head() };
        assert_eq!(Head::decode(&head.encode()), Ok(head));
    }
}

#[test]
fn a_request_to_be_run_again_is_read_as_it_was_written() {
    let mut headers = HeaderMap::new();
    headers.append("accept", HeaderValue::from_static("text/plain"));
    headers.append("accept", HeaderValue::from_bytes(b"\xff").unwrap());
    for principal in [None, Some(Bytes::new()), Some(Bytes::from_static(b"ada"))] {
        let body = Bytes::from_static(b"\x00\x01binary");
        let request = Some(StoredRequest { headers: headers.clone(), body, principal });
        let head = Head { request, ..head() };
        assert_eq!(Head::decode(&head.encode()), Ok(head));
    }
}

#[test]
fn where_an_operation_stands_is_told_by_its_tail() {
    let standing = |tail: &Bytes| Tail::standing(tail).map(|of| (of.revision, of.attempts));
    assert_eq!(standing(&Bytes::new()), Ok((0, 1)), "nothing was written since it was created");
    let updated = Timestamp::from_unix_millis(9);
    let report = Report::at(Stage::Running);
    let tail = Tail::Progress { revision: 3, updated, report, attempt: 2 };
    assert_eq!(standing(&tail.encode()), Ok((3, 2)));
    assert_eq!(standing(&Bytes::from_static(b"{}")), Err(DecodeError::NotAnEnvelope));
}

#[test]
fn a_response_is_read_as_it_was_written() {
    let written = response(b"\x00\x01binary");
    let bytes = ended(Outcome::Response(Box::new(written.clone()))).encode();
    let Ok(Tail::Outcome { revision: 7, kept: KEPT, outcome: Outcome::Response(read), .. }) =
        Tail::decode(&bytes)
    else {
        panic!("not the outcome that was written");
    };
    assert_eq!(read.status, written.status);
    assert_eq!(read.headers, written.headers);
    assert_eq!(read.body, written.body);
    assert_eq!(read.trailers, written.trailers);
}

#[test]
fn a_response_in_parts_is_read_as_it_was_written() {
    let body = StoredContent::Parts { count: 3, length: 700_000, digest: [7; 32] };
    let written = StoredResponse { body, ..response(b"") };
    let bytes = ended(Outcome::Response(Box::new(written.clone()))).encode();
    let Ok(Tail::Outcome { outcome: Outcome::Response(read), .. }) = Tail::decode(&bytes) else {
        panic!("not the outcome that was written");
    };
    assert_eq!((read.status, &read.body), (written.status, &written.body));
    assert_eq!((read.headers, read.trailers), (written.headers, written.trailers));
}

#[test]
fn progress_and_failures_are_read_as_they_were_written() {
    let report =
        Report { stage: Stage::Running, progress: Some(0.25), message: Some("däs".into()) };
    let updated = Timestamp::from_unix_millis(9);
    let bytes =
        Tail::Progress { revision: 3, updated, report: report.clone(), attempt: 4 }.encode();
    let Ok(Tail::Progress { revision: 3, report: read, attempt: 4, .. }) = Tail::decode(&bytes)
    else {
        panic!("not the progress that was written");
    };
    assert_eq!(read, report);

    let bytes = ended(Outcome::Failure(Failure::Lost)).encode();
    assert!(matches!(
        Tail::decode(&bytes),
        Ok(Tail::Outcome { kept: KEPT, outcome: Outcome::Failure(Failure::Lost), .. })
    ));
}

#[test]
fn a_flipped_bit_is_always_noticed() {
    for whole in [head().encode(), ended(Outcome::Response(Box::new(response(b"body")))).encode()] {
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let bytes = Bytes::from(bytes);
            assert!(Head::decode(&bytes).is_err(), "bit {bit}");
            assert!(Tail::decode(&bytes).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn another_version_is_told_from_rubbish() {
    let mut bytes = head().encode().to_vec();
    bytes[2] = 2;
    assert_eq!(Head::decode(&bytes.into()), Err(DecodeError::UnknownFormat));
    let json = Bytes::from_static(b"{\"json\": true}");
    assert_eq!(Head::decode(&json), Err(DecodeError::NotAnEnvelope));
    assert_eq!(Head::decode(&Bytes::new()), Err(DecodeError::NotAnEnvelope));
}

#[test]
fn a_tail_is_not_taken_for_a_head() {
    let tail = ended(Outcome::Failure(Failure::Panic)).encode();
    assert_eq!(Head::decode(&tail), Err(DecodeError::Misplaced));
    assert!(Tail::decode(&head().encode()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = Head::decode(&bytes);
        let _ = Tail::decode(&bytes);
    }

    #[test]
    fn no_fields_under_a_right_checksum_make_decoding_panic(
        kind in 0_u8..7,
        fields in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut sealed = Fields::new(kind);
        sealed.0.put_slice(&fields);
        let bytes = sealed.finish(&Bytes::new());
        let _ = Head::decode(&bytes);
        let _ = Tail::decode(&bytes);
    }
}
