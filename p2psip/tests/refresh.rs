//! What a registrar asks of the location service when a phone comes, comes again, and goes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use p2psip::accounts::MemoryAccounts;
use p2psip::location::{
    Answer, Aor, Binding, Bound, Change, Cursor, Known, LocationService, MemoryLocations,
};
use p2psip::message::{HeaderName, Message, Method, Status};
use tokio::sync::mpsc;

#[path = "support/phone.rs"]
mod phone;

use phone::{Phone, server_of};

/// Tells what is asked for.
struct Told(MemoryLocations, mpsc::Sender<String>);

impl Told {
    fn tell(&self, what: impl Into<String>) {
        self.1.try_send(what.into()).unwrap();
    }
}

impl LocationService for Told {
    fn bind(&self, aor: &Aor, change: Change) -> Answer<Vec<Bound>> {
        if let Change::Set(set) = &change {
            self.tell(format!("set {}", set.len()));
        }
        self.0.bind(aor, change)
    }

    fn lookup(&self, aor: &Aor) -> Answer<Known> {
        self.tell("lookup");
        self.0.lookup(aor)
    }

    fn lookup_again(&self, aor: &Aor, again: &[(Arc<Binding>, Duration)]) -> Answer<Known> {
        self.tell(format!("again {}", again.len()));
        self.0.lookup(aor)
    }

    fn watch(&self, aor: &Aor, seen: Option<Cursor>) -> Answer<(Vec<Bound>, Cursor)> {
        self.0.watch(aor, seen)
    }
}

async fn register(phone: &Phone, contacts: &[&str], number: u32) -> Message {
    let branch = format!("r{number}");
    let request = phone.request(Method::Register, "sip:scope", &branch, number);
    let mut request = request.header(HeaderName::To, "<sip:anna@scope>");
    for contact in contacts {
        request = request.header(HeaderName::Contact, contact.to_string());
    }
    phone.send(&request.build()).await;
    phone.heard().await
}

#[tokio::test]
async fn what_is_set_is_said_when_it_is_looked_up_and_several_contacts_are_one_change() {
    let (to, mut told) = mpsc::channel(16);
    let server = server_of(|_| {}, Told(MemoryLocations::new(), to), MemoryAccounts::new()).await;
    let phone = Phone::new("anna", &server).await;
    let own = phone.contact();
    let mut number = 0;
    for (contacts, asked) in [
        (&[][..], &["lookup"][..]),
        (&[&*own], &["again 1", "set 1"]),
        (&[&*own], &["again 1", "set 1"]),
        (&[&*own, "<sip:anna@192.0.2.9>"], &["again 2", "set 2"]),
    ] {
        number += 1;
        let answer = register(&phone, contacts, number).await;
        assert_eq!(answer.status(), Some(Status::OK), "{contacts:?}");
        for what in asked {
            assert_eq!(told.recv().await.as_deref(), Some(*what), "{contacts:?}");
        }
        assert!(told.try_recv().is_err());
    }
}
