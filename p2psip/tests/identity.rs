//! Who may register a name, and call by it.

#![allow(clippy::unwrap_used, reason = "tests")]

use p2psip::accounts::{Account, MemoryAccounts, REALM};
use p2psip::digest::Algorithm;
use p2psip::domain::Domain;
use p2psip::location::{Aor, LocationService, MemoryLocations};
use p2psip::message::{HeaderName, Message, Method, Reply, Status, Uri};
use p2psip::server::Server;

#[path = "support/phone.rs"]
mod phone;

use phone::{Phone, server, server_of};

fn aor(user: &str) -> Aor {
    Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
}

/// Anna's name is protected, the others are open.
async fn guarded() -> Server {
    let accounts = MemoryAccounts::new();
    accounts.set(aor("anna"), Some(Account::new("anna", "secret")));
    server_of(|_| {}, MemoryLocations::new(), accounts).await
}

/// What a phone with MD5 and without `qop` answers (RFC 2069), which is the shortest way.
fn credentials(challenge: &Message, method: &str, uri: &str, password: &str) -> String {
    let name = match challenge.status() {
        Some(Status::UNAUTHORIZED) => HeaderName::WwwAuthenticate,
        _ => HeaderName::ProxyAuthenticate,
    };
    let asked = challenge.challenges(name).next().unwrap().unwrap();
    let nonce = asked.get("nonce").unwrap();
    let ha1 = Algorithm::Md5.ha1("anna", REALM, password);
    // The same hash of two parts and of three.
    let ha2 = md5(&format!("{method}:{uri}"));
    let response = Algorithm::Md5.ha1(&ha1, &nonce, &ha2);
    format!(
        "Digest username=\"anna\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm=MD5, response=\"{response}\""
    )
}

fn md5(text: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn registers(phone: &Phone, number: u32, credentials: Option<&str>) -> Message {
    let branch = format!("r{number}");
    let mut request = phone.request(Method::Register, "sip:scope", &branch, number);
    request = request.header(HeaderName::To, format!("<sip:{}@scope>", phone.name));
    request = request.header(HeaderName::Contact, phone.contact());
    if let Some(credentials) = credentials {
        request = request.header(HeaderName::Authorization, credentials);
    }
    phone.send(&request.build()).await;
    phone.heard().await
}

fn is_stale(challenge: &Message) -> bool {
    assert_eq!(challenge.status(), Some(Status::UNAUTHORIZED));
    let asked = challenge.challenges(HeaderName::WwwAuthenticate).next().unwrap().unwrap();
    assert_eq!(asked.get("algorithm").as_deref(), Some("MD5"), "alone");
    asked.get("stale").as_deref() == Some("true")
}

#[tokio::test]
async fn a_protected_name_registers_with_its_password_only() {
    let server = guarded().await;
    let anna = Phone::new("anna", &server).await;
    let challenge = registers(&anna, 1, None).await;
    assert!(!is_stale(&challenge));
    let wrong = credentials(&challenge, "REGISTER", "sip:scope", "guess");
    let again = registers(&anna, 2, Some(&wrong)).await;
    assert!(!is_stale(&again));
    let right = credentials(&again, "REGISTER", "sip:scope", "secret");
    assert_eq!(registers(&anna, 3, Some(&right)).await.status(), Some(Status::OK));
    // Whoever has heard it cannot say it again.
    assert!(is_stale(&registers(&anna, 4, Some(&right)).await));
    // A device more is no matter, with the password.
    let other = Phone::new("anna", &server).await;
    let challenge = registers(&other, 1, None).await;
    let right = credentials(&challenge, "REGISTER", "sip:scope", "secret");
    assert_eq!(registers(&other, 2, Some(&right)).await.contacts().count(), 2);
}

#[tokio::test]
async fn a_protected_name_calls_by_password_or_from_its_registered_flow() {
    let server = guarded().await;
    let (anna, bob) = (Phone::new("anna", &server).await, Phone::new("bob", &server).await);
    assert_eq!(bob.register("").await.status(), Some(Status::OK));
    anna.invite("bob").await;
    let challenge = anna.heard().await;
    assert_eq!(challenge.status(), Some(Status::PROXY_AUTHENTICATION_REQUIRED));
    let right = credentials(&challenge, "INVITE", "sip:bob@scope", "secret");
    anna.invite_with("bob", &[("Proxy-Authorization", &right)], "").await;
    let invite = bob.heard().await;
    let asserted = invite.fields_of(HeaderName::PAssertedIdentity).next().unwrap().value;
    assert_eq!(asserted, b"<sip:anna@scope>");
    assert_eq!(invite.fields_of(HeaderName::ProxyAuthorization).count(), 0, "it is not his");
    assert_eq!(invite.fields_of(HeaderName::ScopeCaller).count(), 0);
    let claim = Reply::new(&invite, Status::BUSY_HERE).to_tag("t");
    bob.send(&claim.header("P-Asserted-Identity", "<sip:carl@scope>").build()).await;
    assert_eq!(bob.heard().await.method(), Some(Method::Ack));
    let busy = loop {
        let message = anna.heard().await;
        if message.status() != Some(Status::TRYING) {
            break message;
        }
    };
    assert_eq!(busy.status(), Some(Status::BUSY_HERE));
    assert_eq!(busy.fields_of(HeaderName::PAssertedIdentity).count(), 0);
    // Registered, she calls as she is.
    let challenge = registers(&anna, 1, None).await;
    let right = credentials(&challenge, "REGISTER", "sip:scope", "secret");
    assert_eq!(registers(&anna, 2, Some(&right)).await.status(), Some(Status::OK));
    anna.invite_with("bob", &[("P-Asserted-Identity", "<sip:eve@scope>")], "").await;
    let invite = bob.heard().await;
    let asserted: Vec<_> = invite.fields_of(HeaderName::PAssertedIdentity).collect();
    assert_eq!(asserted.len(), 1);
    assert_eq!(asserted[0].value, b"<sip:anna@scope>");
    // Her name from elsewhere is challenged still, also by who pretends to be in a dialog.
    let message = eve_says(&server).await;
    assert_eq!(message, 407);
    let eve = Phone::new("anna", &server).await;
    eve.invite("bob").await;
    assert_eq!(eve.heard_status().await, 407);
}

async fn eve_says(server: &Server) -> u16 {
    let eve = Phone::new("anna", server).await;
    let message = eve.request(Method::Message, "sip:bob@scope", "m", 1);
    let message = message.header(HeaderName::To, "<sip:bob@scope>;tag=made-up");
    eve.send(&message.build_with_body("text/plain", b"it is me")).await;
    eve.final_status().await
}

#[tokio::test]
async fn an_open_name_is_marked_and_one_device_s() {
    let server = guarded().await;
    let (bob, carl) = (Phone::new("bob", &server).await, Phone::new("carl", &server).await);
    let mine = ";+sip.instance=\"<urn:uuid:1>\"";
    assert_eq!(bob.register(mine).await.status(), Some(Status::OK));
    let other = Phone::new("bob", &server).await;
    let refused = other.register(";+sip.instance=\"<urn:uuid:2>\"").await;
    assert_eq!(refused.status(), Some(Status::FORBIDDEN));
    assert!(std::str::from_utf8(refused.reason()).unwrap().contains("Another Name"));
    // The same device has moved.
    let moved = Phone::new("bob", &server).await;
    assert_eq!(moved.register(mine).await.status(), Some(Status::OK));
    let lines = [("P-Asserted-Identity", "<sip:anna@scope>"), ("Scope-Caller", "verified")];
    carl.invite_with("bob", &lines, "").await;
    let invite = moved.heard().await;
    assert_eq!(invite.fields_of(HeaderName::PAssertedIdentity).count(), 0);
    let marks: Vec<_> = invite.fields_of(HeaderName::ScopeCaller).collect();
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].value, b"unverified");
}

