//! Branches of our own: one part is new each time, the other tells whether a request that comes back is
//! the same as it was (RFC 5393 §4.2), which is a loop, or has changed, which is a spiral.

use crate::domain::Domain;
use crate::message::{BadField, HeaderName, MAGIC_COOKIE, Message};

/// Makes branches, and knows them again.
#[derive(Clone)]
pub struct Branch([u8; 32]);

/// Digits of the part that tells a loop.
const LOOP_DIGITS: usize = 12;

impl Branch {
    /// From 32 bytes that nobody can guess.
    pub fn new(secret: [u8; 32]) -> Branch {
        Branch(secret)
    }

    /// A branch for a request that is passed on. `unique` is never the same twice.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn make(&self, request: &Message, unique: u64) -> Result<String, BadField> {
        Ok(format!("{MAGIC_COOKIE}{unique:x}.{}", self.of_loop(request)?))
    }

    /// The branch for the ACK of a 2xx, which has no transaction: the same for each repetition, so that
    /// nobody after us takes them for two.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn stateless(&self, request: &Message) -> Result<String, BadField> {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(request.top_via()?.branch().unwrap_or_default().as_bytes());
        let unique = hash.finalize().to_hex();
        Ok(format!("{MAGIC_COOKIE}{}.{}", &unique[..16], self.of_loop(request)?))
    }

    /// Whether this node has passed on just this request before.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn is_loop(&self, request: &Message, domain: &Domain) -> Result<bool, BadField> {
        let mut own = None;
        for via in request.vias().skip(1) {
            let via = via?;
            let Some(ip) = via.host.ip() else { continue };
            if !domain.is_here(ip, via.port_or_default()) {
                continue;
            }
            if own.is_none() {
                own = Some(self.of_loop(request)?);
            }
            let said = via.branch().and_then(|branch| branch.rsplit_once('.'));
            if said.map(|(_, said)| said) == own.as_deref() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything that decides where a request goes.
    fn of_loop(&self, request: &Message) -> Result<String, BadField> {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        let mut part = |bytes: &[u8]| {
            hash.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(bytes);
        };
        part(request.request_uri_bytes());
        part(request.from()?.tag().unwrap_or_default().as_bytes());
        part(request.to()?.tag().unwrap_or_default().as_bytes());
        part(request.call_id()?.as_bytes());
        part(&request.cseq()?.number.to_be_bytes());
        for route in request.values(HeaderName::Route) {
            part(route?);
        }
        Ok(hash.finalize().to_hex()[..LOOP_DIGITS].to_owned())
    }
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Branch(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn request(uri: &str, vias: &str) -> Message {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\n{vias}From: <sip:a@scope>;tag=1\r\nTo: <sip:b@scope>\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    #[test]
    fn a_loop_is_told_from_a_spiral() {
        let branches = Branch::new([1; 32]);
        let domain = Domain::new(["192.0.2.1:5060".parse().unwrap()]);
        let phone = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp\r\n";
        let first = request("sip:b@scope", phone);
        let branch = branches.make(&first, 7).unwrap();
        let between = "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx\r\n";
        let ours = format!("{between}Via: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\n{phone}");
        assert!(!branches.is_loop(&first, &domain).unwrap());
        assert!(branches.is_loop(&request("sip:b@scope", &ours), &domain).unwrap());
        assert!(!branches.is_loop(&request("sip:c@scope", &ours), &domain).unwrap());
        let foreign = ours.replace("192.0.2.1;", "192.0.2.3;");
        assert!(!branches.is_loop(&request("sip:b@scope", &foreign), &domain).unwrap());
    }

    #[test]
    fn an_ack_that_is_repeated_has_one_branch() {
        let branches = Branch::new([1; 32]);
        let ack = request("sip:b@scope", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp\r\n");
        assert_eq!(branches.stateless(&ack).unwrap(), branches.stateless(&ack).unwrap());
        assert_ne!(branches.make(&ack, 1).unwrap(), branches.make(&ack, 2).unwrap());
    }
}
