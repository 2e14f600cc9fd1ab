//! One device on a bench: virtual time, real HTTP, and what the device sent.

use std::borrow::Cow;

use bytes::Bytes;
use emulator::{
    AccountSummary, Device, DeviceSpec, EnrollmentGrant, Event, LocalAccount, OsBuild, Response,
    SessionCause, Transmit,
};
use protocol::JoinType;
use protocol::enrollment::{Credential, TOKEN_TYPE_USER};
use protocol::secret::Secret;
use protocol::syncml::{Command, Container, ContainerKind, Data, Item, Meta, Request, Verb};
use protocol::time::UtcMillis;

use super::expected;
use super::server::{Hall, Heard, START, Stage, Turn, UploadSeen};
use crate::error::Error;
use crate::fleet::wire;

/// Most requests without a pause of the device.
const REQUESTS_MAX: usize = 256;
/// Most timers of one [`Bench::run_to`]: two years of hourly cycles.
const TIMERS_MAX: usize = 20_000;

pub(super) const HOUR: i64 = UtcMillis::HOUR_MS;
pub(super) const DAY: i64 = UtcMillis::DAY_MS;
/// Windows 11 24H2: CSP 1.1 (F-005).
pub(super) const NEW: OsBuild = OsBuild::windows(26_100, 2_314);
/// Windows 10 22H2: CSP 1.0 (F-005).
pub(super) const OLD: OsBuild = OsBuild::windows(19_045, 4_291);
/// The local account that policies name, RID 1001.
pub(super) const SERVICE: &str = "svc-local";

/// `ResetPassword` (F-037).
pub(super) const RESET: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";
/// `ResetPasswordStatus` (F-038).
pub(super) const RESET_STATUS: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";

/// Names of settings with their values.
pub(super) type Settings<'a> = &'a [(&'a str, &'a str)];

/// A device with its server.
pub(super) struct Bench {
    pub(super) device: Device,
    pub(super) now: UtcMillis,
    pub(super) events: Vec<Event>,
    pub(super) stage: Stage,
    certificate: Option<String>,
}

/// What a Get gave: its status, then format and text.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) code: u32,
    pub(super) value: Option<(String, String)>,
}

impl Hall {
    /// A device that is not enrolled: built-in administrator, guest and [`SERVICE`].
    pub(super) fn spec(&self, join: JoinType, os: OsBuild) -> DeviceSpec {
        let mut spec = DeviceSpec::derive(self.seed, self.next_number(), "DEV-", join, os);
        spec.accounts = vec![
            account("Administrator", 500),
            account("Guest", 501),
            account(SERVICE, 1001),
        ];
        spec.fault = self.fault;
        spec
    }

    /// An enrolled Entra joined device.
    pub(super) async fn entra(&self, os: OsBuild) -> Result<Bench, Error> {
        self.bench(self.spec(JoinType::EntraJoined, os)).await
    }

    /// An enrolled hybrid joined device.
    pub(super) async fn hybrid(&self, os: OsBuild) -> Result<Bench, Error> {
        self.bench(self.spec(JoinType::EntraHybridJoined, os)).await
    }

    /// An enrolled device.
    pub(super) async fn bench(&self, spec: DeviceSpec) -> Result<Bench, Error> {
        let stage = self.stage(spec.index);
        let mut device = Device::new(spec);
        device.set_polling(false);
        let mut bench = Bench {
            device,
            now: START,
            events: Vec::new(),
            stage,
            certificate: None,
        };
        let grant = EnrollmentGrant {
            discovery_url: format!("{}/EnrollmentServer/Discovery.svc", bench.stage.base),
            directory_url: format!("{}/directory", bench.stage.base),
            channel_uri: "http://127.0.0.1:9/channels/0".to_owned(),
            credential: Credential::Token {
                value_type: TOKEN_TYPE_USER.to_owned(),
                text: Secret::from("dG9rZW4="),
            },
        };
        bench.device.enroll(bench.now, grant);
        bench.carry(self).await?;
        if !bench.device.is_enrolled() {
            return Err(bench.broken("enrolment", "not enrolled"));
        }
        let certificate = bench.device.client_certificate_base64();
        bench.certificate = certificate.map(wire::client_cert);
        Ok(bench)
    }
}

pub(super) fn account(name: &str, rid: u32) -> LocalAccount {
    LocalAccount {
        name: name.to_owned(),
        rid,
        enabled: true,
    }
}

