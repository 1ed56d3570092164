//! Digest authentication as a server does it (RFC 3261 §22, RFC 7616, RFC 8760). Passwords are not
//! known here: whoever checks gives the hash of name, realm and password.
//!
//! ```text
//!   Challenge ──► phone ──► Credentials ── Answer::read ──► Answer
//!       ▲                                                     │ nonce(): made here? ── NonceKey
//!       │                                                     │ is_right(): does she know the password?
//!       └── stale ◄── used before? ── Replays ◄───────────────┘
//! ```

mod algorithm;
mod nonce;
mod replay;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

pub use algorithm::Algorithm;
pub use nonce::{BadNonce, NONCE_LIFE_S, Nonce, NonceKey};
pub use replay::{Replayed, Replays};

use crate::message::{Credentials, Method};

/// The value of WWW-Authenticate or Proxy-Authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// Whose password is asked for.
    pub realm: &'a str,
    /// From [`NonceKey::make`].
    pub nonce: &'a str,
    /// Offered in one header each, the best first (RFC 8760 §2.3).
    pub algorithm: Algorithm,
    /// The answer was right, but its nonce was not: nobody need be asked for the password again.
    pub stale: bool,
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest realm=\"")?;
        for character in self.realm.chars() {
            let escaped = matches!(character, '"' | '\\');
            write!(f, "{}{character}", if escaped { "\\" } else { "" })?;
        }
        write!(f, "\", nonce=\"{}\", algorithm={}", self.nonce, self.algorithm.as_str())?;
        write!(f, ", qop=\"auth\"{}", if self.stale { ", stale=true" } else { "" })
    }
}

/// What a phone answers to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Who says to know the password.
    pub user: Cow<'a, str>,
    /// Whose password.
    pub realm: Cow<'a, str>,
    /// The challenge's nonce.
    pub nonce: Cow<'a, str>,
    /// The Request-URI as the phone wrote it: proxies may have changed the request's since.
    pub uri: Cow<'a, str>,
    /// With what it was hashed.
    pub algorithm: Algorithm,
    /// Which use of the nonce it is; none, in the manner of RFC 2069, if the phone knows no `qop`.
    pub count: Option<u32>,
    counted: Option<(Cow<'a, str>, Cow<'a, str>)>,
    response: Cow<'a, str>,
}

/// Why credentials are no answer to a challenge of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// They are of another scheme.
    #[error("the credentials are not Digest")]
    Scheme,
    /// A field is missing, or makes no sense.
    #[error("the credentials' {0} is missing or wrong")]
    Field(&'static str),
    /// The algorithm was not offered.
    #[error("the credentials' algorithm is not known")]
    Algorithm,
}

impl<'a> Answer<'a> {
    /// Reads credentials.
    ///
    /// # Errors
    /// [`NoAnswer`], naming what is wrong.
    pub fn read(credentials: &Credentials<'a>) -> Result<Answer<'a>, NoAnswer> {
        if !credentials.is_digest() {
            return Err(NoAnswer::Scheme);
        }
        let field = |name| credentials.get(name).ok_or(NoAnswer::Field(name));
        let algorithm = credentials.get("algorithm");
        let algorithm = Algorithm::of(algorithm.as_deref()).ok_or(NoAnswer::Algorithm)?;
        let counted = match credentials.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Some((field("nc")?, field("cnonce")?)),
            Some(_) => return Err(NoAnswer::Field("qop")),
        };
        let count = counted.as_ref().map(|(count, _)| {
            let digits = count.len() == 8 && count.bytes().all(|digit| digit.is_ascii_hexdigit());
            let number = u32::from_str_radix(count, 16).ok().filter(|_| digits);
            number.ok_or(NoAnswer::Field("nc"))
        });
        Ok(Answer {
            user: field("username")?,
            realm: field("realm")?,
            nonce: field("nonce")?,
            uri: field("uri")?,
            algorithm,
            count: count.transpose()?,
            counted,
            response: field("response")?,
        })
    }

    /// The nonce, if it was made here for this answer's realm and who sends from `source`. Whether the
    /// realm is the one that is meant, and the URI that of the request, is for the caller to look at.
    ///
    /// # Errors
    /// [`BadNonce`]
    pub fn nonce(&self, key: &NonceKey, source: IpAddr, now_s: u64) -> Result<Nonce, BadNonce> {
        key.check(&self.nonce, &self.realm, source, now_s)
    }

