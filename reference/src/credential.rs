//! The directory plane: devices upload the password of their managed account (contract 4).

use std::sync::Arc;

use protocol::JoinType;
use protocol::directory::{CredentialUpload, password_from_base64};
use protocol::time::UtcMillis;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::admin::reply::{Answer, AnswerIds, Cause, Refusal, Reply, respond};
use crate::core::{Core, HttpRequest, HttpResponse};
use crate::fault::Fault;
use crate::state::{ActionKind, ActionState, ManagedId, ObjectId, StoredCredential};
use crate::variant::Variant;

/// By what a repeat of an upload is recognised.
pub(crate) type BodyDigest = [u8; 16];

/// An upload whose sender may send it.
struct Upload {
    key: Uuid,
    digest: BodyDigest,
    body: CredentialUpload,
}

impl Core {
    /// Serves a request of the directory plane.
    pub(crate) fn handle_directory(
        &mut self,
        now: UtcMillis,
        request: &HttpRequest<'_>,
    ) -> HttpResponse {
        let named = request
            .client_request_id
            .and_then(|id| Uuid::parse_str(id).ok());
        let client_request = named.unwrap_or_else(|| self.new_id());
        let ids = AnswerIds {
            client_request,
            request: self.new_id(),
        };
        let answer = self.upload(now, request, client_request);
        respond(now, ids, answer)
    }

    /// The order of refusals is that of contract 0.
    fn upload(&mut self, now: UtcMillis, request: &HttpRequest<'_>, correlation: Uuid) -> Answer {
        let identity = self.identify(now, request.client_certificate);
        if identity == Err(401) {
            return Err(Refusal::new(Cause::Unauthorized, "No device identity."));
        }
        let Some(entra_id) = path_id(request.path) else {
            let message = format!("Nothing is served at `{}`.", request.path);
            return Err(Refusal::new(Cause::NotFound, message));
        };
        if request.method != "PUT" {
            let message = format!("`{}` is not taken here.", request.method);
            return Err(Refusal::new(Cause::MethodNotAllowed("PUT"), message));
        }
        let device = identity
            .map_err(|_status| Refusal::new(Cause::Forbidden, "The certificate is not valid."))?;
        self.may_upload(device, entra_id)?;
        let upload = read(request)?;
        let Some(object) = Uuid::parse_str(entra_id)
            .ok()
            .and_then(|id| self.tenant.device_object(Some(id)))
        else {
            return Err(Refusal::not_found("device", entra_id));
        };
        self.store(now, device, (object, upload), correlation)
    }

