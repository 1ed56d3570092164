use base::{Name, SigningKey};

use super::*;
use crate::author::Author;
use crate::community::{Community, Description, Event, Moment, Subject, Verdict};
use crate::overlay::Memory;

fn person(seed: u8) -> Author {
    let name = Name::new(&format!("person{seed}")).unwrap();
    Author::with_clock(name, SigningKey::from_bytes(&[seed; 32]), || 1_796_000_000_000)
}

async fn founded(net: &Net, title: &str) -> (Author, Community) {
    let founder = person(1);
    let description = Description::new(founder.name(), title, "").unwrap();
    let community = net.found(&founder, description).await.unwrap();
    (founder, community)
}

async fn announce(community: &Community, by: &Author, title: &str) -> ThingId {
    let view = community.view().await.unwrap();
    let start: Moment = "2026-12-01T19:00Z".parse().unwrap();
    let event = Event::new(by.name(), title, "", "", (start, start), by.stamp([])).unwrap();
    community.announce(by, &view, &event).await.unwrap().id
}

fn previews(alerts: &[Alert]) -> Vec<&str> {
    alerts.iter().map(|alert| &*alert.preview).collect()
}

#[tokio::test(start_paused = true)]
async fn what_happens_after_the_first_look_is_told_once() {
    let net = Net::new(Memory::new());
    let (founder, chess) = founded(&net, "Chess").await;
    let (_, other) = founded(&net, "Go").await;
    announce(&chess, &founder, "before").await;
    let mut alerts = Alerts::new(net.clone(), [chess.id()]);
    assert_eq!(alerts.next().await.unwrap(), []);
    let id = announce(&chess, &founder, "after").await;
    announce(&other, &founder, "elsewhere").await;
    let told = alerts.next().await.unwrap();
    assert_eq!(previews(&told), ["after"]);
    let alert = &told[0];
    assert_eq!((alert.kind, alert.thing, &*alert.title), (Kind::Event, id, "Chess"));
    assert_eq!((&*alert.name, alert.missed), ("person1", 0));
    assert_eq!(alerts.next().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_happens_between_two_looks_is_told_together_with_how_much_was_missed() {
    let net = Net::new(Memory::new());
    let (founder, chess) = founded(&net, "Chess").await;
    let mut alerts = Alerts::new(net.clone(), [chess.id()]);
    alerts.next().await.unwrap();
    for n in 0..7 {
        announce(&chess, &founder, &format!("event {n}")).await;
    }
    let told = alerts.next().await.unwrap();
    let mut heard = previews(&told);
    heard.sort_unstable();
    assert_eq!(heard, ["event 3", "event 4", "event 5", "event 6"]);
    assert_eq!(told.iter().map(|alert| alert.missed).sum::<u64>(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_joins_is_heard_and_strangers_are_not() {
    let net = Net::new(Memory::new());
    let (_, chess) = founded(&net, "Chess").await;
    let mut alerts = Alerts::new(net.clone(), [chess.id()]);
    alerts.next().await.unwrap();
    let (member, stranger) = (person(2), person(3));
    chess.join(&member).await.unwrap();
    announce(&chess, &member, "hello").await;
    let mut told = Vec::new();
    while told.is_empty() {
        told = alerts.next().await.unwrap();
    }
    assert_eq!(previews(&told), ["hello"]);
    // As who does not ask this library whether it may.
    let thing = ThingId::from_bytes([1; 16]);
    crate::bell::ring(&net, &stranger, chess.id(), Kind::News, thing, "spam", Stamp::default())
        .await
        .unwrap();
    for _ in 0..5 {
        assert_eq!(alerts.next().await.unwrap(), []);
    }
    // Whoever joins then is heard of what comes.
    chess.join(&stranger).await.unwrap();
    announce(&chess, &stranger, "well, then").await;
    let mut told = Vec::new();
    while told.is_empty() {
        told = alerts.next().await.unwrap();
    }
    assert_eq!(previews(&told), ["well, then"]);
}

#[tokio::test(start_paused = true)]
async fn who_was_removed_is_not_heard() {
    let net = Net::new(Memory::new());
    let (founder, chess) = founded(&net, "Chess").await;
    let member = person(2);
    chess.join(&member).await.unwrap();
    let mut alerts = Alerts::new(net.clone(), [chess.id()]);
    alerts.next().await.unwrap();
    let view = chess.view().await.unwrap();
    let subject = Subject::Member(member.public());
    chess.decide(&founder, &view, subject, Verdict::Removed, "noise").await.unwrap();
    let told = alerts.next().await.unwrap();
    assert_eq!(told.iter().map(|alert| alert.kind).collect::<Vec<_>>(), [Kind::Moderation]);
    let thing = ThingId::from_bytes([1; 16]);
    crate::bell::ring(&net, &member, chess.id(), Kind::News, thing, "spam", Stamp::default())
        .await
        .unwrap();
    for _ in 0..5 {
        assert_eq!(alerts.next().await.unwrap(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_one_watch_and_nothing_else_for_a_follower() {
    let memory = Memory::new();
    let net = Net::new(memory.clone());
    let (founder, chess) = founded(&net, "Chess").await;
    for n in 2..40 {
        chess.join(&person(n)).await.unwrap();
    }
    let mut alerts = Alerts::new(net.clone(), [chess.id()]);
    announce(&chess, &founder, "first").await;
    alerts.next().await.unwrap();
    announce(&chess, &founder, "second").await;
    assert_eq!(alerts.next().await.unwrap().len(), 1); // Reads who belongs to it, once.
    for n in 0..3 {
        announce(&chess, &founder, &format!("event {n}")).await;
        let before = memory.asks();
        assert_eq!(alerts.next().await.unwrap().len(), 1);
        assert_eq!(memory.asks(), before);
    }
}
