//! How pollers choose when to ask.

/// What a poller is told at each look, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// `Retry-After`.
    pub(crate) seconds: f64,
    /// The document's `retryAfterMs`.
    pub(crate) exact: f64,
}

/// A poller that obeys the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obedient {
    /// In whole seconds.
    Seconds,
    /// To the millisecond.
    Exact,
    /// In whole seconds, within what an SDK or its protocol allows.
    Clamped { least: u32, most: u32 },
}

/// A poller with an interval of its own, whatever it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own {
    Fixed(f64),
    /// Times a factor after each look, up to the longest.
    Backoff {
        first: f64,
        factor: f64,
        longest: f64,
    },
}

// === impl Obedient ===

impl Obedient {
    /// With the names of those who do so.
    ///
    /// azure-core, @azure/core-lro and Resource Manager's pollers take `Retry-After` as it is, like
    /// `Seconds`.
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("ours, Retry-After (azure-core, core-lro, ARM)", Self::Seconds),
        ("ours, retryAfterMs", Self::Exact),
        (
            "ours, with ARM's bounds for services (10 to 600 s)",
            Self::Clamped { least: 10, most: 600 },
        ),
        ("ours, at most 10 s (Olingo)", Self::Clamped { least: 1, most: 10 }),
        ("ours, at most 300 s (smart-fetch)", Self::Clamped { least: 1, most: 300 }),
    ];

    /// How long it waits.
    pub(crate) fn wait(self, told: Told) -> f64 {
        match self {
            Self::Seconds => told.seconds,
            Self::Exact => told.exact,
            Self::Clamped { least, most } => told.seconds.clamp(least.into(), most.into()),
        }
    }
}

// === impl Own ===

impl Own {
    pub(crate) const ALL: [(&str, Self); 11] = [
        ("fixed 1 s (medplum)", Self::Fixed(1.0)),
        ("fixed 2 s (core-lro, not told)", Self::Fixed(2.0)),
        ("fixed 5 s (DMTF and Olingo, not told)", Self::Fixed(5.0)),
        ("fixed 10 s (Redfish and Durable Functions SDKs)", Self::Fixed(10.0)),
        ("fixed 20 s (Logic Apps sample, not told)", Self::Fixed(20.0)),
        ("fixed 30 s (azure-core and ARM clients, not told)", Self::Fixed(30.0)),
        ("fixed 60 s (smart-fetch, not told)", Self::Fixed(60.0)),
        (
            "backoff 1 s x1.5 to 20 s (google-api-core)",
            Self::Backoff { first: 1.0, factor: 1.5, longest: 20.0 },
        ),
        (
            "backoff 1 s x2 to 60 s (google-cloud-lro)",
            Self::Backoff { first: 1.0, factor: 2.0, longest: 60.0 },
        ),
        ("backoff 1 s x2", Self::Backoff { first: 1.0, factor: 2.0, longest: f64::INFINITY }),
        ("backoff 1 s x1.5", Self::Backoff { first: 1.0, factor: 1.5, longest: f64::INFINITY }),
    ];

    /// When it has looked at an operation that took so long, the last time after its end.
    pub(crate) fn looks(self, took: f64) -> (usize, f64) {
        let (mut wait, factor, longest) = match self {
            Self::Fixed(interval) => (interval, 1.0, interval),
            Self::Backoff { first, factor, longest } => (first, factor, longest),
        };
        let (mut looks, mut at) = (0, 0.0);
        while at < took || looks == 0 {
            at += wait;
            looks += 1;
            wait = (wait * factor).min(longest);
        }
        (looks, at)
    }
}
