//! The hashes of digest authentication (RFC 8760), as lower-case hexadecimal digits.

use md5::{Digest, Md5};
use sha2::Sha256;

/// A hash that is offered, and answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// What every phone knows.
    Md5,
    /// What phones should know (RFC 8760 §2.1).
    Sha256,
}

impl Algorithm {
    /// Which one a name is; no name is MD5 (RFC 3261 §22.4). `None` for one that is not known here.
    pub fn of(name: Option<&str>) -> Option<Algorithm> {
        match name {
            None => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The hash of parts with colons between them.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Algorithm::Md5 => hash::<Md5>(parts),
            Algorithm::Sha256 => hash::<Sha256>(parts),
        }
    }

    /// The hash of name, realm and password: what is kept instead of a password (RFC 7616 §3.4.2). Who
    /// has it can pass for the user in this realm.
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()])
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    hex(&digest.finalize())
}

/// Whether two byte strings are the same, in a time that tells nothing of where they differ: what is
/// compared are hashes of them, which nobody can choose.
pub(super) fn same_secret(one: &[u8], two: &[u8]) -> bool {
    blake3::hash(one) == blake3::hash(two)
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Bytes of lower-case hexadecimal digits, if it is exactly so many.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |at: usize| match pair[at] {
            digit @ b'0'..=b'9' => Some(digit - b'0'),
            digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_registry() {
        assert_eq!(Algorithm::of(None), Some(Algorithm::Md5));
        assert_eq!(Algorithm::of(Some("md5")), Some(Algorithm::Md5));
        assert_eq!(Algorithm::of(Some("sha-256")), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::of(Some("MD5-sess")), None);
        assert_eq!(Algorithm::of(Some("")), None);
    }

    #[test]
    fn digits_survive() {
        assert_eq!(unhex(&hex(&[0, 0x9a, 0xff])), Some([0, 0x9a, 0xff]));
        for wrong in ["009aff0", "009af", "009aFF", "00 aff", "+09aff"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
        assert_eq!(Algorithm::Md5.ha1("a", "b", "c"), "02cc8f08398a4f3113b554e8105ebe4c");
    }
}
