//! Redirects, for callers that follow them and know nothing of 202.

use std::time::Duration;

use http::{Response, request::Parts};

use super::{Status, Subject, finish, long_poll::Wait};
use crate::{
    body::StoredBody,
    dialect::{Asked, Command, Hop, Links, Preference, Problem, PublicBase, Resource, VoiceId},
    operation::Snapshot,
    request::RequestHead,
};

// === impl Status ===

impl Status {
    /// The answer to a call that was accepted, whose caller follows redirects.
    pub(crate) fn redirected(
        &self,
        voice: VoiceId,
        operation: &Snapshot,
        applied: Preference,
        public: Option<&PublicBase>,
    ) -> Response<StoredBody> {
        let voice = self.voices.get(voice);
        let operation = self.timed(operation.clone());
        let links = self.links_of(voice, &operation, public);
        let reply = voice.dialect.redirected(&operation, applied, Hop::FIRST, &links);
        finish::reply(self, voice, reply, &operation)
    }

    /// Holds a caller that was redirected: until the operation ends, for as long as anybody may wait
    /// or for `wait`, if that is less. Then it is given the result, or redirected again.
    pub(super) async fn follow(
        &self,
        voice: VoiceId,
        subject: Subject<'_>,
        hop: Hop,
        wait: Option<Duration>,
        links: &Links,
        request: &Parts,
    ) -> Result<Response<StoredBody>, Problem> {
        let asker = self.pace.asker(subject, Resource::Result);
        let (read, granted) = self.wait(subject, wait.unwrap_or(self.max_wait), asker).await;
        let operation = self.timed(read?);
        // Callers that are not held are back at once, and through with all hops within milliseconds.
        let next = match granted {
            Wait::Granted => hop.next(),
            Wait::Refused => None,
        };
        let voice = self.voices.get(voice);
        let applied = Preference::default();
        let asked = Asked::new(RequestHead::from(request), Resource::Result, Command::Get);
        let reply = match (operation.outcome(), next) {
            (Some(_), _) => voice.dialect.poll(&asked, &operation, links),
            (None, Some(next)) => voice.dialect.redirected(&operation, applied, next, links),
            (None, None) => voice.dialect.accepted(&operation, applied, links),
        };
        Ok(finish::reply(self, voice, reply, &operation))
    }
}