impl Bench {
    /// A session in which the server says these things; the device's answer to each.
    pub(super) async fn say(&mut self, hall: &Hall, turns: Vec<Turn>) -> Result<Vec<Heard>, Error> {
        let asked = turns.len();
        self.stage.with(|state| {
            state.heard.clear();
            state.turns = turns.into();
        });
        self.device.start_session(self.now, SessionCause::User);
        self.carry(hall).await?;
        let mut heard = self.stage.with(|state| std::mem::take(&mut state.heard));
        if heard.len() != asked + 1 {
            let seen = format!("{} messages for {asked} of the server", heard.len());
            return Err(self.broken("session", &seen));
        }
        heard.remove(0);
        Ok(heard)
    }

    /// Writes settings in one Atomic; the status of the last write, or of the Atomic when it
    /// failed for another.
    pub(super) async fn write(
        &mut self,
        hall: &Hall,
        settings: &[(&str, &str)],
    ) -> Result<u32, Error> {
        let writes = settings.iter().enumerate().map(|(place, (name, text))| {
            let data = (expected::format(name), *text);
            write(&format!("w{place}"), Verb::Replace, &uri(name), data)
        });
        let heard = self
            .say(hall, vec![vec![atomic("a", writes.collect())]])
            .await?;
        let answer = heard.first();
        Ok(answer.map_or(0, |heard| heard.code("a")))
    }

    /// Writes settings that are legal, and must be taken.
    pub(super) async fn apply(
        &mut self,
        hall: &Hall,
        settings: &[(&str, &str)],
    ) -> Result<(), Error> {
        match self.write(hall, settings).await? {
            200 => Ok(()),
            code => Err(self.broken("legal settings", &format!("{settings:?}: status {code}"))),
        }
    }

    /// Deletes settings, whether they are there or not, each in an Atomic of its own.
    pub(super) async fn clear(&mut self, hall: &Hall, names: &[&str]) -> Result<(), Error> {
        let delete = |name: &&str| vec![atomic("a", vec![request("d", Verb::Delete, &uri(name))])];
        self.say(hall, names.iter().map(delete).collect()).await?;
        Ok(())
    }

    /// Reads one node in a session of its own.
    pub(super) async fn get(&mut self, hall: &Hall, path: &str) -> Result<Got, Error> {
        let turn = vec![request("g", Verb::Get, path)];
        let heard = self.say(hall, vec![turn]).await?;
        Ok(heard.first().map_or(
            Got {
                code: 0,
                value: None,
            },
            got,
        ))
    }

    /// An Exec of `ResetPassword` in a session of its own; its status.
    pub(super) async fn reset(&mut self, hall: &Hall) -> Result<u32, Error> {
        let heard = self.say(hall, vec![vec![exec("x", RESET)]]).await?;
        Ok(heard.first().map_or(0, |heard| heard.code("x")))
    }

    /// Lets the time run, serving each timer and carrying what it sends.
    pub(super) async fn run_to(&mut self, hall: &Hall, until: UtcMillis) -> Result<(), Error> {
        for _ in 0..TIMERS_MAX {
            let Some(due) = self.device.poll_timeout().filter(|due| *due <= until) else {
                break;
            };
            self.now = self.now.max(due);
            self.device.handle_timeout(self.now);
            self.carry(hall).await?;
        }
        self.now = until;
        Ok(())
    }

    /// Lets the time run by so many milliseconds.
    pub(super) async fn run_for(&mut self, hall: &Hall, millis: i64) -> Result<(), Error> {
        self.run_to(hall, self.now.plus_millis(millis)).await
    }

    /// What the directory answers from now on.
    pub(super) fn set_directory(&self, status: u16) {
        self.stage.with(|state| state.directory = status);
    }

    /// Every upload so far, refused ones included.
    pub(super) fn attempts(&self) -> Vec<UploadSeen> {
        self.stage.with(|state| state.uploads.clone())
    }

    /// The uploads that the directory took.
    pub(super) fn uploads(&self) -> Vec<UploadSeen> {
        let mut uploads = self.attempts();
        uploads.retain(UploadSeen::accepted);
        uploads
    }

    /// The newest upload that the directory took.
    pub(super) fn newest(&self) -> Result<UploadSeen, Error> {
        let newest = self.uploads().pop();
        newest.ok_or_else(|| self.broken("backup", "none arrived"))
    }

