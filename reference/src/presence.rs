//! Pushes: who is woken, which hosts may be pushed to, and what the answer says about presence
//! (contract 3).

use std::collections::{BTreeMap, HashSet, VecDeque};

use protocol::time::UtcMillis;

use crate::core::Core;
use crate::fault::Fault;
use crate::state::ManagedId;
use crate::variant::Variant;

/// A push on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PushId(u64);

/// A push to send: `POST uri` with the headers of contract 3, 2 s for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRequest {
    /// To be handed back with the answer.
    pub id: PushId,
    /// The channel.
    pub uri: String,
}

/// How a push was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushAnswer {
    /// 200 and `X-WNS-DeviceConnectionStatus: connected`: the device is online.
    Connected,
    /// 200 and `disconnected`.
    Disconnected,
    /// 200 and `tempdisconnected`; counts as offline.
    TempDisconnected,
    /// 404 or 410: the channel is forgotten.
    ChannelGone,
    /// Any other code, no connection, or no answer in time.
    Failed,
}

/// The pushes that are queued or unanswered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushes {
    last: u64,
    unanswered: BTreeMap<PushId, Push>,
    queue: VecDeque<PushId>,
    /// Devices with a push in `queue`; a change adds no second one.
    queued_for: HashSet<ManagedId>,
}

#[derive(Clone, Debug)]
struct Push {
    device: ManagedId,
    uri: String,
    /// The rotation that the answer decides.
    rotation: Option<u64>,
}

impl Core {
    /// The next push to send.
    pub fn poll_push(&mut self, now: UtcMillis) -> Option<PushRequest> {
        let now = self.core_time(now);
        let late = self.variant.release(now);
        let id = late.or_else(|| self.pushes.queue.pop_front())?;
        let push = self.pushes.unanswered.get(&id)?;
        self.pushes.queued_for.remove(&push.device);
        Some(PushRequest {
            id,
            uri: push.uri.clone(),
        })
    }

    /// Takes the answer to a push; an unknown or repeated id changes nothing.
    pub fn handle_push_answer(&mut self, now: UtcMillis, id: PushId, answer: PushAnswer) {
        let now = self.core_time(now);
        let Some(push) = self.pushes.unanswered.remove(&id) else {
            return;
        };
        let online = match answer {
            PushAnswer::Connected => true,
            PushAnswer::TempDisconnected => self.variant.has(Variant::PushTempIsOnline),
            PushAnswer::Disconnected | PushAnswer::Failed => false,
            PushAnswer::ChannelGone => {
                self.forget_channel(push.device, &push.uri);
                false
            }
        };
        if !online && push.rotation.is_none() {
            self.note_missed_push(push.device);
        }
        if let Some(device) = self.devices.by_id.get_mut(&push.device) {
            device
                .push
                .outstanding
                .retain(|outstanding| *outstanding != id);
        }
        if let Some(action) = push.rotation {
            self.decide_rotation(now, push.device, action, online);
        }
    }

    /// Wakes a device because of a change; a push that already waits to be sent does it too.
    pub(crate) fn wake(&mut self, device: ManagedId) {
        if self.pushes.queued_for.contains(&device) {
            return;
        }
        let managed = self.devices.by_id.get(&device);
        let reachable = managed.filter(|managed| managed.push.uri.is_some());
        if reachable.is_some_and(|it| self.faults.on_device(Fault::AssignNoNotify, it)) {
            return;
        }
        let push = self.push(device, None);
        if push.is_some() && self.variant.has(Variant::PushLate) {
            self.variant.hold(self.pushes.queue.pop_back());
        }
    }

    /// Wakes a device because of an action; `None` when it cannot be reached at all.
    pub(crate) fn push_for_action(&mut self, device: ManagedId) -> Option<PushId> {
        self.push(device, None)
    }

    /// As [`Self::push_for_action`]; the answer decides the rotation.
    pub(crate) fn push_for_rotation(&mut self, device: ManagedId, action: u64) -> Option<PushId> {
        let id = self.push(device, Some(action))?;
        if let Some(device) = self.devices.by_id.get_mut(&device) {
            device.push.outstanding.push(id);
        }
        Some(id)
    }

    fn push(&mut self, device: ManagedId, rotation: Option<u64>) -> Option<PushId> {
        let uri = self.devices.by_id.get(&device)?.push.uri.as_ref()?;
        if !host_is_allowed(uri, &self.config.push_allow) {
            return None;
        }
        let push = Push {
            device,
            uri: uri.to_string(),
            rotation,
        };
        self.pushes.last += 1;
        let id = PushId(self.pushes.last);
        self.pushes.unanswered.insert(id, push);
        self.pushes.queue.push_back(id);
        self.pushes.queued_for.insert(device);
        Some(id)
    }

    /// Contract 3: 404 and 410 forget the channel, unless the device named another one meanwhile.
    fn forget_channel(&mut self, device: ManagedId, uri: &str) {
        let Some(device) = self.devices.by_id.get_mut(&device) else {
            return;
        };
        if device.push.uri.as_deref() == Some(uri) {
            device.push.uri = None;
            device.push.good_at = None;
        }
    }
}

/// True for an absolute `http` or `https` URL with a host.
pub(crate) fn is_channel_uri(uri: &str) -> bool {
    authority(uri).is_some()
}

/// True when the host of `uri` is in `allowed`; an empty list stands for loopback.
fn host_is_allowed(uri: &str, allowed: &[String]) -> bool {
    let Some(authority) = authority(uri) else {
        return false;
    };
    let host = host_of(authority);
    if allowed.is_empty() {
        return LOOPBACK
            .iter()
            .any(|loopback| host.eq_ignore_ascii_case(loopback));
    }
    allowed
        .iter()
        .any(|entry| authority.eq_ignore_ascii_case(entry) || host.eq_ignore_ascii_case(entry))
}

/// `HOST[:PORT]` of an absolute URL; `None` where there is none or it carries a user.
fn authority(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let fits = !authority.is_empty()
        && !host_of(authority).is_empty()
        && !authority.contains('@')
        && uri.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(authority)
}

/// The host without its port; an IPv6 address keeps its brackets.
fn host_of(authority: &str) -> &str {
    if let Some(end) = authority.find(']') {
        return authority.get(..=end).unwrap_or(authority);
    }
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _port)| host)
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_pushed_to() {
        let none: &[&str] = &[];
        for (uri, allowed, expected) in [
            ("http://127.0.0.1:8080/p/1", none, true),
            ("http://localhost/p", none, true),
            ("http://[::1]:9/p", none, true),
            ("http://10.0.0.1/p", none, false),
            ("http://127.0.0.1@evil.example/p", none, false),
            ("http://127.0.0.1.evil.example/p", none, false),
            ("ftp://127.0.0.1/p", none, false),
            ("/p/1", none, false),
            ("http:///p", none, false),
            ("https://push.example/p", &["push.example"], true),
            ("https://push.example:444/p", &["push.example"], true),
            ("https://push.example:444/p", &["push.example:443"], false),
            ("https://push.example:443?x", &["push.example:443"], true),
            ("http://127.0.0.1/p", &["push.example"], false),
        ] {
            let allowed: Vec<String> = allowed.iter().map(|&host| host.to_owned()).collect();
            assert_eq!(
                host_is_allowed(uri, &allowed),
                expected,
                "{uri} {allowed:?}"
            );
        }
    }
}
