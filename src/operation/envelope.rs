//! What the layer stores of an operation, as bytes: a [`Head`] at creation, then one [`Tail`] after
//! another.
//!
//! ```text
//! magic "ra" | format 1 | kind | CRC-32 of the kind and all that follows | fields ... | body
//! ```
//!
//! Integers are little-endian, byte strings carry their length; a body comes last and is read
//! without being copied. Whatever the bytes are, decoding ends with a value or a [`DecodeError`]:
//! lengths are checked before anything is allocated.

use std::{fmt, time::Duration};

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, uri::PathAndQuery};

use super::{
    Failure, Fingerprint, Keyed, Outcome, Salt, StoredContent, StoredRequest, StoredResponse,
};
use crate::{clock::Timestamp, principal::Binding};

/// The part that is written once, when the call is accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) created: Timestamp,
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// What was known when the call was accepted.
    pub(crate) report: Report,
    /// Whose it is; whoever has the id may look, if there is none.
    pub(crate) binding: Option<Binding>,
    /// The key that it was created under.
    pub(crate) keyed: Option<Keyed>,
    /// What it takes to run it again; `None` if it is not to be.
    pub(crate) request: Option<StoredRequest>,
}

/// The part that is written again and again.
#[derive(Clone, Debug)]
pub(crate) enum Tail {
    Progress {
        revision: u64,
        updated: Timestamp,
        report: Report,
        /// How often it was begun.
        attempt: u32,
    },
    /// It is kept for so long after its end.
    Outcome { revision: u64, ended: Timestamp, kept: Duration, outcome: Outcome },
}

/// What is known of the work while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) stage: Stage,
    pub(crate) progress: Option<f64>,
    pub(crate) message: Option<String>,
}

/// How far an open operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The number of the tail that was written last, 0 if none was.
    pub(crate) revision: u64,
    /// How often it was begun.
    pub(crate) attempts: u32,
}

/// Whether the service has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    NotStarted,
    Running,
}

/// The bytes are not what this version of the layer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// They do not begin as an envelope does.
    NotAnEnvelope,
    /// They were written by another version.
    UnknownFormat,
    /// They are an envelope, but not of the kind that belongs here.
    Misplaced,
    /// The checksum does not fit.
    Checksum,
    /// A field is missing, too long, or not what it should be.
    Malformed,
}

const MAGIC: [u8; 2] = *b"ra";
const FORMAT: u8 = 1;
/// Magic, format, kind and checksum.
const PREFIX: usize = 8;

const HEAD: u8 = 1;
const PROGRESS: u8 = 2;
const RESPONSE: u8 = 3;
const FAILURE: u8 = 4;
const IN_PARTS: u8 = 5;

type Decoded<T> = Result<T, DecodeError>;

// === impl Head ===

impl Head {
    pub(crate) fn encode(&self) -> Bytes {
        let mut fields = Fields::new(HEAD);
        fields.time(self.created);
        fields.bytes(self.method.as_str().as_bytes());
        fields.bytes(self.target.as_str().as_bytes());
        fields.report(&self.report);
        fields.option(self.binding, |fields, binding| fields.0.put_slice(binding.as_bytes()));
        fields.option(self.keyed, Fields::keyed);
        fields.option(self.request.as_ref(), Fields::request);
        fields.finish(&Bytes::new())
    }

    /// Reads a head; its target is a slice of `bytes`.
    pub(crate) fn decode(bytes: &Bytes) -> Decoded<Self> {
        let (kind, mut fields) = open(bytes)?;
        if kind != HEAD {
            return Err(DecodeError::Misplaced);
        }
        let created = fields.time()?;
        let method = Method::from_bytes(fields.bytes()?).map_err(|_| DecodeError::Malformed)?;
        let target = bytes.slice_ref(fields.bytes()?);
        let target = PathAndQuery::from_maybe_shared(target).map_err(|_| DecodeError::Malformed)?;
        let report = fields.report()?;
        let binding = fields.option(|fields| fields.array().map(Binding::from_bytes))?;
        let keyed = fields.option(Reader::keyed)?;
        let request = fields.option(|fields| fields.request(bytes))?;
        fields.end()?;
        Ok(Self { created, method, target, report, binding, keyed, request })
    }
}

// === impl Tail ===

