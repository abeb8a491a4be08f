//! How much, and how long.

use std::time::Duration;

use super::Builder;

impl<M> Builder<M> {
    /// The longest time that `Prefer: wait=N` can ask for, of a call as well as of a poll, and for which
    /// each redirect holds its caller ([`Deferral::Redirect`](crate::Deferral::Redirect)); 25 seconds by default, below the 60
    /// seconds after which many proxies give up.
    pub fn max_wait(mut self, longest: Duration) -> Self {
        self.policy.max_wait = longest;
        self
    }

    /// How many polls, callers that were redirected, and those who watch, may wait at the same time; 10,000 by default.
    /// Beyond that they are answered at once.
    pub fn max_waiters(mut self, polls: usize) -> Self {
        self.limits.waiters = polls;
        self
    }

    /// How many of these may be of one caller, as [`principal`](Self::principal) names them; as many as there are by
    /// default. Beyond that they are answered at once. Callers who are not named are not counted.
    pub fn max_waiters_per_caller(mut self, polls: usize) -> Self {
        self.limits.waiters_per_caller = Some(polls);
        self
    }

    /// How soon a caller may ask again for the status, or for the result, of an operation that was told to be
    /// running; as soon as it likes by default. Polls that come sooner are refused with 429 and `Retry-After`, in
    /// whole seconds, before the store is asked.
    ///
    /// It should be less than pollers are told to wait
    /// ([`retry_after_between`](crate::dialect::StandardDialect::retry_after_between)). Callers are told apart by
    /// [`principal`](Self::principal); all who are not named are one for each operation, so that several who
    /// share one would refuse each other. Whoever waits (`Prefer: wait=N`) or watches is not asked to come
    /// later, unless too many do; nor are browsers, for their [page](Self::page), and cancellations.
    /// An answer that tells of the end counts for nothing.
    pub fn min_poll(mut self, shortest: Duration) -> Self {
        self.limits.min_poll = shortest;
        self
    }

    /// How many operations may be parked in this process; 1,000 by default. Each keeps what its
    /// handler keeps.
    pub fn max_parked(mut self, operations: usize) -> Self {
        self.limits.parked = operations;
        self
    }

    /// How many of these may be of one caller, as [`principal`](Self::principal) names them; as many as there are by
    /// default. Beyond that its late calls are refused as beyond [`max_parked`](Self::max_parked), and those of others are
    /// not. Callers who are not named are not counted, nor are requests that are run again.
    pub fn max_parked_per_caller(mut self, operations: usize) -> Self {
        self.limits.parked_per_caller = Some(operations);
        self
    }

    /// How large the body of an accepted call's response may be; 8 MiB by default.
    ///
    /// It is in memory until it is stored. A store that keeps parts
    /// ([`put_part`](crate::store::OperationStore::put_part)) is given a body of more than 256 KiB in parts of that
    /// size, and it is sent from there part by part; other stores are given it as one value, and may
    /// have a bound of their own for those.
    pub fn max_result_bytes(mut self, bytes: usize) -> Self {
        self.limits.result_bytes = bytes;
        self
    }

    /// How many bytes of results may wait for a store that does not answer, before no more calls
    /// are deferred; 64 MiB by default.
    pub fn max_saved_bytes(mut self, bytes: usize) -> Self {
        self.limits.saved_bytes = bytes;
        self
    }

    /// How long each call of the store may take; 2.5 seconds by default.
    pub fn store_timeout(mut self, longest: Duration) -> Self {
        self.limits.store_timeout = longest;
        self
    }

    /// The shortest time between two reads of one operation from the store, by this process for those who poll,
    /// wait for, watch or cancel it; 100 milliseconds by default, which is less than pollers are told to wait. Zero:
    /// each of them reads it.
    ///
    /// An operation that was not read for so long is read at once, and once more. Those who ask sooner after that wait
    /// for the next read, and share it, however many they are. Nobody is answered by a read that began before they asked: what
    /// one replica has told of an end, no other contradicts.
    pub fn read_interval(mut self, shortest: Duration) -> Self {
        self.limits.read_interval = shortest;
        self
    }

    /// How long an operation is kept after its end; one hour by default. One whose creation was not
    /// answered at first, or whose process is gone, is kept for a minute at least: a late arrival of that
    /// finds it there.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.limits.retention = retention;
        self
    }

    /// How long this process is taken to be alive after a sign of life, of which there are three in
    /// that time; 15 seconds by default. After a crash its operations are found lost once twice that time
    /// is over: whoever is late may only have been kept from the store. At least three times [`store_timeout`](Self::store_timeout), so 7.5 seconds unless that is
    /// lowered too.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.limits.lease = lease;
        self
    }

    /// How long an operation may run after it was accepted, until its response begins; without end
    /// by default.
    pub fn execution_limit(mut self, longest: Duration) -> Self {
        self.limits.execution = Some(longest);
        self
    }

    /// How long the body of an accepted call's response may take; 15 minutes by default.
    pub fn body_time(mut self, longest: Duration) -> Self {
        self.limits.body_time = longest;
        self
    }

    /// How long a cancelled handler may take to end by itself, if it listens
    /// ([`Operation::canceled`](crate::Operation::canceled)); 10 seconds by default.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.limits.cancel_grace = grace;
        self
    }
}
