//! [`Membership`]: who is in the overlay, from what the link says, from probes and from time.

mod meeting;
mod probing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, Place};

use super::detector::{Belief, NEIGHBOURS, ROUND};
use super::exchange::Exchanges;
use super::filling::{Begin, Filling, PullEnd, Scope};
use super::guests::Guests;
use super::known::{Known, REDIAL};
use super::lost::Lost;
use super::share::around;
use super::table;
use super::view::{Member, View};
use super::{Now, Peer};
use crate::link::{LinkEvent, Strange};
use crate::prefix::Prefix;
use crate::wire::{Bye, Contact, Notice, Rumour};

/// How long one of whom others told is tried to be reached.
const HEARSAY: Duration = Duration::from_secs(5);
/// Members of whom others told, waiting to be proven by a connection.
const CLAIMS_MAX: usize = 512;
/// One that never gives what it has keeps a newcomer from vouching for anything no longer than this.
const FIRST_PULLS: Duration = Duration::from_secs(15);
/// Between two questions to a neighbour whom it knows near this node, where not everybody can be known:
/// at first, and at most.
const LOOK_NEAR_FIRST: Duration = Duration::from_secs(1);
const LOOK_NEAR_MOST: Duration = Duration::from_secs(16);
/// Until a node that ought to meet others, and meets nobody, believes to be alone.
const EXPECTED: Duration = Duration::from_secs(10);
/// Until another member is asked who is there, if the one that was asked does not know.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// Looking around for others, once there is one to ask, takes no longer.
const JOINING: Duration = Duration::from_millis(2500);