#[tokio::test]
async fn what_another_super_node_has_found_out_is_believed_and_no_other() {
    let server = server(|_| {}).await;
    let bob = Phone::new("bob", &server).await;
    bob.register("").await;
    let node = Phone::new("anna", &server).await;
    let address = node.socket.local_addr().unwrap();
    server.set_domain(Domain::new([server.address()]).with_node(address));
    node.invite_with("bob", &[("P-Asserted-Identity", "<sip:anna@scope>")], "").await;
    let invite = bob.heard().await;
    assert_eq!(invite.fields_of(HeaderName::PAssertedIdentity).count(), 1);
    assert_eq!(invite.fields_of(HeaderName::ScopeCaller).count(), 0);
    let private = [("P-Asserted-Identity", "<sip:anna@scope>"), ("Privacy", "id")];
    node.invite_with("bob", &private, "").await;
    assert_eq!(bob.heard().await.fields_of(HeaderName::PAssertedIdentity).count(), 0);
}

#[tokio::test]
async fn guesses_end() {
    let server = guarded().await;
    let anna = Phone::new("anna", &server).await;
    let mut challenge = registers(&anna, 1, None).await;
    let mut number = 2;
    let refused = loop {
        let wrong = credentials(&challenge, "REGISTER", "sip:scope", "guess");
        challenge = registers(&anna, number, Some(&wrong)).await;
        number += 1;
        if challenge.status() != Some(Status::UNAUTHORIZED) {
            break challenge;
        }
        assert!(number < 20);
    };
    assert_eq!(refused.status(), Some(Status::FORBIDDEN));
    assert!(refused.fields_of(HeaderName::RetryAfter).next().is_some());
}

#[tokio::test]
async fn a_stranger_asks_in_vain_for_everything_to_be_forgotten() {
    let locations = MemoryLocations::new();
    let server = server_of(|_| {}, locations.clone(), MemoryAccounts::new()).await;
    let bob = Phone::new("bob", &server).await;
    // It is elsewhere, by all that can be seen.
    let request = bob.request(Method::Register, "sip:scope", "r", 1);
    let request = request.header(HeaderName::To, "<sip:bob@scope>");
    let contact = "<sip:bob@192.0.2.9:5060>;+sip.instance=\"<urn:uuid:1>\"";
    bob.send(&request.header(HeaderName::Contact, contact).build()).await;
    assert_eq!(bob.heard_status().await, 200);
    let stranger = Phone::new("bob", &server).await;
    let clear = stranger.request(Method::Register, "sip:scope", "c", 1);
    let clear = clear.header(HeaderName::To, "<sip:bob@scope>").header(HeaderName::Expires, 0);
    stranger.send(&clear.header(HeaderName::Contact, "*").build()).await;
    assert_eq!(stranger.heard_status().await, 403);
    assert_eq!(locations.lookup(&aor("bob")).await.unwrap().bound.len(), 1);
}