impl Tail {
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Progress { revision, updated, report, attempt } => {
                let mut fields = Fields::new(PROGRESS);
                fields.number(*revision);
                fields.time(*updated);
                fields.report(report);
                fields.0.put_u32_le(*attempt);
                fields.finish(&Bytes::new())
            }
            Self::Outcome { revision, ended, kept, outcome: Outcome::Failure(failure) } => {
                let mut fields = Fields::new(FAILURE);
                fields.number(*revision);
                fields.time(*ended);
                fields.duration(*kept);
                fields.0.put_u8(failure.to_stored());
                fields.finish(&Bytes::new())
            }
            Self::Outcome { revision, ended, kept, outcome: Outcome::Response(response) } => {
                let kind = match response.body {
                    StoredContent::Whole(_) => RESPONSE,
                    StoredContent::Parts { .. } => IN_PARTS,
                };
                let mut fields = Fields::new(kind);
                fields.number(*revision);
                fields.time(*ended);
                fields.duration(*kept);
                fields.0.put_u16_le(response.status.as_u16());
                fields.headers(&response.headers);
                fields.option(response.trailers.as_ref(), Fields::headers);
                match &response.body {
                    StoredContent::Whole(body) => fields.finish(body),
                    StoredContent::Parts { count, length, digest } => {
                        fields.0.put_u32_le(*count);
                        fields.number(*length);
                        fields.0.put_slice(digest);
                        fields.finish(&Bytes::new())
                    }
                }
            }
        }
    }

    /// Reads a tail; the body of a response is a slice of `bytes`.
    pub(crate) fn decode(bytes: &Bytes) -> Decoded<Self> {
        let (kind, mut fields) = open(bytes)?;
        let revision = fields.number()?;
        let time = fields.time()?;
        match kind {
            PROGRESS => {
                let report = fields.report()?;
                let attempt = fields.word()?;
                fields.end()?;
                Ok(Self::Progress { revision, updated: time, report, attempt })
            }
            FAILURE => {
                let kept = fields.duration()?;
                let failure = Failure::from_stored(fields.byte()?).ok_or(DecodeError::Malformed)?;
                fields.end()?;
                let outcome = Outcome::Failure(failure);
                Ok(Self::Outcome { revision, ended: time, kept, outcome })
            }
            RESPONSE | IN_PARTS => {
                let kept = fields.duration()?;
                let status =
                    StatusCode::from_u16(fields.short()?).map_err(|_| DecodeError::Malformed)?;
                let headers = fields.headers()?;
                let trailers = fields.option(Reader::headers)?;
                let body = match kind {
                    IN_PARTS => fields.parts()?,
                    _ => StoredContent::Whole(bytes.slice_ref(fields.0)),
                };
                let response = StoredResponse { status, headers, body, trailers };
                let outcome = Outcome::Response(Box::new(response));
                Ok(Self::Outcome { revision, ended: time, kept, outcome })
            }
            _ => Err(DecodeError::Misplaced),
        }
    }

    /// What is known of an open operation from what is stored of it.
    pub(crate) fn standing(stored: &Bytes) -> Decoded<Standing> {
        if stored.is_empty() {
            return Ok(Standing { revision: 0, attempts: 1 });
        }
        match Self::decode(stored)? {
            Self::Progress { revision, attempt, .. } => {
                Ok(Standing { revision, attempts: attempt })
            }
            Self::Outcome { revision, .. } => Ok(Standing { revision, attempts: 1 }),
        }
    }
}

// === impl Report ===

impl Report {
    /// A call of which nothing is known but its stage.
    pub(crate) const fn at(stage: Stage) -> Self {
        Self { stage, progress: None, message: None }
    }
}

// === impl DecodeError ===

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnEnvelope => "not an envelope of this crate",
            Self::UnknownFormat => "an envelope of an unknown format",
            Self::Misplaced => "an envelope of another kind",
            Self::Checksum => "the checksum does not fit",
            Self::Malformed => "a field is malformed",
        })
    }
}

impl std::error::Error for DecodeError {}

/// The envelope while it is written.
struct Fields(Vec<u8>);

// === impl Fields ===

impl Fields {
    fn new(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.put_slice(&MAGIC);
        bytes.put_u8(FORMAT);
        bytes.put_u8(kind);
        // The checksum, once all is known.
        bytes.put_u32_le(0);
        Self(bytes)
    }

    fn finish(mut self, body: &Bytes) -> Bytes {
        self.0.reserve_exact(body.len());
        self.0.extend_from_slice(body);
        let checksum = checksum(self.0[3], &self.0[PREFIX..]);
        self.0[4..PREFIX].copy_from_slice(&checksum.to_le_bytes());
        // No more room than there are bytes: stores keep them as they are.
        self.0.into_boxed_slice().into()
    }

    fn number(&mut self, number: u64) {
        self.0.put_u64_le(number);
    }

    fn time(&mut self, time: Timestamp) {
        self.number(time.unix_millis());
    }

    fn duration(&mut self, duration: Duration) {
        self.number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }

    fn stage(&mut self, stage: Stage) {
        self.0.put_u8(match stage {
            Stage::NotStarted => 0,
            Stage::Running => 1,
        });
    }

