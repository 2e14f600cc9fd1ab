//! A device made of strings: it enrols, talks SyncML as told, uploads passwords.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::session::{Command, LAPS, Seen, Session};
use super::site::{DOMAIN, NOT_JOINED, Site};
use super::soap::{self, Credential};
use super::text::{base64, device_id, fresh, from_base64, guid, now_plus, password_base64};
use super::xml::Xml;

pub(crate) const RESET: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";
pub(crate) const RESET_STATUS: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";
pub(crate) const UNENROLL: &str = "./Device/Vendor/MSFT/DMClient/Provider/muster/Unenroll";
pub(crate) const WIPE: &str = "./Device/Vendor/MSFT/RemoteWipe/doWipe";
/// E_PENDING as the device's Format `int` shows it.
pub(crate) const PENDING: &str = "-2147483638";

/// A scripted device.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) join: &'static str,
    pub(crate) os: String,
    pub(crate) entra_id: Option<String>,
    pub(crate) device_id: String,
    pub(crate) credential: Credential,
    /// DER of the client certificate.
    pub(crate) certificate: Vec<u8>,
    pub(crate) managed_id: String,
    /// The provisioning document of the last enrolment.
    pub(crate) document: Xml,
    /// The name of its push channel.
    pub(crate) channel: String,
    /// Whether it tells the channel's URI.
    pub(crate) tells_channel: bool,
    /// LoginStatus of its next sessions.
    pub(crate) login: &'static str,
    /// SessionID of the last session.
    pub(crate) session: u32,
    /// The LAPS policy as it stands on the device.
    pub(crate) leaves: BTreeMap<String, String>,
    /// What reading ResetPasswordStatus gives, in turn; then 0.
    pub(crate) reset: VecDeque<String>,
    /// Whether an Exec of ResetPassword uploads a new password before it is answered.
    pub(crate) backs_up: bool,
    /// Execs of ResetPassword so far.
    pub(crate) execs: u32,
    generation: u32,
}

/// How a device answers a command.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    Status(u16),
    Value(String),
    /// No Status at all.
    Nothing,
}

impl Device {
    pub(crate) fn new(join: &'static str, os: &str) -> Self {
        let number = fresh();
        let in_directory = join != DOMAIN && join != NOT_JOINED;
        Self {
            name: format!("PC-{number:06}"),
            join,
            os: os.to_owned(),
            entra_id: in_directory.then(guid),
            device_id: device_id(),
            credential: Credential::None,
            certificate: Vec::new(),
            managed_id: String::new(),
            document: Xml::default(),
            channel: format!("c{number}"),
            tells_channel: true,
            login: "none",
            session: 0,
            leaves: BTreeMap::new(),
            reset: VecDeque::new(),
            backs_up: true,
            execs: 0,
            generation: 0,
        }
    }

    // Enrolment.

    pub(crate) fn items(&self) -> Vec<(String, String)> {
        soap::items(&self.device_id, &self.name, &self.os)
    }

    /// Sends an RST with this request and these context items.
    #[track_caller]
    pub(crate) fn request_token(
        &self,
        site: &Site,
        pkcs10: &str,
        items: &[(String, String)],
    ) -> Answer {
        let url = format!("{}/EnrollmentServer/Enrollment.svc", site.enroll);
        let body = soap::request_security_token(&url, &self.credential, pkcs10, items);
        Request::new("POST", &url)
            .body(soap::CONTENT_TYPE, body)
            .send()
    }

    #[track_caller]
    pub(crate) fn try_enroll(&self, site: &Site) -> Answer {
        self.request_token(site, soap::p256_request(), &self.items())
    }

    #[track_caller]
    pub(crate) fn enroll(&mut self, site: &Site) {
        let answer = self.try_enroll(site).expect(200);
        self.provision(&answer);
    }

    /// Takes what the provisioning document says.
    #[track_caller]
    pub(crate) fn provision(&mut self, answer: &Answer) {
        self.document = document(answer);
        self.certificate = from_base64(&client_certificate(&self.document));
        self.managed_id = managed_id(&self.document);
        self.leaves.clear();
    }

    pub(crate) fn client_cert(&self) -> String {
        format!(":{}:", base64(&self.certificate))
    }

    // The directory.

    /// The body of an upload of a new password.
    pub(crate) fn upload_body(&self, backup: &str, refresh: &str) -> Value {
        json!({
            "deviceName": self.name,
            "accountName": "Administrator",
            "accountSid": "S-1-5-21-1-2-3-500",
            "passwordBase64": password_base64(&self.password()),
            "backupDateTime": backup,
            "refreshDateTime": refresh,
        })
    }

    /// The password of the last upload.
    pub(crate) fn password(&self) -> String {
        format!("pw-{}-{}", self.channel, self.generation)
    }

    /// Uploads a new password.
    #[track_caller]
    pub(crate) fn upload(&mut self, site: &Site) -> Answer {
        self.upload_after(site, Duration::ZERO)
    }

    /// Uploads a new password as a device whose clock runs ahead by this.
    #[track_caller]
    pub(crate) fn upload_after(&mut self, site: &Site, ahead: Duration) -> Answer {
        self.generation += 1;
        let month = Duration::from_secs(30 * 86_400);
        let body = self.upload_body(&now_plus(ahead), &now_plus(ahead + month));
        self.put_credential(site, &guid(), &body)
    }

