//! Flow tokens (RFC 5626 §5.2): a flow as text that goes out into the world and comes back. It is under a
//! key of this process, so that nobody can name a flow that was not given to them.

use std::net::{IpAddr, SocketAddr};

use super::{Carrier, Flow};

/// The length of the code that proves a token ours: nobody tries 2^80 of them.
const CODE: usize = 10;
/// The longest token's bytes: carrier, connection, IPv6 address, port.
const PLAIN_MAX: usize = 1 + 8 + 16 + 2;

const UDP: u8 = b'u';
const TCP: u8 = b't';
const WEB_SOCKET: u8 = b'w';
const ONWARD: u8 = b'o';

/// What a token means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// On by this flow, and no other.
    Flow(Flow),
    /// On by what the message says: its dialog was let through once.
    Onward,
}

/// Why a token means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is none that was made here")]
pub struct BadToken;

/// Makes and reads tokens.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// From 32 bytes that nobody can guess.
    pub fn new(secret: [u8; 32]) -> TokenKey {
        TokenKey(secret)
    }

    /// The token of a flow: digits and small letters.
    pub fn of_flow(&self, flow: &Flow) -> String {
        let mut plain = Vec::with_capacity(PLAIN_MAX);
        plain.push(match flow.carrier {
            Carrier::Udp => UDP,
            Carrier::Tcp => TCP,
            Carrier::WebSocket => WEB_SOCKET,
        });
        if flow.carrier != Carrier::Udp {
            plain.extend(flow.connection.to_be_bytes());
        }
        match flow.peer.ip() {
            IpAddr::V4(ip) => plain.extend(ip.octets()),
            IpAddr::V6(ip) => plain.extend(ip.octets()),
        }
        plain.extend(flow.peer.port().to_be_bytes());
        self.sealed(&plain, "")
    }

    /// The token that lets the requests of one call on.
    pub fn onward(&self, call_id: &str) -> String {
        self.sealed(&[ONWARD], call_id)
    }

    /// What a token means that came with a request of a call.
    ///
    /// # Errors
    /// [`BadToken`], for what was not made by this key (for this call).
    pub fn read(&self, token: &str, call_id: &str) -> Result<Token, BadToken> {
        if token.len() > 2 * (PLAIN_MAX + CODE) || !token.len().is_multiple_of(2) {
            return Err(BadToken);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let pairs = token.as_bytes().chunks_exact(2);
        let bytes: Option<Vec<u8>> =
            pairs.map(|pair| Some((digit(pair[0])? << 4) | digit(pair[1])?)).collect();
        let bytes = bytes.ok_or(BadToken)?;
        let (plain, code) =
            bytes.len().checked_sub(CODE).map(|at| bytes.split_at(at)).ok_or(BadToken)?;
        let bound_to = if plain == [ONWARD] { call_id } else { "" };
        // Every byte is looked at, whatever the first ones were.
        let wrong =
            self.code(plain, bound_to).iter().zip(code).fold(0, |all, (a, b)| all | (a ^ b));
        if wrong != 0 {
            return Err(BadToken);
        }
        if plain == [ONWARD] { Ok(Token::Onward) } else { flow(plain).map(Token::Flow) }
    }

    fn sealed(&self, plain: &[u8], call_id: &str) -> String {
        let code = self.code(plain, call_id);
        let mut text = String::with_capacity(2 * (plain.len() + CODE));
        for byte in plain.iter().chain(&code) {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        text
    }

    fn code(&self, plain: &[u8], call_id: &str) -> [u8; CODE] {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(&[u8::try_from(plain.len()).unwrap_or(u8::MAX)]);
        hash.update(plain);
        hash.update(call_id.as_bytes());
        let mut code = [0; CODE];
        code.copy_from_slice(&hash.finalize().as_bytes()[..CODE]);
        code
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

fn flow(plain: &[u8]) -> Result<Flow, BadToken> {
    let (carrier, rest) = plain.split_first().ok_or(BadToken)?;
    let carrier = match *carrier {
        UDP => Carrier::Udp,
        TCP => Carrier::Tcp,
        WEB_SOCKET => Carrier::WebSocket,
        _ => return Err(BadToken),
    };
    let (connection, rest) = match carrier {
        Carrier::Udp => (0, rest),
        _ => {
            let (connection, rest) = rest.split_first_chunk().ok_or(BadToken)?;
            (u64::from_be_bytes(*connection), rest)
        }
    };
    let (ip, port) = rest.split_last_chunk().ok_or(BadToken)?;
    let ip: IpAddr = match ip.len() {
        4 => <[u8; 4]>::try_from(ip).map_err(|_| BadToken)?.into(),
        _ => <[u8; 16]>::try_from(ip).map_err(|_| BadToken)?.into(),
    };
    Ok(Flow { carrier, peer: SocketAddr::new(ip, u16::from_be_bytes(*port)), connection })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> TokenKey {
        TokenKey::new([byte; 32])
    }

    #[test]
    fn a_flow_comes_back_as_it_went() {
        for flow in [
            Flow::udp("192.0.2.1:5060".parse().unwrap()),
            Flow::udp("[2001:db8::1]:1".parse().unwrap()),
            Flow {
                carrier: Carrier::Tcp,
                peer: "192.0.2.1:65535".parse().unwrap(),
                connection: u64::MAX,
            },
            Flow { carrier: Carrier::WebSocket, peer: "[::1]:80".parse().unwrap(), connection: 7 },
        ] {
            let token = key(1).of_flow(&flow);
            assert_eq!(key(1).read(&token, "any"), Ok(Token::Flow(flow)));
            assert_eq!(key(2).read(&token, "any"), Err(BadToken));
        }
    }

    #[test]
    fn a_dialog_s_token_is_good_for_its_call_only() {
        let token = key(1).onward("call");
        assert_eq!(key(1).read(&token, "call"), Ok(Token::Onward));
        assert_eq!(key(1).read(&token, "other"), Err(BadToken));
    }

    proptest! {
        #[test]
        fn what_was_changed_or_made_up_is_refused(
            at in 0_usize..34, with in "[0-9a-zA-Z]", made_up in "\\PC{0,90}",
        ) {
            let token = key(1).of_flow(&Flow::udp("192.0.2.1:5060".parse().unwrap()));
            prop_assert_eq!(token.len(), 34);
            let mut changed = token.clone();
            changed.replace_range(at..=at, &with);
            let same = changed.eq_ignore_ascii_case(&token);
            prop_assert_eq!(key(1).read(&changed, "").is_ok(), same);
            prop_assert!(key(1).read(&made_up, "").is_err());
        }
    }
}
