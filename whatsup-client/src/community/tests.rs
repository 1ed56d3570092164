use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Name, SigningKey};

use super::*;
use crate::community::Poll;
use crate::overlay::Memory;

/// A person whose clock goes on by a second with each look.
fn person(seed: u8) -> Author {
    let clock = Arc::new(AtomicU64::new(1_796_000_000_000));
    let name = Name::new(&format!("person{seed}")).unwrap();
    Author::with_clock(name, SigningKey::from_bytes(&[seed; 32]), move || {
        clock.fetch_add(1_000, Ordering::Relaxed)
    })
}

fn chess(by: &Author) -> Description {
    Description::new(by.name(), "Chess", "Every evening in hall 2").unwrap()
}

fn event(by: &Author, title: &str, start: &str) -> Event {
    let start: Moment = start.parse().unwrap();
    Event::new(by.name(), title, "", "Hall 2", (start, start.later(60)), by.stamp([])).unwrap()
}

async fn titles(community: &Community) -> Vec<String> {
    let view = community.view().await.unwrap();
    let events = community.events(&view).await.unwrap();
    let shown = events.into_iter().filter(|shown| shown.hidden.is_none());
    shown.map(|shown| shown.record.body.title).collect()
}

async fn words(community: &Community) -> Vec<(String, &'static str)> {
    let view = community.view().await.unwrap();
    view.members.iter().map(|(_, member)| (member.name.clone(), member.standing.word())).collect()
}

#[tokio::test]
async fn a_community_is_listed_and_joined_and_left() {
    let net = Net::new(Memory::new());
    let (founder, member) = (person(1), person(2));
    let community = net.found(&founder, chess(&founder)).await.unwrap();
    let (listed, next) = communities(&net, None).await.unwrap();
    assert_eq!((listed[0].title.as_str(), listed.len(), next), ("Chess", 1, None));
    assert_eq!(listed[0].words(), ["Chess", "Every evening in hall 2"]);
    assert_eq!(community.join(&member).await.unwrap(), Standing::Joined);
    assert_eq!(community.view().await.unwrap().members.count(), 2);
    assert!(community.leave(&member).await.unwrap());
    assert!(!community.leave(&member).await.unwrap());
    assert_eq!(community.view().await.unwrap().members.count(), 1);
    let nowhere = net.community(CommunityId::from_bytes([9; 16]));
    let error = nowhere.join(&member).await.unwrap_err();
    assert_eq!(error.to_string(), format!("there is no community {}", nowhere.id()));
}

#[tokio::test]
async fn who_does_not_moderate_it_lists_no_community() {
    let net = Net::new(Memory::new());
    let (founder, other) = (person(1), person(2));
    let community = net.found(&founder, chess(&founder)).await.unwrap();
    let slot = Slot::new(*community.id().as_bytes());
    net.list(keys::communities()).retract(&founder, slot).await.unwrap();
    directory::list(&net, &other, community.id()).await.unwrap();
    assert_eq!(communities(&net, None).await.unwrap().0, []);
}

#[tokio::test]
async fn only_members_speak_and_what_is_hidden_says_by_whom_and_why() {
    let net = Net::new(Memory::new());
    let (founder, member, stranger) = (person(1), person(2), person(3));
    let community = net.found(&founder, chess(&founder)).await.unwrap();
    community.join(&member).await.unwrap();
    let view = community.view().await.unwrap();
    let late = event(&member, "Final", "2026-12-03T19:00Z");
    let early = event(&founder, "First round", "2026-12-01T19:00+01:00");
    let id = community.announce(&member, &view, &late).await.unwrap().id;
    community.announce(&founder, &view, &early).await.unwrap();
    let spam = event(&stranger, "Buy!", "2026-12-01T19:00Z");
    let error = community.announce(&stranger, &view, &spam).await.unwrap_err();
    assert_eq!(error.to_string(), "you are no member of \"Chess\"; join first");
    // As who does not ask this library whether it may.
    let list = net.list(keys::community_part(community.id(), "events"));
    list.publish(&stranger, Slot::ZERO, LIFE, &spam, None).await.unwrap();
    assert_eq!(titles(&community).await, ["First round", "Final"]);

    let (thing, removed) = (Subject::Thing(id), Verdict::Removed);
    let error = community.decide(&member, &view, thing, removed, "").await.unwrap_err();
    assert_eq!(error.to_string(), "only \"Chess\"'s founder and moderators do this");
    community.decide(&founder, &view, thing, removed, "it is cancelled").await.unwrap();
    assert_eq!(titles(&community).await, ["First round"]);
    let view = community.view().await.unwrap();
    let events = community.events(&view).await.unwrap();
    let hidden = events[1].hidden.as_ref().unwrap();
    assert_eq!((&*hidden.reason, hidden.by), ("it is cancelled", founder.public()));
    community.decide(&founder, &view, thing, Verdict::Undone, "it is not").await.unwrap();
    assert_eq!(titles(&community).await.len(), 2);
    assert!(community.take_back(&member, id).await.unwrap());
    assert!(!community.take_back(&member, id).await.unwrap());
    assert_eq!(titles(&community).await, ["First round"]);
}

