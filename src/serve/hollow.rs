//! Hollow cores: the right core, of which one plane does nothing and says that all went well. A
//! requirement that such a core cannot meet must not pass on it.

use std::borrow::Cow;

use protocol::graph::batch::{BatchRequest, BatchResponse, BatchedResponse};
use protocol::syncml::{Command, Header, Limits, Message, Status, StatusCode, decode, encode};
use reference::{HttpRequest, HttpResponse, Plane};
use serde_json::{Value, json};

/// The plane that is hollow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hollow {
    /// Every message of a device is answered with Status 200 and Final only.
    Management,
    /// Both audit logs are always empty.
    Audit,
    /// No device ever lists an action.
    Actions,
    /// A rotation is accepted and forgotten.
    Rotation,
    /// A backup is answered 204 and not stored.
    Directory,
    /// Reads of credentials are answered 404.
    Credentials,
}

/// The end of the path that asks for a rotation.
const ROTATE: &str = "/rotateLocalAdminPassword";
const JSON: &str = "application/json";

impl Hollow {
    /// The name on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Management => "hollow-management",
            Self::Audit => "hollow-audit",
            Self::Actions => "hollow-actions",
            Self::Rotation => "hollow-rotation",
            Self::Directory => "hollow-directory",
            Self::Credentials => "hollow-credentials",
        }
    }

    /// The requirements that may not pass on it, as patterns: all that need the plane to do
    /// something. Others may: a core without a log still refuses what it has to refuse.
    pub(crate) const fn forbidden(self) -> &'static str {
        match self {
            Self::Management => {
                "ASSIGN-*,CHECKIN-002,CONFLICT-*,SCHEDULE-*,ROTATE-001,ROTATE-002,ROTATE-003,\
                 ROTATE-004,ROTATE-006,ROTATE-007,ROTATE-008,ROTATE-009,ROTATE-010,ROTATE-011,\
                 ROTATE-012,ROTATE-014,ROTATE-015,VIEW-*,AUDIT-001,AUDIT-002,AUDIT-005,AUDIT-006,\
                 AUDIT-007,AUDIT-012,RBAC-003,RBAC-004,RBAC-005,RBAC-006,RBAC-007,JOIN-*,ACCOUNT-*,\
                 BACKUP-*,REPORT-002,REPORT-003,REPORT-004,PROTO-*,CSP-*"
            }
            // That no password leaks (AUDIT-010) is looked for in all that the target says.
            Self::Audit => "AUDIT-00?,AUDIT-011,AUDIT-012",
            Self::Actions => {
                "CHECKIN-002,ROTATE-00?,ROTATE-010,ROTATE-012,ROTATE-013,ROTATE-014,ROTATE-015,\
                 BULK-005,PROTO-007"
            }
            Self::Rotation => {
                "CHECKIN-002,ROTATE-*,BULK-005,AUDIT-001,AUDIT-002,AUDIT-003,AUDIT-004,AUDIT-008,\
                 RBAC-003,RBAC-004,RBAC-005,PROTO-007"
            }
            Self::Directory => {
                "ASSIGN-003,SCHEDULE-*,ROTATE-001,ROTATE-002,ROTATE-004,ROTATE-006,ROTATE-010,\
                 ROTATE-011,ROTATE-012,VIEW-*,AUDIT-005,AUDIT-006,AUDIT-007,RBAC-006,RBAC-007,\
                 JOIN-*,ACCOUNT-003,BACKUP-*"
            }
            Self::Credentials => {
                "ASSIGN-003,SCHEDULE-*,VIEW-*,AUDIT-005,AUDIT-006,RBAC-006,RBAC-007,JOIN-*,\
                 ACCOUNT-003,BACKUP-*"
            }
        }
    }

    /// The answer to a request that the core does not get to see.
    pub(crate) fn answer(self, request: &HttpRequest<'_>) -> Option<HttpResponse> {
        let (plane, path) = (request.plane, request.path);
        match self {
            Self::Management => (plane == Plane::Manage).then(|| nothing_to_do(request.body)),
            Self::Rotation if plane == Plane::Admin && path.ends_with(ROTATE) => {
                Some(HttpResponse::empty(204))
            }
            Self::Rotation if plane == Plane::Admin && path.ends_with("/$batch") => {
                batched_rotations(request.body)
            }
            Self::Directory => (plane == Plane::Directory).then(|| HttpResponse::empty(204)),
            Self::Credentials => {
                let credential = path.contains("deviceLocalCredentials/");
                (plane == Plane::Admin && credential).then(no_such)
            }
            Self::Audit | Self::Actions | Self::Rotation => None,
        }
    }

    /// What is left of the core's answer.
    pub(crate) fn empty(
        self,
        request: &HttpRequest<'_>,
        mut response: HttpResponse,
    ) -> HttpResponse {
        let path = request.path;
        if request.plane != Plane::Admin || response.status != 200 {
            return response;
        }
        let logs = path.ends_with("/auditEvents") || path.ends_with("/directoryAudits");
        let device = path.contains("/managedDevices/");
        if self == Self::Audit && logs {
            response.body = json!({"value": []}).to_string().into_bytes();
        } else if self == Self::Actions
            && device
            && let Ok(mut body) = serde_json::from_slice::<Value>(&response.body)
            && let Some(actions) = body.get_mut("deviceActionResults")
        {
            *actions = json!([]);
            response.body = body.to_string().into_bytes();
        }
        response
    }
}

