//! What is written is read back: random messages of every kind.

use protocol::syncml::{
    Alert, AlertCode, Chal, Command, Container, ContainerKind, Cred, Data, Header, Item, Limits,
    Message, Meta, Request, Results, Status, StatusCode, Text, Verb, decode, encode,
};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

const ROUNDS: u64 = 3_000;

#[test]
fn random_messages_are_read_back_as_they_were_written() {
    let seed = 0x5EED_1000;
    for round in 0..ROUNDS {
        check(seed + round);
    }
}

/// One seed of the test above, to look at.
#[test]
fn round_trip_of_one_seed_is_repeatable() {
    check(0x5EED_1000);
}

fn check(seed: u64) {
    let message = Generator(Pcg64Mcg::seed_from_u64(seed)).message();
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    let read = decode(&bytes, &Limits::default());
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(read.as_ref(), Ok(&message), "seed {seed}: {text}");
    let mut again = Vec::new();
    encode(&message, &mut again);
    assert_eq!(
        again, bytes,
        "seed {seed}: the same message, the same bytes"
    );
}

#[test]
fn illegal_characters_are_written_as_the_replacement_character() {
    let text = "a\0b\u{1}c\u{1F}d\u{FFFE}e\u{FFFF}f\u{FFFD}g\u{FEFF}h\u{7F}";
    let message = Message {
        header: Header::new(text.to_owned().into(), 1, "t".into(), "s".into()),
        ..Message::default()
    };
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    let read = decode(&bytes, &Limits::default()).expect("written by encode");
    let expected = "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e\u{FFFD}f\u{FFFD}g\u{FEFF}h\u{7F}";
    assert_eq!(read.header.session_id, expected);
}

#[test]
fn unknown_command_is_written_as_name_and_id() {
    let unknown = protocol::syncml::UnknownCommand {
        name: "No name".into(),
        cmd_id: Some("7".into()),
        offset: 0,
    };
    let message = Message {
        commands: vec![Command::Unknown(unknown)],
        ..Message::default()
    };
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains("<No_name><CmdID>7</CmdID></No_name>"),
        "{text}"
    );
}

struct Generator(Pcg64Mcg);

impl Generator {
    fn message(&mut self) -> Message<'static> {
        Message {
            header: Header {
                ver_dtd: self.text(),
                ver_proto: self.text(),
                session_id: self.text(),
                msg_id: self.0.random(),
                target: self.text(),
                source: self.text(),
                source_name: self.maybe(Self::text),
                cred: self.maybe(Self::cred),
                meta: self.maybe(Self::meta),
            },
            commands: self.several(8, |generator| generator.command(0)),
            is_final: self.0.random(),
            ignored: Vec::new(),
        }
    }

    fn command(&mut self, depth: usize) -> Command<'static> {
        let kinds = if depth < 3 { 6 } else { 4 };
        match self.0.random_range(0..kinds) {
            0 => Command::Status(self.status()),
            1 => Command::Results(Results {
                cmd_id: self.maybe(Self::text),
                msg_ref: self.maybe(|generator| generator.0.random()),
                cmd_ref: self.text(),
                cmd: self.maybe(Self::text),
                meta: self.maybe(Self::meta),
                items: self.items(),
            }),
            2 => Command::Alert(Alert {
                cmd_id: self.maybe(Self::text),
                code: AlertCode(self.0.random()),
                items: self.items(),
            }),
            3 => Command::Request(Request {
                verb: self.one_of(&[
                    Verb::Add,
                    Verb::Replace,
                    Verb::Delete,
                    Verb::Get,
                    Verb::Exec,
                ]),
                cmd_id: self.maybe(Self::text),
                meta: self.maybe(Self::meta),
                items: self.items(),
            }),
            _ => Command::Container(Container {
                kind: self.one_of(&[ContainerKind::Atomic, ContainerKind::Sequence]),
                cmd_id: self.maybe(Self::text),
                meta: self.maybe(Self::meta),
                commands: self.several(4, |generator| generator.command(depth + 1)),
            }),
        }
    }

    fn status(&mut self) -> Status<'static> {
        Status {
            cmd_id: self.maybe(Self::text),
            msg_ref: self.0.random(),
            cmd_ref: self.text(),
            cmd: self.text(),
            target_refs: self.several(3, Self::text),
            source_refs: self.several(3, Self::text),
            cred: self.maybe(Self::cred),
            chal: self.maybe(|generator| Chal {
                meta: generator.meta(),
            }),
            code: StatusCode(self.0.random()),
            original_error: self.maybe(Self::text),
            items: self.items(),
        }
    }

    fn items(&mut self) -> Vec<Item<'static>> {
        self.several(3, |generator| Item {
            target: generator.maybe(Self::text),
            source: generator.maybe(Self::text),
            meta: generator.maybe(Self::meta),
            data: generator.maybe(Self::data),
            more_data: generator.0.random(),
        })
    }

    fn data(&mut self) -> Data<'static> {
        let markup = [
            "<a/>",
            "before<a b=\"c\">&amp;<!-- d --><![CDATA[<e>]]></a>after",
            "<Data><Data/></Data>",
            " <x:y xmlns:x='urn:z'>\r\n</x:y> ",
        ];
        if self.0.random_bool(0.2) {
            Data::Markup(self.one_of(&markup).into())
        } else {
            Data::Text(self.text())
        }
    }

    fn meta(&mut self) -> Meta<'static> {
        Meta {
            format: self.maybe(Self::text),
            content_type: self.maybe(Self::text),
            next_nonce: self.maybe(Self::text),
            max_msg_size: self.maybe(|generator| generator.0.random()),
            max_obj_size: self.maybe(|generator| generator.0.random()),
            size: self.maybe(|generator| generator.0.random_range(0..12)),
        }
    }

    fn cred(&mut self) -> Cred<'static> {
        Cred {
            meta: self.maybe(Self::meta),
            data: self.text(),
        }
    }

    /// A text of up to eight pieces, half of them characters that need care.
    fn text(&mut self) -> Text<'static> {
        let pieces = [
            "a",
            "Z",
            "0",
            "./Device/Vendor",
            " ",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "<",
            ">",
            "&",
            "\"",
            "'",
            "]]>",
            "&amp;",
            "&#13;",
            "<!--",
            "\u{E9}",
            "\u{2713}",
            "\u{1F511}",
            "\u{FFFD}",
            "\u{FEFF}",
            "\u{FB01}",
            "\u{85}",
            "\u{2028}",
            "%20",
            ":",
        ];
        let text: String = (0..self.0.random_range(0..8))
            .map(|_| self.one_of(&pieces))
            .collect();
        text.into()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.0.random_bool(0.5).then(|| make(self))
    }

    fn several<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.0.random_range(0..=most);
        (0..count).map(|_| make(self)).collect()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        *all.choose(&mut self.0).expect("not empty")
    }
}
