//! The digest of `syncml:auth-md5` against vectors computed with Python's `hashlib`.

use protocol::syncml::digest_md5;

#[test]
fn digest_equals_the_vectors_computed_by_hashlib() {
    // b = lambda x: base64.b64encode(hashlib.md5(x).digest())
    // b(b(b"<user>:<secret>") + b":" + nonce)
    let rows: [(&str, &str, &[u8], &str); 4] = [
        (
            "gate-user",
            "open-secret",
            b"sesame-0001",
            "L2633ustSYlOzZ+qR7wqQg==",
        ),
        ("dummy", "", b"", "asv1zSilT4j1oobdc+nJtw=="),
        ("a", "b:c", b"\x00\xff\x80:", "gZ9xe7ROJKBSzZvyN3YukA=="),
        (
            "Jos\u{e9}",
            "p\u{e4}ss",
            b"bXVzdGVyLW5vbmNlLTAx",
            "EmJtFwaDz2fVAX0qD8DviA==",
        ),
    ];
    for (user, secret, nonce, digest) in rows {
        assert_eq!(digest_md5(user, secret, nonce), digest, "user {user}");
    }
}
