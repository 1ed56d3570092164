//! [`Membership`]: who is in the overlay, from what the link says, from probes and from time.

mod crowd;
mod departing;
mod looking;
mod meeting;
mod probing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base::{NodeId, Place};

use self::crowd::Crowd;
use super::detector::{Belief, CALM, INDIRECT, PROMPTED, ROUND, RUMOURS};
use super::exchange::Exchanges;
use super::filling::{Begin, Filling, PullEnd, Scope};
use super::guests::Guests;
use super::known::Known;
use super::local_health::{Budget, LocalHealth, UNANSWERED};
use super::lost::Lost;
use super::roster::Roster;
use super::view::{Member, View};
use super::{Now, Peer};
use crate::link::{LinkEvent, Strange};
use crate::wire::{Bye, Contact, Notice};

/// How long one of whom others told is tried to be reached.
const HEARSAY: Duration = Duration::from_secs(5);
/// Members of whom others told, waiting to be proven by a connection.
const CLAIMS_MAX: usize = 512;
/// Looking around for others, once there is one to ask, takes no longer.
const JOINING: Duration = Duration::from_millis(2500);

/// A view of more members than this is published no oftener than once in this time: in a crowd something
/// changes all the time, and each view is made of everybody.
const VIEW_LARGE: usize = 128;
const VIEW_PAUSE: Duration = Duration::from_millis(100);
const VIEW_PAUSE_CROWD: Duration = Duration::from_millis(500);

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The link says so.
    Link(LinkEvent),
    /// A request to it has been waiting for too long.
    Unanswered(NodeId),
    /// A probe was answered, in time or late, with a digest of the members the other knows.
    Alive { from: NodeId, digest: u64, took: Duration },
    /// A probe was not answered in time.
    Silent(NodeId),
    /// Another member hears this one.
    Vouched(NodeId),
    /// Whom another member knows near this one, or another place; `None` if it did not say.
    Exchanged { from: NodeId, near: Option<Place>, answer: Option<Acquaintance> },
    /// A pull from it has ended.
    Pulled(NodeId, PullEnd),
    /// The machine slept: others have gone on without this node.
    Awoke,
    /// Somebody is being joined: there ought to be others.
    Joining,
    /// Time has passed.
    Tick,
}

/// Whom a member knows.
#[derive(Debug)]
pub(crate) struct Acquaintance {
    pub(crate) contacts: Vec<Contact>,
    /// Whether it knows who is there.
    pub(crate) settled: bool,
    /// Whether there are more than it can know.
    pub(crate) more: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    Dial(Contact),
    /// Ask it whom it knows near this node, or another place.
    Exchange(Arc<Peer>, Option<Place>),
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
    /// From now on whoever is asked may stay silent for so long.
    Await(Duration),
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
    roster: Roster,
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
    /// How far it trusts its own senses, and what it may spend on its doubts.
    health: LocalHealth,
    prompted: Budget,
    indirect: Budget,
    rumours: Budget,
    /// What was published of it.
    unanswered: Duration,
    /// Whether there are more members than can be known.
    crowd: Option<Crowd>,
    /// While it looks around: whether one that was asked knows too many to name all, and who was asked.
    many: bool,
    asked: BTreeSet<NodeId>,
    /// In a crowd: whether the closest were found, and one of them has told of all that are near.
    found: bool,
    whole: bool,
    next_round: Now,
    rounds: u32,
    /// From when on the members are the same for long.
    calm_at: Now,
    rng: fastrand::Rng,
    changed: bool,
    /// Whether something may have to be copied since that was looked at.
    may_copy: bool,
}

impl Membership {
    /// A node that looks for others for `settle`, and knew these when it last ran.
    pub(crate) fn new(
        me: Arc<Peer>,
        remembered: &[Contact],
        settle: Duration,
        seed: u64,
    ) -> Membership {
        let mut roster = Roster::new(me.place);
        for contact in remembered.iter().filter(|contact| contact.id != me.id) {
            let belief = Belief::remembered(Now::ZERO);
            let new = Known::told_of(contact, Now::ZERO);
            let redial = Now::ZERO;
            roster.insert(Known { proven: true, belief, redial, ..new });
        }
        // Whoever was there the last time is looked for in any case.
        let expects_others = roster.members() > 0;
        let settle = if expects_others { settle.max(JOINING) } else { settle };
        Membership {
            me,
            roster,
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
            health: LocalHealth::default(),
            prompted: PROMPTED,
            indirect: INDIRECT,
            rumours: RUMOURS,
            unanswered: UNANSWERED,
            crowd: None,
            many: false,
            asked: BTreeSet::new(),
            found: false,
            whole: false,
            next_round: ROUND,
            rounds: 0,
            calm_at: CALM,
            rng: fastrand::Rng::with_seed(seed),
            changed: true,
            may_copy: true,
        }
    }

