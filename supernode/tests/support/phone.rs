//! The plainest of telephones: one socket, no timers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use p2psip::digest::Algorithm;

/// Longest wait for anything: a slow, shared machine is slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

enum Wire {
    Udp(UdpSocket),
    WebSocket(TcpStream),
}

/// A phone at one super-node.
pub struct Phone {
    wire: Wire,
    node: String,
    /// What its Contact says; its own address, if it can be reached there.
    contact: String,
    transport: &'static str,
    name: String,
    sent: u32,
    /// Whom the last message came from, over UDP: who asked is answered.
    from: Option<SocketAddr>,
}

impl Phone {
    fn over_udp(node: &str) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let contact = socket.local_addr().unwrap().to_string();
        let name = contact.clone();
        let (node, transport) = (node.to_owned(), "UDP");
        Phone { wire: Wire::Udp(socket), node, contact, transport, name, sent: 0, from: None }
    }

    /// One that says where it is.
    pub fn at(node: &str) -> Phone {
        Phone::over_udp(node)
    }

    /// One that says another address than it has, as behind a translator, and so is reached by the
    /// super-node it registers at only.
    pub fn behind_a_flow(node: &str) -> Phone {
        Phone { contact: "192.0.2.77:5060".into(), ..Phone::over_udp(node) }
    }

    /// A browser's.
    pub fn by_web_socket(http: &str) -> Phone {
        let mut stream = TcpStream::connect(http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET /sip HTTP/1.1\r\nHost: {http}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: sip\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        assert!(answer.contains("sec-websocket-protocol: sip\r\n"), "{answer}");
        let name = stream.local_addr().unwrap().to_string();
        let (contact, transport) = ("x.invalid;transport=ws".into(), "WS");
        let wire = Wire::WebSocket(stream);
        Phone { wire, node: "scope".into(), contact, transport, name, sent: 0, from: None }
    }

    /// From now on it speaks to another super-node.
    pub fn goes_to(&mut self, node: &str) {
        self.node = node.to_owned();
    }

    /// Registers for so many seconds; the answer.
    pub fn register(&mut self, user: &str, seconds: u32) -> String {
        self.register_with(user, seconds, "")
    }

    /// The same with further lines of a header.
    pub fn register_with(&mut self, user: &str, seconds: u32, more: &str) -> String {
        let fields = format!(
            "Contact: <sip:{user}@{}>;expires={seconds};+sip.instance=\"<urn:uuid:{user}>\"\r\n{more}",
            self.contact
        );
        let aor = format!("sip:{user}@scope");
        self.request("REGISTER", "sip:scope", (&aor, &aor), &fields, "");
        self.receive_final()
    }

    /// Sends a request to somebody.
    pub fn send(&mut self, method: &str, to: &str, from: &str, body: &str) {
        self.send_with(method, to, from, body, "");
    }

    /// The same with further lines of a header.
    pub fn send_with(&mut self, method: &str, to: &str, from: &str, body: &str, more: &str) {
        let fields = format!("Contact: <sip:{from}@{}>\r\n{more}", self.contact);
        let from = format!("sip:{from}@scope");
        self.request(method, to, (to, &from), &fields, body);
    }

    fn request(
        &mut self,
        method: &str,
        uri: &str,
        (to, from): (&str, &str),
        fields: &str,
        body: &str,
    ) {
        self.sent += 1;
        let (name, sent, len) = (&self.name, self.sent, body.len());
        let host = match self.wire {
            Wire::Udp(_) => self.contact.clone(),
            Wire::WebSocket(_) => "x.invalid".to_owned(),
        };
        let text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{} {host};branch=z9hG4bK{sent}.{name};rport\r\n\
             Max-Forwards: 70\r\nFrom: <{from}>;tag={name}\r\nTo: <{to}>\r\n\
             Call-ID: {sent}@{name}\r\nCSeq: {sent} {method}\r\n{fields}\
             Content-Type: text/plain\r\nContent-Length: {len}\r\n\r\n{body}",
            self.transport
        );
        self.write(&text);
    }

    /// Answers a request that came.
    pub fn answer(&mut self, request: &str, status: &str) {
        let kept = ["via:", "from:", "call-id:", "cseq:", "record-route:"];
        let mut answer = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
            let lower = line.to_lowercase();
            if kept.iter().any(|field| lower.starts_with(field)) {
                answer += &format!("{line}\r\n");
            } else if lower.starts_with("to:") {
                let tag = if lower.contains(";tag=") { "" } else { ";tag=callee" };
                answer += &format!("{line}{tag}\r\n");
            }
        }
        answer += "Content-Length: 0\r\n\r\n";
        match (&self.wire, self.from) {
            (Wire::Udp(socket), Some(from)) => {
                socket.send_to(answer.as_bytes(), from).unwrap();
            }
            _ => self.write(&answer),
        }
    }

    /// The next message.
    pub fn receive(&mut self) -> String {
        match &mut self.wire {
            Wire::Udp(socket) => {
                let mut buffer = [0; 65536];
                let (len, from) = socket.recv_from(&mut buffer).unwrap();
                self.from = Some(from);
                String::from_utf8(buffer[..len].to_vec()).unwrap()
            }
            Wire::WebSocket(stream) => {
                let mut head = [0; 2];
                stream.read_exact(&mut head).unwrap();
                let len = match head[1] {
                    126 => {
                        let mut len = [0; 2];
                        stream.read_exact(&mut len).unwrap();
                        usize::from(u16::from_be_bytes(len))
                    }
                    short => usize::from(short),
                };
                let mut text = vec![0; len];
                stream.read_exact(&mut text).unwrap();
                String::from_utf8(text).unwrap()
            }
        }
    }

    /// The next response that is not provisional.
    pub fn receive_final(&mut self) -> String {
        loop {
            let message = self.receive();
            if message.starts_with("SIP/2.0 ") && status(&message) >= 200 {
                return message;
            }
        }
    }

    fn write(&mut self, text: &str) {
        match &mut self.wire {
            Wire::Udp(socket) => {
                socket.send_to(text.as_bytes(), &self.node).unwrap();
            }
            Wire::WebSocket(stream) => {
                // One frame of text, masked by zeros (RFC 6455, section 5.2).
                let len = u16::try_from(text.len()).unwrap();
                let mut frame = vec![0x81, 0x80 | 126];
                frame.extend(len.to_be_bytes());
                frame.extend([0; 4]);
                frame.extend(text.as_bytes());
                stream.write_all(&frame).unwrap();
            }
        }
    }
}

