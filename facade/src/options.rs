//! The command line, and what it makes of the layer.

mod values;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use http::{HeaderName, Method};
use tower_respond_async::dialect::Preference;
use tower_respond_async::store::SharedStore;
use tower_respond_async::{
    ConfigError, Deferral, KeyRing, ReplayPolicy, RequestHead, RespondAsyncLayer,
};

pub use self::values::{
    CompleteOption, DeferOption, IdempotencyOption, PendingOption, RetryAfterOption,
};
use crate::calls::Calls;
use crate::dialects::{self, DialectError, Manner, Spoken};
use crate::grpc;
use crate::principal;
use crate::proxy::Peer;
use crate::signing;
use crate::store::{self, Authorities, StoreUrl, StoreUrlParser};
use crate::trusted::{self, Network, Trusted};
use crate::upstream::Address;

/// A reverse proxy that answers slow HTTP calls with 202 Accepted and keeps their response to be
/// fetched.
///
/// Calls that the upstream answers in time pass through untouched. A later one is answered 202 with
/// a Location to poll, carried on to its end, and its response is given there as the upstream made
/// it.
///
/// Durations are written like 500ms, 2s, 5m or 1h. What is logged to standard error is set by the
/// environment variable RUST_LOG (default: info).
#[derive(Clone, Debug, Parser)]
#[command(name = "respond-async-facade", version)]
pub struct Options {
    /// Address and port to listen on (HTTP/1.1 and h2c); port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// The server behind: http://host:port for HTTP/1.1, h2c://host:port for HTTP/2 with prior
    /// knowledge
    #[arg(long, value_name = "URL")]
    pub upstream: Address,

    /// The other way round: gives callers that know nothing of 202 the plain response of an upstream that
    /// answers 202, by asking where it says until it is there. Nothing is deferred and nothing kept here, so
    /// no option about that goes with it
    #[arg(long, conflicts_with_all = DEFERRING)]
    pub follow: bool,

    /// How long such a response is waited for; then the caller gets the 202 [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "follow")]
    pub follow_for: Option<Duration>,

    /// How long a caller waits for its answer before it gets a 202
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    pub after: Duration,

    /// Whose late calls are deferred: everybody's, or only those that sent `Prefer: respond-async`
    #[arg(long, value_enum, default_value_t = DeferOption::Late)]
    pub defer: DeferOption,