#[tokio::test]
async fn who_is_removed_is_heard_no_more_and_does_not_come_back_by_joining() {
    let net = Net::new(Memory::new());
    let (founder, member) = (person(1), person(2));
    let community = net.found(&founder, chess(&founder)).await.unwrap();
    community.join(&member).await.unwrap();
    let view = community.view().await.unwrap();
    community
        .announce(&member, &view, &event(&member, "Noise", "2026-12-03T19:00Z"))
        .await
        .unwrap();
    let subject = Subject::Member(member.public());
    community.decide(&founder, &view, subject, Verdict::Removed, "noise").await.unwrap();
    assert_eq!(titles(&community).await, [""; 0]);
    community.leave(&member).await.unwrap();
    let error = community.join(&member).await.unwrap_err();
    assert_eq!(error.to_string(), "you are no member of \"Chess\": a moderator removed you");
    let view = community.view().await.unwrap();
    let error =
        community.decide(&founder, &view, Subject::Member(founder.public()), Verdict::Removed, "");
    assert!(error.await.unwrap_err().to_string().starts_with("person1 moderates"));
    community.decide(&founder, &view, subject, Verdict::Undone, "sorry").await.unwrap();
    assert_eq!(community.join(&member).await.unwrap(), Standing::Joined);
}

#[tokio::test]
async fn where_joining_is_by_approval_who_joins_waits() {
    let net = Net::new(Memory::new());
    let (founder, member) = (person(1), person(2));
    let description = Description { by_approval: true, ..chess(&founder) };
    let community = net.found(&founder, description).await.unwrap();
    assert_eq!(community.join(&member).await.unwrap(), Standing::Waiting);
    let view = community.view().await.unwrap();
    let early = event(&member, "Early", "2026-12-03T19:00Z");
    let error = community.announce(&member, &view, &early).await.unwrap_err();
    assert!(error.to_string().ends_with("yet: a moderator has to approve you"), "{error}");
    let subject = Subject::Member(member.public());
    community.decide(&founder, &view, subject, Verdict::Approved, "").await.unwrap();
    let view = community.view().await.unwrap();
    community.announce(&member, &view, &early).await.unwrap();
    assert_eq!(titles(&community).await, ["Early"]);
}

#[tokio::test(start_paused = true)]
async fn a_community_goes_on_for_weeks_after_its_founder_has_gone() {
    let net = Net::new(Memory::new());
    let (founder, moderator, member) = (person(1), person(2), person(3));
    let mut description = chess(&founder);
    description.moderators = vec![Person::new(&moderator.public(), "person2")];
    let community = net.found(&founder, description).await.unwrap();
    for who in [&moderator, &member] {
        community.join(who).await.unwrap();
    }
    let view = community.view().await.unwrap();
    assert!(view.charter.keepers.contains(&moderator.public()));
    let final_round = event(&moderator, "Final", "2026-12-30T19:00Z");
    community.announce(&moderator, &view, &final_round).await.unwrap();
    let options = ["yes", "no"];
    let poll = Poll::new(moderator.name(), "Again?", &options, false, moderator.stamp([])).unwrap();
    let poll = community.ask(&moderator, &view, &poll).await.unwrap().id;
    let shown = community.poll(&view, poll).await.unwrap();
    community.vote(&member, &view, &shown, 2).await.unwrap();
    for _week in 0..4 {
        tokio::time::advance(std::time::Duration::from_secs(6 * 86_400)).await;
        // The founder is not among them.
        assert!(community.keep(&moderator).await.unwrap() >= 4);
        assert!(community.keep(&member).await.unwrap() >= 3);
    }
    let expected = [("person1", "founder"), ("person2", "moderator"), ("person3", "member")];
    let mut standings = words(&community).await;
    standings.sort();
    assert_eq!(standings, expected.map(|(name, word)| (name.to_owned(), word)));
    assert_eq!(titles(&community).await, ["Final"]);
    assert_eq!(communities(&net, None).await.unwrap().0.len(), 1);
    let view = community.view().await.unwrap();
    let subject = Subject::Member(member.public());
    community.decide(&moderator, &view, subject, Verdict::Approved, "").await.unwrap();
    let shown = community.poll(&view, poll).await.unwrap();
    assert_eq!(community.standings(&view, shown).await.unwrap().tally.counts, [0, 1]);
}

