//! A blocking HTTP/1.1 client that sends what it is told, right or wrong.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No answer takes longer; a test that waits this long fails.
const LIMIT: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let wanted = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(wanted)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.status, self.text()))
    }

    /// Itself, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Itself, if it is a Graph error with this status and code.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        let code = match status {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "ResourceNotFound",
            405 => "MethodNotAllowed",
            409 => "Conflict",
            413 => "PayloadTooLarge",
            415 => "UnsupportedMediaType",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            _ => "InternalServerError",
        };
        assert_eq!(self.json()["error"]["code"], code, "{}", self.text());
        self
    }
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    kept: Vec<u8>,
}

impl Connection {
    /// Connects to the host and port of a URL.
    pub(crate) fn open(url: &str) -> Self {
        let stream = TcpStream::connect(authority(url)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self {
            stream,
            kept: Vec::new(),
        }
    }

    /// Sends these bytes; a peer that has closed already is no error here.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
                "{error}"
            );
        }
    }

    /// No more bytes will come from this side.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next answer; `None` when the peer ended the connection instead.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = find(&self.kept, b"\r\n\r\n") {
                break at;
            }
            if !self.more() {
                return None;
            }
        };
        let head: Vec<u8> = self.kept.drain(..end + 4).collect();
        let (mut answer, length) = read_head(&head);
        if answer.status == 100 {
            return self.answer();
        }
        while self.kept.len() < length {
            assert!(self.more(), "the body ended early: {answer:?}");
        }
        answer.body = self.kept.drain(..length).collect();
        Some(answer)
    }

    /// Whether the peer ends the connection within the limit, saying nothing more.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> bool {
        self.stream.set_read_timeout(Some(limit)).unwrap();
        let from = Instant::now();
        let mut rest = [0; 4096];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return from.elapsed() <= limit,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(bytes) => {
                self.kept.extend_from_slice(&chunk[..bytes]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// One request, ready to be written.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("Content-Type", content_type)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// The head without the framing of the body and without the empty line.
    pub(crate) fn head(&self) -> String {
        let (method, path) = (&self.method, path(&self.url));
        let host = authority(&self.url);
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head
    }

    /// The request with a Content-Length.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let body = self.body.as_deref().unwrap_or_default();
        let mut head = self.head();
        if self.body.is_some() || self.method != "GET" {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// The request in chunks of this size.
    pub(crate) fn chunked(&self, size: usize) -> Vec<u8> {
        let mut bytes = self.head().into_bytes();
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for chunk in self.body.as_deref().unwrap_or_default().chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    /// Sends it over a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self) -> Answer {
        self.send_raw(&self.bytes())
    }

    /// Sends these bytes in its place.
    #[track_caller]
    pub(crate) fn send_raw(&self, bytes: &[u8]) -> Answer {
        let mut connection = Connection::open(&self.url);
        connection.send(bytes);
        let answer = connection.answer();
        answer.unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.url))
    }
}

/// `host:port` of a URL.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap()
}

/// Path and query of a URL.
pub(crate) fn path(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// Status line and headers, and the length of the body that follows.
fn read_head(head: &[u8]) -> (Answer, usize) {
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()));
    let answer = Answer {
        status: first.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers.collect(),
        body: Vec::new(),
    };
    assert_eq!(answer.header("transfer-encoding"), None, "{head}");
    let length = match answer.header("content-length") {
        Some(length) => length.parse().unwrap(),
        None => {
            assert!(
                matches!(answer.status, 100 | 204),
                "neither a length nor 204: {head}"
            );
            0
        }
    };
    (answer, length)
}