    /// Whether it is right: who answered knows the password of which `ha1` is the hash
    /// ([`Algorithm::ha1`], in lower-case digits).
    pub fn is_right(&self, ha1: &str, method: Method<'_>) -> bool {
        let ha2 = self.algorithm.hash(&[method.as_str().as_bytes(), self.uri.as_bytes()]);
        let (ha1, nonce, ha2) = (ha1.as_bytes(), self.nonce.as_bytes(), ha2.as_bytes());
        let expected = match &self.counted {
            Some((count, cnonce)) => {
                let parts = [ha1, nonce, count.as_bytes(), cnonce.as_bytes(), b"auth", ha2];
                self.algorithm.hash(&parts)
            }
            None => self.algorithm.hash(&[ha1, nonce, ha2]),
        };
        let response = self.response.to_ascii_lowercase();
        algorithm::same_secret(expected.as_bytes(), response.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(fields: &str) -> Credentials<'_> {
        Credentials::parse(fields.as_bytes()).unwrap()
    }

    const COUNTED: &str = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, \
        nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", \
        opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    /// The request of the vectors of RFC 2617 and RFC 7616.
    const GET: Method<'static> = Method::Other("GET");

    #[test]
    fn the_vectors_of_the_rfcs_are_right() {
        let uncounted = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
            response=\"670FD8C2DF070C60B045671B8B24FF02\"";
        let newer = "username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
            nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, qop=\"auth\", \
            cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", ";
        let md5 =
            format!("Digest {newer} algorithm=MD5, response=\"8ca523f5e9506fed4657c9700eebdbec\"");
        let sha = format!(
            "Digest {newer} algorithm=SHA-256, response=\"\
             753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""
        );
        for (text, password) in [
            (COUNTED, "Circle Of Life"),
            (uncounted, "Circle Of Life"),
            (&md5, "Circle of Life"),
            (&sha, "Circle of Life"),
        ] {
            let credentials = credentials(text);
            let answer = Answer::read(&credentials).unwrap();
            let ha1 = answer.algorithm.ha1("Mufasa", &answer.realm, password);
            assert!(answer.is_right(&ha1, GET), "{text}");
            assert!(!answer.is_right(&ha1, Method::Register), "{text}");
            let wrong = answer.algorithm.ha1("Mufasa", &answer.realm, "guessed");
            assert!(!answer.is_right(&wrong, GET), "{text}");
            assert_eq!(answer.count.is_none(), text == uncounted);
        }
    }

    #[test]
    fn what_answers_nothing_is_named() {
        let without = |part: &str| COUNTED.replace(part, "x=y");
        for (text, expected) in [
            ("Basic abc".to_owned(), NoAnswer::Scheme),
            (without("nc=00000001"), NoAnswer::Field("nc")),
            (COUNTED.replace("00000001", "1"), NoAnswer::Field("nc")),
            (COUNTED.replace("00000001", "+0000001"), NoAnswer::Field("nc")),
            (without("cnonce=\"0a4f113b\""), NoAnswer::Field("cnonce")),
            (without("username=\"Mufasa\""), NoAnswer::Field("username")),
            (COUNTED.replace("qop=auth", "qop=auth-int"), NoAnswer::Field("qop")),
            (format!("{COUNTED}, algorithm=MD5-sess"), NoAnswer::Algorithm),
        ] {
            assert_eq!(Answer::read(&credentials(&text)), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_challenge_is_answered_and_its_answer_good_once() {
        let (key, source) = (NonceKey::new([1; 32]), "192.0.2.1".parse().unwrap());
        let nonce = key.make("scope", source, 100, 1);
        let challenge = Challenge {
            realm: "a \"b\"",
            nonce: &nonce,
            algorithm: Algorithm::Sha256,
            stale: true,
        };
        let text = challenge.to_string();
        let read = credentials(&text);
        assert_eq!(read.get("realm").as_deref(), Some("a \"b\""));
        assert_eq!(read.get("algorithm").as_deref(), Some("SHA-256"));
        assert_eq!(read.get("qop").as_deref(), Some("auth"));
        assert_eq!(read.get("stale").as_deref(), Some("true"));

        let text = COUNTED.replace("dcd98b7102dd2f0e8b11d0f600bfb0c093", &nonce);
        let text = text.replace("testrealm@host.com", "scope");
        let credentials = credentials(&text);
        let answer = Answer::read(&credentials).unwrap();
        let nonce = answer.nonce(&key, source, 110).unwrap();
        let mut replays = Replays::default();
        assert_eq!(replays.take(nonce, answer.count, 110), Ok(()));
        assert_eq!(replays.take(nonce, answer.count, 111), Err(Replayed));
        assert_eq!(answer.nonce(&key, source, 1000), Err(BadNonce::Stale));
    }
}