    /// Methods whose late calls are deferred without having asked for it
    #[arg(
        long,
        value_name = "METHOD,...",
        value_delimiter = ',',
        default_value = "POST,PUT,PATCH,DELETE"
    )]
    pub methods: Vec<Method>,

    /// Late calls of this method at and below this path are answered with a redirect to the result,
    /// which waits for it, unless they sent `Prefer: respond-async`: for clients that follow redirects
    /// and know nothing of 202. Whatever --defer and --methods say; can be given several times
    #[arg(long, value_name = "METHOD:PATH-PREFIX")]
    pub redirect: Vec<Calls>,

    /// A unary gRPC method whose late calls are answered DEADLINE_EXCEEDED, with the operation to ask
    /// google.longrunning.Operations for in the details; in it the reply is of this type. Needs an h2c://
    /// upstream. Can be given several times
    #[arg(long, value_name = "/PACKAGE.SERVICE/METHOD[=PACKAGE.REPLY]")]
    pub grpc_defer: Vec<grpc::Method>,

    /// A unary gRPC method that returns google.longrunning.Operation to callers (AIP-151), where the upstream
    /// returns this type. Needs an h2c:// upstream. Can be given several times
    #[arg(long, value_name = "/PACKAGE.SERVICE/METHOD=PACKAGE.REPLY", value_parser = grpc::Method::with_reply)]
    pub grpc_lro: Vec<grpc::Method>,

    /// Path under which operations are polled
    #[arg(long, value_name = "PATH", default_value = "/operations")]
    pub base_path: String,

    /// Makes the references of a 202 absolute: the URL under which callers reach this proxy; or a
    /// path that a proxy in front strips off
    #[arg(long, value_name = "URL")]
    pub public_base: Option<String>,

    /// A proxy in front, by its network (192.0.2.0/24) or address, that says under which URL its callers
    /// reach this one: by Forwarded, or by X-Forwarded-Host, -Proto and -Prefix. It has to write these fields
    /// itself, whatever its callers send. Can be given several times
    #[arg(long, value_name = "CIDR")]
    pub trust_proxy: Vec<Network>,

    /// The longest time for which `Prefer: wait=N` holds a call or a poll, and for which each of eight
    /// redirects does
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = humantime::parse_duration)]
    pub max_wait: Duration,

    /// How long a result can be fetched
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    pub retention: Duration,

    /// When pollers are told to ask again by Retry-After: when it is worth while, as far as can be learned
    /// from earlier operations and reported progress; or always after so many seconds
    #[arg(long, value_name = "auto|SECONDS", default_value = "auto")]
    pub retry_after: RetryAfterOption,

    /// The most operations that run at once; further late calls stay synchronous
    #[arg(long, value_name = "N")]
    pub max_parked: Option<usize>,

    /// The most operations of one caller that run at once; of callers whom --principal-header names
    #[arg(long, value_name = "N", requires = "principal_header")]
    pub max_parked_per_caller: Option<usize>,

    /// The most polls of one caller that wait at once, further ones are answered directly; of callers
    /// whom --principal-header names
    #[arg(long, value_name = "N", requires = "principal_header")]
    pub max_waiters_per_caller: Option<usize>,

    /// Refuses a caller with 429 that asks for a running operation again sooner than this after an
    /// answer. Without --principal-header all who ask for one operation are one caller
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub min_poll: Option<Duration>,

    /// The largest body that is kept of a late response; an operation whose response is larger
    /// fails
    #[arg(long, value_name = "BYTES")]
    pub max_result_bytes: Option<usize>,

    /// How operations are spoken of: standard, arm, operation-location, redfish, fhir or odata. With
    /// =PATH, those whose calls are at and below that path, and which are then polled below it, too; without,
    /// all others. arm, operation-location and fhir need --public-base. Can be given several times
    #[arg(long, value_name = "NAME[=PATH]")]
    pub dialect: Vec<Spoken>,

    /// What a poll of the 202's Location answers while the operation runs; of standard, arm and
    /// operation-location
    #[arg(long, value_enum, default_value_t = PendingOption::Accepted)]
    pub pending: PendingOption,

    /// What it answers at the end: the stored response, a redirect to it, or the status document; of the same
    /// dialects. Of fhir, the flow of bulk exports, of R6, or of R5
    #[arg(long, value_enum, default_value_t = CompleteOption::Replay)]
    pub complete: CompleteOption,

    /// Which requests with an Idempotency-Key are run once only: those of callers whom
    /// --principal-header names, all, or none
    #[arg(long, value_enum, default_value_t = IdempotencyOption::Principal)]
    pub idempotency: IdempotencyOption,

    /// The request field in which a proxy in front says who is calling, having checked it. Operations
    /// of a named caller can be read and cancelled by that caller only. Callers that reach this proxy
    /// directly can name whom they like
    #[arg(long, value_name = "NAME")]
    pub principal_header: Option<HeaderName>,

    /// Signs the URLs of operations, which are answered only so: a file with a secret of at least 32 bytes on
    /// each line, hexadecimal or base64. The first one signs, all are taken; the same on all replicas
    #[arg(long, value_name = "PATH", value_parser = signing::read)]
    pub sign_key_file: Option<KeyRing>,

    /// How long signed URLs are valid after their call was accepted [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "sign_key_file")]
    pub url_lifetime: Option<Duration>,

    /// Where operations are kept: memory, fjall:PATH (a directory of this process alone),
    /// postgres://..., redis://... or rediss://... (shared by all replicas that name the same one). URLs
    /// with a password are better given in the environment
    #[arg(
        long,
        value_name = "URL",
        default_value = "memory",
        value_parser = StoreUrlParser,
        env = "RESPOND_ASYNC_STORE",
        hide_env_values = true
    )]
    pub store: StoreUrl,

    /// A file of certificates in PEM: who vouches for the store's, in place of the system's authorities.
    /// With rediss:// and sslmode=verify-full only
    #[arg(long, value_name = "PATH", value_parser = store::read_authorities)]
    pub store_ca: Option<Authorities>,

    /// How long a sign of life lasts: after twice that time without another this process is taken for
    /// dead, and its operations for lost; at least three times --store-timeout
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = humantime::parse_duration)]
    pub lease: Duration,

    /// How long the store may take for an answer before it counts as unavailable
    #[arg(long, value_name = "DURATION", default_value = "2500ms", value_parser = humantime::parse_duration)]
    pub store_timeout: Duration,

    /// Late calls of this method at and below this path are sent to the upstream again, by whichever
    /// replica is there, if this process dies before they have ended. They may reach the upstream more
    /// than once. Can be given several times
    #[arg(long, value_name = "METHOD:PATH-PREFIX")]
    pub replay: Vec<Calls>,

    /// How often such a call may be sent to the upstream in all
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..))]
    pub replay_attempts: u32,

    /// A request field that such a call needs, to be stored with it: beside those that say what is sent
    /// and what is accepted, none is. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub replay_header: Vec<HeaderName>,

    /// Address and port on which Prometheus finds /metrics; nothing is served there by default. Whoever can
    /// reach it can read it
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,

    /// How long running operations may take to end after SIGTERM or SIGINT
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
}

/// The options that are about calls that are deferred here.
const DEFERRING: [&str; 30] = [
    "after",
    "defer",
    "methods",
    "redirect",
    "dialect",
    "grpc_defer",
    "grpc_lro",
    "base_path",
    "public_base",
    "max_wait",
    "retention",
    "retry_after",
    "max_parked",
    "max_parked_per_caller",
    "max_waiters_per_caller",
    "min_poll",
    "max_result_bytes",
    "pending",
    "complete",
    "idempotency",
    "principal_header",
    "sign_key_file",
    "url_lifetime",
    "store",
    "store_ca",
    "lease",
    "store_timeout",
    "replay",
    "replay_attempts",
    "replay_header",
];

