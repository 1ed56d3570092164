//! The rules of a crowd, without a network: what is told, and what comes of it.

use std::time::Duration;

use base::limits::REPLICAS;

use super::departing::TOLD;
use super::*;
use crate::overlay::Pulse;
use crate::overlay::connections::CONNECTIONS_MAX;
use crate::overlay::detector::NEIGHBOURS;
use crate::overlay::table::{KNOWN_MAX, NEAR_MAX};
use crate::overlay::view::tests::peer;
use crate::wire::{Hello, Rumour};

const fn at(millis: u64) -> Now {
    Duration::from_millis(millis)
}

fn contact(n: u64) -> Contact {
    Contact { id: peer(n).id, addresses: vec![([10, 0, 0, 1], 1 + n as u16).into()] }
}

fn node(settle: Duration) -> Membership {
    Membership::new(peer(0), &[], settle, 1)
}

/// Somebody is connected at such a time, and heard.
fn meet(membership: &mut Membership, n: u64, now: Now) -> Vec<Command> {
    let pulse = Pulse::default();
    pulse.beat(now);
    let hello = Hello { version: 1, oldest: 1, holds: false, start: n };
    let event = LinkEvent::Connected { contact: contact(n), hello, pulse };
    let mut out = Vec::new();
    membership.handle(Event::Link(event), now, &mut out);
    // Whatever is to be copied is at once.
    membership.handle(Event::Tick, now, &mut out);
    membership.settle_up(now, &mut out);
    for command in std::mem::take(&mut out) {
        match command {
            Command::Repair { from, .. } => {
                membership.handle(Event::Pulled(from.id, PullEnd::Done), now, &mut out);
            }
            other => out.push(other),
        }
    }
    out
}

fn told(from: u64, numbers: impl Iterator<Item = u64>, more: bool) -> Event {
    let contacts = numbers.map(contact).collect();
    let answer = Some(Acquaintance { contacts, settled: true, more });
    Event::Exchanged { from: peer(from).id, near: None, answer }
}

#[test]
fn in_a_crowd_the_near_are_known_and_connections_are_bounded_and_spread() {
    let mut membership = node(Duration::ZERO);
    for n in 1..=1500 {
        meet(&mut membership, n, at(n * 50));
        assert!(membership.roster.connections() <= CONNECTIONS_MAX, "after {n}");
    }
    let view = membership.view();
    assert!(view.is_crowd() && view.members().len() <= KNOWN_MAX + 1);
    let me = peer(0).place;
    let mut all: Vec<u64> = (1..=1500).collect();
    all.sort_by_key(|n| peer(*n).place.distance(&me));
    assert!(all[..NEAR_MAX].iter().all(|n| view.member(&peer(*n).id).is_some()));
    assert!(membership.gaps().open().is_empty(), "{:?}", membership.gaps());
    for key in 0..200u64 {
        let place = Place::of(&key.to_le_bytes());
        let near = view.knows_replicas(&place);
        let closest = all.iter().copied().min_by_key(|n| peer(*n).place.distance(&place));
        let first = view.to_ask(&place)[0].peer.id;
        assert!(!near || Some(first) == closest.map(|n| peer(n).id), "key {key}");
        assert!(near || view.member(&first).is_some_and(|member| member.connected));
    }
}

#[test]
fn a_crowd_that_has_gone_home_is_none_any_more() {
    let mut membership = node(Duration::ZERO);
    (1..=600).for_each(|n| drop(meet(&mut membership, n, at(n * 50))));
    assert!(membership.view().is_crowd());
    let mut out = Vec::new();
    for n in 1..=500 {
        let bye = LinkEvent::Notice(peer(n).id, Notice::Bye(Bye::Leaving));
        membership.handle(Event::Link(bye), at(40_000), &mut out);
    }
    membership.handle(Event::Tick, at(40_100), &mut out);
    assert!(!membership.view().is_crowd());
}

