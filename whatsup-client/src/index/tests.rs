use base::{SigningKey, Slot};
use proptest::prelude::*;

use super::*;
use crate::overlay::Memory;

fn author(seed: u8) -> Author {
    let name = base::Name::new(&format!("person{seed}")).unwrap();
    Author::with_clock(name, SigningKey::from_bytes(&[seed; 32]), || 1)
}

fn said<'a>(title: &'a str, texts: &'a [&'a str]) -> Said<'a> {
    Said { title, texts, stamp: Stamp::from_millis(7) }
}

fn post(author: &Author, n: u8) -> Thing {
    let slot = Slot::new([n; 16]);
    Thing::Content { author: author.name().clone(), shelf: Shelf::Posts, slot }
}

/// The beginnings under which this author has something.
async fn under(net: &Net, author: &Author, kind: Kind, beginnings: &[&str]) -> Vec<String> {
    let mut under = Vec::new();
    for beginning in beginnings {
        let list = net.list(keys::index(kind.as_str(), beginning));
        let (records, _) = list.records::<Element>(usize::MAX).await.unwrap();
        if records.iter().any(|record| record.author == author.public()) {
            under.push((*beginning).to_owned());
        }
    }
    under
}

#[tokio::test]
async fn what_is_said_anew_is_under_its_new_words_only_and_what_is_removed_under_none() {
    let memory = Memory::new();
    let (net, alice) = (Net::new(memory.clone()), author(1));
    let thing = Thing::Person(alice.name().clone());
    let all = ["ali", "alice", "ber", "berli", "par", "paris", "rus"];
    let under = || under(&net, &alice, Kind::People, &all);
    put(&net, &alice, &thing, said("Alice", &["Berlin", "rust"]), Ttl::MAX).await.unwrap();
    assert_eq!(under().await, ["ali", "alice", "ber", "berli", "rus"]);
    put(&net, &alice, &thing, said("Alice", &["Paris", "rust"]), Ttl::MAX).await.unwrap();
    assert_eq!(under().await, ["ali", "alice", "par", "paris", "rus"]);
    assert!(remove(&net, &alice, &thing).await.unwrap());
    assert!(under().await.is_empty());
    assert!(!remove(&net, &alice, &thing).await.unwrap());
    assert!(memory.load().is_empty(), "nothing is left of it");
}

#[tokio::test]
async fn everything_of_an_author_is_removed_and_nothing_of_others() {
    let memory = Memory::new();
    let (net, alice, bob) = (Net::new(memory.clone()), author(1), author(2));
    for n in 0..20 {
        let text = format!("number{n} hello");
        put(&net, &alice, &post(&alice, n), said(&text, &[]), Ttl::MAX).await.unwrap();
    }
    put(&net, &bob, &post(&bob, 1), said("hello", &[]), Ttl::MAX).await.unwrap();
    let bobs = Net::new(Memory::new());
    put(&bobs, &bob, &post(&bob, 1), said("hello", &[]), Ttl::MAX).await.unwrap();
    // Another device knows nothing of what this one put.
    let elsewhere = Net::new(memory.clone());
    assert_eq!(remove_all(&elsewhere, &alice).await.unwrap(), 20);
    assert_eq!(memory.load().values().sum::<usize>(), 3, "bob's two, and that they are his");
    assert_eq!(under(&net, &bob, Kind::Content, &["hel", "hello"]).await, ["hel", "hello"]);
}

#[tokio::test]
async fn a_removal_that_was_cut_short_is_made_up_for() {
    let memory = Memory::new();
    let (net, alice) = (Net::new(memory.clone()), author(1));
    let thing = post(&alice, 1);
    put(&net, &alice, &thing, said("Berlin Paris", &[]), Ttl::MAX).await.unwrap();
    let part = BTreeSet::from(["ber".to_owned()]);
    take_back(&net, &alice, &thing, &part).await.unwrap();
    assert!(remove(&net, &alice, &thing).await.unwrap());
    assert!(memory.load().is_empty());
}

#[test]
fn an_element_always_fits_and_so_many_keys_are_written_at_most() {
    let word = |n: usize| format!("{n:03}wörd{}", "é".repeat(30));
    let long: String = (0..200).map(|n| word(n) + " ").collect();
    let han: String = ('一'..).take(2000).collect();
    for text in [&long, &han] {
        let title = text::shortened(text, TITLE_MAX).into_owned();
        let (words, beginnings) = chosen(&title, &[text]);
        assert!((40..=BEGINNINGS_MAX).contains(&beginnings.len()) && words.len() <= WORDS_MAX);
        let name = base::Name::new(&"n".repeat(base::NAME_MAX)).unwrap();
        let shelf = Shelf::Polls(keys::CommunityId::from_bytes([1; 16]));
        let thing = Thing::Content { author: name, shelf, slot: Slot::new([1; 16]) };
        let element = Element { title, words, stamp_ms: u64::MAX, thing: Some(thing.to_wire()) };
        assert!(element.encoded_len() <= crate::list::BODY_MAX, "{}", element.encoded_len());
    }
}

proptest! {
    #[test]
    fn what_an_element_says_tells_under_what_it_is(
        title in "[a-dé ß京東か-]{0,40}",
        texts in prop::collection::vec("[a-dé ß京東か-]{0,80}", 0..4),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (words, beginnings) = chosen(&title, &texts);
        prop_assert_eq!(&chosen(&title, &[&words]), &(words.clone(), beginnings));
    }
}