/// A view of more members than this is published no oftener than once in this time: in a crowd something
/// changes all the time, and each view is made of everybody.
const CROWD: usize = 128;
const VIEW_PAUSE: Duration = Duration::from_millis(100);

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
    /// Whom another member knows, and whether that is all; `None` if it did not say.
    Exchanged(Option<(Vec<Contact>, bool)>),
    /// A pull from it has ended.
    Pulled(NodeId, PullEnd),
    /// The machine slept: others have gone on without this node.
    Awoke,
    /// Somebody is being joined: there ought to be others.
    Joining,
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
        scope: Scope,
        departed: Vec<Place>,
        /// Where to begin: another place each time.
        turn: usize,
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
    /// Whether a member that knows has told who is there; else when to ask another.
    exchanged: bool,
    ask_again: Now,
    /// Whether there ought to be others: those it knew when it ran last, or whom it was told to join.
    expects_others: bool,
    /// Whether it was alone until now, and knew it.
    was_alone: bool,
    exchanges: Exchanges,
    /// When the next view may be published; and the digest of the last.
    next_view: Now,
    digest: u64,
    lost: Lost,
    guests: Guests,
    /// Whether there are more members than can be known; when to ask a neighbour for those near, and
    /// how long to wait then.
    is_full: bool,
    look_near: (Now, Duration),
    next_round: Now,
    rng: fastrand::Rng,
    changed: bool,
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
        let expects_others = !known.is_empty();
        let settle = if known.is_empty() { settle } else { settle.max(JOINING) };
        Membership {
            me,
            known,
            filling: Filling::default(),
            settling: (!settle.is_zero()).then_some(settle),
            first_until: Now::ZERO,
            exchanged: false,
            ask_again: Now::ZERO,
            was_alone: false,
            expects_others,
            exchanges: Exchanges::default(),
            next_view: Now::ZERO,
            digest: 0,
            lost: Lost::default(),
            guests: Guests::default(),
            is_full: false,
            look_near: (Now::ZERO, LOOK_NEAR_FIRST),
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

    /// Takes note of an event. What it changes is seen after [`Membership::settle_up`].
    pub(crate) fn handle(&mut self, event: Event, now: Now, out: &mut Vec<Command>) {
        match event {
            Event::Link(event) => self.link_event(event, now, out),
            Event::Unanswered(id) => {
                self.suspect(id, now, out);
                self.probe(id, now, out);
            }
            Event::Probed(id, Some(digest)) => {
                self.refresh(id, out);
                // Where not everybody is known, no two know the same.
                if !self.is_full && self.exchanges.compare(digest == self.digest, now) {
                    self.exchange(id, out);
                }
            }
            Event::Exchanged(contacts) => {
                // Whoever looks around itself does not know everybody yet.
                let (contacts, settled) = contacts.unwrap_or_default();
                self.exchanged |= settled;
                for contact in contacts {
                    if let Some(known) = self.known.get_mut(&contact.id) {
                        known.told |= settled;
                    } else {
                        self.learned(contact, now, out);
                    }
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
                let before = self.filling.shown(&from);
                if self.filling.ended(&from, end, now).is_err() {
                    out.push(Command::Report(News::NothingPulled(from)));
                }
                self.changed |= before != self.filling.shown(&from);
            }
            Event::Awoke => self.awoke(now, out),
            Event::Joining => self.expects_others = true,
            Event::Tick => self.tick(now, out),
        }
    }

    /// Begins what is to be copied, and publishes what has changed: once for all events that came
    /// together, or with the next tick.
    pub(crate) fn settle_up(&mut self, now: Now, out: &mut Vec<Command>) {
        let known = &self.known;
        let is_connected = |id: &NodeId| known.get(id).is_some_and(|known| known.connected);
        for Begin { from, scope } in self.filling.begin(now, is_connected) {
            match self.known.get(&from) {
                Some(known) => {
                    let (from, departed) =
                        (Arc::clone(&known.peer), self.filling.departed_places());
                    let turn = self.rng.usize(..);
                    out.push(Command::Repair { from, scope, departed, turn });
                }
                None => self.filling.forget(&from),
            }
        }
        if self.changed && now >= self.next_view {
            self.changed = false;
            if self.known.len() > CROWD {
                self.next_view = now + VIEW_PAUSE;
            }
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
                self.guests.leave(&id);
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
            // Whom it found it has told.
            LinkEvent::Searched => {}
            LinkEvent::Notice(from, Notice::Bye(Bye::Leaving)) => {
                self.departed(from, true, now, out)
            }
            LinkEvent::Notice(from, Notice::Bye(Bye::Full)) => {
                if let Some(known) = self.known.get_mut(&from) {
                    known.parted = true;
                }
            }
            LinkEvent::Notice(by, Notice::Rumour(rumour)) => self.rumour(by, rumour, now, out),
            LinkEvent::Notice(_, Notice::Hello(_) | Notice::Changed(_)) => {}
            LinkEvent::Strange(id, strange) => {
                out.push(Command::Report(News::Strange(id, strange)))
            }
        }
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Command>) {
        self.settle(now, out);
        let uncertain = self.known.values().filter(|known| known.is_uncertain());
        let uncertain: Vec<NodeId> = uncertain.map(|known| known.peer.id).collect();
        for id in uncertain {
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
        let lost = self.lost.due(&mut self.rng, now);
        out.extend(lost.into_iter().map(Command::Dial));
        self.guests.idle(now).into_iter().for_each(|id| part_from(id, out));
        self.look_near(now, out);
    }

    /// Where not everybody can be known, neighbours tell each other who came near.
    fn look_near(&mut self, now: Now, out: &mut Vec<Command>) {
        if !self.is_full || self.settling.is_some() || now < self.look_near.0 {
            return;
        }
        let pause = (self.look_near.1 * 2).min(LOOK_NEAR_MOST);
        self.look_near = (now + self.look_near.1, pause);
        let mut near: Vec<&Known> = self.known.values().filter(|known| known.connected).collect();
        near.sort_by_key(|known| known.peer.place.distance(&self.me.place));
        near.truncate(NEIGHBOURS);
        if let Some(known) = self.rng.choice(near) {
            self.exchange(known.peer.id, out);
        }
    }

    /// Whether it has looked around for long enough, or has met all it was told of.
    fn settle(&mut self, now: Now, out: &mut Vec<Command>) {
        if !self.first_until.is_zero() && (now >= self.first_until || !self.filling.owes_first()) {
            self.first_until = Now::ZERO;
            self.changed = true;
        }
        let Some(until) = self.settling else { return };
        let connected = self.known.values().filter(|known| known.connected);
        let connected: Vec<NodeId> = connected.map(|known| known.peer.id).collect();
        if !self.exchanged && self.ask_again <= now {
            self.ask_again = now + ASK_AGAIN;
            if let Some(id) = self.rng.choice(&connected) {
                self.exchange(*id, out);
            }
        }
        // Who ought to meet others and met nobody waits for longer before it believes to be alone.
        let until = match self.expects_others && connected.is_empty() {
            true => until.max(EXPECTED),
            false => until,
        };
        let met_all = self.exchanged
            && !connected.is_empty()
            && self.known.values().all(Known::needs_no_waiting);
        if met_all || now >= until {
            self.settling = None;
            self.was_alone = false;
            (self.changed, self.next_view) = (true, Now::ZERO);
            self.filling.mark_first();
            self.first_until = now + FIRST_PULLS;
        }
    }

    /// As after a start, with those known who were there before.
    fn awoke(&mut self, now: Now, out: &mut Vec<Command>) {
        self.settling = Some(now + JOINING);
        self.exchanged = false;
        let proven: Vec<NodeId> =
            self.known.values().filter(|known| known.proven).map(|known| known.peer.id).collect();
        for id in proven {
            self.filling.owe(id, true, now);
            self.probe(id, now, out);
        }
        let connected = self.known.values().filter(|known| known.connected);
        if let Some(id) = self.rng.choice(connected.map(|known| known.peer.id).collect::<Vec<_>>())
        {
            self.exchange(id, out);
        }
        self.changed = true;
    }

    fn exchange(&self, id: NodeId, out: &mut Vec<Command>) {
        if let Some(known) = self.known.get(&id) {
            out.push(Command::Exchange(Arc::clone(&known.peer)));
        }
    }

    /// A member is gone, or has left: others keep what it kept.
    fn departed(&mut self, id: NodeId, left: bool, now: Now, out: &mut Vec<Command>) {
        let Some(known) = self.known.remove(&id) else { return };
        // What was its share is copied at once, and that takes a view without it.
        (self.changed, self.next_view) = (true, Now::ZERO);
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
        self.lost.add(known.contact(), now);
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
        let (near, well) = (self.subtree(), self.well());
        let near = well.filter(|known| near.contains(&known.peer.place) && known.start.is_some());
        near.map(|known| known.peer.id).collect()
    }

    /// Where all lies that this node keeps, and all members are that keep something with it.
    fn subtree(&self) -> Prefix {
        around(self.me.place, self.well().map(|known| &known.peer.place))
    }

    fn well(&self) -> impl Iterator<Item = &Known> {
        self.known.values().filter(|known| known.proven && known.belief.is_well())
    }

    fn view(&self) -> View {
        let proven = self.known.values().filter(|known| known.proven);
        let members = proven.map(|known| Member {
            peer: Arc::clone(&known.peer),
            addresses: Arc::clone(&known.addresses),
            well: known.belief.is_well(),
            connected: known.connected,
            // One that is only remembered was not even met.
            unpulled: self.filling.has_gap(&known.peer.id) || known.start.is_none(),
        });
        let departed = self.filling.departed_places();
        let settled = self.settling.is_none();
        let mut view = View::new(Arc::clone(&self.me), members.collect(), departed, settled);
        if self.is_full {
            let proven = self.known.values().filter(|known| known.proven);
            let rows: Vec<_> = proven.map(Known::row).collect();
            view.set_known_bits(table::known_bits(&self.me.place, &rows));
        }
        if self.was_alone {
            view.set_can_tell();
        }
        view.set_starting(self.filling.owes_first() && !self.first_until.is_zero());
        view
    }
}

/// Closes a connection for which there is no room, and says why.
fn part_from(id: NodeId, out: &mut Vec<Command>) {
    out.push(Command::Notify(id, Notice::Bye(Bye::Full)));
    out.push(Command::Disconnect(id));
}
