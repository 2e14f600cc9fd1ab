//! The control plane of tests (contract 6): devices, sign-ins, the clock, actors; and gauges.

use protocol::control::{
    ActorToken, AdvanceClock, ChangeDevice, ClockState, NewActor, RegisterDevice, Registration,
    SignIn,
};
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use serde_json::json;
use uuid::Uuid;

use crate::admin::reply::{Answer, Cause, Refusal, Reply, read_body, respond};
use crate::admin::{check_media_type, check_size};
use crate::core::{Core, HttpRequest, HttpResponse};
use crate::rbac::{ActorError, Caller};
use crate::state::{ManagedId, ObjectId};

const PREFIX: &str = "/muster/v1/";
/// 9999-12-31T23:59:59Z, the last second that the wire's form of a time can tell.
const LAST_MOMENT: UtcMillis = UtcMillis::from_millis(253_402_300_799_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Devices,
    /// `None` when the path holds no GUID.
    Device(Option<Uuid>),
    Clock,
    SignIns,
    Actors,
    Health,
    Stats,
}

impl Route {
    fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix(PREFIX)?;
        match path.split_once('/') {
            Some(("devices", id)) if !id.is_empty() && !id.contains('/') => {
                Some(Self::Device(Uuid::try_parse(id).ok()))
            }
            Some(_) => None,
            None => match path {
                "devices" => Some(Self::Devices),
                "clock" => Some(Self::Clock),
                "signIns" => Some(Self::SignIns),
                "actors" => Some(Self::Actors),
                "health" => Some(Self::Health),
                "stats" => Some(Self::Stats),
                _ => None,
            },
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Devices | Self::SignIns | Self::Actors => "POST",
            Self::Device(_) => "PATCH",
            Self::Clock => "GET, POST",
            Self::Health | Self::Stats => "GET",
        }
    }
}

impl Core {
    pub(crate) fn handle_control(
        &mut self,
        now: UtcMillis,
        request: &HttpRequest<'_>,
    ) -> HttpResponse {
        let (ids, id_is_guid) = self.answer_ids(request.client_request_id);
        let answer = self
            .admit_control(request, id_is_guid)
            .and_then(|route| self.serve_control(now, route, request));
        respond(now, ids, answer)
    }

    /// The order of refusals is that of contract section 0.
    fn admit_control(&self, request: &HttpRequest<'_>, id_is_guid: bool) -> Result<Route, Refusal> {
        let route = Route::parse(request.path);
        let caller = self.actors.caller(request.authorization);
        if caller == Caller::Unknown && route != Some(Route::Health) {
            let message = "The bearer token is missing or unknown.";
            return Err(Refusal::new(Cause::Unauthorized, message));
        }
        let Some(route) = route else {
            let message = format!("The path `{}` is unknown.", request.path);
            return Err(Refusal::new(Cause::NotFound, message));
        };
        if !route
            .methods()
            .split(", ")
            .any(|method| method == request.method)
        {
            let message = format!("`{}` is not served on this path.", request.method);
            return Err(Refusal::new(
                Cause::MethodNotAllowed(route.methods()),
                message,
            ));
        }
        if caller != Caller::Control && route != Route::Health {
            let message = "The control plane takes the control token alone.";
            return Err(Refusal::new(Cause::Forbidden, message));
        }
        if request.method != "GET" {
            check_media_type(request.content_type, request.body)?;
            check_size(request.body)?;
        }
        if !id_is_guid {
            return Err(Refusal::bad_request(
                "The header `client-request-id` is no GUID.",
            ));
        }
        Ok(route)
    }

    fn serve_control(&mut self, now: UtcMillis, route: Route, request: &HttpRequest<'_>) -> Answer {
        match route {
            Route::Devices => self.control_register(now, request.body),
            Route::Device(id) => self.control_rejoin(now, id, request.body),
            Route::Clock if request.method == "GET" => {
                Ok(Reply::ok(&ClockState { now: now.ticks() }))
            }
            Route::Clock => self.control_advance(now, request.body),
            Route::SignIns => self.control_sign_in(now, request.body),
            Route::Actors => self.control_add_actor(request.body),
            Route::Health => Ok(Reply::ok(&json!({"status": "ready"}))),
            Route::Stats => Ok(Reply::ok(&self.gauges())),
        }
    }

