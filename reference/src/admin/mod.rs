//! The admin plane (contract 5): the order in which a call is refused, and who serves it.
//!
//! | module | what it serves |
//! |---|---|
//! | `route` | paths, methods, rights |
//! | `query`, `paging` | query options, filters, pages |
//! | `reply` | answers and refusals |
//! | `directory` | users, groups, directory devices, the tenant switch |
//! | `policies` | policies and assignments |
//! | `devices` | managed devices, states of policies, conflicts |
//! | `tasks` | device actions, single and in bulk |
//! | `credentials` | local administrator credentials |
//! | `audit_events` | both audit logs |
//! | `batch` | `$batch` |
//! | `defect` | what deliberate defects do here |
//! | `variant` | what legal variants do here |

mod audit_events;
mod batch;
mod credentials;
mod defect;
mod devices;
mod directory;
mod leak;
mod paging;
mod policies;
mod query;
pub(crate) mod reply;
mod route;
mod tasks;
mod variant;

use protocol::graph::action::RemoteAction;
use protocol::time::UtcMillis;
use uuid::Uuid;

use self::batch::Batch;
use self::query::Query;
use self::reply::{Answer, AnswerIds, Cause, JSON, Refusal, respond};
use self::route::{Method, Need, PathId, Route, Task};
use self::tasks::{Rotation, conclude_rotation};
use crate::audit::Deed;
use crate::core::{Core, HttpRequest, Step, Ticket};
use crate::fault::Fault;
use crate::presence::PushId;
use crate::rbac::{ActorId, Caller};
use crate::variant::Variants;

/// Contract 0: bodies over 1 MiB are refused.
pub(crate) const BODY_BYTES_MAX: usize = 1_048_576;

/// A call that waits for a push.
#[derive(Debug)]
pub(crate) struct Continuation {
    ids: AnswerIds,
    waiting: Waiting,
}

#[derive(Debug)]
enum Waiting {
    Rotation(Rotation),
    Batch(Batch),
}

/// A call as it came in, alone or in a batch.
struct Inbound<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    caller: Caller,
    content_type: Option<&'a str>,
    body: &'a [u8],
    ids: AnswerIds,
    id_is_guid: bool,
}

/// A call whose path and method exist and whose caller is known.
struct Call<'a> {
    now: UtcMillis,
    actor: ActorId,
    ids: AnswerIds,
    /// `/v1.0` or `/beta`.
    root: &'static str,
    /// Base of the plane, for links.
    base: String,
    path: &'a str,
    query: Query,
    body: &'a [u8],
    variants: Variants,
}

/// How far a call got.
enum Outcome {
    Answered(Answer),
    Rotating(Rotation),
    Batch(Batch),
}

impl Core {
    pub(crate) fn handle_admin(&mut self, now: UtcMillis, request: &HttpRequest<'_>) -> Step {
        let (ids, id_is_guid) = self.answer_ids(request.client_request_id);
        if let Some(refusal) = variant::throttled(self, request.authorization) {
            return Step::Done(respond(now, ids, Err(refusal)));
        }
        let inbound = Inbound {
            method: request.method,
            path: request.path,
            query: request.query,
            caller: self.actors.caller(request.authorization),
            content_type: request.content_type,
            body: request.body,
            ids,
            id_is_guid,
        };
        let waiting = match serve(self, now, &inbound) {
            Outcome::Answered(answer) => return Step::Done(respond(now, ids, answer)),
            Outcome::Rotating(rotation) => Waiting::Rotation(rotation),
            Outcome::Batch(batch) => Waiting::Batch(batch),
        };
        self.resume_admin(now, Continuation { ids, waiting })
    }

    /// Answers a call whose pushes were all answered, or waits for the next of them.
    pub(crate) fn resume_admin(&mut self, now: UtcMillis, continuation: Continuation) -> Step {
        let Continuation { ids, mut waiting } = continuation;
        match waiting.advance(self, now) {
            Some(push) => Step::Await {
                push,
                ticket: Ticket::admin(Continuation { ids, waiting }),
            },
            None => {
                let answer = waiting.answer(self, now);
                Step::Done(respond(now, ids, answer))
            }
        }
    }

    /// The ids of an answer, and whether the request's own id was a GUID or missing (contract 0).
    pub(crate) fn answer_ids(&mut self, client_request_id: Option<&str>) -> (AnswerIds, bool) {
        let given = client_request_id.map(Uuid::try_parse);
        let is_guid = !matches!(given, Some(Err(_)));
        let client_request = match given {
            Some(Ok(id)) => id,
            Some(Err(_)) | None => self.new_id(),
        };
        (
            AnswerIds {
                client_request,
                request: self.new_id(),
            },
            is_guid,
        )
    }
}