fn no_such() -> HttpResponse {
    let error = json!({"error": {"code": "notFound", "message": "There is no such credential."}});
    HttpResponse::with_body(404, JSON, error.to_string().into_bytes())
}

/// 204 for every request of a batch that asks for nothing but rotations.
fn batched_rotations(body: &[u8]) -> Option<HttpResponse> {
    let batch = serde_json::from_slice::<BatchRequest>(body).ok()?;
    let mut requests = batch.requests.iter();
    if !requests.all(|request| request.url.ends_with(ROTATE)) {
        return None;
    }
    let responses = batch.requests.into_iter().map(|request| BatchedResponse {
        id: request.id,
        status: 204,
        headers: std::collections::BTreeMap::new(),
        body: None,
    });
    let answer = BatchResponse {
        responses: responses.collect(),
    };
    let body = serde_json::to_vec(&answer).ok()?;
    Some(HttpResponse::with_body(200, JSON, body))
}

/// Status 200 for the header and every command, and Final.
fn nothing_to_do(body: &[u8]) -> HttpResponse {
    let Ok(message) = decode(body, &Limits::default()) else {
        return HttpResponse::empty(400);
    };
    let header = &message.header;
    let names =
        std::iter::once(("0", "SyncHdr")).chain(message.commands.iter().filter_map(|command| {
            let asks = !matches!(command, Command::Status(_));
            Some((command.cmd_id().filter(|_| asks)?, command.name()))
        }));
    let commands = names.zip(1_u32..).map(|((reference, name), id)| {
        Command::Status(Status::new(
            Cow::Owned(id.to_string()),
            header.msg_id,
            Cow::Borrowed(reference),
            Cow::Borrowed(name),
            StatusCode::OK,
        ))
    });
    let answer = Message {
        header: Header::new(
            header.session_id.clone(),
            header.msg_id,
            header.source.clone(),
            header.target.clone(),
        ),
        commands: commands.collect(),
        is_final: true,
        ignored: Vec::new(),
    };
    let mut bytes = Vec::new();
    encode(&answer, &mut bytes);
    HttpResponse::with_body(200, protocol::syncml::CONTENT_TYPE, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(plane: Plane, path: &'static str, body: &'static str) -> HttpRequest<'static> {
        HttpRequest {
            plane,
            method: "POST",
            path,
            query: None,
            authorization: None,
            client_certificate: None,
            content_type: None,
            client_request_id: None,
            idempotency_key: None,
            body: body.as_bytes(),
        }
    }

    #[test]
    fn each_hollow_plane_answers_its_own_requests_and_leaves_the_others() {
        let rotate = "/beta/deviceManagement/managedDevices/1/rotateLocalAdminPassword";
        let requests = [
            request(Plane::Manage, "/ManagementServer/MDM.svc", "no SyncML"),
            request(Plane::Admin, rotate, ""),
            request(Plane::Directory, "/laps/v1/devices/1/credential", "{}"),
            request(Plane::Admin, "/v1.0/directory/deviceLocalCredentials/1", ""),
            request(Plane::Control, "/muster/v1/health", ""),
        ];
        for (hollow, expected) in [
            (Hollow::Management, [Some(400), None, None, None, None]),
            (Hollow::Audit, [None; 5]),
            (Hollow::Actions, [None; 5]),
            (Hollow::Rotation, [None, Some(204), None, None, None]),
            (Hollow::Directory, [None, None, Some(204), None, None]),
            (Hollow::Credentials, [None, None, None, Some(404), None]),
        ] {
            let answered = requests
                .each_ref()
                .map(|request| hollow.answer(request).map(|response| response.status));
            assert_eq!(answered, expected, "{hollow:?}");
        }
    }

    #[test]
    fn logs_and_actions_are_emptied_and_nothing_else() {
        let log = request(Plane::Admin, "/v1.0/auditLogs/directoryAudits", "");
        let device = request(Plane::Admin, "/beta/deviceManagement/managedDevices/1", "");
        let answer = |body: &str| HttpResponse::with_body(200, JSON, body.as_bytes().to_vec());
        let events = r#"{"value":[{"id":"1"}]}"#;
        let actions = r#"{"deviceActionResults":[{"id":"1"}],"id":"1"}"#;
        for (hollow, request, body, expected) in [
            (Hollow::Audit, &log, events, r#"{"value":[]}"#),
            (Hollow::Audit, &device, actions, actions),
            (Hollow::Actions, &log, events, events),
            (
                Hollow::Actions,
                &device,
                actions,
                r#"{"deviceActionResults":[],"id":"1"}"#,
            ),
        ] {
            let left = hollow.empty(request, answer(body));
            assert_eq!(left, answer(expected), "{hollow:?} {}", request.path);
        }
    }
}
