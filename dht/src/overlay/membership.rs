//! [`Membership`]: who is in the overlay, from what the link says, from probes and from time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, Place};

use super::connections::{self, CONNECTIONS_MAX, Candidate};
use super::detector::{Belief, HELPERS, NEIGHBOURS, QUIET, ROUND};
use super::exchange::Exchanges;
use super::filling::{Begin, Filling, PullEnd};
use super::share::around;
use super::view::{Member, View};
use super::{Now, Peer};
use crate::link::{LinkEvent, Strange};
use crate::wire::{Bye, Contact, Hello, Notice, Rumour};

/// Between two attempts to reach a member.
const REDIAL: Duration = Duration::from_secs(1);
/// How long one of whom others told is tried to be reached.
const HEARSAY: Duration = Duration::from_secs(5);
/// Members of whom others told, waiting to be proven by a connection.
const CLAIMS_MAX: usize = 512;
/// One that never gives what it has keeps a newcomer from vouching for anything no longer than this.
const FIRST_PULLS: Duration = Duration::from_secs(15);
/// Members known at most: far more than an event has, far fewer than a stranger can make up.
const KNOWN_MAX: usize = 1024;
/// Members gone that are tried again from time to time: they may only have been out of reach.
const LOST_MAX: usize = 64;
/// Between two such attempts.
const LOST_RETRY: Duration = Duration::from_secs(10);
/// Looking around for others, once there is one to ask, takes no longer.
const JOINING: Duration = Duration::from_millis(2500);

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The link says so.
    Link(LinkEvent),
    /// A request to it has been waiting for too long.
    Unanswered(NodeId),
    /// A probe was answered, with a digest of the members the other knows, or not.
    Probed(NodeId, Option<u64>),
    /// Another member hears this one.
    Vouched(NodeId),
    /// Whom another member knows; `None` if it did not say.
    Exchanged(Option<Vec<Contact>>),
    /// A pull from it has ended.
    Pulled(NodeId, PullEnd),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    Dial(Contact),
    /// Ask it whom it knows.
    Exchange(Arc<Peer>),
    Disconnect(NodeId),
    Notify(NodeId, Notice),
    Probe(Arc<Peer>),
    ProbeFor {
        helper: Arc<Peer>,
        target: NodeId,
    },
    /// Copy from it what it has and this node should; where these departed kept something first.
    Repair {
        from: Arc<Peer>,
        thorough: bool,
        departed: Vec<Place>,
    },
    Publish(View),
    Report(News),
}

/// What people and meters should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Joined(Contact),
    Suspected(NodeId),
    Recovered(NodeId),
    Gone(NodeId),
    Left(NodeId),
    NothingPulled(NodeId),
    Strange(NodeId, Strange),
}

/// The members, and what is believed of them.
#[derive(Debug)]
pub(crate) struct Membership {
    me: Arc<Peer>,
    known: BTreeMap<NodeId, Known>,
    filling: Filling,
    /// Until when this node looks around; `None` when it knows who is there.
    settling: Option<Now>,
    /// Until when the first pulls keep it from saying that anything is not there.
    first_until: Now,
    /// Whether the link has asked around, and a member was asked whom it knows.
    searched: bool,
    exchanged: bool,
    exchanges: Exchanges,
    /// Of the view published last.
    digest: u64,
    lost: Vec<Contact>,
    lost_retry: Now,
    next_round: Now,
    rng: fastrand::Rng,
    changed: bool,
}

#[derive(Debug)]
struct Known {
    peer: Arc<Peer>,
    addresses: Arc<[SocketAddr]>,
    /// Whether it has been connected, or was a member the last time; else somebody only says so.
    proven: bool,
    connected: bool,
    /// It closed the connection because it had too many.
    parted: bool,
    since: Now,
    belief: Belief,
    redial: Now,
    /// Which start of it was met.
    start: Option<u64>,
}

