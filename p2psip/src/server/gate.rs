//! The gate protected names pass by: challenges, and what is made of the answers (RFC 3261 §22, RFC 8760).
//!
//! ```text
//!   no answer, or a nonce that is not ours or used ──► 401/407 with a new nonce (stale, if one was given)
//!   wrong ──► 401/407, and a guess less            ──► no guesses left: 403
//!   right ──► in
//! ```

use std::net::IpAddr;

use base::Rate;

use super::limits::{Buckets, group};
use crate::accounts::{Account, REALM};
use crate::digest::{Algorithm, Answer, Challenge, NonceKey, Replays};
use crate::domain::Domain;
use crate::message::{HeaderName, Message, Method, Rejection, Status, Uri};

/// What a wrong answer costs of [`GUESSES`].
const GUESS: u64 = 20;
/// Ten wrong passwords of one name from one address at once, and then one in twenty seconds: enough for
/// whoever mistypes, and nothing against a password of 64 bits.
const GUESSES: Rate = Rate { burst: 10 * GUESS, per_second: 1 };

/// Who asks for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A registrar (401).
    Registrar,
    /// A proxy (407).
    Proxy,
}

impl Asker {
    const fn headers(self) -> (HeaderName, HeaderName) {
        match self {
            Asker::Registrar => (HeaderName::Authorization, HeaderName::WwwAuthenticate),
            Asker::Proxy => (HeaderName::ProxyAuthorization, HeaderName::ProxyAuthenticate),
        }
    }

    const fn status(self) -> Status {
        match self {
            Asker::Registrar => Status::UNAUTHORIZED,
            Asker::Proxy => Status::PROXY_AUTHENTICATION_REQUIRED,
        }
    }
}

/// Remembers which nonces were used, and who guessed.
#[derive(Debug)]
pub(super) struct Gate {
    nonces: NonceKey,
    replays: Replays,
    guesses: Buckets<(IpAddr, Box<str>)>,
}

impl Gate {
    /// With 32 bytes that nobody can guess.
    pub(super) fn new(secret: [u8; 32]) -> Gate {
        let guesses = Buckets::new(GUESSES);
        Gate { nonces: NonceKey::new(secret), replays: Replays::default(), guesses }
    }

    /// Whether a request proves to know an account's password.
    ///
    /// # Errors
    /// [`Rejection`], the answer: a challenge, 403 for who has guessed too often, or 400.
    pub(super) fn check(
        &mut self,
        account: &Account,
        request: &Message,
        asker: Asker,
        source: IpAddr,
        domain: &Domain,
        now_ms: u64,
    ) -> Result<(), Rejection> {
        let now_s = now_ms / 1000;
        let guesser = (group(source), account.user.clone());
        let challenge = |stale| {
            let nonce = self.nonces.make(REALM, source, now_s, fastrand::u64(..));
            let algorithm = algorithm_for(account, request);
            let value = Challenge { realm: REALM, nonce: &nonce, algorithm, stale }.to_string();
            let header = Some((asker.headers().1, value));
            Err(Rejection { header, ..Rejection::new(asker.status()) })
        };
        let given = match asker.headers().0 {
            HeaderName::Authorization => request.authorization().flatten().collect::<Vec<_>>(),
            _ => request.proxy_authorization().flatten().collect(),
        };
        let mut given = given.iter().filter_map(|given| Answer::read(given).ok());
        // Others may be for other realms on the way (§22.3).
        let Some(answer) = given.rfind(|answer| answer.realm == REALM) else {
            return challenge(false);
        };
        let Some(ha1) = account.ha1(answer.algorithm) else { return challenge(false) };
        // Of another super-node, or of before this one started, is not worth a question to anybody. It
        // is not said whether the rest of the answer was right.
        let Ok(nonce) = answer.nonce(&self.nonces, source, now_s) else { return challenge(true) };
        if !self.guesses.has(&guesser, GUESS, now_ms) {
            let wait = (HeaderName::RetryAfter, GUESS.to_string());
            let reason = "Too Many Wrong Passwords: Wait Before You Try Again";
            return Err(Rejection {
                header: Some(wait),
                ..Rejection::with_reason(Status::FORBIDDEN, reason)
            });
        }
        let method = request.method().unwrap_or(Method::Other(""));
        if *answer.user != *account.user || !answer.is_right(ha1, method) {
            // Somebody without any left was told above.
            let _ = self.guesses.take(guesser, GUESS, now_ms);
            return challenge(false);
        }
        if !is_of(&answer, request, domain) {
            let reason = "The Digest Is For Another Request-URI";
            return Err(Rejection::with_reason(Status::BAD_REQUEST, reason));
        }
        match self.replays.take(nonce, answer.count, now_s) {
            Ok(()) => Ok(()),
            Err(_) => challenge(true),
        }
    }
}

/// Whether an answer was made for the request it is in: phones and the proxies before us write one
/// address of ours in several ways.
fn is_of(answer: &Answer<'_>, request: &Message, domain: &Domain) -> bool {
    if answer.uri.as_bytes() == request.request_uri_bytes() {
        return true;
    }
    let (Ok(said), Ok(asked)) = (Uri::parse(&answer.uri), request.request_uri()) else {
        return false;
    };
    said == asked
        || (said.user_decoded() == asked.user_decoded()
            && domain.is_ours(&said)
            && domain.is_ours(&asked))
}

