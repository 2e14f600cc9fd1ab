//! A push service in small: one listener, answers as each channel is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How a channel answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mood {
    Connected,
    Disconnected,
    TempDisconnected,
    /// 200 that says nothing about the device.
    Silent,
    /// This code, and nothing about the device.
    Code(u16),
    /// No answer until the mood changes.
    Hang,
}

/// A push as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Push {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let wanted = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(wanted)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Seen {
    moods: BTreeMap<String, Mood>,
    pushes: BTreeMap<String, Vec<Push>>,
}

/// The endpoint; its threads end with the process.
#[derive(Clone)]
pub(crate) struct Channels {
    base: String,
    shared: Arc<(Mutex<Seen>, Condvar)>,
}

impl Channels {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::default();
        let channels = Self { base, shared };
        let endpoint = channels.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let endpoint = endpoint.clone();
                thread::spawn(move || endpoint.serve(&stream));
            }
        });
        channels
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("{}/channel/{name}", self.base)
    }

    pub(crate) fn set(&self, name: &str, mood: Mood) {
        let (seen, changed) = &*self.shared;
        seen.lock().unwrap().moods.insert(name.to_owned(), mood);
        changed.notify_all();
    }

    pub(crate) fn pushes(&self, name: &str) -> Vec<Push> {
        let (seen, _) = &*self.shared;
        let seen = seen.lock().unwrap();
        seen.pushes.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.pushes(name).len()
    }

    /// Waits until so many pushes have come in all; false when they did not within the limit.
    pub(crate) fn wait(&self, name: &str, count: usize, limit: Duration) -> bool {
        let (seen, changed) = &*self.shared;
        let guard = seen.lock().unwrap();
        let short = |seen: &mut Seen| seen.pushes.get(name).map_or(0, Vec::len) < count;
        let (_guard, waited) = changed.wait_timeout_while(guard, limit, short).unwrap();
        !waited.timed_out()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((path, push)) = read(&mut reader) {
            let name = path.rsplit('/').next().unwrap().to_owned();
            let mood = self.take(&name, push);
            let answer = match mood {
                Mood::Connected => answer(200, Some("connected")),
                Mood::Disconnected => answer(200, Some("disconnected")),
                Mood::TempDisconnected => answer(200, Some("tempdisconnected")),
                Mood::Silent | Mood::Hang => answer(200, None),
                Mood::Code(code) => answer(code, None),
            };
            let mut writer = stream;
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Notes the push and returns how to answer, once that is decided.
    fn take(&self, name: &str, push: Push) -> Mood {
        let (seen, changed) = &*self.shared;
        let mut guard = seen.lock().unwrap();
        guard.pushes.entry(name.to_owned()).or_default().push(push);
        changed.notify_all();
        let hangs = |seen: &mut Seen| seen.moods.get(name) == Some(&Mood::Hang);
        let guard = changed.wait_while(guard, hangs).unwrap();
        guard.moods.get(name).copied().unwrap_or(Mood::Connected)
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<(String, Push)> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let at = Instant::now();
    let mut words = line.split(' ');
    let method = words.next()?.to_owned();
    let path = words.next()?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut push = Push {
        at,
        method,
        headers,
        body: Vec::new(),
    };
    let length = push
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    push.body = vec![0; length];
    reader.read_exact(&mut push.body).ok()?;
    Some((path, push))
}

fn answer(code: u16, connection: Option<&str>) -> String {
    let status = if code == 200 { "received" } else { "dropped" };
    let mut text =
        format!("HTTP/1.1 {code} Told\r\nContent-Length: 0\r\nX-WNS-Status: {status}\r\n");
    if let Some(connection) = connection {
        write!(text, "X-WNS-DeviceConnectionStatus: {connection}\r\n").unwrap();
    }
    text.push_str("\r\n");
    text
}
