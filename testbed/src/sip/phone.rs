//! A light UDP phone whose every byte is ours to choose: for crowds, and for what no proper phone sends.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::text::{Heard, finish};

/// When a request is sent again, and after twice that (T1, RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);
/// No request but an INVITE is sent again later than this (T2, RFC 3261 §17.1.2.1).
const T2: Duration = Duration::from_secs(4);

/// A phone.
#[derive(Debug)]
pub(crate) struct Phone {
    socket: UdpSocket,
    address: SocketAddr,
    user: String,
    /// Its super-node.
    pub(crate) node: SocketAddr,
    sequence: u32,
}

impl Phone {
    /// A phone at an address of its own: what limits one address does not limit the others.
    pub(crate) fn new(user: &str, ip: impl Into<IpAddr>, node: SocketAddr) -> Result<Phone> {
        let socket = UdpSocket::bind((ip.into(), 0)).context("cannot bind a phone")?;
        let address = socket.local_addr()?;
        Ok(Phone { socket, address, user: user.to_owned(), node, sequence: 0 })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its Contact.
    pub(crate) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.address)
    }

    /// A new request of its own, outside of any dialog, to a URI.
    pub(crate) fn request(
        &mut self,
        method: &str,
        uri: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> String {
        self.sequence += 1;
        let (user, address, sequence) = (&self.user, self.address, self.sequence);
        let to = if method == "REGISTER" { format!("sip:{user}@scope") } else { uri.to_owned() };
        let unique = format!("{user}-{}-{sequence}", address.port());
        let head = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{unique};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@scope>;tag={unique}\r\nTo: <{to}>\r\n\
             Call-ID: {unique}\r\nCSeq: {sequence} {method}\r\n"
        );
        finish(head, more, body)
    }

    /// A REGISTER for so many seconds.
    pub(crate) fn registration(&mut self, seconds: u32, more: &[(&str, &str)]) -> String {
        let (contact, seconds) = (self.contact(), seconds.to_string());
        let mut fields = vec![("Contact", contact.as_str()), ("Expires", seconds.as_str())];
        fields.extend(more);
        self.request("REGISTER", "sip:scope", &fields, "")
    }

    /// Registers, and has to be granted it.
    pub(crate) fn register(&mut self, limit: Duration) -> Result<Heard> {
        let request = self.registration(120, &[]);
        let answer = self.ask(&request, limit)?;
        match answer.status() {
            Some(200) => Ok(answer),
            _ => bail!("{} is not registered:\n{}", self.user, answer.as_str()),
        }
    }

    /// Sends bytes to its super-node.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.send_to(bytes, self.node)
    }

    /// Sends bytes.
    pub(crate) fn send_to(&self, bytes: impl AsRef<[u8]>, to: SocketAddr) -> Result<()> {
        self.socket.send_to(bytes.as_ref(), to).context("cannot send")?;
        Ok(())
    }

    /// The next message, if one comes until then.
    pub(crate) fn hear(&self, deadline: Instant) -> Result<Option<Heard>> {
        let mut buffer = vec![0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => return Ok(Some(Heard::new(&buffer[..length], from))),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if left.is_zero() {
                        return Ok(None);
                    }
                }
                // Nobody listens where something was sent.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
    }

    /// The next message that `wanted` is true of.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Heard) -> bool,
    ) -> Result<Heard> {
        let deadline = Instant::now() + limit;
        while let Some(heard) = self.hear(deadline)? {
            if wanted(&heard) {
                return Ok(heard);
            }
        }
        bail!("{}: no {what} within {limit:?}", self.user)
    }

    /// The final response to a request of its own, which is sent again as often as RFC 3261 has it.
    pub(crate) fn ask(&self, request: &str, limit: Duration) -> Result<Heard> {
        let mut answers = self.ask_all(&[request], limit)?;
        answers.pop().context("no answer")
    }

    /// The final responses to requests of its own that are under way at a time, in the order they come.
    pub(crate) fn ask_all(
        &self,
        requests: &[impl AsRef<str>],
        limit: Duration,
    ) -> Result<Vec<Heard>> {
        let mut asked: Vec<Asked<'_>> =
            requests.iter().map(|request| Asked::new(request.as_ref())).collect();
        let (mut answers, deadline) = (Vec::new(), Instant::now() + limit);
        let mut wait = T1;
        while Instant::now() < deadline {
            for asked in asked.iter().filter(|asked| !asked.provisional) {
                self.send(asked.request)?;
            }
            let until = deadline.min(Instant::now() + wait);
            while let Some(heard) = self.hear(until)? {
                let Some(status) = heard.status() else { continue };
                let Some(at) = asked.iter().position(|asked| asked.is_answered_by(&heard)) else {
                    continue;
                };
                if status < 200 {
                    asked[at].provisional = true;
                    continue;
                }
                asked.swap_remove(at);
                answers.push(heard);
                if asked.is_empty() {
                    return Ok(answers);
                }
            }
            wait = T2.min(wait * 2);
        }
        let silent = asked.first().map_or("", |asked| asked.request);
        bail!("{}: no answer of {} within {limit:?} to\n{silent}", self.user, self.node)
    }

    /// The status of the final response.
    pub(crate) fn status(&self, request: &str, limit: Duration) -> Result<u16> {
        self.ask(request, limit)?.status().context("a response without a status")
    }
}

/// A request that waits for its final response.
struct Asked<'a> {
    request: &'a str,
    call_id: Option<String>,
    sequence: Option<String>,
    /// Whoever is asked has it, so that it need not be sent again.
    provisional: bool,
}

impl<'a> Asked<'a> {
    fn new(request: &'a str) -> Asked<'a> {
        let read = Heard::new(request.as_bytes(), (Ipv4Addr::UNSPECIFIED, 0).into());
        let (call_id, sequence) = (read.field("Call-ID"), read.field("CSeq"));
        Asked { request, call_id, sequence, provisional: false }
    }

    fn is_answered_by(&self, heard: &Heard) -> bool {
        heard.field("Call-ID") == self.call_id && heard.field("CSeq") == self.sequence
    }
}
