//! The credentials of devices that are registered and not yet enrolled, packed into
//! chunks that go as the devices enrol.
//!
//! A fleet is registered as a whole before it enrols. Credentials of its own for each device would
//! leave holes in memory that the records of a million devices have to live with.

use protocol::enrollment::Credential;
use protocol::secret::Secret;

/// Bytes after which another chunk is begun.
const CHUNK: usize = 64 * 1024;

/// Credentials of a shard. The `Debug` form shows none of them.
#[derive(Default)]
pub(super) struct Credentials {
    chunks: Vec<Chunk>,
    /// The open part of the latest credential: most devices have the same.
    latest: Option<Part>,
}

#[derive(Default)]
struct Chunk {
    texts: String,
    /// Credentials in it that were not taken yet.
    left: u32,
}

/// Where a credential stands.
#[derive(Debug)]
pub(super) struct Ticket {
    chunk: usize,
    form: Form,
    open: Part,
    secret: Part,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Token,
    UsernameToken,
}

/// From where to where in a chunk.
#[derive(Clone, Copy, Debug)]
struct Part {
    from: u32,
    to: u32,
}

impl Credentials {
    /// Keeps a credential.
    pub(super) fn keep(&mut self, credential: &Credential) -> Ticket {
        let (form, open, secret) = match credential {
            Credential::Token { value_type, text } => (Form::Token, value_type, text),
            Credential::UsernameToken { username, password } => {
                (Form::UsernameToken, username, password)
            }
        };
        if self.chunks.last().is_none_or(|it| it.texts.len() >= CHUNK) {
            self.chunks.push(Chunk::default());
            self.latest = None;
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let known = self.latest.filter(|part| chunk.text(*part) == open);
        let open = known.unwrap_or_else(|| chunk.append(open));
        self.latest = Some(open);
        chunk.left += 1;
        Ticket {
            chunk: number,
            form,
            open,
            secret: chunk.append(secret.expose()),
        }
    }

    /// Gives a credential back; its chunk goes with the last one.
    pub(super) fn take(&mut self, ticket: &Ticket) -> Option<Credential> {
        let chunk = self.chunks.get_mut(ticket.chunk)?;
        let open = chunk.text(ticket.open).to_owned();
        let secret = Secret::new(chunk.text(ticket.secret));
        chunk.left = chunk.left.saturating_sub(1);
        if chunk.left == 0 && chunk.texts.len() >= CHUNK {
            chunk.texts = String::new();
        }
        Some(match ticket.form {
            Form::Token => Credential::Token {
                value_type: open,
                text: secret,
            },
            Form::UsernameToken => Credential::UsernameToken {
                username: open,
                password: secret,
            },
        })
    }
}

impl Chunk {
    fn append(&mut self, text: &str) -> Part {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let from = place(self.texts.len());
        self.texts.push_str(text);
        let to = place(self.texts.len());
        Part { from, to }
    }

    fn text(&self, part: Part) -> &str {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let range = place(part.from)..place(part.to);
        self.texts.get(range).unwrap_or_default()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("chunks", &self.chunks.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_gets_its_own_credential_back() {
        let token = |value_type: &str, text: &str| Credential::Token {
            value_type: value_type.to_owned(),
            text: Secret::from(text),
        };
        let user = |username: &str, password: &str| Credential::UsernameToken {
            username: username.to_owned(),
            password: Secret::from(password),
        };
        let given = [
            token("a", "one"),
            token("a", "two"),
            user("a", "two"),
            token("b", ""),
            user("", "x"),
            user("a", &"x".repeat(CHUNK)),
            token("a", "three"),
        ];
        let mut credentials = Credentials::default();
        let tickets: Vec<Ticket> = given.iter().map(|one| credentials.keep(one)).collect();
        for (ticket, credential) in tickets.into_iter().zip(given) {
            assert_eq!(credentials.take(&ticket), Some(credential));
        }
        assert!(!format!("{credentials:?}").contains("two"));
    }
}
