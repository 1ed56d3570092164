//! SIP messages as text: just enough to write requests and to look at what comes back.

use std::net::SocketAddr;

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// From where.
    pub(crate) from: SocketAddr,
    text: String,
}

impl Heard {
    /// What came in a datagram.
    pub(crate) fn new(bytes: &[u8], from: SocketAddr) -> Heard {
        Heard { from, text: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// All of it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The status code of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> Option<&str> {
        let first = self.text.lines().next()?;
        first.strip_suffix(" SIP/2.0")?.split(' ').next()
    }

    /// The values of a field, each line by itself. Only full names are looked for: nothing here uses others.
    pub(crate) fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.fields(name).next().map(str::to_owned)
    }

    /// The body.
    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// A response to this request.
    pub(crate) fn reply(
        &self,
        status: &str,
        tag: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in self.fields(name) {
                let tagged = name != "To" || value.contains(";tag=") || tag.is_empty();
                let tag = if tagged { String::new() } else { format!(";tag={tag}") };
                text.push_str(&format!("{name}: {value}{tag}\r\n"));
            }
        }
        finish(text, more, body)
    }
}

/// Puts the rest to the head of a message.
pub(crate) fn finish(mut head: String, more: &[(&str, &str)], body: &str) -> String {
    for (name, value) in more {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:bob@scope SIP/2.0\r\nVia: one\r\nVia: two\r\nTo: <sip:bob@scope>\r\n\
                          CSeq: 1 INVITE\r\n\r\nbody";

    #[test]
    fn a_reply_carries_what_a_request_brought() {
        let heard = Heard::new(INVITE.as_bytes(), "192.0.2.1:5060".parse().unwrap());
        assert_eq!(heard.method(), Some("INVITE"));
        assert_eq!((heard.status(), heard.body()), (None, "body"));
        let reply = heard.reply("200 OK", "7", &[("Contact", "<sip:b@h>")], "");
        let reply = Heard::new(reply.as_bytes(), heard.from);
        assert_eq!(reply.status(), Some(200));
        assert_eq!(reply.fields("via").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(reply.field("To").as_deref(), Some("<sip:bob@scope>;tag=7"));
        assert_eq!(reply.field("contact").as_deref(), Some("<sip:b@h>"));
    }
}