    /// What was done so far and what is kept, for measurements: `GET stats`, beside contract 6. The
    /// members are gauges of this core and may change with it.
    fn gauges(&self) -> serde_json::Value {
        let shared = self.counters.shared_check_ins.get();
        json!({
            "evaluatedSessions": self.counters.evaluations.get(),
            "unchangedCheckIns": self.counters.unchanged_check_ins.get() + shared,
            "sharedCheckIns": shared,
            "enrolledDevices": self.devices.by_id.len(),
            "auditEvents": self.audit.intune.events().len() + self.audit.directory.events().len(),
        })
    }

    fn control_register(&mut self, now: UtcMillis, body: &[u8]) -> Answer {
        let mut device: RegisterDevice = read_body(body)?;
        if device.device_name.trim().is_empty() {
            return Err(Refusal::bad_request("`deviceName` is empty."));
        }
        if !device.join_type.has_directory_object() {
            // Contract 6: these have no directory object, so an id for one says nothing.
            device.entra_device_id = None;
        } else if device.entra_device_id.is_none() {
            let message = format!(
                "`entraDeviceId` is missing for the join type `{}`.",
                device.join_type
            );
            return Err(Refusal::bad_request(message));
        }
        let enrollment = self.register_device(now, &device);
        Ok(Reply::created(&Registration { enrollment }))
    }

    fn control_rejoin(&mut self, now: UtcMillis, id: Option<Uuid>, body: &[u8]) -> Answer {
        let change: ChangeDevice = read_body(body)?;
        let Some(id) = id else {
            return Err(Refusal::new(Cause::NotFound, "The path names no device."));
        };
        if !self.rejoin_device(now, id, change.join_type) {
            return Err(Refusal::not_found("device", id));
        }
        Ok(Reply::no_content())
    }

    fn control_advance(&mut self, now: UtcMillis, body: &[u8]) -> Answer {
        let advance: AdvanceClock = read_body(body)?;
        if !self.config.virtual_clock {
            return Err(Refusal::conflict("The clock is not virtual here."));
        }
        let advance_ms = i64::try_from(advance.advance_ms).unwrap_or(i64::MAX);
        let now = now.plus_millis(advance_ms);
        if now > LAST_MOMENT {
            return Err(Refusal::bad_request(
                "`advanceMs` leads beyond the year 9999.",
            ));
        }
        self.clock_offset_ms = self.clock_offset_ms.saturating_add(advance_ms);
        self.expire_actions(now);
        Ok(Reply::ok(&ClockState { now: now.ticks() }))
    }

    fn control_sign_in(&mut self, now: UtcMillis, body: &[u8]) -> Answer {
        let sign_in: SignIn = read_body(body)?;
        let device = self.device_of_sign_in(&sign_in)?;
        let user = match &sign_in.user_principal_name {
            None => None,
            Some(name) => Some(self.user_named(name)?),
        };
        self.sign_in(now, device, user);
        Ok(Reply::no_content())
    }

    fn device_of_sign_in(&self, sign_in: &SignIn) -> Result<ManagedId, Refusal> {
        let (found, id) = match (sign_in.entra_device_id, sign_in.managed_device_id) {
            (Some(id), None) => (self.devices.of_entra_id(id), id),
            (None, Some(id)) => (
                Some(id).filter(|id| self.devices.by_id.contains_key(id)),
                id,
            ),
            (Some(_), Some(_)) | (None, None) => {
                let message = "Either `entraDeviceId` or `managedDeviceId` names the device.";
                return Err(Refusal::bad_request(message));
            }
        };
        found.ok_or_else(|| Refusal::not_found("managed device", id))
    }

    fn user_named(&self, name: &str) -> Result<ObjectId, Refusal> {
        self.tenant
            .user_named(name)
            .ok_or_else(|| Refusal::not_found("user", name))
    }

    fn control_add_actor(&mut self, body: &[u8]) -> Answer {
        let actor: NewActor = read_body(body)?;
        if actor.name.trim().is_empty() {
            return Err(Refusal::bad_request("`name` is empty."));
        }
        match self.actors.add(&mut self.rng, &actor.name, &actor.rights) {
            Ok(token) => Ok(Reply::created(&ActorToken {
                token: Secret::new(token),
            })),
            Err(ActorError::NameTaken) => Err(Refusal::conflict(format!(
                "The actor `{}` exists already.",
                actor.name
            ))),
            Err(ActorError::UnknownRight(right)) => Err(Refusal::bad_request(format!(
                "The right `{right}` is unknown."
            ))),
        }
    }
}
