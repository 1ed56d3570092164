//! What to type into a softphone: as a page for people, as Linphone reads it, and for a terminal. Pure.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use qrcode::QrCode;
use qrcode::render::svg;

use crate::config::SIP_PORT;

/// Longest name, in bytes: what fits on a phone's screen and into a QR code that is easily read.
const USER_MAX: usize = 64;

/// Where a node is: its web address, and SIP's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    web: String,
    sip: SocketAddr,
}

/// A name to telephone under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(String);

/// That is no name to telephone under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name to telephone under has 1 to {USER_MAX} letters, digits, dots, hyphens or underscores, without spaces"
)]
pub struct NotAUser;

impl FromStr for User {
    type Err = NotAUser;

    fn from_str(text: &str) -> Result<User, NotAUser> {
        let text = text.trim().to_lowercase();
        let is_good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let fits = (1..=USER_MAX).contains(&text.len());
        if fits && text.chars().all(is_good) { Ok(User(text)) } else { Err(NotAUser) }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place {
    /// A node that was asked as `host` (of HTTP, with its port) and has SIP at `sip`.
    pub fn new(host: &str, sip: SocketAddr) -> Place {
        // What is no host is not repeated in a page.
        let is_host =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let web = if host.chars().all(is_host) { host.to_owned() } else { String::new() };
        Place { web, sip }
    }

    /// What to give as domain or server: the port is said only if it is not the one phones take.
    fn domain(&self) -> String {
        match (self.sip.port(), self.sip) {
            (SIP_PORT, SocketAddr::V4(v4)) => v4.ip().to_string(),
            (SIP_PORT, SocketAddr::V6(v6)) => format!("[{}]", v6.ip()),
            _ => self.sip.to_string(),
        }
    }
}

/// One line for a terminal.
pub fn hint(sip: SocketAddr) -> String {
    let domain = Place::new("", sip).domain();
    format!(
        "To telephone, give any SIP softphone a name of your choice at {domain}, over UDP or TCP."
    )
}

/// The page. No script: it works in whatever a phone has for a browser.
pub fn page(place: &Place, asked: Option<&Result<User, NotAUser>>) -> String {
    let user = match asked {
        Some(Ok(user)) => Some(user),
        _ => None,
    };
    let wrong = match asked {
        Some(Err(wrong)) => {
            format!("<p class=\"wrong\" role=\"alert\">That does not work: {wrong}.</p>")
        }
        _ => String::new(),
    };
    let (domain, name) = (place.domain(), user.map_or("your name", |user| &user.0));
    let value = user.map_or(String::new(), |user| user.0.clone());
    let linphone = match user.map(|user| (user, code(&provisioning(place, user)))) {
        Some((user, Some(code))) if !place.web.is_empty() => format!(
            "<p>In Linphone choose <b>QR code</b> (or <b>remote provisioning</b>) at the start, and scan \
             this, or give it the address below.</p>\
             <p class=\"code\">{code}</p><p><code>{}</code></p>",
            provisioning(place, user)
        ),
        _ => {
            "<p>Say your name above: then there is a QR code here that sets Linphone up.</p>".into()
        }
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Telephone here</title><style>{STYLE}</style></head><body><main>\
         <h1>Telephone here</h1>\
         <p>Any SIP softphone will do: whoever is at this super-node, or at another one of the same \
         overlay, can call you, and you them.</p>\
         <form action=\"/phone\" method=\"get\"><label for=\"user\">Your name</label>\
         <input id=\"user\" name=\"user\" value=\"{value}\" required maxlength=\"{USER_MAX}\" \
         autocapitalize=\"none\" autocomplete=\"username\" spellcheck=\"false\">\
         <button>Show what to type</button></form>{wrong}\
         <h2>What to type</h2><dl>\
         <dt>User name</dt><dd><code>{name}</code></dd>\
         <dt>Password</dt><dd>none, unless the name is protected</dd>\
         <dt>Domain, server or registrar</dt><dd><code>{domain}</code></dd>\
         <dt>Proxy</dt><dd>none, or <code>sip:{domain}</code></dd>\
         <dt>Transport</dt><dd>UDP; TCP works, too</dd></dl>\
         <p>Then call <code>sip:echo@scope</code> and hear yourself, or anybody by name: \
         <code>sip:anna@scope</code>. If your phone wants a domain it can look up, take <code>{domain}</code> \
         instead of <code>scope</code>.</p>\
         <h2>Linphone</h2>{linphone}\
         <h2>Baresip</h2><p>A line in <code>~/.baresip/accounts</code>:</p>\
         <pre>&lt;sip:{name}@{domain}&gt;;auth_pass=;regint=60</pre>\
         <h2>MicroSIP, Zoiper, Jami, Twinkle</h2><p>Add a SIP account with the user name and the domain \
         above. Leave the password empty, or write anything if the program insists on one. Turn STUN, ICE \
         and encryption off.</p>\
         <h2>A web page</h2><p>SIP over a WebSocket, as JsSIP has it: <code>ws://{web}/sip</code>.</p>\
         </main></body></html>\n",
        web = if place.web.is_empty() { "THIS-ADDRESS" } else { &place.web },
    )
}

/// What Linphone reads at the address of its code: its settings as XML (`lpconfig`).
pub fn linphone(place: &Place, user: &User) -> String {
    let domain = place.domain();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <config xmlns=\"http://www.linphone.org/xsds/lpconfig.xsd\">\n\
         <section name=\"misc\">\n\
         <entry name=\"transient_provisioning\" overwrite=\"true\">1</entry>\n\
         </section>\n\
         <section name=\"sip\">\n\
         <entry name=\"default_proxy\" overwrite=\"true\">0</entry>\n\
         <entry name=\"media_encryption\" overwrite=\"true\">none</entry>\n\
         </section>\n\
         <section name=\"net\">\n\
         <entry name=\"dns_srv_enabled\" overwrite=\"true\">0</entry>\n\
         </section>\n\
         <section name=\"proxy_0\">\n\
         <entry name=\"reg_proxy\" overwrite=\"true\">&lt;sip:{domain};transport=udp&gt;</entry>\n\
         <entry name=\"reg_identity\" overwrite=\"true\">sip:{user}@{domain}</entry>\n\
         <entry name=\"reg_expires\" overwrite=\"true\">120</entry>\n\
         <entry name=\"reg_sendregister\" overwrite=\"true\">1</entry>\n\
         <entry name=\"publish\" overwrite=\"true\">0</entry>\n\
         </section>\n\
         </config>\n"
    )
}

fn provisioning(place: &Place, user: &User) -> String {
    let user: String = form_urlencoded::byte_serialize(user.0.as_bytes()).collect();
    format!("http://{}/phone/linphone.xml?user={user}", place.web)
}

fn code(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let image = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    // The declaration of XML has no place within a page.
    let at = image.find("<svg")?;
    Some(image[at..].to_owned())
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{margin:0;font:1.125rem/1.5 system-ui,sans-serif}\
main{max-width:38rem;margin:0 auto;padding:1rem}h1{font-size:1.6rem;line-height:1.2}\
h2{font-size:1.2rem;margin:2rem 0 .5rem}label{display:block;font-weight:600}\
input,button{font:inherit;padding:.6rem .8rem;box-sizing:border-box;width:100%;margin:.3rem 0;\
border:1px solid #767676;border-radius:.4rem}button{background:#0b57d0;color:#fff;border:0}\
dt{font-weight:600;margin-top:.6rem}dd{margin:0}\
code,pre{font-family:ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}\
.code{background:#fff;padding:.5rem;text-align:center;border-radius:.4rem}\
.code svg{width:100%;max-width:18rem;height:auto}.wrong{color:#b3261e;background:#fff;padding:.5rem}";

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("192.0.2.1:5851", "192.0.2.1:5060".parse().unwrap())
    }

    #[test]
    fn a_page_says_what_to_type_and_has_a_code_once_there_is_a_name() {
        let without = page(&place(), None);
        assert!(without.contains("<code>192.0.2.1</code>") && !without.contains("<svg"));
        let anna = "Anna".parse();
        let with = page(&place(), Some(&anna));
        assert!(with.contains("<dd><code>anna</code></dd>") && with.contains("<svg"), "{with}");
        assert!(with.contains("http://192.0.2.1:5851/phone/linphone.xml?user=anna"));
        let elsewhere = Place::new("h:1", "[2001:db8::1]:5080".parse().unwrap());
        assert!(page(&elsewhere, None).contains("<code>[2001:db8::1]:5080</code>"));
    }

    #[test]
    fn nothing_that_is_asked_comes_into_the_page_but_a_name() {
        for bad in ["<b>", "a b", "a\"b", "a@b", "a;b", "", &"x".repeat(65)] {
            let user: Result<User, NotAUser> = bad.parse();
            assert_eq!(user, Err(NotAUser), "{bad}");
        }
        assert!(page(&place(), Some(&"<b>".parse())).contains("role=\"alert\""));
        let hostile = Place::new("\"><script>", "192.0.2.1:5060".parse().unwrap());
        assert!(!page(&hostile, Some(&"anna".parse())).contains("<script>"));
    }

    #[test]
    fn linphone_is_told_where_to_register_and_as_whom() {
        let xml = linphone(&place(), &"anna".parse().unwrap());
        let document = quick_xml::Reader::from_str(&xml);
        assert!(document.into_inner().starts_with(b"<?xml"));
        assert!(xml.contains(">sip:anna@192.0.2.1<"), "{xml}");
        assert!(xml.contains(">&lt;sip:192.0.2.1;transport=udp&gt;<"), "{xml}");
    }

    #[test]
    fn a_terminal_is_told_in_one_line() {
        let hint = hint("192.0.2.1:5080".parse().unwrap());
        assert!(hint.contains(" 192.0.2.1:5080,") && !hint.contains('\n'), "{hint}");
    }
}