/// What a registrar or a proxy wants a password for (RFC 7616).
pub struct Challenge {
    pub nonce: String,
    /// The field of the answer.
    pub field: &'static str,
}

impl Challenge {
    /// Of a response.
    pub fn read(response: &str) -> Challenge {
        let fields = [
            ("WWW-Authenticate: Digest ", "Authorization"),
            ("Proxy-Authenticate: Digest ", "Proxy-Authorization"),
        ];
        let found = response.lines().find_map(|line| {
            fields
                .iter()
                .find(|(begin, _)| line.starts_with(begin))
                .map(|(_, field)| (line, *field))
        });
        let (line, field) = found.unwrap_or_else(|| panic!("no challenge: {response}"));
        assert!(line.contains("realm=\"scope\"") && line.contains("algorithm=MD5"), "{line}");
        let nonce = line.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
        Challenge { nonce: nonce.unwrap().to_owned(), field }
    }

    /// The line that answers it for a request to a `sip:` address, as this use of the nonce.
    pub fn answer(
        &self,
        method: &str,
        uri: &str,
        user: &str,
        password: &str,
        count: u32,
    ) -> String {
        // The hash of three parts with colons between them, whatever they are.
        let hash = |a: &str, b: &str, c: &str| Algorithm::Md5.ha1(a, b, c);
        let (scheme, rest) = uri.split_once(':').unwrap();
        let (ha1, ha2) = (hash(user, "scope", password), hash(method, scheme, rest));
        let response = hash(&ha1, &self.nonce, &format!("{count:08x}:c:auth:{ha2}"));
        format!(
            "{}: Digest username=\"{user}\", realm=\"scope\", nonce=\"{}\", \
             uri=\"{uri}\", qop=auth, nc={count:08x}, cnonce=\"c\", algorithm=MD5, \
             response=\"{response}\"\r\n",
            self.field, self.nonce
        )
    }
}

/// A response's code.
pub fn status(response: &str) -> u16 {
    let code = response.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
    code.unwrap_or_else(|| panic!("no response: {response}")).parse().unwrap()
}