    /// What is known before anything has happened.
    pub(crate) fn first_view(&mut self) -> View {
        self.changed = false;
        self.view()
    }

    /// Takes note of an event. What it changes is seen after [`Membership::settle_up`].
    pub(crate) fn handle(&mut self, event: Event, now: Now, out: &mut Vec<Command>) {
        self.may_copy |= matches!(
            event,
            Event::Tick
                | Event::Awoke
                | Event::Pulled(..)
                | Event::Link(LinkEvent::Connected { .. })
        );
        match event {
            Event::Link(event) => self.link_event(event, now, out),
            Event::Unanswered(id) => {
                self.suspect(id, now, out);
                self.prompted_probe(id, now, out);
            }
            Event::Alive { from, digest, took } => {
                self.health.answered(took);
                self.refresh(from, out);
                if digest != self.digest {
                    self.calm_at = now + CALM;
                }
                // Where not everybody is known, no two know the same.
                if self.crowd.is_none() && self.compare(digest == self.digest, now) {
                    let near = self.where_to_look();
                    self.exchange(from, near, out);
                }
            }
            Event::Exchanged { from, near, answer } => self.exchanged(from, near, answer, now, out),
            Event::Silent(id) => {
                self.refresh(id, out);
                self.unanswered_probe(id, now, out);
            }
            Event::Vouched(id) => {
                if let Some(known) = self.roster.get_mut(&id) {
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
        let known = &self.roster;
        let is_connected = |id: &NodeId| known.get(id).is_some_and(|known| known.connected);
        let begun = if std::mem::take(&mut self.may_copy) {
            self.filling.begin(now, is_connected)
        } else {
            Vec::new()
        };
        for Begin { from, scope } in begun {
            match self.roster.get(&from) {
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
            if self.crowd.is_some() {
                self.next_view = now + VIEW_PAUSE_CROWD;
            } else if self.roster.members() > VIEW_LARGE {
                self.next_view = now + VIEW_PAUSE;
            }
            let view = self.view();
            if self.digest != view.digest() {
                self.digest = view.digest();
                self.exchanges.news(now);
                self.calm_at = now + CALM;
            }
            out.push(Command::Publish(view));
        }
        if self.unanswered != self.health.patience() {
            self.unanswered = self.health.patience();
            out.push(Command::Await(self.unanswered));
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
                let Some(known) = self.roster.get_mut(&id) else { return };
                if !known.parted {
                    // It may be moving to another network; whoever asks it dials at once.
                    known.redial = now;
                    self.roster.doubt(id);
                    self.suspect(id, now, out);
                }
                self.changed |= self.roster.disconnect(&id);
            }
            LinkEvent::DialFailed(id) => {
                if self.roster.get(&id).is_some_and(|known| !known.proven) {
                    self.roster.remove(&id);
                } else {
                    self.suspect(id, now, out);
                }
            }
            LinkEvent::Learned(contact) => self.learned(contact, &mut None, now, out),
            // Whom it found it has told.
            LinkEvent::Searched => {}
            LinkEvent::Notice(from, Notice::Bye(Bye::Leaving)) => {
                self.departed(from, true, now, out)
            }
            LinkEvent::Notice(from, Notice::Bye(Bye::Full)) => {
                if let Some(known) = self.roster.get_mut(&from) {
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
        for id in self.roster.uncertain() {
            self.refresh(id, out);
            let Some(known) = self.roster.get_mut(&id) else { continue };
            if known.proven && known.belief.is_gone(now, &self.health) {
                self.departed(id, false, now, out);
            } else if !known.proven && now.saturating_sub(known.since) >= HEARSAY {
                self.roster.remove(&id);
            } else if !known.connected && !known.parted && known.redial <= now {
                let pause = known.redial_pause();
                // Not all at the same time, of whom all lost the connection together.
                known.redial =
                    now + self.health.stretch(pause).mul_f64(0.75 + self.rng.f64() / 2.0);
                out.push(Command::Dial(known.contact()));
            }
        }
        if self.filling.is_routine_due(now) {
            let neighbours = self.neighbours();
            self.filling.routine(&neighbours, now);
        }
        if self.next_round <= now {
            self.next_round = now + self.health.stretch(ROUND);
            self.round(now, out);
        }
        let lost = self.lost.due(&mut self.rng, &self.health, now);
        out.extend(lost.into_iter().map(Command::Dial));
        self.guests.idle(now).into_iter().for_each(|id| part_from(id, out));
        self.crowd_tick(now, out);
    }

    fn view(&mut self) -> View {
        let members = self.roster.in_order().map(|known| Member {
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
        if self.crowd.is_some() {
            view.set_known_bits(self.roster.shape().known_bits);
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

#[cfg(test)]
mod tests;