/// Why there is no layer as the options ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The layer refuses a value.
    Config(ConfigError),
    /// The dialects do not fit together.
    Dialects(DialectError),
}

// === impl Options ===

impl Options {
    /// The layer that these options ask for, with its operations in `store`.
    ///
    /// # Errors
    ///
    /// If an option's value is one that the layer refuses, or dialects do not fit together.
    pub fn layer(&self, store: SharedStore) -> Result<RespondAsyncLayer, Error> {
        let mut builder = RespondAsyncLayer::builder(self.after)
            .store(store)
            .lease(self.lease)
            .store_timeout(self.store_timeout)
            .base_path(&self.base_path)
            .max_wait(self.max_wait)
            .retention(self.retention)
            .idempotency(self.idempotency.into());
        if let Some(methods) = grpc::listed(&self.grpc_defer, &self.grpc_lro) {
            builder = builder.grpc(methods);
        }
        builder = match self.redirect.is_empty() {
            true => builder.defer(self.defer.into()).methods(self.methods.iter().cloned()),
            false => builder.policy(self.policy()),
        };
        if let Some(public_base) = &self.public_base {
            builder = builder.public_base(public_base);
        }
        let trusted = self.trusted();
        let is_absolute = self.public_base.as_ref().is_some_and(|base| base.contains("://"))
            || !trusted.is_empty();
        builder = dialects::speak(builder, &self.dialect, self.manner(), is_absolute)?;
        if !trusted.is_empty() {
            builder = builder.public_base_from(move |request| {
                let Peer(peer) = request.extensions.get()?;
                trusted.contains(peer.ip()).then(|| trusted::public_base(request.headers))?
            });
        }
        if let Some(field) = self.principal_header.clone() {
            builder = builder.principal(move |request| principal::named(request, &field));
        }
        if let Some(ring) = self.sign_key_file.clone() {
            builder = builder.signed_urls(match self.url_lifetime {
                Some(lifetime) => ring.lifetime(lifetime),
                None => ring,
            });
        }
        if let Some(max_parked) = self.max_parked {
            builder = builder.max_parked(max_parked);
        }
        if let Some(most) = self.max_parked_per_caller {
            builder = builder.max_parked_per_caller(most);
        }
        if let Some(most) = self.max_waiters_per_caller {
            builder = builder.max_waiters_per_caller(most);
        }
        if let Some(min_poll) = self.min_poll {
            builder = builder.min_poll(min_poll);
        }
        if let Some(max_result_bytes) = self.max_result_bytes {
            builder = builder.max_result_bytes(max_result_bytes);
        }
        Ok(builder.build()?)
    }

    /// Which calls are sent to the upstream again; `None` if none are.
    #[must_use]
    pub fn replay(&self) -> Option<ReplayPolicy> {
        let listed = self.replay.clone();
        let fields = self.replay_header.iter().chain(&self.principal_header).cloned();
        (!listed.is_empty()).then(|| {
            ReplayPolicy::when(move |request| listed.iter().any(|calls| calls.matches(request)))
                .max_attempts(self.replay_attempts)
                .headers(fields)
        })
    }

    /// The proxies in front that are believed.
    #[must_use]
    pub fn trusted(&self) -> Trusted {
        Trusted::from(self.trust_proxy.as_slice())
    }

    /// Redirects what is listed, and defers everything else as without the list.
    fn policy(&self) -> impl Fn(&RequestHead<'_>) -> Deferral + Send + Sync + 'static {
        let Self { after, defer, .. } = *self;
        let (redirect, methods) = (self.redirect.clone(), self.methods.clone());
        move |request| {
            if redirect.iter().any(|listed| listed.matches(request)) {
                return Deferral::Redirect(after);
            }
            let unasked = defer == DeferOption::Late && methods.contains(request.method);
            // Only methods that are listed come here.
            let is_listed = grpc::is_grpc(request.headers);
            match unasked || is_listed || Preference::from_headers(request.headers).respond_async {
                true => Deferral::After(after),
                false => Deferral::Never,
            }
        }
    }

    /// Whether the options fit together, as far as that can't be said of each by itself.
    ///
    /// # Errors
    ///
    /// If they don't.
    pub fn check(&self) -> Result<(), String> {
        let is_listed = !self.grpc_defer.is_empty() || !self.grpc_lro.is_empty();
        if self.dialect.iter().any(Spoken::is_grpc) && !is_listed {
            return Err("--dialect grpc needs methods: --grpc-defer or --grpc-lro".to_owned());
        }
        grpc::check(&self.grpc_defer, &self.grpc_lro, self.upstream.protocol())
    }

    fn manner(&self) -> Manner {
        let retry_after = match self.retry_after {
            RetryAfterOption::Seconds(seconds) => Some(Duration::from_secs(seconds.get().into())),
            RetryAfterOption::Auto => None,
        };
        Manner { pending: self.pending.into(), complete: self.complete.into(), retry_after }
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Dialects(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<DialectError> for Error {
    fn from(error: DialectError) -> Self {
        Self::Dialects(error)
    }
}

#[cfg(test)]
mod tests;