#[tokio::test]
async fn a_poll_is_voted_on_and_closed_with_what_was_counted() {
    let net = Net::new(Memory::new());
    let (founder, alice, bob, stranger) = (person(1), person(2), person(3), person(4));
    let community = net.found(&founder, chess(&founder)).await.unwrap();
    for who in [&alice, &bob] {
        community.join(who).await.unwrap();
    }
    let view = community.view().await.unwrap();
    let poll = Poll::new(alice.name(), "Pizza?", &["yes", "no"], false, alice.stamp([])).unwrap();
    let id = community.ask(&alice, &view, &poll).await.unwrap().id;
    let poll = community.poll(&view, id).await.unwrap();
    let vote = |who, choice| community.vote(who, &view, &poll, choice);
    vote(&alice, 1).await.unwrap();
    vote(&bob, 1).await.unwrap();
    vote(&bob, 2).await.unwrap();
    let error = vote(&stranger, 1).await.unwrap_err();
    assert_eq!(error.to_string(), "you are no member of \"Chess\"; join first");
    let error = vote(&bob, 3).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no option 3; the poll has 1 to 2");
    assert!(vote(&bob, 0).await.is_err());
    let stands = || async { community.standings(&view, poll.clone()).await.unwrap().tally };
    assert_eq!(stands().await.counts, [1, 1]);

    let error = community.close(&bob, &view, &poll).await.unwrap_err();
    assert!(matches!(error, CommunityError::NotYourPoll), "{error}");
    community.close(&alice, &view, &poll).await.unwrap();
    let error = vote(&founder, 1).await.unwrap_err();
    assert_eq!(error.to_string(), "the poll is closed; votes count no more");
    // A vote that comes nevertheless, and one that is taken back.
    let votes = net.list(keys::votes(id));
    let late = crate::community::Ballot { choice: 1 };
    votes.publish(&founder, Slot::ZERO, LIFE, &late, None).await.unwrap();
    votes.retract(&bob, Slot::ZERO).await.unwrap();
    let tally = stands().await;
    assert_eq!((&tally.counts[..], tally.is_open()), (&[1, 1][..], false));
    let error = community.poll(&view, ThingId::from_bytes([1; 16])).await.unwrap_err();
    assert!(error.to_string().starts_with("\"Chess\" has no poll 0101"), "{error}");
}

#[tokio::test]
async fn halves_that_part_and_meet_show_the_same_members_votes_and_order() {
    let (one, other) = (Memory::new(), Memory::new());
    let nets = [Net::new(one.clone()), Net::new(other.clone())];
    let people: Vec<Author> = (1..9).map(person).collect();
    let founder = &people[0];
    let mut description = chess(founder);
    description.moderators = vec![Person::new(&people[1].public(), "person2")];
    let id = nets[0].found(founder, description).await.unwrap().id();
    let halves = nets.clone().map(|net| net.community(id));
    halves[0].join(&people[2]).await.unwrap();
    halves[0].join(&people[3]).await.unwrap();
    let view = halves[0].view().await.unwrap();
    let options = ["yes", "no", "later"];
    let poll = Poll::new(founder.name(), "Move?", &options, false, founder.stamp([])).unwrap();
    let poll = halves[0].ask(founder, &view, &poll).await.unwrap().id;
    one.meet(&other);

    // They part. The founder's half removes one; the moderator's approves the same, and both go on.
    let shown = halves[0].poll(&view, poll).await.unwrap();
    for (side, community) in halves.iter().enumerate() {
        let view = community.view().await.unwrap();
        let subject = Subject::Member(people[3].public());
        let verdict = [Verdict::Removed, Verdict::Approved][side];
        community.decide(&people[side], &view, subject, verdict, "").await.unwrap();
        community.join(&people[4 + side]).await.unwrap();
        community.join(&people[6]).await.unwrap();
        let view = community.view().await.unwrap();
        for day in 1..4 {
            let title = format!("Side {side}, day {day}");
            let start = format!("2026-12-{day:02}T19:00Z");
            let speaker = &people[4 + side];
            community.announce(speaker, &view, &event(speaker, &title, &start)).await.unwrap();
        }
        community.vote(&people[2], &view, &shown, 1 + side).await.unwrap();
        community.vote(&people[4 + side], &view, &shown, 3).await.unwrap();
        community.close(&people[side], &view, &shown).await.unwrap();
    }
    one.meet(&other);

    let mut seen = Vec::new();
    for community in &halves {
        let view = community.view().await.unwrap();
        let events = community.events(&view).await.unwrap();
        let shown = community.poll(&view, poll).await.unwrap();
        let standings = community.standings(&view, shown).await.unwrap();
        seen.push((view, events, standings));
    }
    assert_eq!(seen[0], seen[1]);
    let (view, events, standings) = &seen[0];
    assert_eq!(view.members.standing(&people[3].public()), Some(Standing::Removed));
    assert_eq!((view.members.count(), events.len()), (6, 6));
    // Of who voted on both sides the newer vote counts, of the others each.
    assert_eq!((&standings.tally.counts[..], standings.tally.closed_by.len()), (&[0, 1, 2][..], 2));
}

