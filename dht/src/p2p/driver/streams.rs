//! Streams: opened, greeted on, served, ended; and the peers who become connected by them.

use std::time::Duration;

use base::NodeId;
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::time::Instant;

use super::{Due, Worker};
use crate::link::{LinkEvent, PassphraseMismatch};
use crate::p2p::admission;
use crate::p2p::behaviour::{BULK, STORE, STORE_FAMILY};
use crate::p2p::greeting::{self, Greeted, GreetingError};
use crate::p2p::lane::Socket;
use crate::p2p::peer_link::Kind;
use crate::p2p::serve::{Ended, Served};
use crate::p2p::session::opens;
use crate::p2p::stream::{Opened, Outcome, Start};
use crate::p2p::substreams::StreamEvent;
use crate::wire::{Contact, OLDEST_VERSION, VERSION};

/// How long the side that does not open the small stream waits for it before it opens one.
const OTHER_OPENS: Duration = Duration::from_millis(500);
/// How long a peer that has said hello is waited for to say where it listens.
const IDENTIFY_MAX: Duration = Duration::from_secs(1);
/// A stream that ended is opened again after this: mostly the connection ends too.
const REOPEN: Duration = Duration::from_millis(500);
/// Tries to open a stream. One fails when the connection it was asked of gives way to a newer one.
const TRIES: u32 = 6;
/// Between the first two of them; each pause is twice as long as the one before.
const RETRY: Duration = Duration::from_millis(50);

impl Worker {
    /// Sees to it that there will be a small stream to a peer, after a pause.
    pub(super) fn plan_small(&mut self, peer: PeerId, pause: Duration) {
        let Some(session) = self.sessions.get(&peer) else { return };
        let pause = if opens(&self.own, &peer) { pause } else { pause + OTHER_OPENS };
        if pause.is_zero() {
            self.open_small(peer, session.number, 0);
        } else {
            self.timers.set(Instant::now() + pause, Due::OpenSmall(peer, session.number, 0));
        }
    }

    pub(super) fn open_small(&mut self, peer: PeerId, session: u64, failures: u32) {
        let attached = self.links.get(&peer).is_some_and(|link| link.has_small());
        let Some(session) = self.session(&peer, session) else { return };
        let there = attached || session.opening || session.greeting().is_some();
        if there || session.ending.is_some() {
            return;
        }
        session.opening = true;
        let opened =
            Opened { peer, session: session.number, kind: Kind::Small, inbound: false, failures };
        self.open(opened);
    }

    pub(super) fn open_bulk(&mut self, peer: PeerId, failures: u32) {
        match self.sessions.get(&peer) {
            Some(session) if session.ending.is_none() => {
                let session = session.number;
                let kind = Kind::Bulk;
                self.open(Opened { peer, session, kind, inbound: false, failures });
            }
            // It is asked for again when there is a connection.
            _ => {
                if let Some(link) = self.links.get(&peer) {
                    link.bulk_postponed();
                }
            }
        }
    }

    fn open(&mut self, opened: Opened) {
        let Some(session) = self.sessions.get_mut(&opened.peer) else { return };
        session.stream_begins(opened.inbound);
        let protocol = match opened.kind {
            Kind::Small => STORE,
            Kind::Bulk => BULK,
        };
        self.swarm.behaviour_mut().streams.open(&opened.peer, protocol, opened);
    }

    pub(super) fn on_stream_event(&mut self, event: StreamEvent<Opened>) {
        match event {
            StreamEvent::Opened(opened, Ok(stream)) => self.greet(opened, stream),
            StreamEvent::Opened(opened, Err(error)) => self.on_not_greeted(opened, error.into()),
            StreamEvent::Accepted(peer, protocol, stream) => {
                self.on_stream(peer, &protocol, stream);
            }
        }
    }