    #[track_caller]
    pub(crate) fn put_credential(&self, site: &Site, key: &str, body: &Value) -> Answer {
        let id = self
            .entra_id
            .as_deref()
            .unwrap_or("00000000-0000-0000-0000-000000000000");
        self.put_request(site, id)
            .header("Idempotency-Key", key)
            .json(body)
            .send()
    }

    pub(crate) fn put_request(&self, site: &Site, entra_id: &str) -> Request {
        let url = format!("{}/laps/v1/devices/{entra_id}/credential", site.directory);
        Request::new("PUT", &url).header("Client-Cert", &self.client_cert())
    }

    // Sessions.

    /// A new session, nothing sent yet.
    pub(crate) fn open(&mut self, site: &Site) -> Session {
        self.session += 1;
        self.open_as(site, &self.session.to_string())
    }

    pub(crate) fn open_as(&self, site: &Site, id: &str) -> Session {
        Session {
            url: management_url(site),
            client_cert: self.client_cert(),
            device_id: self.device_id.clone(),
            id: id.to_owned(),
            sent: 0,
            login: self.login,
        }
    }

    /// A whole session, each command obeyed.
    #[track_caller]
    pub(crate) fn check_in(&mut self, site: &Site) -> Seen {
        self.check_in_with(site, |_, _| None)
    }

    /// A whole session; the reaction may stand in for obedience.
    #[track_caller]
    pub(crate) fn check_in_with(
        &mut self,
        site: &Site,
        mut reaction: impl FnMut(&mut Self, &Command) -> Option<Reaction>,
    ) -> Seen {
        let mut session = self.open(site);
        let mut messages = vec![session.package1()];
        loop {
            let last = messages.last().unwrap();
            assert!(last.is_final, "a message of the core without Final");
            if last.commands.is_empty() {
                return Seen { messages };
            }
            assert!(messages.len() < 20, "the session does not end");
            let mut react = |command: &Command| match reaction(self, command) {
                Some(reaction) => reaction,
                None => self.obey(site, command),
            };
            let body = last.answers(&mut react);
            messages.push(session.say(&body));
        }
    }

    /// Does what the command says and tells how to answer it.
    #[track_caller]
    pub(crate) fn obey(&mut self, site: &Site, command: &Command) -> Reaction {
        let uri = command.uri.as_str();
        match command.verb.as_str() {
            "Atomic" | "Add" => Reaction::Status(200),
            "Replace" => {
                let leaf = uri.strip_prefix(LAPS).unwrap().to_owned();
                self.leaves.insert(leaf, command.data.clone());
                Reaction::Status(200)
            }
            "Delete" => {
                let gone = self.leaves.remove(uri.strip_prefix(LAPS).unwrap());
                Reaction::Status(if gone.is_some() { 200 } else { 404 })
            }
            "Exec" => {
                self.execs += u32::from(uri == RESET);
                if uri == RESET && self.backs_up {
                    self.upload(site).expect(204);
                }
                Reaction::Status(200)
            }
            "Get" if uri.ends_with("/Push/ChannelURI") && self.tells_channel => {
                Reaction::Value(site.channels.uri(&self.channel))
            }
            "Get" if uri.ends_with("/Push/ChannelURI") => Reaction::Status(404),
            "Get" if uri.ends_with("/Push/Status") => Reaction::Value("0".to_owned()),
            "Get" if uri == RESET_STATUS => {
                let value = self.reset.pop_front();
                Reaction::Value(value.unwrap_or_else(|| "0".to_owned()))
            }
            other => panic!("unexpected {other} {uri}"),
        }
    }
}

/// Where management messages go.
pub(crate) fn management_url(site: &Site) -> String {
    let base = &site.manage;
    format!("{base}/ManagementServer/MDM.svc?mode=Maintenance&Platform=WoA")
}

/// The provisioning document inside an RSTRC.
#[track_caller]
pub(crate) fn document(answer: &Answer) -> Xml {
    let envelope = Xml::parse(&answer.body);
    let token = envelope
        .find("RequestedSecurityToken")
        .and_then(|token| token.child("BinarySecurityToken"))
        .unwrap_or_else(|| panic!("no document in {}", answer.text()));
    Xml::parse(&from_base64(&token.text))
}

/// The characteristic at this path of types.
pub(crate) fn characteristic<'a>(document: &'a Xml, path: &[&str]) -> Option<&'a Xml> {
    path.iter().try_fold(document, |element, kind| {
        element
            .children
            .iter()
            .find(|child| child.name == "characteristic" && child.attribute("type") == Some(*kind))
    })
}

/// The value of a parm of a characteristic.
pub(crate) fn parm<'a>(element: &'a Xml, name: &str) -> Option<&'a str> {
    let parm = element
        .children
        .iter()
        .find(|child| child.name == "parm" && child.attribute("name") == Some(name));
    parm.and_then(|parm| parm.attribute("value"))
}

#[track_caller]
fn client_certificate(document: &Xml) -> String {
    let my = characteristic(document, &["CertificateStore", "My"]).unwrap();
    let store = ["User", "System"]
        .iter()
        .find_map(|store| characteristic(my, &[*store]))
        .unwrap();
    parm(&store.children[0], "EncodedCertificate")
        .unwrap()
        .to_owned()
}

#[track_caller]
pub(crate) fn managed_id(document: &Xml) -> String {
    let provider = characteristic(document, &["DMClient", "Provider", "muster"]).unwrap();
    parm(provider, "EntDMID").unwrap().to_owned()
}