impl Known {
    fn new(id: NodeId, addresses: &[SocketAddr], now: Now) -> Known {
        Known {
            peer: Arc::new(Peer::new(id, Default::default())),
            addresses: addresses.into(),
            proven: false,
            connected: false,
            parted: false,
            since: now,
            belief: Belief::default(),
            redial: now + REDIAL,
            start: None,
        }
    }

    fn contact(&self) -> Contact {
        Contact { id: self.peer.id, addresses: self.addresses.to_vec() }
    }
}

impl Membership {
    /// A node that looks for others for `settle`, and knew these when it last ran.
    pub(crate) fn new(
        me: Arc<Peer>,
        remembered: &[Contact],
        settle: Duration,
        seed: u64,
    ) -> Membership {
        let mut known = BTreeMap::new();
        for contact in remembered.iter().filter(|contact| contact.id != me.id) {
            let belief = Belief::remembered(Now::ZERO);
            let new = Known::new(contact.id, &contact.addresses, Now::ZERO);
            let redial = Now::ZERO;
            known.insert(contact.id, Known { proven: true, belief, redial, ..new });
        }
        // Whoever was there the last time is looked for in any case.
        let settle = if known.is_empty() { settle } else { settle.max(JOINING) };
        Membership {
            me,
            known,
            filling: Filling::default(),
            settling: (!settle.is_zero()).then_some(settle),
            first_until: Now::ZERO,
            searched: false,
            exchanged: false,
            exchanges: Exchanges::default(),
            digest: 0,
            lost: Vec::new(),
            lost_retry: LOST_RETRY,
            next_round: ROUND,
            rng: fastrand::Rng::with_seed(seed),
            changed: true,
        }
    }

    /// What is known before anything has happened.
    pub(crate) fn first_view(&mut self) -> View {
        self.changed = false;
        self.view()
    }

    /// Takes note of an event.
    pub(crate) fn handle(&mut self, event: Event, now: Now, out: &mut Vec<Command>) {
        match event {
            Event::Link(event) => self.link_event(event, now, out),
            Event::Unanswered(id) => {
                self.suspect(id, now, out);
                self.probe(id, now, out);
            }
            Event::Probed(id, Some(digest)) => {
                self.refresh(id, out);
                if self.exchanges.compare(digest == self.digest, now) {
                    self.exchange(id, out);
                }
            }
            Event::Exchanged(contacts) => {
                // If it was not told, time settles it.
                self.exchanged |= contacts.is_some();
                for contact in contacts.into_iter().flatten() {
                    self.learned(contact, now, out);
                }
            }
            Event::Probed(id, None) => {
                self.refresh(id, out);
                self.unanswered_probe(id, now, out);
            }
            Event::Vouched(id) => {
                if let Some(known) = self.known.get_mut(&id) {
                    known.belief.vouch(now);
                }
            }
            Event::Pulled(from, end) => {
                if self.filling.ended(&from, end, now).is_err() {
                    out.push(Command::Report(News::NothingPulled(from)));
                }
                self.changed = true;
            }
            Event::Tick => self.tick(now, out),
        }
        for Begin { from, thorough } in self.filling.begin(now) {
            match self.known.get(&from) {
                Some(known) => {
                    let (from, departed) =
                        (Arc::clone(&known.peer), self.filling.departed_places());
                    out.push(Command::Repair { from, thorough, departed });
                }
                None => self.filling.forget(&from),
            }
        }
        if std::mem::take(&mut self.changed) {
            let view = self.view();
            if self.digest != view.digest() {
                self.digest = view.digest();
                self.exchanges.news(now);
            }
            out.push(Command::Publish(view));
        }
    }

