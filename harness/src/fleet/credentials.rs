//! The credentials of devices that are registered and not yet enrolled, packed into one buffer.
//!
//! A fleet is registered as a whole before it enrols. Credentials of its own for each device would
//! leave holes in memory that the records of a million devices have to live with.

use protocol::enrollment::Credential;
use protocol::secret::Secret;

/// Credentials of a shard. The `Debug` form shows none of them.
#[derive(Default)]
pub(super) struct Credentials {
    texts: String,
    /// The open part of the latest credential: most devices have the same.
    latest: Part,
}

/// Where a credential stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    form: Form,
    open: Part,
    secret: Part,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Token,
    UsernameToken,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    from: usize,
    to: usize,
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
        if self.text(self.latest) != open {
            self.latest = self.append(open);
        }
        Ticket {
            form,
            open: self.latest,
            secret: self.append(secret.expose()),
        }
    }

    /// The credential again.
    pub(super) fn credential(&self, ticket: Ticket) -> Credential {
        let open = self.text(ticket.open).to_owned();
        let secret = Secret::new(self.text(ticket.secret));
        match ticket.form {
            Form::Token => Credential::Token {
                value_type: open,
                text: secret,
            },
            Form::UsernameToken => Credential::UsernameToken {
                username: open,
                password: secret,
            },
        }
    }

    fn append(&mut self, text: &str) -> Part {
        let from = self.texts.len();
        self.texts.push_str(text);
        Part {
            from,
            to: self.texts.len(),
        }
    }

    fn text(&self, part: Part) -> &str {
        self.texts.get(part.from..part.to).unwrap_or_default()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("bytes", &self.texts.len())
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
        ];
        let mut credentials = Credentials::default();
        let tickets: Vec<Ticket> = given.iter().map(|one| credentials.keep(one)).collect();
        for (ticket, credential) in tickets.into_iter().zip(given) {
            assert_eq!(credentials.credential(ticket), credential);
        }
        assert!(!format!("{credentials:?}").contains("two"));
    }
}