impl Waiting {
    /// Concludes what can be concluded; the push still to wait for, if any.
    fn advance(&mut self, core: &mut Core, now: UtcMillis) -> Option<PushId> {
        match self {
            Self::Rotation(rotation) => rotation.waits(core).then_some(rotation.push),
            Self::Batch(batch) => batch.advance(core, now),
        }
    }

    fn answer(self, core: &mut Core, now: UtcMillis) -> Answer {
        match self {
            Self::Rotation(rotation) => conclude_rotation(core, now, &rotation),
            Self::Batch(batch) => Ok(batch.reply()),
        }
    }
}

impl Call<'_> {
    /// Who did what, for the audit log.
    fn deed<'n>(&self, resource: Uuid, resource_name: &'n str) -> Deed<'n> {
        Deed {
            actor: self.actor,
            correlation: self.ids.client_request,
            resource,
            resource_name,
        }
    }

    /// The URL of the page that starts behind this token.
    fn next_link(&self, token: &str) -> String {
        format!(
            "{}{}?{}",
            self.base,
            self.path,
            self.query.with_skip_token(token)
        )
    }

    fn no_such(&self, what: &str, id: PathId) -> Refusal {
        match id {
            Some(id) => Refusal::not_found(what, id),
            None => Refusal::new(
                Cause::NotFound,
                format!("The path `{}` names no {what}.", self.path),
            ),
        }
    }
}

/// Refuses or serves a call, in the order of contract section 0.
fn serve(core: &mut Core, now: UtcMillis, inbound: &Inbound<'_>) -> Outcome {
    let (route, method, call) = match locate(core, now, inbound) {
        Ok(located) => located,
        Err(refusal) => return Outcome::Answered(Err(refusal)),
    };
    let bulk = (route == Route::ExecuteAction)
        .then(|| tasks::bulk_action(inbound.body))
        .flatten();
    if let Some(RemoteAction::Other(literal)) = &bulk {
        return Outcome::Answered(tasks::refuse_literal(core, &call, literal));
    }
    let need = route.need(method, &call.query, bulk.as_ref(), core.config.rights_set);
    let permitted = permit(core, route, call.actor, need, method);
    if permitted.is_err() {
        defect::note_refusal(core, &call, route);
        variant::note_refusal(core, &call, route);
    }
    let permitted = permitted.map_err(|refusal| leak::in_error(core, route, refusal));
    if let Err(refusal) = permitted.and_then(|()| admit(inbound, method)) {
        return Outcome::Answered(Err(refusal));
    }
    if let Route::DeviceTask(device, task) = route {
        return tasks::request(core, &call, device, task);
    }
    if route == Route::Batch {
        return batch::start(core, &call);
    }
    Outcome::Answered(answer(core, &call, route, method))
}

/// 401, 404, 405; then the control token, which has no right on this plane.
fn locate<'a>(
    core: &Core,
    now: UtcMillis,
    inbound: &Inbound<'a>,
) -> Result<(Route, Method, Call<'a>), Refusal> {
    if inbound.caller == Caller::Unknown {
        return Err(Refusal::new(
            Cause::Unauthorized,
            "The bearer token is missing or unknown.",
        ));
    }
    let Some((root, route)) = Route::parse(inbound.path) else {
        let message = format!("The path `{}` is unknown.", inbound.path);
        return Err(Refusal::new(Cause::NotFound, message));
    };
    let Some(method) = route.method(inbound.method) else {
        let message = format!("`{}` is not served on this path.", inbound.method);
        return Err(Refusal::new(
            Cause::MethodNotAllowed(route.methods()),
            message,
        ));
    };
    let Caller::Actor(actor) = inbound.caller else {
        let message = "The control token has no right on the admin plane.";
        return Err(Refusal::new(Cause::Forbidden, message));
    };
    let call = Call {
        now,
        actor,
        ids: inbound.ids,
        root,
        base: core.config.urls.admin.clone(),
        path: inbound.path,
        query: Query::parse(inbound.query),
        body: inbound.body,
        variants: core.variant.on(),
    };
    Ok((route, method, call))
}

/// 403.
fn permit(
    core: &Core,
    route: Route,
    actor: ActorId,
    need: Need,
    method: Method,
) -> Result<(), Refusal> {
    let entitled =
        need.met_by(core.actors.rights(actor)) && !defect::shuts(core, route, method, actor);
    if entitled || is_left_open(core, route, method) || defect::opens(core, route, actor) {
        return Ok(());
    }
    let message = format!("The call needs the right {}.", need.words());
    Err(Refusal::new(Cause::Forbidden, message))
}