/// MD5 alone, unless the phone is known to cope: there are some that fail when they are offered SHA-256,
/// alone or beside it.
fn algorithm_for(account: &Account, request: &Message) -> Algorithm {
    let agent = request.fields_of(HeaderName::UserAgent).next().map(|field| field.value);
    let copes = agent.is_some_and(|agent| agent.starts_with(b"Linphone"));
    if copes && account.sha256.is_some() { Algorithm::Sha256 } else { Algorithm::Md5 }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const SOURCE: &str = "192.0.2.7";

    fn request(lines: &str) -> Message {
        let text = format!(
            "REGISTER sip:scope SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n\
             From: <sip:anna@scope>;tag=1\r\nTo: <sip:anna@scope>\r\nCall-ID: c\r\n\
             CSeq: 1 REGISTER\r\n{lines}\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn check(gate: &mut Gate, request: &Message, now_ms: u64) -> Result<(), Rejection> {
        let (account, source) = (Account::new("anna", "secret"), SOURCE.parse().unwrap());
        let domain = Domain::new(["192.0.2.1:5060".parse().unwrap()]);
        gate.check(&account, request, Asker::Registrar, source, &domain, now_ms)
    }

    /// What a phone answers to a challenge.
    fn answered(challenge: &Rejection, password: &str, count: u32, uri: &str) -> Message {
        let (name, value) = challenge.header.clone().unwrap();
        assert_eq!(name, HeaderName::WwwAuthenticate);
        let read = crate::message::Credentials::parse(value.as_bytes()).unwrap();
        let nonce = read.get("nonce").unwrap();
        let algorithm = Algorithm::of(read.get("algorithm").as_deref()).unwrap();
        let response = response(algorithm, password, &nonce, count, uri);
        request(&format!(
            "Authorization: Digest username=\"anna\", realm=\"scope\", nonce=\"{nonce}\", \
             uri=\"{uri}\", qop=auth, nc={count:08x}, cnonce=\"x\", algorithm={}, \
             response=\"{response}\"\r\n",
            algorithm.as_str()
        ))
    }

    fn response(
        algorithm: Algorithm,
        password: &str,
        nonce: &str,
        count: u32,
        uri: &str,
    ) -> String {
        let ha1 = algorithm.ha1("anna", REALM, password);
        // The same hash of parts, whatever they are.
        let ha2 = algorithm.hash(&[b"REGISTER", uri.as_bytes()]);
        let count = format!("{count:08x}");
        let parts = [&*ha1, nonce, &count, "x", "auth", &ha2];
        algorithm.hash(&parts.map(str::as_bytes))
    }

    fn is_stale(rejection: &Rejection) -> bool {
        assert_eq!(rejection.status, Status::UNAUTHORIZED);
        rejection.header.as_ref().unwrap().1.ends_with("stale=true")
    }

    #[test]
    fn the_password_opens_and_each_answer_does_so_once() {
        let mut gate = Gate::new([1; 32]);
        let first = check(&mut gate, &request(""), 0).unwrap_err();
        assert!(!is_stale(&first));
        let right = answered(&first, "secret", 1, "sip:scope");
        assert_eq!(check(&mut gate, &right, 0), Ok(()));
        assert!(is_stale(&check(&mut gate, &right, 1).unwrap_err()), "a replay");
        assert_eq!(check(&mut gate, &answered(&first, "secret", 2, "sip:scope"), 2), Ok(()));
        let late = answered(&first, "secret", 3, "sip:scope");
        assert!(is_stale(&check(&mut gate, &late, 400_000).unwrap_err()));
        let wrong = answered(&first, "guess", 4, "sip:scope");
        assert!(!is_stale(&check(&mut gate, &wrong, 3).unwrap_err()));
        let other = answered(&first, "secret", 5, "sip:elsewhere@scope");
        assert_eq!(check(&mut gate, &other, 3).unwrap_err().status, Status::BAD_REQUEST);
        let another_node_s = &mut Gate::new([2; 32]);
        assert!(is_stale(
            &check(another_node_s, &answered(&first, "guess", 1, "sip:scope"), 0).unwrap_err()
        ));
    }

    #[test]
    fn guesses_are_few_and_then_even_the_right_one_waits() {
        let mut gate = Gate::new([1; 32]);
        let first = check(&mut gate, &request(""), 0).unwrap_err();
        for count in 1..=10 {
            let wrong = answered(&first, "guess", count, "sip:scope");
            assert!(!is_stale(&check(&mut gate, &wrong, 0).unwrap_err()));
        }
        let right = answered(&first, "secret", 11, "sip:scope");
        let refused = check(&mut gate, &right, 0).unwrap_err();
        assert_eq!(refused.status, Status::FORBIDDEN);
        assert_eq!(check(&mut gate, &right, 21_000), Ok(()));
    }

    #[test]
    fn only_a_phone_known_to_cope_is_offered_more_than_md5() {
        let mut gate = Gate::new([1; 32]);
        for (agent, algorithm) in [("baresip v1.0.0", "MD5"), ("LinphoneAndroid/5.2", "SHA-256")] {
            let asked = check(&mut gate, &request(&format!("User-Agent: {agent}\r\n")), 0);
            let value = asked.unwrap_err().header.unwrap().1;
            assert!(value.contains(&format!("algorithm={algorithm},")), "{value}");
        }
    }
}
