//! A device at rest: what a fleet keeps of each of its devices between two sessions.
//!
//! Identity is a function of (seed, index) and is not kept. What is equal between devices stands
//! once in a [`Common`]. What few devices have goes into a box of its own. What is left is a record
//! of fixed size beside the certificate. Rest changes nothing: the woken device does, byte for
//! byte, what it would have done without.

mod common;
mod opening;
mod shelf;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use uuid::Uuid;

pub use common::{Common, Commons};
pub use opening::Opening;
pub(crate) use shelf::Remembered;

use crate::connectivity::{Connectivity, ConnectivitySchedule};
use crate::csp::tree::Tree;
use crate::device::Device;
use crate::enrollment::{DigestAccount, Enrollment};
use crate::event::{Events, SessionCause, UnenrollCause};
use crate::identity::{DeviceSpec, Identity};
use crate::laps::{AtRest, Laps, password};
use crate::rest::shelf::Place;
use crate::timers::{Timer, Timers};

/// An enrolled device between two sessions.
#[derive(Clone, Debug)]
pub struct Rested {
    common: Arc<Common>,
    place: Place,
    rare: Option<Box<Rare>>,
    laps: AtRest,
    enrolled_at: UtcMillis,
    cycle_at: UtcMillis,
    poll_at: UtcMillis,
    /// `EntDMID` as a GUID; nil when it is written in another way.
    managed_id: Uuid,
    enrollment_messages: u16,
    next_session_id: u16,
    connectivity: Connectivity,
    polling: bool,
}

/// What few devices at rest have.
#[derive(Clone, Debug, Default)]
struct Rare {
    managed_id: Option<Box<str>>,
    channel_uri: Option<Box<str>>,
    digest: Option<DigestAccount>,
    laps: Option<Laps>,
    timers: Option<Timers>,
    schedule: Option<Box<ConnectivitySchedule>>,
    wanted: Option<SessionCause>,
    leaving: Option<UnenrollCause>,
}

impl Device {
    /// Puts the device to rest. `spec` is what it was made of, and has to be handed in again to
    /// wake it.
    ///
    /// # Errors
    /// The device comes back as it is when it is not enrolled, in the middle of something, has
    /// events that nobody took, or is no longer what `spec` says.
    pub fn rest(self, spec: DeviceSpec, commons: &mut Commons) -> Result<Rested, Box<Self>> {
        let (identity, accounts) = Identity::from_spec(spec);
        let idle = self.enrolling.is_none()
            && self.session.is_none()
            && self.outstanding.is_none()
            && self.laps.is_idle()
            && self.events.is_empty();
        let Some(enrollment) = self.enrollment.as_deref() else {
            return Err(Box::new(self));
        };
        if !idle || identity != self.identity {
            return Err(Box::new(self));
        }
        let index = identity.index.to_string();
        let channel = &*enrollment.channel_uri;
        let prefix = channel.strip_suffix(index.as_str());
        let own_account = |account: &&DigestAccount| {
            // An account with another name is kept whole among what is rare.
            account.name.as_bytes() == identity.device_id.text()
        };
        let digest = enrollment.digest.as_ref();
        let secret = digest.filter(own_account).map(|it| it.secret.expose());
        let place = STANDARD
            .decode(&*enrollment.client_certificate)
            .ok()
            .and_then(|der| {
                let remembered = enrollment.remembered;
                commons
                    .shelf
                    .keep(remembered, &der, secret.unwrap_or_default())
            });
        let Some(place) = place else {
            return Err(Box::new(self));
        };
        let policy = self.effective_policy();
        let laps = self.laps.at_rest(&accounts, |generation| {
            password::for_policy(&identity, generation, &policy)
        });
        let common = commons.of(&self, enrollment, prefix.unwrap_or_default());
        let managed_id = canonical(&enrollment.ent_dm_id);
        let rested = Rested {
            common,
            place,
            laps: laps.unwrap_or_default(),
            enrolled_at: enrollment.enrolled_at,
            cycle_at: self.timers.raw(Timer::LapsCycle),
            poll_at: self.timers.raw(Timer::Poll),
            managed_id: managed_id.unwrap_or_default(),
            enrollment_messages: self.enrollment_messages,
            next_session_id: self.next_session_id,
            connectivity: self.connectivity,
            polling: self.polling,
            rare: None,
        };
        let plain = rested.usual_timers() == self.timers;
        let rare = Rare {
            managed_id: managed_id.is_none().then(|| enrollment.ent_dm_id.clone()),
            channel_uri: prefix.is_none().then(|| channel.into()),
            digest: digest.filter(|it| !own_account(it)).cloned(),
            laps: laps.is_none().then_some(self.laps),
            timers: (!plain).then_some(self.timers),
            schedule: self.schedule,
            wanted: self.wanted,
            leaving: self.leaving,
        };
        Ok(Rested {
            rare: (!rare.is_empty()).then(|| Box::new(rare)),
            ..rested
        })
    }
}

