//! Certificates and secrets of devices at rest, side by side in large chunks.
//!
//! They stay as long as the fleet does, while all that is allocated around them comes and goes.
//! Allocations of their own would leave holes that no one can use.

/// Bytes of one chunk: more than the longest certificate and secret together.
const CHUNK: u32 = 256 * 1024;

/// What stands on it stays there: a device keeps its place while it is awake.
#[derive(Default)]
pub(super) struct Shelf {
    chunks: Vec<Vec<u8>>,
}

/// Where the certificate of a device stands, and after it the text of its digest secret. Its `Debug`
/// form tells the lengths alone: where something stands is no part of what a device is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted through all chunks, each taken as full.
    from: u32,
    certificate_len: u16,
    secret_len: u16,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lengths = (self.certificate_len, self.secret_len);
        f.debug_tuple("Place").field(&lengths).finish()
    }
}

/// The place of a woken device, by which its certificate need not be put down twice. It is no part
/// of what a device is: the `Debug` form is always the same.
#[derive(Clone, Copy, Default)]
pub(crate) struct Remembered(pub(super) Option<Place>);

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remembered")
    }
}

impl Shelf {
    /// Puts a certificate and a secret down, unless they stand where they are remembered to; `None`
    /// for what is larger than either ever is, and once four gigabytes stand on it.
    pub(super) fn keep(
        &mut self,
        remembered: Remembered,
        certificate: &[u8],
        secret: &str,
    ) -> Option<Place> {
        let known = |place: &Place| {
            self.certificate(*place) == certificate && self.secret(*place) == secret
        };
        if let Some(place) = remembered.0.filter(known) {
            return Some(place);
        }
        let certificate_len = u16::try_from(certificate.len()).ok()?;
        let secret_len = u16::try_from(secret.len()).ok()?;
        let needed = certificate.len() + secret.len();
        let room = |chunk: &Vec<u8>| chunk.capacity() - chunk.len();
        if self.chunks.last().is_none_or(|chunk| room(chunk) < needed) {
            self.chunks.push(Vec::with_capacity(size(CHUNK)));
        }
        let full = u32::try_from(self.chunks.len() - 1).ok()?;
        let chunk = self.chunks.last_mut()?;
        let within = u32::try_from(chunk.len()).ok()?;
        let from = full.checked_mul(CHUNK)?.checked_add(within)?;
        chunk.extend_from_slice(certificate);
        chunk.extend_from_slice(secret.as_bytes());
        Some(Place {
            from,
            certificate_len,
            secret_len,
        })
    }

    /// The certificate in DER form.
    pub(super) fn certificate(&self, place: Place) -> &[u8] {
        self.bytes(place, 0, place.certificate_len)
    }

    /// The text of the secret; empty without one.
    pub(super) fn secret(&self, place: Place) -> &str {
        let bytes = self.bytes(place, place.certificate_len, place.secret_len);
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn bytes(&self, place: Place, skipped: u16, len: u16) -> &[u8] {
        let chunk = self.chunks.get(size(place.from / CHUNK));
        let from = size(place.from % CHUNK) + usize::from(skipped);
        chunk
            .and_then(|chunk| chunk.get(from..from + usize::from(len)))
            .unwrap_or_default()
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf")
            .field("chunks", &self.chunks.len())
            .finish_non_exhaustive()
    }
}
