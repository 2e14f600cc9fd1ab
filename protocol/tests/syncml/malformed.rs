//! Malformed input: each row says which element is named, where, and why.

use protocol::syncml::{Limits, decode};
use protocol::{Malformed, MalformedKind};

use Kind::{Doctype, Limit, Missing, NotUtf8, Repeated, Syntax, Unexpected, Value};

/// The kind expected; the text of a `Syntax` is the parser's own.
#[derive(Clone, Copy)]
enum Kind {
    Syntax,
    Doctype,
    NotUtf8,
    Missing,
    Repeated,
    Unexpected,
    Value(&'static str),
    Limit(&'static str, usize),
}

/// A text, the element expected, what stands at the offset expected (nothing: the end), the kind.
type Row = (&'static str, &'static str, &'static str, Kind);
/// What is replaced in a good message, by what, and then as in [`Row`].
type Edit = (&'static str, &'static str, &'static str, &'static str, Kind);

const HEADER: &str = "<SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
    <SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>t</LocURI></Target>\
    <Source><LocURI>s</LocURI></Source></SyncHdr>";

const STATUS: &str = "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef>\
    <Cmd>Get</Cmd><Data>200</Data></Status>";

/// Whole messages.
const WHOLE: [Row; 27] = [
    ("", "SyncML", "", Missing),
    (" <!-- a -->\n", "SyncML", " ", Missing),
    ("hello", "SyncML", "hello", Syntax),
    ("{\"a\":1}", "SyncML", "{", Syntax),
    ("&amp;", "SyncML", "&amp;", Syntax),
    ("<", "SyncML", "<", Syntax),
    ("</SyncML>", "SyncML", "</SyncML>", Syntax),
    ("<SyncML", "SyncML", "<SyncML", Syntax),
    ("<SyncML>", "SyncML", "", Syntax),
    ("<SyncML><SyncHdr>", "SyncHdr", "", Syntax),
    (
        "<SyncML><SyncBody><Get><CmdID>1",
        "SyncBody/Get/CmdID",
        "",
        Syntax,
    ),
    (
        "<SyncML></SyncBody></SyncML>",
        "SyncML",
        "</SyncBody>",
        Syntax,
    ),
    ("\u{1}<SyncML/>", "SyncML", "\u{1}", Syntax),
    ("<SyncML>\u{FFFE}</SyncML>", "SyncML", "\u{FFFE}", Syntax),
    ("\u{FEFF}<SyncML>\0</SyncML>", "SyncML", "\0", Syntax),
    (
        "<s:Envelope xmlns:s=\"urn:s\"/>",
        "Envelope",
        "<s:Envelope",
        Unexpected,
    ),
    ("<syncml/>", "syncml", "<syncml", Unexpected),
    (
        "<SyncML xmlns=\"urn:b\"/>",
        "SyncML/@xmlns",
        "<SyncML",
        Value("urn:b"),
    ),
    (
        "<a:SyncML xmlns:a=\"urn:b\"/>",
        "SyncML/@xmlns",
        "<a:SyncML",
        Value("urn:b"),
    ),
    ("<SyncML/>", "SyncHdr", "<SyncML", Missing),
    ("<!DOCTYPE SyncML><SyncML/>", "SyncML", "<!DOCTYPE", Doctype),
    (
        "\u{FEFF}<!DOCTYPE a [<!ENTITY b \"c\">]>",
        "SyncML",
        "<!DOCTYPE",
        Doctype,
    ),
    (
        "<SyncML><!doctype a></SyncML>",
        "SyncML",
        "<!doctype",
        Doctype,
    ),
    ("<!DOCTYPE SyncML", "SyncML", "<!DOCTYPE", Doctype),
    ("<!DOCTYPE>", "SyncML", "<!DOCTYPE", Doctype),
    (
        "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
        "SyncML",
        "<?xml",
        NotUtf8,
    ),
    (
        "<?xml version=\"1.0\" encoding=\"latin1\"?>",
        "SyncML",
        "<?xml",
        NotUtf8,
    ),
];

/// What follows a whole message.
const AFTER: [Row; 5] = [
    ("x", "SyncML", "x", Syntax),
    ("\0", "SyncML", "\0", Syntax),
    ("&#32;", "SyncML", "&#32;", Syntax),
    ("<SyncML/>", "SyncML", "<SyncML/>", Syntax),
    ("</SyncML>", "SyncML", "</SyncML>", Syntax),
];

/// The `SyncBody` and what stands around it.
const BESIDE_HEADER: [Row; 4] = [
    ("", "SyncBody", "<SyncML", Missing),
    (
        "<SyncBody/><SyncBody/>",
        "SyncBody",
        "<SyncBody/></",
        Repeated,
    ),
    ("x<SyncBody/>", "SyncML", "x<", Unexpected),
    ("<SyncBody/><SyncHdr/>", "SyncHdr", "<SyncHdr/>", Repeated),
];

/// Changes of [`HEADER`]; elements are below `SyncHdr`.
const IN_HEADER: [Edit; 18] = [
    ("<VerDTD>1.2</VerDTD>", "", "/VerDTD", "<SyncHdr", Missing),
    (
        "<VerProto>DM/1.2</VerProto>",
        "",
        "/VerProto",
        "<SyncHdr",
        Missing,
    ),
    (
        "<SessionID>1</SessionID>",
        "",
        "/SessionID",
        "<SyncHdr",
        Missing,
    ),
    ("<MsgID>1</MsgID>", "", "/MsgID", "<SyncHdr", Missing),
    (
        "<Target><LocURI>t</LocURI></Target>",
        "",
        "/Target",
        "<SyncHdr",
        Missing,
    ),
    (
        "<LocURI>t</LocURI>",
        "",
        "/Target/LocURI",
        "<Target",
        Missing,
    ),
    (
        "<Source><LocURI>s</LocURI></Source>",
        "",
        "/Source",
        "<SyncHdr",
        Missing,
    ),
    (
        "<LocURI>s</LocURI>",
        "<LocName/>",
        "/Source/LocURI",
        "<Source",
        Missing,
    ),
    ("<MsgID>1<", "<MsgID><", "/MsgID", "<MsgID", Value("")),
    ("<MsgID>1<", "<MsgID>+1<", "/MsgID", "<MsgID", Value("+1")),
    ("<MsgID>1<", "<MsgID>-1<", "/MsgID", "<MsgID", Value("-1")),
    (
        "<MsgID>1<",
        "<MsgID>4294967296<",
        "/MsgID",
        "<MsgID",
        Value("4294967296"),
    ),
    ("<MsgID>1<", "<MsgID>1<a/><", "/MsgID/a", "<a/>", Unexpected),
    (
        "<MsgID>1<",
        "<MsgID>1</MsgID><MsgID>2<",
        "/MsgID",
        "<MsgID>2",
        Repeated,
    ),
    ("</SyncHdr>", "x</SyncHdr>", "", "x</SyncHdr", Unexpected),
    (
        "</SyncHdr>",
        "<Cred><Meta/></Cred></SyncHdr>",
        "/Cred/Data",
        "<Cred",
        Missing,
    ),
    (
        "</SyncHdr>",
        "<Meta/><Meta/></SyncHdr>",
        "/Meta",
        "<Meta/></",
        Repeated,
    ),
    (
        "</SyncHdr>",
        "<Meta><Size>a</Size></Meta></SyncHdr>",
        "/Meta/Size",
        "<Size",
        Value("a"),
    ),
];

/// Changes of [`STATUS`]; elements are below `SyncBody/Status`.
const IN_STATUS: [Edit; 11] = [
    ("<MsgRef>1</MsgRef>", "", "/MsgRef", "<Status", Missing),
    (
        "<MsgRef>1</MsgRef>",
        "<MsgRef/>",
        "/MsgRef",
        "<MsgRef",
        Value(""),
    ),
    ("<CmdRef>0</CmdRef>", "", "/CmdRef", "<Status", Missing),
    ("<Cmd>Get</Cmd>", "", "/Cmd", "<Status", Missing),
    ("<Cmd>Get<", "<Cmd/><Cmd>Get<", "/Cmd", "<Cmd>Get", Repeated),
    ("<Data>200</Data>", "", "/Data", "<Status", Missing),
    ("200", "0xC8", "/Data", "<Data", Value("0xC8")),
    ("200", "2 0 0", "/Data", "<Data", Value("2 0 0")),
    (
        "<Data>",
        "<Data m:originalerror='' originalerror=''>",
        "/Data",
        "<Data",
        Repeated,
    ),
    (
        "<Data>",
        "<Data originalerror='&x;'>",
        "/Data",
        "<Data",
        Syntax,
    ),
    ("<Data>", "<Chal/><Data>", "/Chal/Meta", "<Chal", Missing),
];

/// Commands; elements are below `SyncBody`.
const IN_BODY: [Row; 14] = [
    ("x", "", "x</SyncBody", Unexpected),
    ("<Results/>", "/Results/CmdRef", "<Results", Missing),
    (
        "<Alert><CmdID>1</CmdID></Alert>",
        "/Alert/Data",
        "<Alert",
        Missing,
    ),
    (
        "<Alert><Data>now</Data></Alert>",
        "/Alert/Data",
        "<Data",
        Value("now"),
    ),
    ("<Get>x</Get>", "/Get", "x</Get", Unexpected),
    ("<Get>&#32;</Get>", "/Get", "&#32;", Unexpected),
    (
        "<Get><Item><Target/></Item></Get>",
        "/Get/Item/Target/LocURI",
        "<Target",
        Missing,
    ),
    (
        "<Get><Item><Data/><Data/></Item></Get>",
        "/Get/Item/Data",
        "<Data/></",
        Repeated,
    ),
    (
        "<Get><CmdID>1<b/></CmdID></Get>",
        "/Get/CmdID/b",
        "<b/>",
        Unexpected,
    ),
    (
        "<What><CmdID/><CmdID>2</CmdID></What>",
        "/What/CmdID",
        "<CmdID>2",
        Repeated,
    ),
    ("<Final/><Final/>", "/Final", "<Final/></", Repeated),
    ("<Final>yes</Final>", "/Final", "yes", Unexpected),
    (
        "<Atomic><Sequence>x</Sequence></Atomic>",
        "/Atomic/Sequence",
        "x</",
        Unexpected,
    ),
    (
        "<Atomic><Add><Meta><Size/></Meta></Add></Atomic>",
        "/Atomic/Add/Meta/Size",
        "<Size",
        Value(""),
    ),
];

/// Content of an `Alert`, not well formed; elements are below `SyncBody/Alert`.
const IN_ALERT: [Row; 21] = [
    ("<a:b:/>", "/", "<a:b:/>", Syntax),
    ("<>x</>", "/", "<>", Syntax),
    ("<1/>", "/1", "<1/>", Syntax),
    ("<1:Item/>", "/Item", "<1:Item/>", Syntax),
    ("<a><b=/></a>", "/a/b=", "<b=/>", Syntax),
    ("<Item a></Item>", "/Item", "<Item a>", Syntax),
    ("<Item a=b></Item>", "/Item", "<Item a=b>", Syntax),
    ("<Item></Items>", "/Item", "</Items>", Syntax),
    (
        "<Item><Data>a & b</Data></Item>",
        "/Item/Data",
        "& b",
        Syntax,
    ),
    (
        "<Item><Data>&nbsp;</Data></Item>",
        "/Item/Data",
        "&nbsp;",
        Syntax,
    ),
    (
        "<Item><Data>a&#0;</Data></Item>",
        "/Item/Data",
        "&#0;",
        Syntax,
    ),
    (
        "<Item><Data>&#x1F;</Data></Item>",
        "/Item/Data",
        "&#x1F;",
        Syntax,
    ),
    (
        "<Item><Data>&#xD800;</Data></Item>",
        "/Item/Data",
        "&#xD800;",
        Syntax,
    ),
    (
        "<Item><Data>&#+65;</Data></Item>",
        "/Item/Data",
        "&#+65;",
        Syntax,
    ),
    ("<Item><Data>&#;</Data></Item>", "/Item/Data", "&#;", Syntax),
    (
        "<Item><Data>&#9999999999;</Data></Item>",
        "/Item/Data",
        "&#9",
        Syntax,
    ),
    (
        "<Item><Data><r>&u;</r></Data></Item>",
        "/Item/Data/r",
        "&u;",
        Syntax,
    ),
    ("<!-- ", "", "<!-- ", Syntax),
    ("<![CDATA[ ", "", "<![CDATA[ ", Syntax),
    ("<?pi ", "", "<?pi ", Syntax),
    ("<?xml version=\"1.0\"?>", "", "<?xml", Syntax),
];

/// Messages over the limits of [`limits_are_named_with_their_value`]; elements below `SyncBody`.
const OVER_LIMIT: [Row; 3] = [
    (
        "<Get/><Get/><Get/><Get/>",
        "/Get",
        "<Get/></",
        Limit("count", 3),
    ),
    (
        "<Get><Item/><Item/><Item/></Get>",
        "/Get/Item",
        "<Item/></",
        Limit("count", 3),
    ),
    (
        "<Get><Item><Data><a><b/></a></Data></Item></Get>",
        "/Get/Item/Data/a/b",
        "<b/>",
        Limit("depth", 6),
    ),
];

#[test]
fn whole_messages_that_are_no_message_are_refused() {
    for (text, element, at, kind) in WHOLE {
        check(text, element, at, kind);
    }
    for (text, element, at, kind) in AFTER {
        check(&(body("") + text), element, at, kind);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    let utf_16: Vec<u8> = "\u{FEFF}<SyncML/>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut latin = body("").into_bytes();
    latin.push(0xE4);
    for (bytes, offset) in [(&utf_16, 0), (&latin, latin.len() - 1)] {
        let expected = Malformed::new("SyncML", offset, MalformedKind::NotUtf8);
        assert_eq!(decode(bytes, &Limits::default()), Err(expected));
    }
    let declared = format!("<?xml version=\"1.0\" encoding=\"Utf-8\"?>{}", body(""));
    assert!(decode(declared.as_bytes(), &Limits::default()).is_ok());
}

#[test]
fn envelope_and_header_must_be_complete() {
    for (text, element, at, kind) in BESIDE_HEADER {
        check(&message(HEADER, text), element, at, kind);
    }
    for (old, new, element, at, kind) in IN_HEADER {
        assert!(HEADER.contains(old), "the header holds {old}");
        let text = message(&HEADER.replacen(old, new, 1), "<SyncBody/>");
        check(&text, &format!("SyncHdr{element}"), at, kind);
    }
}

#[test]
fn commands_must_hold_what_their_type_needs() {
    for (old, new, element, at, kind) in IN_STATUS {
        assert!(STATUS.contains(old), "the status holds {old}");
        let text = body(&STATUS.replacen(old, new, 1));
        check(&text, &format!("SyncBody/Status{element}"), at, kind);
    }
    for (text, element, at, kind) in IN_BODY {
        check(&body(text), &format!("SyncBody{element}"), at, kind);
    }
}

#[test]
fn content_that_is_not_well_formed_is_refused() {
    for (text, element, at, kind) in IN_ALERT {
        let text = body(&format!("<Alert><Data>1201</Data>{text}</Alert>"));
        check(&text, &format!("SyncBody/Alert{element}"), at, kind);
    }
}

#[test]
fn limits_are_named_with_their_value() {
    let limits = Limits {
        size: 600,
        depth: 6,
        count: 3,
        ignored: 0,
    };
    for (text, element, at, kind) in OVER_LIMIT {
        check_with(
            &limits,
            &body(text),
            &format!("SyncBody{element}"),
            at,
            kind,
        );
    }
    let long = " ".repeat(600);
    check_with(
        &limits,
        &body(&long),
        "SyncML",
        "<SyncML",
        Limit("size", 600),
    );
    let unbounded = Limits {
        depth: usize::MAX,
        ..Limits::default()
    };
    let nested = body(&"<Atomic>".repeat(5_000));
    let error = decode(nested.as_bytes(), &unbounded).expect_err("too deep");
    assert_eq!(error.kind, MalformedKind::Limit("depth", Limits::MAX_DEPTH));
}

#[test]
fn errors_quote_only_a_little_of_the_message() {
    let long = format!("<MsgID>{}<", "9".repeat(100_000));
    let text = message(&HEADER.replace("<MsgID>1<", &long), "<SyncBody/>");
    let error = decode(text.as_bytes(), &Limits::default()).expect_err("too large a number");
    let error = error.to_string();
    assert!(error.len() < 200, "{} bytes", error.len());
}

#[track_caller]
fn check(text: &str, element: &str, at: &str, kind: Kind) {
    check_with(&Limits::default(), text, element, at, kind);
}

#[track_caller]
fn check_with(limits: &Limits, text: &str, element: &str, at: &str, kind: Kind) {
    let read = decode(text.as_bytes(), limits);
    assert!(read.is_err(), "accepted: {text}");
    let error = read.expect_err("checked above");
    assert_eq!(error.element, element, "the element of {text}: {error}");
    let expected = match kind {
        Syntax => {
            let is_syntax = matches!(error.kind, MalformedKind::Syntax(_));
            assert!(is_syntax, "the kind of {text}: {error}");
            error.kind.clone()
        }
        Doctype => MalformedKind::DoctypeRefused,
        NotUtf8 => MalformedKind::NotUtf8,
        Missing => MalformedKind::Missing,
        Repeated => MalformedKind::Repeated,
        Unexpected => MalformedKind::Unexpected,
        Value(text) => MalformedKind::Value(text.to_owned()),
        Limit(name, value) => MalformedKind::Limit(name, value),
    };
    assert_eq!(error.kind, expected, "the kind of {text}");
    let tail = text.get(error.offset..).expect("the offset lies inside");
    let is_there = tail.starts_with(at) && (!at.is_empty() || tail.is_empty());
    assert!(
        is_there,
        "offset {} of {text} is not at `{at}`",
        error.offset
    );
}

fn message(header: &str, rest: &str) -> String {
    format!("<SyncML xmlns=\"SYNCML:SYNCML1.2\">{header}{rest}</SyncML>")
}

fn body(commands: &str) -> String {
    message(HEADER, &format!("<SyncBody>{commands}</SyncBody>"))
}
