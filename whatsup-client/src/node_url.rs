//! Which super-node a client speaks to.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Where a super-node takes HTTP when nothing else is said.
pub const PORT: u16 = 5851;

/// Where the node takes XML-RPC when the URL does not say.
const PATH: &str = "/RPC2";

/// The HTTP address of a super-node: a URL, or a host with or without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeUrl {
    /// A name or an address, without brackets.
    host: String,
    port: u16,
    path: String,
}

/// A text that does not name a super-node; each says what would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANode {
    /// Another scheme than `http`.
    #[error("expected http://HOST:PORT; other schemes are not spoken here")]
    Scheme,
    /// No host, or one with characters a host cannot have.
    #[error("expected a host name or IP address, as in http://192.0.2.1:5851 or laptop.local:5851")]
    Host,
    /// An IPv6 address whose end cannot be told from a port.
    #[error("expected an IPv6 address in brackets, as in http://[2001:db8::1]:5851")]
    Brackets,
    /// A port that is not a number from 1 to 65535.
    #[error("expected a port from 1 to 65535, as in http://127.0.0.1:5851")]
    Port,
    /// A user, query or fragment, or a path with characters a path cannot have.
    #[error("expected nothing but host, port and path, as in http://127.0.0.1:5851/RPC2")]
    Rest,
}

impl NodeUrl {
    /// The super-node on this machine, at its default port.
    pub fn local() -> NodeUrl {
        NodeUrl { host: "127.0.0.1".into(), port: PORT, path: PATH.into() }
    }

    /// The host, as a resolver takes it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the node takes XML-RPC.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host and port, as HTTP's `Host` has them.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())?;
        if self.path == PATH { Ok(()) } else { f.write_str(&self.path) }
    }
}

impl FromStr for NodeUrl {
    type Err = NotANode;

    fn from_str(text: &str) -> Result<NodeUrl, NotANode> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(NotANode::Scheme),
            None => text,
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        if authority.contains(['@', '?', '#']) || !is_path(path) {
            return Err(NotANode::Rest);
        }
        let (host, port) = split_port(authority)?;
        let path = if path == "/" { PATH } else { path };
        Ok(NodeUrl { host: host.into(), port, path: path.into() })
    }
}

/// Takes the host and the port, or the default one, out of `HOST:PORT` or `[IPV6]:PORT`.
fn split_port(authority: &str) -> Result<(&str, u16), NotANode> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']').ok_or(NotANode::Brackets)?;
            address.parse::<Ipv6Addr>().map_err(|_| NotANode::Host)?;
            (address, port)
        }
        None => {
            let colon = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(colon);
            // Such a host is at most one end of an IPv6 address; its port would be the rest.
            if port.matches(':').count() > 1 {
                return Err(NotANode::Brackets);
            }
            is_name(host).then_some(()).ok_or(NotANode::Host)?;
            (host, port)
        }
    };
    match port.strip_prefix(':') {
        Some(port) => Ok((host, parse_port(port)?)),
        None if port.is_empty() => Ok((host, PORT)),
        None => Err(NotANode::Port),
    }
}

fn parse_port(text: &str) -> Result<u16, NotANode> {
    // `u16` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or(NotANode::Port)
}

/// Whether the text can be a host name or an IPv4 address. Underscores do occur in local names.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// Whether the text is a path that can go into a request line as it is, without a query.
fn is_path(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_url_or_a_host_with_or_without_a_port() {
        for (text, host, port, path, shown) in [
            ("http://127.0.0.1:5851", "127.0.0.1", 5851, "/RPC2", "http://127.0.0.1:5851"),
            ("http://127.0.0.1:5851/", "127.0.0.1", 5851, "/RPC2", "http://127.0.0.1:5851"),
            ("HTTP://laptop", "laptop", 5851, "/RPC2", "http://laptop:5851"),
            ("laptop", "laptop", 5851, "/RPC2", "http://laptop:5851"),
            ("my_box.local:80", "my_box.local", 80, "/RPC2", "http://my_box.local:80"),
            ("http://h:9/a/b", "h", 9, "/a/b", "http://h:9/a/b"),
            ("[::1]", "::1", 5851, "/RPC2", "http://[::1]:5851"),
            ("http://[2001:db8::1]:70", "2001:db8::1", 70, "/RPC2", "http://[2001:db8::1]:70"),
        ] {
            let node: NodeUrl = text.parse().unwrap();
            assert_eq!((node.host(), node.port(), node.path()), (host, port, path), "{text}");
            assert_eq!(node.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(node), "{text}: reads back");
        }
        assert_eq!("http://127.0.0.1:5851".parse(), Ok(NodeUrl::local()));
    }

    #[test]
    fn what_is_no_node_is_told_what_one_looks_like() {
        for (text, error) in [
            ("https://laptop", NotANode::Scheme),
            ("ftp://laptop", NotANode::Scheme),
            ("", NotANode::Host),
            ("http://", NotANode::Host),
            (":5851", NotANode::Host),
            ("a b", NotANode::Host),
            ("münchen", NotANode::Host),
            ("[laptop]", NotANode::Host),
            ("::1", NotANode::Brackets),
            ("2001:db8::1:5851", NotANode::Brackets),
            ("[::1", NotANode::Brackets),
            ("laptop:", NotANode::Port),
            ("laptop:0", NotANode::Port),
            ("laptop:+80", NotANode::Port),
            ("laptop:65536", NotANode::Port),
            ("laptop:http", NotANode::Port),
            ("[::1]5851", NotANode::Port),
            ("http://me@laptop", NotANode::Rest),
            ("laptop?x", NotANode::Rest),
            ("http://laptop/x?y", NotANode::Rest),
            ("http://laptop/a b", NotANode::Rest),
            ("http://laptop/a\r\nb", NotANode::Rest),
        ] {
            assert_eq!(text.parse::<NodeUrl>(), Err(error), "{text}");
        }
    }
}
