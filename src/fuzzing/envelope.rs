use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, uri::PathAndQuery};

use crate::{
    clock::Timestamp,
    operation::{
        Failure, Fingerprint, Head, Keyed, Outcome, Report, Salt, Stage, StoredContent,
        StoredRequest, StoredResponse, Tail,
    },
    principal::Binding,
};

/// The bytes before the fields: magic, format, kind and checksum.
const PREFIX: usize = 8;

/// Decoding stored bytes never panics and never keeps room for more than the bytes account for; what is
/// written is read back equal, what can be read can be written, and nothing else is read.
///
/// The first byte says what the rest is: `=` the stored bytes, `H` and `T` the material of a head
/// or tail to be written, and anything else is the kind of an envelope of these fields, under the
/// right checksum.
pub fn envelope(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    // There is always enough material: what is missing is zeros.
    let mut material = Unstructured::new(rest);
    match mode {
        b'=' => stored(&Bytes::copy_from_slice(rest)),
        b'H' => written_head(&head(&mut material).unwrap_or_else(|_| plain_head())),
        b'T' => {
            if let Ok(tail) = tail(&mut material) {
                written_tail(&tail);
            }
        }
        kind => stored(&sealed(kind, rest)),
    }
}

/// Any fields under a right checksum, which random bytes never have.
fn sealed(kind: u8, fields: &[u8]) -> Bytes {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(fields);
    let prefix = [b'r', b'a', 1, kind];
    [&prefix[..], &hasher.finalize().to_le_bytes(), fields].concat().into()
}

// === Reading ===

fn stored(bytes: &Bytes) {
    let (head, tail) = (Head::decode(bytes), Tail::decode(bytes));
    assert!(head.is_err() || tail.is_err(), "both a head and a tail");
    let standing = Tail::standing(bytes).map(|standing| standing.revision);
    match &tail {
        Ok(tail) => assert_eq!(standing, Ok(revision(tail))),
        Err(_) => assert_eq!(standing.is_ok(), bytes.is_empty()),
    }
    if let Ok(head) = head {
        assert_eq!(bytes[3], 1, "another kind is a head");
        assert!(head.method.as_str().len() <= bytes.len());
        assert!(head.target.as_str().len() <= bytes.len());
        bounded_report(&head.report, bytes);
        if let Some(request) = &head.request {
            bounded_fields(&request.headers, bytes);
            assert!(request.body.len() <= bytes.len());
        }
        written_head(&head);
    }
    if let Ok(tail) = tail {
        bounded_tail(&tail, bytes);
        written_tail(&tail);
    }
}

fn bounded_tail(tail: &Tail, bytes: &Bytes) {
    match tail {
        Tail::Progress { report, .. } => bounded_report(report, bytes),
        Tail::Outcome { outcome: Outcome::Failure(_), .. } => {}
        Tail::Outcome { outcome: Outcome::Response(response), .. } => {
            bounded_fields(&response.headers, bytes);
            if let Some(trailers) = &response.trailers {
                bounded_fields(trailers, bytes);
            }
            let Some(body) = response.body.as_whole() else { return };
            let (range, whole) = (body.as_ptr_range(), bytes.as_ptr_range());
            assert!(body.is_empty() || whole.start <= range.start && range.end == whole.end);
        }
    }
}

fn bounded_report(report: &Report, bytes: &Bytes) {
    // A byte that is not UTF-8 becomes a character of three; a string may double as it grows.
    let room = report.message.as_ref().map_or(0, String::capacity);
    assert!(room <= 6 * bytes.len(), "{room} bytes of text from {}", bytes.len());
}

fn bounded_fields(fields: &HeaderMap, bytes: &Bytes) {
    // Two lengths and a name of one character.
    assert!(9 * fields.len() <= bytes.len());
    // A map may double as it grows, too.
    let room = fields.capacity();
    assert!(room <= 8 + 4 * fields.len(), "room for {room} fields, not {}", fields.len());
}

// === Writing ===

fn written_head(head: &Head) {
    let bytes = head.encode();
    let read = Head::decode(&bytes).expect("what was written can be read");
    assert_eq!((read.created, &read.method), (head.created, &head.method));
    assert_eq!(read.target.as_str(), head.target.as_str());
    same_report(&read.report, &head.report);
    assert_eq!((read.binding, read.keyed), (head.binding, head.keyed));
    assert_eq!(read.request, head.request);
    assert_eq!(read.encode(), bytes);
    changed(&bytes);
    other_shape(&bytes);
}

fn written_tail(tail: &Tail) {
    let bytes = tail.encode();
    let read = Tail::decode(&bytes).expect("what was written can be read");
    assert_eq!((revision(&read), time(&read)), (revision(tail), time(tail)));
    match (&read, tail) {
        (
            Tail::Progress { report: read, attempt: read_attempt, .. },
            Tail::Progress { report, attempt, .. },
        ) => {
            assert_eq!(read_attempt, attempt);
            same_report(read, report);
        }
        (
            Tail::Outcome { kept: read_kept, outcome: read, .. },
            Tail::Outcome { kept, outcome, .. },
        ) => {
            assert_eq!(read_kept, kept);
            same_outcome(read, outcome);
        }
        (read, tail) => panic!("{read:?} instead of {tail:?}"),
    }
    assert_eq!(read.encode(), bytes);
    changed(&bytes);
    // A response ends with its body, of any length, unless that is elsewhere.
    let ends_anyhow = matches!(tail, Tail::Outcome { outcome: Outcome::Response(response), .. }
        if response.body.as_whole().is_some());
    if !ends_anyhow {
        other_shape(&bytes);
    }
}

