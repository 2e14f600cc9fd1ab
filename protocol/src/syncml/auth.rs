//! The digest of `syncml:auth-md5` (OMA-DM Security 1.2.1; wire-facts 2.9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// `B64(MD5(B64(MD5(user ":" secret)) ":" nonce))`, the nonce as raw bytes.
#[must_use]
pub fn digest_md5(user: &str, secret: &str, nonce: &[u8]) -> String {
    let inner = Md5::new()
        .chain_update(user)
        .chain_update(":")
        .chain_update(secret)
        .finalize();
    let outer = Md5::new()
        .chain_update(STANDARD.encode(inner))
        .chain_update(":")
        .chain_update(nonce)
        .finalize();
    STANDARD.encode(outer)
}