    fn link_event(&mut self, event: LinkEvent, now: Now, out: &mut Vec<Command>) {
        match event {
            LinkEvent::Connected { contact, hello, pulse } => {
                let peer = Arc::new(Peer::new(contact.id, pulse));
                self.connected(peer, contact, hello, now, out);
            }
            LinkEvent::Disconnected(id) => {
                let Some(known) = self.known.get_mut(&id) else { return };
                known.connected = false;
                if !known.parted {
                    // It may be moving to another network; whoever asks it dials at once.
                    known.redial = now;
                    self.suspect(id, now, out);
                }
            }
            LinkEvent::DialFailed(id) => {
                if self.known.get(&id).is_some_and(|known| !known.proven) {
                    self.known.remove(&id);
                } else {
                    self.suspect(id, now, out);
                }
            }
            LinkEvent::Learned(contact) => self.learned(contact, now, out),
            LinkEvent::Searched => self.searched = true,
            LinkEvent::Notice(from, Notice::Bye(Bye::Leaving)) => {
                self.departed(from, true, now, out)
            }
            LinkEvent::Notice(from, Notice::Bye(Bye::Full)) => {
                if let Some(known) = self.known.get_mut(&from) {
                    known.parted = true;
                }
            }
            LinkEvent::Notice(_, Notice::Rumour(rumour)) => self.rumour(rumour, now, out),
            LinkEvent::Notice(_, Notice::Hello(_) | Notice::Changed(_)) => {}
            LinkEvent::Strange(id, strange) => {
                out.push(Command::Report(News::Strange(id, strange)))
            }
        }
    }