    /// The local accounts whose password LAPS set, by RID.
    pub(super) fn touched(&self) -> Vec<String> {
        let accounts = self.device.accounts();
        let touched = accounts.iter().filter(|account| account.generation > 0);
        touched.map(|account| rid(account).to_owned()).collect()
    }

    /// True when the newest upload and the device agree on account and password.
    pub(super) fn in_step(&self) -> bool {
        let newest = self.uploads().pop();
        match (newest, self.device.managed_account()) {
            (Some(upload), Some(held)) => {
                upload.password.expose() == held.password
                    && upload.account == held.name
                    && upload.sid == held.sid
            }
            (Some(_) | None, _) => false,
        }
    }

    /// The error of a device that does not go on.
    pub(super) fn broken(&self, what: &str, seen: &str) -> Error {
        let complaints = self.stage.with(|state| state.complaints.join("; "));
        Error::Target {
            what: format!("{what} of {}", self.device.name()),
            seen: format!("{seen} {complaints}"),
        }
    }

    /// Carries requests until the device is silent.
    async fn carry(&mut self, hall: &Hall) -> Result<(), Error> {
        self.stage.with(|state| state.now = self.now);
        for _ in 0..REQUESTS_MAX {
            if self.device.key_request().is_some() {
                // Identity is the header: the server does not look at the certificate request.
                self.device.provide_request(self.now, vec![0x30, 0x00]);
            }
            let Some(transmit) = self.device.poll_transmit(self.now) else {
                self.take_events();
                return Ok(());
            };
            self.exchange(hall, transmit).await?;
        }
        Err(self.broken("session", "no end of requests"))
    }

    fn take_events(&mut self) {
        while let Some(event) = self.device.poll_event() {
            self.events.push(event);
        }
    }

    async fn exchange(&mut self, hall: &Hall, mut transmit: Transmit) -> Result<(), Error> {
        let body = Bytes::from(std::mem::take(&mut transmit.body));
        let certificate = self.certificate.as_deref();
        let answer = wire::send(&hall.pools, &transmit, body, certificate).await;
        let answer = answer.map_err(|failure| Error::Unreachable {
            what: transmit.url.clone(),
            cause: failure.to_string(),
        })?;
        let response = Response {
            status: answer.status,
            body: &answer.body,
            retry_after_s: None,
        };
        self.device.handle_response(self.now, response);
        Ok(())
    }
}

/// The last part of an account's SID.
pub(super) fn rid(account: &AccountSummary) -> &str {
    account.sid.rsplit('-').next().unwrap_or_default()
}

/// What the answer to a Get `g` holds.
pub(super) fn got(heard: &Heard) -> Got {
    let value = heard.values.first();
    Got {
        code: heard.code("g"),
        value: value.map(|(_, format, text)| (format.clone(), text.clone())),
    }
}

/// The path of a setting.
pub(super) fn uri(name: &str) -> String {
    format!("./Device/Vendor/MSFT/LAPS/Policies/{name}")
}

/// A command without data.
pub(super) fn request(id: &str, verb: Verb, path: &str) -> Command<'static> {
    command(id, verb, Item::target(path.to_owned()))
}

/// An Exec: format null, no data (F-037).
pub(super) fn exec(id: &str, path: &str) -> Command<'static> {
    let mut item = Item::target(path.to_owned());
    item.meta = Some(Meta::format("null"));
    command(id, Verb::Exec, item)
}

/// A command with a format and a text.
pub(super) fn write(
    id: &str,
    verb: Verb,
    path: &str,
    (format, text): (&'static str, &str),
) -> Command<'static> {
    let mut item = Item::target(path.to_owned());
    item.meta = Some(Meta::format(format));
    item.data = Some(Data::Text(Cow::Owned(text.to_owned())));
    command(id, verb, item)
}

fn command(id: &str, verb: Verb, item: Item<'static>) -> Command<'static> {
    Command::Request(Request {
        verb,
        cmd_id: Some(Cow::Owned(id.to_owned())),
        meta: None,
        items: vec![item],
    })
}

/// An Atomic (F-003).
pub(super) fn atomic(id: &str, commands: Vec<Command<'static>>) -> Command<'static> {
    Command::Container(Container {
        kind: ContainerKind::Atomic,
        cmd_id: Some(Cow::Owned(id.to_owned())),
        meta: None,
        commands,
    })
}