/// No bit may be another one.
fn changed(bytes: &Bytes) {
    let (mut bytes, bit) = (bytes.to_vec(), usize::from(bytes[4]));
    let at = bit % bytes.len();
    bytes[at] ^= 1 << (bit % 8);
    assert!(!is_read(&bytes.into()), "byte {at} was another one");
}

/// Nothing may follow the last field, none may be missing, and they may not be under an unknown kind.
fn other_shape(bytes: &Bytes) {
    let (kind, fields) = (bytes[3], &bytes[PREFIX..]);
    assert!(!is_read(&sealed(0, fields)), "of an unknown kind");
    assert!(!is_read(&sealed(kind, &[fields, b"\0"].concat())), "more was read");
    assert!(!is_read(&sealed(kind, &fields[..fields.len() - 1])), "less was read");
}

fn is_read(bytes: &Bytes) -> bool {
    Head::decode(bytes).is_ok() || Tail::decode(bytes).is_ok()
}

fn same_report(read: &Report, written: &Report) {
    assert_eq!((read.stage, &read.message), (written.stage, &written.message));
    // As bits, since one NaN is not another.
    assert_eq!(read.progress.map(f64::to_bits), written.progress.map(f64::to_bits));
}

fn same_outcome(read: &Outcome, written: &Outcome) {
    match (read, written) {
        (Outcome::Failure(read), Outcome::Failure(written)) => assert_eq!(read, written),
        (Outcome::Response(read), Outcome::Response(written)) => {
            assert_eq!((read.status, &read.body), (written.status, &written.body));
            assert_eq!((&read.headers, &read.trailers), (&written.headers, &written.trailers));
        }
        _ => panic!("{read:?} instead of {written:?}"),
    }
}

fn revision(tail: &Tail) -> u64 {
    let (Tail::Progress { revision, .. } | Tail::Outcome { revision, .. }) = tail;
    *revision
}

fn time(tail: &Tail) -> Timestamp {
    let (Tail::Progress { updated: time, .. } | Tail::Outcome { ended: time, .. }) = tail;
    *time
}

// === Material ===

fn plain_head() -> Head {
    Head {
        created: Timestamp::default(),
        method: Method::POST,
        target: PathAndQuery::from_static("/"),
        report: Report::at(Stage::NotStarted),
        binding: None,
        keyed: None,
        request: None,
    }
}

fn head(from: &mut Unstructured<'_>) -> Result<Head> {
    let plain = plain_head();
    Ok(Head {
        created: Timestamp::from_unix_millis(from.arbitrary()?),
        method: Method::from_bytes(from.arbitrary()?).unwrap_or(plain.method),
        report: report(from)?,
        binding: from.arbitrary::<Option<_>>()?.map(Binding::from_bytes),
        keyed: keyed(from)?,
        request: if from.arbitrary()? { Some(request(from)?) } else { None },
        target: from.arbitrary::<&[u8]>()?.try_into().unwrap_or(plain.target),
    })
}

fn tail(from: &mut Unstructured<'_>) -> Result<Tail> {
    let (revision, time) = (from.arbitrary()?, Timestamp::from_unix_millis(from.arbitrary()?));
    Ok(match from.arbitrary::<Option<bool>>()? {
        None => {
            let (report, attempt) = (report(from)?, from.arbitrary()?);
            Tail::Progress { revision, updated: time, report, attempt }
        }
        Some(answered) => {
            let outcome = match answered {
                true => Outcome::Response(Box::new(response(from)?)),
                false => Outcome::Failure(failure(from)?),
            };
            let kept = Duration::from_millis(from.arbitrary()?);
            Tail::Outcome { revision, ended: time, kept, outcome }
        }
    })
}

fn report(from: &mut Unstructured<'_>) -> Result<Report> {
    let stage = if from.arbitrary()? { Stage::Running } else { Stage::NotStarted };
    Ok(Report { stage, progress: from.arbitrary()?, message: from.arbitrary()? })
}

fn keyed(from: &mut Unstructured<'_>) -> Result<Option<Keyed>> {
    let parts: Option<(_, _)> = from.arbitrary()?;
    Ok(parts.map(|(salt, fingerprint)| Keyed {
        salt: Salt::from_bytes(salt),
        fingerprint: Fingerprint::from_bytes(fingerprint),
    }))
}

fn request(from: &mut Unstructured<'_>) -> Result<StoredRequest> {
    Ok(StoredRequest {
        headers: fields(from)?,
        body: Bytes::copy_from_slice(from.arbitrary()?),
        principal: from.arbitrary::<Option<&[u8]>>()?.map(Bytes::copy_from_slice),
    })
}

fn failure(from: &mut Unstructured<'_>) -> Result<Failure> {
    Ok(Failure::from_stored(from.arbitrary()?).unwrap_or(Failure::Lost))
}

fn response(from: &mut Unstructured<'_>) -> Result<StoredResponse> {
    Ok(StoredResponse {
        status: StatusCode::from_u16(from.int_in_range(100..=999)?).unwrap_or_default(),
        headers: fields(from)?,
        trailers: if from.arbitrary()? { Some(fields(from)?) } else { None },
        body: content(from)?,
    })
}

fn content(from: &mut Unstructured<'_>) -> Result<StoredContent> {
    Ok(match from.arbitrary()? {
        true => StoredContent::Parts {
            count: from.arbitrary()?,
            length: from.arbitrary()?,
            digest: from.arbitrary()?,
        },
        false => StoredContent::Whole(Bytes::copy_from_slice(from.arbitrary()?)),
    })
}

fn fields(from: &mut Unstructured<'_>) -> Result<HeaderMap> {
    let mut fields = HeaderMap::new();
    for field in from.arbitrary_iter::<(&[u8], &[u8])>()? {
        let (name, value) = field?;
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            fields.append(name, value);
        }
    }
    Ok(fields)
}