    fn connected(
        &mut self,
        peer: Arc<Peer>,
        contact: Contact,
        hello: Hello,
        now: Now,
        out: &mut Vec<Command>,
    ) {
        let id = contact.id;
        if id == self.me.id {
            return;
        }
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&id) {
            out.push(Command::Notify(id, Notice::Bye(Bye::Full)));
            out.push(Command::Disconnect(id));
            return;
        }
        // Meeting others for the first time, it does not know yet who else is there.
        if self.settling.is_none() && !self.known.values().any(|known| known.proven) {
            self.settling = Some(now + JOINING);
            (self.searched, self.exchanged) = (false, false);
        }
        self.lost.retain(|lost| lost.id != id);
        let before = self.known.remove(&id);
        let met_before = before.as_ref().is_some_and(|known| known.start == Some(hello.start));
        // While it was out of reach either may have missed what the other took. What it said of its
        // entries is some time ago; asking one that has none costs one message.
        let never_away = met_before && before.as_ref().is_some_and(|known| known.connected);
        self.filling.owe(id, !never_away, now);
        let addresses = match &before {
            Some(known) if contact.addresses.is_empty() => Arc::clone(&known.addresses),
            _ => contact.addresses.as_slice().into(),
        };
        let new = Known::new(id, &[], now);
        let since =
            before.as_ref().filter(|known| known.connected).map_or(now, |known| known.since);
        let start = Some(hello.start);
        let known = Known { peer, addresses, proven: true, connected: true, since, start, ..new };
        self.known.insert(id, known);
        if !met_before {
            out.push(Command::Report(News::Joined(contact)));
        }
        // The first it meets tells it who else is there.
        if self.settling.is_some() && !self.exchanged {
            self.exchange(id, out);
        }
        self.changed = true;
        self.bound_connections(out);
    }

    fn learned(&mut self, contact: Contact, now: Now, out: &mut Vec<Command>) {
        if contact.id == self.me.id || contact.addresses.is_empty() {
            return;
        }
        let claims = self.known.values().filter(|known| !known.proven).count();
        if self.known.contains_key(&contact.id) || claims >= CLAIMS_MAX {
            return;
        }
        self.known.insert(contact.id, Known::new(contact.id, &contact.addresses, now));
        out.push(Command::Dial(contact));
    }

    /// Says that nobody keeps too many connections: the one to part from is told why.
    fn bound_connections(&mut self, out: &mut Vec<Command>) {
        let connected = self.known.values().filter(|known| known.connected);
        let candidates: Vec<Candidate> = connected
            .map(|known| Candidate {
                id: known.peer.id,
                place: known.peer.place,
                since: known.since,
                heard: known.peer.pulse.last(),
            })
            .collect();
        if candidates.len() <= CONNECTIONS_MAX {
            return;
        }
        let victim = connections::victim(&self.me.place, &candidates);
        if let Some(known) = victim.and_then(|id| self.known.get_mut(&id)) {
            known.parted = true;
            out.push(Command::Notify(known.peer.id, Notice::Bye(Bye::Full)));
            out.push(Command::Disconnect(known.peer.id));
        }
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Command>) {
        self.settle(now);
        let ids: Vec<NodeId> = self.known.keys().copied().collect();
        for id in ids {
            self.refresh(id, out);
            let Some(known) = self.known.get_mut(&id) else { continue };
            if known.proven && known.belief.is_gone(now) {
                self.departed(id, false, now, out);
            } else if !known.proven && now.saturating_sub(known.since) >= HEARSAY {
                self.known.remove(&id);
            } else if !known.connected && !known.parted && known.redial <= now {
                known.redial = now + REDIAL;
                out.push(Command::Dial(known.contact()));
            }
        }
        if self.filling.is_routine_due(now) {
            let neighbours = self.neighbours();
            self.filling.routine(&neighbours, now);
        }
        if self.next_round <= now {
            self.next_round = now + ROUND;
            self.round(now, out);
        }
        if self.lost_retry <= now {
            self.lost_retry = now + LOST_RETRY;
            if let Some(contact) = self.rng.choice(&self.lost) {
                out.push(Command::Dial(contact.clone()));
            }
        }
    }

    /// Whether it has looked around for long enough, or has met all it was told of.
    fn settle(&mut self, now: Now) {
        if !self.first_until.is_zero() && (now >= self.first_until || !self.filling.owes_first()) {
            self.first_until = Now::ZERO;
            self.changed = true;
        }
        let Some(until) = self.settling else { return };
        let met_all = self.searched
            && self.exchanged
            && self.known.values().any(|known| known.connected)
            && self.known.values().all(|known| known.connected || known.parted);
        if met_all || now >= until {
            self.settling = None;
            self.changed = true;
            self.filling.mark_first();
            self.first_until = now + FIRST_PULLS;
        }
    }

    fn exchange(&self, id: NodeId, out: &mut Vec<Command>) {
        if let Some(known) = self.known.get(&id) {
            out.push(Command::Exchange(Arc::clone(&known.peer)));
        }
    }

    /// A round of probes: the quiet ones of the neighbours, one quiet one of the others, and all
    /// suspects.
    fn round(&mut self, now: Now, out: &mut Vec<Command>) {
        let mut proven: Vec<&Known> = self.known.values().filter(|known| known.proven).collect();
        proven.sort_by_key(|known| known.peer.place.distance(&self.me.place));
        let quiet = |known: &&&Known| now.saturating_sub(known.peer.pulse.last()) >= QUIET;
        let (near, far) = proven.split_at(NEIGHBOURS.min(proven.len()));
        let mut wanted: BTreeSet<NodeId> =
            near.iter().filter(quiet).map(|known| known.peer.id).collect();
        // One at random, quiet or not: its answer also tells whether it knows the same members.
        let others = if far.is_empty() { near } else { far };
        wanted.extend(self.rng.choice(others).map(|known| known.peer.id));
        let suspects = proven.iter().filter(|known| !known.belief.is_well());
        wanted.extend(suspects.map(|known| known.peer.id));
        for id in wanted {
            self.probe(id, now, out);
        }
    }

    fn probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        // One without a connection is dialed instead; the connection will tell.
        if (known.connected || known.parted) && known.belief.may_probe(now) {
            out.push(Command::Probe(Arc::clone(&known.peer)));
        }
    }

    /// Takes note of when a member was last heard.
    fn refresh(&mut self, id: NodeId, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        let last = known.peer.pulse.last();
        if known.connected && known.belief.heard(last) {
            self.changed = true;
            out.push(Command::Report(News::Recovered(id)));
        }
    }

    fn unanswered_probe(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        self.suspect(id, now, out);
        let helpers: Vec<Arc<Peer>> = self
            .known
            .values()
            .filter(|known| known.connected && known.belief.is_well() && known.peer.id != id)
            .map(|known| Arc::clone(&known.peer))
            .collect();
        for helper in self.rng.choose_multiple(helpers, HELPERS) {
            out.push(Command::Notify(helper.id, Notice::Rumour(Rumour { about: id, gone: false })));
            out.push(Command::ProbeFor { helper, target: id });
        }
    }

    fn suspect(&mut self, id: NodeId, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        if known.proven && known.belief.suspect(now) {
            self.changed = true;
            out.push(Command::Report(News::Suspected(id)));
        }
    }

    fn rumour(&mut self, rumour: Rumour, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.get_mut(&rumour.about) else { return };
        if rumour.gone {
            known.belief.second();
        }
        // One that was heard just now needs no looking into.
        if now.saturating_sub(known.peer.pulse.last()) >= ROUND {
            self.probe(rumour.about, now, out);
        }
    }

    /// A member is gone, or has left: others keep what it kept.
    fn departed(&mut self, id: NodeId, left: bool, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.remove(&id) else { return };
        self.changed = true;
        self.filling.forget(&id);
        out.push(Command::Disconnect(id));
        if !known.proven {
            return;
        }
        self.gain_share_of(&known, now);
        if left {
            out.push(Command::Report(News::Left(id)));
            return;
        }
        out.push(Command::Report(News::Gone(id)));
        if known.start.is_some() {
            let rumour = Notice::Rumour(Rumour { about: id, gone: true });
            let connected = self.known.values().filter(|known| known.connected);
            out.extend(connected.map(|known| Command::Notify(known.peer.id, rumour.clone())));
        }
        if self.lost.len() >= LOST_MAX {
            self.lost.remove(0);
        }
        self.lost.push(known.contact());
    }

    /// What a departed member kept, this node may have to keep now.
    fn gain_share_of(&mut self, gone: &Known, now: Now) {
        let proven = self.known.values().filter(|known| known.proven);
        let others: Vec<&Arc<Peer>> = proven.map(|known| &known.peer).collect();
        // Where there were no more than three nothing is gained, but one copy of two may be lost: those
        // who are left see to it that both have all.
        let places = others.iter().map(|peer| &peer.place).chain([&gone.peer.place]);
        let subtree = around(self.me.place, places);
        if !subtree.contains(&gone.peer.place) {
            return;
        }
        let near = others.iter().filter(|peer| subtree.contains(&peer.place));
        let near: BTreeSet<NodeId> = near.map(|peer| peer.id).collect();
        // One that is gone was silent for longer than a Wi-Fi scan; who left said so.
        self.filling.departed(gone.peer.place, near, now);
    }

    /// The members that are well and may keep something with this node.
    fn neighbours(&self) -> Vec<NodeId> {
        let well = || self.known.values().filter(|known| known.proven && known.belief.is_well());
        let places = well().map(|known| &known.peer.place);
        let near = around(self.me.place, places.chain([&self.me.place]));
        let near = well().filter(|known| near.contains(&known.peer.place) && known.start.is_some());
        near.map(|known| known.peer.id).collect()
    }

    fn view(&self) -> View {
        let proven = self.known.values().filter(|known| known.proven);
        let members = proven.map(|known| Member {
            peer: Arc::clone(&known.peer),
            addresses: Arc::clone(&known.addresses),
            well: known.belief.is_well(),
            // One that is only remembered was not even met.
            unpulled: self.filling.has_gap(&known.peer.id) || known.start.is_none(),
        });
        let departed = self.filling.departed_places();
        let settled = self.settling.is_none();
        let mut view = View::new(Arc::clone(&self.me), members.collect(), departed, settled);
        view.set_starting(self.filling.owes_first() && !self.first_until.is_zero());
        view
    }
}
