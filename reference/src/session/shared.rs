//! The check-in without news, under a shared borrow of the core.
//!
//! A device that has all it should have says its usual first message and is answered with Status
//! alone. Of the core's state such a session changes when the device was last heard, when its rows
//! were last reported and what a repeat gets, and nothing that another device could see. It is
//! served here exactly as [`Core::handle`] would serve it, or not at all.

use protocol::syncml::{CheckIn, Limits, decode};
use protocol::time::UtcMillis;

use super::{BODY_LIMIT, Kept, PATH, digest_of, is_syncml, syncml};
use crate::core::{Core, HttpRequest, HttpResponse, Plane};
use crate::state::{LastAnswer, ManagedDevice};

impl Core {
    /// Serves a check-in that has no news for either side; `None` when the request is anything else
    /// or anything may have to change, so that [`Core::handle`] has to decide. Nothing has happened
    /// then.
    ///
    /// `now` is the shell's clock, as in [`Core::handle`].
    #[must_use]
    pub fn try_check_in(&self, now: UtcMillis, request: &HttpRequest<'_>) -> Option<HttpResponse> {
        let is_check_in = request.plane == Plane::Manage
            && request.path == PATH
            && request.method == "POST"
            && request.body.len() <= BODY_LIMIT
            && is_syncml(request.content_type);
        // A deliberate defect or a variant may have its hand in anything.
        if !is_check_in || self.faults.any() || !self.variant.on().is_empty() {
            return None;
        }
        let now = self.core_time(now);
        if self.expiries.first().is_some_and(|(due, ..)| *due <= now) {
            return None;
        }
        let device = self.identified(now, request.client_certificate).ok()?;
        if !device.wants_nothing(now) {
            return None;
        }
        if let Some(check_in) = CheckIn::read(request.body) {
            return self.answer_unchanged(now, device, &check_in, request.body);
        }
        let message = decode(request.body, &Limits::default()).ok()?;
        let check_in = CheckIn::of(&message)?;
        self.answer_unchanged(now, device, &check_in, request.body)
    }

    fn answer_unchanged(
        &self,
        now: UtcMillis,
        device: &ManagedDevice,
        check_in: &CheckIn<'_>,
        body: &[u8],
    ) -> Option<HttpResponse> {
        if check_in.source != &*device.device_id || !device.is_settled_for(check_in) {
            return None;
        }
        let digest = digest_of(body);
        // Held to the end: of two messages of one device the second waits for the first.
        let mut last = device.last_answer.lock();
        match last.as_ref().filter(|last| last.is_repeated(now, &digest)) {
            Some(LastAnswer {
                kept: Kept::Body(body),
                ..
            }) => return Some(syncml(body.to_vec())),
            Some(LastAnswer {
                kept: Kept::Nothing,
                ..
            }) => {}
            None => {
                device.last_sync_at.set(now);
                device.report_again(now);
                *last = Some(LastAnswer {
                    request_digest: digest,
                    answered_at: now,
                    kept: Kept::Nothing,
                });
                self.counters.shared_check_ins.add_one();
            }
        }
        let mut answer = Vec::new();
        check_in.write_answer(&mut answer);
        Some(syncml(answer))
    }
}

impl ManagedDevice {
    /// Nothing waits for the device's next session, and none is open.
    fn wants_nothing(&self, now: UtcMillis) -> bool {
        self.session.is_none()
            && self.settled_for.is_some()
            && self.next_join_type.is_none()
            && self.push.configured
            && self.push.is_good(now)
            && self.push.outstanding.is_empty()
            && !self.needs_ad_evidence()
            && !self.actions.iter().any(|action| action.state.is_open())
    }

    /// The device has all it should have for whoever is signed in.
    fn is_settled_for(&self, check_in: &CheckIn<'_>) -> bool {
        let is_user = check_in
            .login_status
            .is_some_and(|status| status.trim() == super::USER);
        let context = self.user_context(is_user);
        self.settled_for == Some(context)
            // Otherwise the session makes this user the last one.
            && (!context.present || self.last_user == context.user)
    }
}