impl Rested {
    /// The device again, as if it had never rested; `spec` and `commons` as at [`Device::rest`].
    #[must_use]
    pub fn wake(&self, spec: DeviceSpec, commons: &Commons) -> Device {
        let (identity, accounts) = Identity::from_spec(spec);
        let rare = self.rare.as_deref().cloned().unwrap_or_default();
        let enrollment = self.enrollment((&identity, &rare), commons);
        let timers = self.timers();
        // The accounts are filled in below: the password depends on the policy in the tree.
        let mut device = Device {
            laps: Laps::new(Vec::new()),
            next_session_id: self.next_session_id,
            identity,
            enrollment: Some(Box::new(enrollment)),
            enrolling: None,
            session: None,
            tree: Tree {
                policies: self.common.policies.clone(),
                push: self.common.push.clone(),
            },
            timers,
            events: Events::default(),
            schedule: rare.schedule,
            enrollment_messages: self.enrollment_messages,
            connectivity: self.connectivity,
            outstanding: None,
            wanted: rare.wanted,
            leaving: rare.leaving,
            polling: self.polling,
        };
        device.laps = rare.laps.unwrap_or_else(|| {
            let policy = device.effective_policy();
            self.laps.wake(accounts, |generation| {
                password::for_policy(&device.identity, generation, &policy)
            })
        });
        device
    }

    /// What the device shares with others.
    #[must_use]
    pub const fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// The client certificate in DER form.
    #[must_use]
    pub fn certificate_der<'c>(&self, commons: &'c Commons) -> &'c [u8] {
        commons.shelf.certificate(self.place)
    }

    /// The id of the next session.
    #[must_use]
    pub const fn next_session_id(&self) -> u16 {
        self.next_session_id
    }

    /// When [`Device::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UtcMillis> {
        self.timers().next()
    }

    /// The first message of a session that the schedule opens now: what the woken device would
    /// send after [`Device::start_session`]. `None` where that is not [`Opening`].
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        let rare = self.rare.as_deref();
        let waits = rare.is_some_and(|rare| rare.leaving.is_some() || rare.wanted.is_some());
        let plain = self.connectivity == Connectivity::Online
            && !waits
            && self.timers().at(Timer::LapsCycle).is_some();
        self.common.opening().filter(|_| plain)
    }

    /// Takes note of a session that began with [`Self::opening`] and whose first answer asked for
    /// nothing: it was complete, and leaves nothing but the number of the next one.
    pub const fn session_without_work(&mut self) {
        self.next_session_id = self.next_session_id.wrapping_add(1);
    }

    fn timers(&self) -> Timers {
        let rare = self.rare.as_deref().and_then(|rare| rare.timers.clone());
        rare.unwrap_or_else(|| self.usual_timers())
    }

    /// The timers that most devices have.
    const fn usual_timers(&self) -> Timers {
        let mut timers = Timers::new();
        timers.set(Timer::LapsCycle, self.cycle_at);
        timers.set(Timer::Poll, self.poll_at);
        timers
    }

    fn enrollment(&self, (identity, rare): (&Identity, &Rare), commons: &Commons) -> Enrollment {
        let common = &self.common;
        let secret = commons.shelf.secret(self.place);
        // An account never has an empty secret.
        let own_account = || {
            (!secret.is_empty()).then(|| DigestAccount {
                name: identity.device_id.to_string(),
                secret: Secret::new(secret),
            })
        };
        Enrollment {
            management_url: common.management_url.clone(),
            provider_id: common.provider_id.clone(),
            ent_dm_id: rare
                .managed_id
                .clone()
                .unwrap_or_else(|| self.managed_id.to_string().into_boxed_str()),
            client_certificate: STANDARD
                .encode(self.certificate_der(commons))
                .into_boxed_str(),
            directory_url: common.directory_url.clone(),
            channel_uri: rare.channel_uri.clone().unwrap_or_else(|| {
                format!("{}{}", common.channel_prefix, identity.index).into_boxed_str()
            }),
            digest: rare.digest.clone().or_else(own_account),
            poll: common.poll,
            enrolled_at: self.enrolled_at,
            remembered: Remembered(Some(self.place)),
        }
    }
}

impl Rare {
    const fn is_empty(&self) -> bool {
        let Self {
            managed_id,
            channel_uri,
            digest,
            laps,
            timers,
            schedule,
            wanted,
            leaving,
        } = self;
        managed_id.is_none()
            && channel_uri.is_none()
            && digest.is_none()
            && laps.is_none()
            && timers.is_none()
            && schedule.is_none()
            && wanted.is_none()
            && leaving.is_none()
    }
}

/// The GUID that a text is in the usual form, and not nil.
fn canonical(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (!id.is_nil() && id.to_string() == text).then_some(id)
}