/// What deliberate defects let everybody do.
fn is_left_open(core: &Core, route: Route, method: Method) -> bool {
    let policies = matches!(route, Route::Policies | Route::Policy(_)) && method != Method::Get;
    let rotation = matches!(route, Route::DeviceTask(_, Task::Rotate));
    let credentials = matches!(route, Route::Credentials | Route::Credential(_));
    policies && core.faults.on(Fault::RbacOpenPolicy)
        || rotation && core.faults.on(Fault::RbacOpenRotate)
        || credentials && core.faults.on(Fault::RbacOpenRead)
}

/// 415, 413, and 400 for the id of the request.
fn admit(inbound: &Inbound<'_>, method: Method) -> Result<(), Refusal> {
    if method.has_body() {
        check_media_type(inbound.content_type, inbound.body)?;
        check_size(inbound.body)?;
    }
    if !inbound.id_is_guid {
        return Err(Refusal::bad_request(
            "The header `client-request-id` is no GUID.",
        ));
    }
    Ok(())
}

/// 415; a request without body needs no content type.
pub(crate) fn check_media_type(content_type: Option<&str>, body: &[u8]) -> Result<(), Refusal> {
    let media_type = content_type.map(|value| value.split(';').next().unwrap_or_default().trim());
    match media_type {
        Some(name) if name.eq_ignore_ascii_case(JSON) => Ok(()),
        None if body.is_empty() => Ok(()),
        Some(_) | None => Err(Refusal::new(
            Cause::UnsupportedMediaType,
            format!("The body is to be {JSON}."),
        )),
    }
}

/// 413.
pub(crate) fn check_size(body: &[u8]) -> Result<(), Refusal> {
    if body.len() <= BODY_BYTES_MAX {
        return Ok(());
    }
    let message = format!("The body is longer than {BODY_BYTES_MAX} bytes.");
    Err(Refusal::new(Cause::PayloadTooLarge, message))
}

/// Serves a call whose answer waits for nothing.
fn answer(core: &mut Core, call: &Call<'_>, route: Route, method: Method) -> Answer {
    let reading = method == Method::Get;
    let deleting = method == Method::Delete;
    match route {
        Route::Users => directory::create_user(core, call),
        Route::Groups => directory::create_group(core, call),
        Route::Members(group) => directory::members(core, call, group),
        Route::MemberReferences(group) => directory::add_member(core, call, group),
        Route::MemberReference(group, object) => {
            directory::remove_member(core, call, group, object)
        }
        Route::DirectoryDevices => directory::devices(core, call),
        Route::DirectoryDevice(device) if deleting => directory::delete_device(core, call, device),
        Route::DirectoryDevice(device) => directory::change_device(core, call, device),
        Route::RegistrationPolicy if reading => directory::registration_policy(core, call),
        Route::RegistrationPolicy => directory::set_registration_policy(core, call),
        Route::Policies if reading => policies::list(core, call),
        Route::Policies => policies::create(core, call),
        Route::Policy(policy) if reading => policies::read(core, call, policy),
        Route::Policy(policy) if deleting => policies::delete(core, call, policy),
        Route::Policy(policy) => policies::replace(core, call, policy),
        Route::PolicySettings(policy) => policies::settings(core, call, policy),
        Route::PolicyAssignments(policy) => policies::assignments(core, call, policy),
        Route::PolicyAssign(policy) => policies::assign(core, call, policy),
        Route::PolicyStatuses(policy) => devices::policy_statuses(core, call, policy),
        Route::ManagedDevices => devices::list(core, call),
        Route::ManagedDevice(device) if deleting => devices::delete(core, call, device),
        Route::ManagedDevice(device) => devices::read(core, call, device),
        Route::ExecuteAction => tasks::execute(core, call),
        Route::DeviceStates(device) => devices::configuration_states(core, call, device),
        Route::ConflictSummary => devices::conflict_summary(core, call),
        Route::Credentials => credentials::list(core, call),
        Route::Credential(device) => credentials::read(core, call, device),
        Route::IntuneEvents => audit_events::intune(core, call),
        Route::DirectoryEvents => audit_events::directory(core, call),
        // Served before, because their answers may wait.
        Route::DeviceTask(device, _) => Err(call.no_such("managed device", device)),
        Route::Batch => Err(call.no_such("batch", None)),
    }
}

#[cfg(test)]
mod tests;