#[tokio::test]
async fn news_are_posts_and_in_feeds_only_of_who_has_the_name() {
    let net = Net::new(Memory::new());
    let (founder, member) = (person(1), person(2));
    let claim = base::Claim::new(founder.name().clone(), base::Sequence::ZERO);
    let signed = claim.sign(founder.key(), base::Sequence::new(1), LIFE).unwrap();
    net.one(Ask::Claim { name: founder.name().clone(), signed }).await.unwrap();
    let community = net.found(&founder, chess(&founder)).await.unwrap();
    community.join(&member).await.unwrap();
    let view = community.view().await.unwrap();
    let draft = |text: &str| crate::post::Draft { text: text.to_owned(), ..Default::default() };
    let long = "long ".repeat(1_000);
    let first = community.share(&founder, &view, &draft(&long)).await.unwrap().id;
    let second = community.share(&founder, &view, &draft("short")).await.unwrap().id;
    community.share(&member, &view, &draft("of somebody without a name")).await.unwrap();
    let news = community.news(&view).await.unwrap();
    assert_eq!(news.len(), 3);
    let source = community.source(&view).await.unwrap();
    let ids: Vec<ThingId> = source.items.iter().map(|post| post.id).collect();
    assert_eq!((ids, source.all), (vec![second, first], true));
    let post = &source.items[1];
    assert_eq!(post.community, Some(community.id()));
    assert!(post.text.starts_with("long long") && post.long.is_some());
    assert_eq!(community.keep(&founder).await.unwrap(), 3);
    assert!(community.take_back(&founder, first).await.unwrap());
    let hits = async |words: &str| {
        let query = crate::search::Query::new(words).unwrap();
        let kind = crate::index::Kind::Content;
        crate::search::gather(&net, kind, &query, 9, &|_, _| false).await.unwrap().hits.len()
    };
    assert_eq!((hits("short").await, hits("long").await), (1, 0));
    let error = community.share(&person(3), &view, &draft("x")).await.unwrap_err();
    assert!(error.to_string().contains("join first"), "{error}");
    assert!(community.share(&founder, &view, &draft("")).await.is_err());
}

#[tokio::test]
async fn who_forgets_a_community_leaves_nothing_there_and_moderators_keep_it() {
    let memory = Memory::new();
    let net = Net::new(memory.clone());
    let (founder, moderator) = (person(1), person(2));
    let mut description = chess(&founder);
    description.moderators = vec![Person::new(&moderator.public(), "person2")];
    let community = net.found(&founder, description).await.unwrap();
    community.join(&moderator).await.unwrap();
    let view = community.view().await.unwrap();
    let held = || memory.load().values().sum::<usize>();
    let before = held();
    community.join(&founder).await.unwrap();
    let round = event(&founder, "Final", "2026-12-01T19:00Z");
    community.announce(&founder, &view, &round).await.unwrap();
    let poll = Poll::new(founder.name(), "?", &["yes", "no"], false, founder.stamp([])).unwrap();
    let id = community.ask(&founder, &view, &poll).await.unwrap().id;
    let poll = community.poll(&view, id).await.unwrap();
    community.vote(&founder, &view, &poll, 1).await.unwrap();
    community.close(&founder, &view, &poll).await.unwrap();
    let subject = Subject::Thing(id);
    community.decide(&founder, &view, subject, Verdict::Removed, "").await.unwrap();
    assert!(held() > before);
    let removed = leave_all(&net, &founder, []).await.unwrap();
    // Join, event, poll, vote, closing, decision, listing, charter.
    assert_eq!(removed, 8);
    assert_eq!(leave_all(&net, &founder, [community.id()]).await.unwrap(), 0);
    let charter = community.charter().await.unwrap().unwrap();
    assert_eq!(charter.keepers, [moderator.public()].into());
    assert_eq!(leave_all(&net, &moderator, []).await.unwrap(), 3);
    // The enrolment in trees of lists, and what still rings, lapse by themselves.
    let place = keys::bell(community.id()).place();
    assert!(memory.load().keys().all(|at| *at == place), "{:?}", memory.load());
}
