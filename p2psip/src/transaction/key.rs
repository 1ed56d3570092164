//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).
//!
//! A key is a keyed hash: it takes 16 bytes whatever the message holds, keeps no message's memory, and
//! nobody outside can make two that are the same.

use crate::message::{BadField, Host, Message, Method};

/// What transactions are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u128);

/// Makes keys.
#[derive(Clone)]
pub struct Keys([u8; 32]);

impl Keys {
    /// From 32 bytes that nobody can guess. Keys of two makers have nothing to do with each other.
    pub fn new(secret: [u8; 32]) -> Keys {
        Keys(secret)
    }

    /// The server's transaction a request belongs to. An ACK belongs to its INVITE's, unless that was
    /// accepted.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn server(&self, request: &Message) -> Result<Key, BadField> {
        self.server_as(request, request.cseq()?.method)
    }

    /// The transaction a CANCEL is to cancel (§9.2): only an INVITE can be.
    ///
    /// # Errors
    /// [`BadField`], for a request that is not in form.
    pub fn cancelled(&self, cancel: &Message) -> Result<Key, BadField> {
        self.server_as(cancel, Method::Invite)
    }

    /// The client's transaction a response belongs to.
    ///
    /// # Errors
    /// [`BadField`], for a response that is not in form.
    pub fn client(&self, response: &Message) -> Result<Key, BadField> {
        let via = response.top_via()?;
        Ok(self.client_of(via.branch().unwrap_or_default(), response.cseq()?.method))
    }

    /// The client's transaction of a request that is sent with a branch.
    pub fn client_of(&self, branch: &str, method: Method<'_>) -> Key {
        let mut hash = Hash::new(self, b'c');
        hash.part(branch.as_bytes());
        hash.part(method.as_str().as_bytes());
        hash.finish()
    }

    fn server_as(&self, request: &Message, method: Method<'_>) -> Result<Key, BadField> {
        let via = request.top_via()?;
        let method = if method == Method::Ack { Method::Invite } else { method };
        let mut hash = Hash::new(self, b's');
        hash.part(method.as_str().as_bytes());
        match via.host {
            Host::Name(name) => hash.part(name.to_ascii_lowercase().as_bytes()),
            Host::V4(ip) => hash.part(&ip.octets()),
            Host::V6(ip) => hash.part(&ip.octets()),
        }
        hash.part(&via.port_or_default().to_be_bytes());
        if let Some(branch) = via.unique_branch() {
            hash.part(branch.as_bytes());
            return Ok(hash.finish());
        }
        // What was before RFC 3261 has no branch to go by. The To of an ACK has the response's tag, that
        // of its INVITE has none: it is left out for both.
        hash.part(request.request_uri_bytes());
        hash.part(request.from()?.tag().unwrap_or_default().as_bytes());
        hash.part(request.call_id()?.as_bytes());
        hash.part(&request.cseq()?.number.to_be_bytes());
        hash.part(via.params.as_str().as_bytes());
        if method != Method::Invite {
            hash.part(request.to()?.tag().unwrap_or_default().as_bytes());
        }
        Ok(hash.finish())
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

struct Hash(blake3::Hasher);

impl Hash {
    fn new(keys: &Keys, kind: u8) -> Hash {
        let mut hash = Hash(blake3::Hasher::new_keyed(&keys.0));
        hash.part(&[kind]);
        hash
    }

    /// With its length, so that no two lists of parts are the same bytes.
    fn part(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> Key {
        let mut key = [0; 16];
        key.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        Key(u128::from_be_bytes(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn request(method: &str, via: &str, to: &str, number: u32) -> Message {
        let text = format!(
            "{method} sip:b@h SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@h>;tag=f\r\nTo: {to}\r\n\
             Call-ID: c\r\nCSeq: {number} {method}\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    const VIA: &str = "SIP/2.0/UDP h.test;branch=z9hG4bK1";
    const OLD: &str = "SIP/2.0/UDP h.test;branch=1";

    #[test]
    fn requests_of_one_transaction_have_one_key() {
        let keys = Keys::new([1; 32]);
        let key = |method, via, to, number| keys.server(&request(method, via, to, number)).unwrap();
        for via in [VIA, OLD] {
            let invite = key("INVITE", via, "<sip:b@h>", 1);
            assert_eq!(invite, key("INVITE", via, "<sip:b@h>", 1));
            assert_eq!(invite, key("ACK", via, "<sip:b@h>;tag=t", 1));
            let cancel = request("CANCEL", via, "<sip:b@h>", 1);
            assert_eq!(invite, keys.cancelled(&cancel).unwrap());
            assert_ne!(invite, keys.server(&cancel).unwrap());
            assert_ne!(invite, key("BYE", via, "<sip:b@h>", 1));
        }
        let names = key("BYE", "SIP/2.0/TCP H.TEST:5060 ;x;branch=z9hG4bK1", "<sip:z>", 9);
        assert_eq!(names, key("BYE", VIA, "<sip:b@h>", 1));
    }

    #[test]
    fn requests_of_two_transactions_have_two_keys() {
        let keys = Keys::new([1; 32]);
        let key = |method, via, to, number| keys.server(&request(method, via, to, number)).unwrap();
        let one = key("BYE", VIA, "<sip:b@h>", 1);
        assert_ne!(one, key("BYE", "SIP/2.0/UDP h.test;branch=z9hG4bK2", "<sip:b@h>", 1));
        assert_ne!(one, key("BYE", "SIP/2.0/UDP i.test;branch=z9hG4bK1", "<sip:b@h>", 1));
        assert_ne!(one, key("BYE", "SIP/2.0/UDP h.test:1;branch=z9hG4bK1", "<sip:b@h>", 1));
        let old = key("BYE", OLD, "<sip:b@h>", 1);
        assert_ne!(old, key("BYE", OLD, "<sip:b@h>;tag=t", 1));
        assert_ne!(old, key("BYE", OLD, "<sip:b@h>", 2));
        assert_ne!(old, Keys::new([2; 32]).server(&request("BYE", OLD, "<sip:b@h>", 1)).unwrap());
    }

    #[test]
    fn a_response_is_its_branch_and_method_s() {
        let keys = Keys::new([1; 32]);
        let text =
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP any;branch=z9hG4bK1\r\nCSeq: 1 CANCEL\r\n\r\n";
        let response = Message::parse(Bytes::from(text)).unwrap();
        let key = keys.client(&response).unwrap();
        assert_eq!(key, keys.client_of("z9hG4bK1", Method::Cancel));
        assert_ne!(key, keys.client_of("z9hG4bK1", Method::Invite));
    }
}
