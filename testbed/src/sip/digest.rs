//! Digest authentication as a phone does it (RFC 7616, with MD5): written once more here, so that it is
//! no proof of itself.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use md5::{Digest, Md5};

use super::text::Heard;

/// What a super-node asks a password with.
#[derive(Debug, Clone)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    /// Only the nonce was not good.
    pub(crate) is_stale: bool,
}

impl Challenge {
    /// The challenge in an answer.
    pub(crate) fn read(answer: &Heard) -> Result<Challenge> {
        let fields = ["WWW-Authenticate", "Proxy-Authenticate"];
        let value = fields.iter().find_map(|name| answer.field(name));
        let value = value.with_context(|| format!("no challenge:\n{}", answer.as_str()))?;
        let quoted = |name: &str| {
            let (_, rest) = value.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let (realm, nonce) = (quoted("realm").context("no realm")?, quoted("nonce"));
        let is_stale = value.contains("stale=true");
        Ok(Challenge { realm, nonce: nonce.context("no nonce")?, is_stale })
    }

    /// What to answer to it, as this use of its nonce.
    pub(crate) fn answer(
        &self,
        method: &str,
        uri: &str,
        user: &str,
        password: &str,
        count: u32,
    ) -> String {
        let Challenge { realm, nonce, .. } = self;
        let secret = hash(&format!("{user}:{realm}:{password}"));
        let asked = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{secret}:{nonce}:{count:08x}:7a:auth:{asked}"));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm=MD5, qop=auth, nc={count:08x}, cnonce=\"7a\", response=\"{response}\""
        )
    }
}

fn hash(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a text does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_and_answered_with_the_hashes_of_rfc_2617() {
        let from = "127.0.0.1:5060".parse().unwrap();
        let answer = "SIP/2.0 407 Proxy Authentication Required\r\nProxy-Authenticate: Digest \
                      realm=\"testrealm@host.com\", nonce=\"dcd98b\", algorithm=MD5, qop=\"auth\", \
                      stale=true\r\n\r\n";
        let challenge = Challenge::read(&Heard::new(answer.as_bytes(), from)).unwrap();
        assert_eq!((challenge.nonce.as_str(), challenge.is_stale), ("dcd98b", true));
        // Section 3.5.
        let secret = hash("Mufasa:testrealm@host.com:Circle Of Life");
        assert_eq!(secret, "939e7578ed9e3c518a452acee763bce9");
        let asked = hash("GET:/dir/index.html");
        assert_eq!(asked, "39aff3a2bab6126f332b942af96d3366");
        let response = hash(&format!("{secret}:dcd98b:00000001:7a:auth:{asked}"));
        let answer = challenge.answer("GET", "/dir/index.html", "Mufasa", "Circle Of Life", 1);
        assert!(answer.ends_with(&format!("response=\"{response}\"")), "{answer}");
    }
}