#[test]
fn a_newcomer_to_a_crowd_asks_on_until_the_closest_have_told() {
    let mut membership = node(JOINING);
    meet(&mut membership, 1, at(10));
    let mut out = Vec::new();
    membership.handle(told(1, 2..258, true), at(20), &mut out);
    let dialled = out.iter().filter(|command| matches!(command, Command::Dial(_))).count();
    assert_eq!(dialled, 16, "of those whom one names that is not close the closest are met");
    let mut asked = BTreeSet::new();
    for n in 2..18 {
        for command in meet(&mut membership, n, at(100 + n * 20)) {
            if let Command::Exchange(peer, None) = command {
                asked.insert(peer.id);
            }
        }
    }
    assert!(membership.settling.is_some(), "the closest have not told yet");
    let mut closest: Vec<u64> = (1..18).collect();
    closest.sort_by_key(|n| peer(*n).place.distance(&peer(0).place));
    for n in &closest[..REPLICAS] {
        membership.handle(told(*n, 2..18, true), at(2000), &mut out);
    }
    assert!(!asked.is_empty());
    out.clear();
    membership.handle(Event::Tick, at(2900), &mut out);
    membership.handle(Event::Tick, at(3300), &mut out);
    assert!(membership.settling.is_some());
    let wanted = |command: &Command| matches!(command, Command::Exchange(peer, None) if peer.id == self::peer(closest[0]).id);
    assert!(out.iter().any(wanted), "the closest names all that are near");
    out.clear();
    membership.handle(told(closest[0], 2..258, true), at(3400), &mut out);
    let dialled = out.iter().filter(|command| matches!(command, Command::Dial(_))).count();
    assert_eq!(dialled, 256 - 16, "now all of them are met");
    for n in 18..258 {
        meet(&mut membership, n, at(3500 + n));
    }
    let mut closest: Vec<u64> = (1..258).collect();
    closest.sort_by_key(|n| peer(*n).place.distance(&peer(0).place));
    for n in &closest[..REPLICAS] {
        membership.handle(told(*n, 2..258, true), at(4000), &mut out);
    }
    membership.handle(Event::Tick, at(4100), &mut out);
    assert!(membership.settling.is_none());
}

#[test]
fn of_one_that_is_gone_some_are_told_however_many_are_connected() {
    let mut membership = node(Duration::ZERO);
    (1..=100).for_each(|n| drop(meet(&mut membership, n, at(n))));
    let mut out = Vec::new();
    membership.handle(Event::Link(LinkEvent::Disconnected(peer(7).id)), at(1000), &mut out);
    membership.handle(Event::Tick, at(7000), &mut out);
    let gone = |command: &&Command| {
        matches!(command, Command::Notify(_, Notice::Rumour(Rumour { gone: true, .. })))
    };
    assert_eq!(out.iter().filter(gone).count(), TOLD);
}

#[test]
fn where_nobody_comes_or_goes_others_than_neighbours_are_probed_less_often() {
    let mut membership = node(Duration::ZERO);
    (1..=40).for_each(|n| drop(meet(&mut membership, n, at(n))));
    let mut near: Vec<u64> = (1..=40).collect();
    near.sort_by_key(|n| peer(*n).place.distance(&peer(0).place));
    let near: BTreeSet<NodeId> = near[..NEIGHBOURS].iter().map(|n| peer(*n).id).collect();
    let mut others = |from: u64, rounds: u64| {
        let mut out = Vec::new();
        (0..rounds).for_each(|n| membership.handle(Event::Tick, at(from + n * 1000), &mut out));
        let is_other =
            |probed: &&Command| matches!(probed, Command::Probe(peer) if !near.contains(&peer.id));
        out.iter().filter(is_other).count()
    };
    assert_eq!(others(1000, 14), 14);
    assert_eq!(others(20_000, 100), 25);
}

#[test]
fn whom_a_neighbour_should_have_named_and_did_not_is_looked_after() {
    let mut membership = node(Duration::ZERO);
    (1..=700).for_each(|n| drop(meet(&mut membership, n, at(n * 50))));
    let mut near: Vec<u64> = (1..=700).collect();
    near.sort_by_key(|n| peer(*n).place.distance(&peer(0).place));
    let is_parted =
        |n: &u64| membership.roster.get(&peer(*n).id).is_some_and(|known| !known.connected);
    let missing = *near[20..200].iter().find(|n| is_parted(n)).unwrap();
    let named: Vec<u64> = near[..NEAR_MAX].iter().copied().filter(|n| *n != missing).collect();
    let mut out = Vec::new();
    membership.handle(told(near[0], named.into_iter(), true), at(60_000), &mut out);
    let probed = |command: &Command| match command {
        Command::Probe(probed) => Some(probed.id),
        _ => None,
    };
    assert_eq!(out.iter().filter_map(probed).collect::<Vec<_>>(), [peer(missing).id]);
}

#[test]
fn where_one_answer_does_not_name_all_it_is_asked_elsewhere_too() {
    let asked = |count: u64| {
        let mut membership = node(Duration::ZERO);
        (1..=count).for_each(|n| drop(meet(&mut membership, n, at(n * 50))));
        let (mut out, mut places) = (Vec::new(), Vec::new());
        for n in 0..20 {
            let (from, took) = (peer(1).id, at(1));
            let alive = Event::Alive { from, digest: 0, took };
            membership.handle(alive, at((n + 1) * 200_000), &mut out);
            places.extend(out.drain(..).filter_map(|command| match command {
                Command::Exchange(_, near) => Some(near),
                _ => None,
            }));
        }
        places
    };
    assert!(asked(100).iter().all(Option::is_none));
    let many = asked(300);
    assert!(many.iter().any(Option::is_none) && many.iter().any(Option::is_some), "{many:?}");
}