    /// A peer opened a stream.
    fn on_stream(&mut self, peer: PeerId, protocol: &StreamProtocol, stream: Stream) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if session.ending.is_some() {
            return;
        }
        if !session.stream_begins(true) {
            return self.malformed(peer, "it opens too many streams");
        }
        let session = session.number;
        let kind = match protocol {
            _ if *protocol == STORE => Kind::Small,
            _ if *protocol == BULK => Kind::Bulk,
            // It has a passphrase, and this node has none.
            _ => {
                let answer = admission::answer(stream);
                self.tasks.spawn(async move { Outcome::Told(peer, session, answer.await) });
                return;
            }
        };
        self.greet(Opened { peer, session, kind, inbound: true, failures: 0 }, stream);
    }

    fn greet(&mut self, opened: Opened, stream: Stream) {
        let greeted = greeting::exchange(stream, (self.hello)());
        self.tasks.spawn(async move { Outcome::Greeted(opened, greeted.await) });
    }

    pub(super) fn on_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Greeted(opened, Ok(greeted)) => self.on_greeted(opened, greeted),
            Outcome::Greeted(opened, Err(error)) => self.on_not_greeted(opened, error),
            Outcome::Ended(opened, served, ended) => self.on_ended(opened, served, ended),
            Outcome::Told(peer, session, told) => {
                if let Some(session) = self.session(&peer, session) {
                    session.stream_ended(true);
                }
                // It may be gone already: then people read it all the same.
                self.not_admitted(peer, PassphraseMismatch::OursMissing);
                drop(told);
            }
        }
    }

    fn on_greeted(&mut self, opened: Opened, greeted: Greeted) {
        let Opened { peer, kind, .. } = opened;
        let Some(session) = self.session(&peer, opened.session) else { return };
        if kind == Kind::Small && !opened.inbound {
            session.opening = false;
        }
        if session.ending.is_some() {
            return self.stream_is_over(opened);
        }
        let hello = greeted.hello;
        if hello.oldest > VERSION || hello.version < OLDEST_VERSION {
            self.stream_is_over(opened);
            return self.incompatible(peer, format!("{STORE_FAMILY}{}", hello.version));
        }
        if kind == Kind::Bulk && session.announced == Some(hello.start) {
            return self.attach(opened, greeted);
        }
        session.held.push((opened, greeted));
        if session.listens.is_some() {
            self.admit(peer);
        } else {
            self.timers.set(Instant::now() + IDENTIFY_MAX, Due::Admit(peer, opened.session));
        }
    }

    fn on_not_greeted(&mut self, opened: Opened, error: GreetingError) {
        let Opened { peer, kind, inbound, failures, .. } = opened;
        tracing::debug!(%peer, ?kind, inbound, %error, "a stream was not opened");
        self.stream_is_over(opened);
        let Some(session) = self.session(&peer, opened.session) else { return };
        if kind == Kind::Small && !inbound {
            session.opening = false;
        }
        if session.ending.is_some() {
            return;
        }
        let number = session.number;
        match error {
            GreetingError::Malformed(text) => self.malformed(peer, &text),
            // The other side tries again, if it wants to.
            _ if inbound => {}
            _ if kind == Kind::Small => {
                if failures + 1 >= TRIES {
                    return self.end(peer, "it does not say hello");
                }
                let again = Instant::now() + RETRY * 2u32.pow(failures);
                self.timers.set(again, Due::OpenSmall(peer, number, failures + 1));
            }
            _ if failures + 1 < TRIES => self.open_bulk(peer, failures + 1),
            _ => {
                if let Some(link) = self.links.get(&peer) {
                    link.bulk_failed();
                }
            }
        }
    }

    /// Announces a peer that has said hello, or takes another stream of one that is announced.
    pub(super) fn admit(&mut self, peer: PeerId) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let Some(hello) = session.greeting() else { return };
        let held = std::mem::take(&mut session.held);
        if session.announced.is_some_and(|start| start != hello.start) {
            // It has started again, and its old connections lead nowhere.
            for connection in session.outdated() {
                self.swarm.close_connection(connection);
            }
            session.announced = None;
            self.outbox.push(LinkEvent::Disconnected(NodeId::from(peer)));
            if let Some(link) = self.links.remove(&peer) {
                link.close();
            }
        }
        let Some((link, _)) = self.links.get_or_create(peer) else { return };
        link.pulse.beat(self.service.started.elapsed());
        let new = session.announced.replace(hello.start).is_none();
        if new {
            self.proven.insert(peer);
            session.wanted = false;
            let contact = Contact { id: link.id, addresses: session.addresses() };
            let pulse = link.pulse.clone();
            self.outbox.push(LinkEvent::Connected { contact, hello, pulse });
        }
        for (opened, greeted) in held {
            if greeted.hello.start == hello.start {
                self.attach(opened, greeted);
            } else {
                self.stream_is_over(opened);
            }
        }
        if new {
            let mut announced = self.sessions.values().filter(|it| it.announced.is_some());
            if announced.nth(1).is_none() {
                self.search();
            }
            self.joined(peer);
        }
    }

    /// Gives a stream to a peer's link, and has it served.
    fn attach(&mut self, opened: Opened, greeted: Greeted) {
        let Some((link, _)) = self.links.get_or_create(opened.peer) else { return };
        let Greeted { stream, hello, splitter } = greeted;
        let socket = Socket::new(stream);
        link.attach(opened.kind, &socket);
        let served = Served { link, kind: opened.kind, socket, hello, splitter };
        self.starts.push(Start(opened, served));
    }

    fn on_ended(&mut self, opened: Opened, served: Served, ended: Ended) {
        let Served { link, kind, socket, .. } = served;
        let missing = link.detach(kind, &socket);
        // This ends the stream itself, and tells the other side.
        drop(socket);
        self.stream_is_over(opened);
        let Some(session) = self.session(&opened.peer, opened.session) else { return };
        if session.ending.is_some() {
            return;
        }
        match ended {
            Ended::Malformed(text) => self.malformed(opened.peer, &text),
            Ended::TooSlow(why) => self.end(opened.peer, why),
            Ended::Closed if missing && kind == Kind::Small => {
                self.plan_small(opened.peer, REOPEN);
            }
            Ended::Closed => {}
        }
    }

    fn stream_is_over(&mut self, opened: Opened) {
        let Some(session) = self.session(&opened.peer, opened.session) else { return };
        session.stream_ended(opened.inbound);
        if session.streams == 0 && session.ending.is_some() && session.flushing {
            self.close_now(opened.peer);
        }
    }
}