    /// Contract 4: not that device, disabled, tenant switch off, another join state.
    fn may_upload(&self, device: ManagedId, entra_id: &str) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::new(Cause::Forbidden, message));
        let Some(device) = self.devices.by_id.get(&device) else {
            return refuse("The certificate is not valid.");
        };
        let own = device.entra_id.is_some() && device.entra_id == Uuid::parse_str(entra_id).ok();
        match self.spoil_upload(device, own) {
            Some(true) => return Ok(()),
            Some(false) => return refuse("Not taken."),
            None => {}
        }
        if device.entra_id.is_none() || device.entra_id != Uuid::parse_str(entra_id).ok() {
            return refuse("The identity is not that of the device named.");
        }
        if !matches!(
            device.join_type,
            JoinType::EntraJoined | JoinType::EntraHybridJoined
        ) {
            return refuse("A device of this join state may not back up to the directory.");
        }
        // Contract 4: the property `tenantSwitch.hybrid`.
        let spared = device.join_type == JoinType::EntraHybridJoined
            && self.variant.has(Variant::DirectoryHybridDespiteSwitch);
        if !self.tenant.laps_enabled && !spared {
            return refuse("The tenant does not take local administrator passwords.");
        }
        match self.tenant.directory_device(device.entra_id) {
            Some(object) if !object.enabled => refuse("The device is disabled."),
            Some(_) | None => Ok(()),
        }
    }

    fn store(
        &mut self,
        now: UtcMillis,
        device: ManagedId,
        (object, upload): (ObjectId, Upload),
        correlation: Uuid,
    ) -> Answer {
        let rotating = self.is_rotating(device);
        let Some(directory) = self.tenant.directory_devices.get_mut(&object) else {
            return Err(Refusal::not_found("device", object));
        };
        let known = directory
            .recent_uploads
            .iter()
            .find(|(key, _)| *key == upload.key);
        if let Some((key, digest)) = known {
            if *digest == upload.digest {
                return Ok(Reply::no_content());
            }
            let message = format!("The key `{key}` was used with another body.");
            return Err(Refusal::conflict(message));
        }
        let newest = directory.credentials.front();
        if newest.is_some_and(|newest| upload.body.backup_date_time < newest.backup_at) {
            let message = "The backupDateTime is older than that of the newest credential.";
            return Err(Refusal::conflict(message));
        }
        let on = |fault| self.faults.on_any(fault, self.devices.by_id.get(&device));
        if newest.is_some() && !rotating && on(Fault::SchedLosesBackup) {
            return Ok(Reply::no_content());
        }
        let account_name = upload.body.account_name.as_str();
        let account_name = self.common.texts.share(account_name);
        let stored = stored(now, account_name, &upload.body);
        // Most devices keep one for long: no room for more is taken beforehand.
        directory.credentials.reserve_exact(1);
        directory.credentials.push_front(stored);
        directory
            .credentials
            .truncate(self.variant.credentials_kept());
        directory.recent_uploads.reserve_exact(1);
        directory
            .recent_uploads
            .push_back((upload.key, upload.digest));
        if directory.recent_uploads.len() > KEYS_KEPT {
            directory.recent_uploads.pop_front();
        }
        directory.uploads += 1;
        let (entra_id, name) = (directory.entra_id, &*directory.display_name);
        let copies = if on(Fault::AudUpdateSilent) {
            0
        } else if on(Fault::AudUpdateDouble) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            self.audit
                .credential_updated(now, entra_id, name, correlation);
        }
        let device = self.devices.by_id.get_mut(&device);
        if let Some(device) = device.filter(|_| self.faults.any()) {
            device.defects.sessions_since_backup = 0;
        }
        Ok(Reply::no_content())
    }

    fn is_rotating(&self, device: ManagedId) -> bool {
        self.devices.by_id.get(&device).is_some_and(|device| {
            device.actions.iter().any(|action| {
                action.kind == ActionKind::RotateLocalAdminPassword
                    && action.state == ActionState::Active
            })
        })
    }
}

/// `{id}` of `/laps/v1/devices/{id}/credential`.
fn path_id(path: &str) -> Option<&str> {
    let id = path
        .strip_prefix("/laps/v1/devices/")?
        .strip_suffix("/credential")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// 415, 413, 400, in this order.
fn read(request: &HttpRequest<'_>) -> Result<Upload, Refusal> {
    let media_type = request
        .content_type
        .and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::new(
            Cause::UnsupportedMediaType,
            "The body is not JSON.",
        ));
    }
    if request.body.len() > BODY_LIMIT {
        return Err(Refusal::new(
            Cause::PayloadTooLarge,
            "The body is over 1 MiB.",
        ));
    }
    let key = request
        .idempotency_key
        .and_then(|key| Uuid::parse_str(key.trim()).ok());
    let key = key.ok_or_else(|| Refusal::bad_request("The Idempotency-Key is not a GUID."))?;
    let body: CredentialUpload = serde_json::from_slice(request.body)
        // The parser's words could repeat the body, which holds a password.
        .map_err(|_words| Refusal::bad_request("The body is not a credential."))?;
    if password_from_base64(body.password_base64.expose()).is_none() {
        return Err(Refusal::bad_request(
            "The passwordBase64 is not base64 of UTF-16LE.",
        ));
    }
    Ok(Upload {
        key,
        digest: digest_of(request.body),
        body,
    })
}

/// Half of SHA-256: it tells a repeat from another upload with the same key.
fn digest_of(body: &[u8]) -> BodyDigest {
    let whole: [u8; 32] = Sha256::digest(body).into();
    whole.first_chunk().copied().unwrap_or_default()
}

fn stored(now: UtcMillis, account_name: Arc<str>, body: &CredentialUpload) -> StoredCredential {
    StoredCredential {
        account_name,
        account_sid: body.account_sid.as_str().into(),
        password_base64: body.password_base64.expose().into(),
        backup_at: body.backup_date_time,
        refresh_at: body.refresh_date_time,
        received_at: now,
    }
}

/// Contract 0.
const BODY_LIMIT: usize = 1024 * 1024;
/// Contract 4: keys are kept for the last 16 uploads.
const KEYS_KEPT: usize = 16;