    fn report(&mut self, report: &Report) {
        self.stage(report.stage);
        self.option(report.progress, |fields, progress| fields.number(progress.to_bits()));
        self.option(report.message.as_deref(), |fields, text| fields.bytes(text.as_bytes()));
    }

    fn keyed(&mut self, keyed: Keyed) {
        self.0.put_slice(keyed.salt.as_bytes());
        self.0.put_slice(keyed.fingerprint.as_bytes());
    }

    fn request(&mut self, request: &StoredRequest) {
        self.headers(&request.headers);
        self.bytes(&request.body);
        self.option(request.principal.as_ref(), |fields, principal| fields.bytes(principal));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.put_u32_le(u32::try_from(bytes.len()).expect("fields are far below 4 GiB"));
        self.0.put_slice(bytes);
    }

    fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.0.put_u8(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn headers(&mut self, headers: &HeaderMap) {
        self.0.put_u32_le(u32::try_from(headers.len()).expect("header maps hold at most 32,768"));
        for (name, value) in headers {
            self.bytes(name.as_str().as_bytes());
            self.bytes(value.as_bytes());
        }
    }
}

/// The fields of an envelope while they are read.
struct Reader<'a>(&'a [u8]);

/// Checks what comes before the fields, and finds the kind and the fields.
fn open(bytes: &[u8]) -> Decoded<(u8, Reader<'_>)> {
    let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or(DecodeError::NotAnEnvelope)?;
    if prefix[..2] != MAGIC {
        return Err(DecodeError::NotAnEnvelope);
    }
    if prefix[2] != FORMAT {
        return Err(DecodeError::UnknownFormat);
    }
    let kind = prefix[3];
    let written = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]);
    if checksum(kind, rest) != written {
        return Err(DecodeError::Checksum);
    }
    Ok((kind, Reader(rest)))
}

fn checksum(kind: u8, rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(rest);
    hasher.finalize()
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Decoded<u8> {
        Ok(self.take(1)?.get_u8())
    }

    fn short(&mut self) -> Decoded<u16> {
        Ok(self.take(2)?.get_u16_le())
    }

    fn word(&mut self) -> Decoded<u32> {
        Ok(self.take(4)?.get_u32_le())
    }

    fn number(&mut self) -> Decoded<u64> {
        Ok(self.take(8)?.get_u64_le())
    }

    fn keyed(&mut self) -> Decoded<Keyed> {
        let salt = Salt::from_bytes(self.array()?);
        let fingerprint = Fingerprint::from_bytes(self.array()?);
        Ok(Keyed { salt, fingerprint })
    }

    /// Reads a request; its body and principal are slices of `whole`.
    fn request(&mut self, whole: &Bytes) -> Decoded<StoredRequest> {
        let headers = self.headers()?;
        let body = whole.slice_ref(self.bytes()?);
        let principal = self.option(Self::bytes)?.map(|bytes| whole.slice_ref(bytes));
        Ok(StoredRequest { headers, body, principal })
    }

    fn time(&mut self) -> Decoded<Timestamp> {
        self.number().map(Timestamp::from_unix_millis)
    }

    fn duration(&mut self) -> Decoded<Duration> {
        self.number().map(Duration::from_millis)
    }

    fn stage(&mut self) -> Decoded<Stage> {
        match self.byte()? {
            0 => Ok(Stage::NotStarted),
            1 => Ok(Stage::Running),
            _ => Err(DecodeError::Malformed),
        }
    }

    fn report(&mut self) -> Decoded<Report> {
        let stage = self.stage()?;
        let progress = self.option(Self::number)?.map(f64::from_bits);
        let message = self.option(Self::bytes)?;
        let message = message.map(|text| String::from_utf8_lossy(text).into_owned());
        Ok(Report { stage, progress, message })
    }

    fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let length = self.word()?;
        self.take(length as usize)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Decoded<T>) -> Decoded<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(DecodeError::Malformed),
        }
    }

    fn headers(&mut self) -> Decoded<HeaderMap> {
        let count = self.word()?;
        let mut headers = HeaderMap::new();
        for _ in 0..count {
            let name = HeaderName::from_bytes(self.bytes()?).map_err(|_| DecodeError::Malformed)?;
            let value =
                HeaderValue::from_bytes(self.bytes()?).map_err(|_| DecodeError::Malformed)?;
            headers.try_append(name, value).map_err(|_| DecodeError::Malformed)?;
        }
        Ok(headers)
    }

    /// Where a body is that is not here. Nothing follows.
    fn parts(mut self) -> Decoded<StoredContent> {
        let (count, length, digest) = (self.word()?, self.number()?, self.array()?);
        self.end()?;
        Ok(StoredContent::Parts { count, length, digest })
    }

    /// Nothing may be left over.
    fn end(self) -> Decoded<()> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Malformed) }
    }
}

#[cfg(test)]
mod tests;
