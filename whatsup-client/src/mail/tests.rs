use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Claim, Sequence};
use proptest::prelude::*;

use super::*;
use crate::inbox::Standing;
use crate::overlay::Memory;

/// Somebody with an inbox, whose machine keeps nothing but what it was told to.
struct Person {
    net: Net,
    me: Author,
    key: OpeningKey,
    kept: Mailbox,
    seed: u64,
}

impl Person {
    async fn new(memory: &Memory, n: u8) -> Person {
        let net = Net::new(memory.clone());
        let clock = Arc::new(AtomicU64::new(1000 * u64::from(n)));
        let name = Name::new(&format!("person{n}")).unwrap();
        let key = SigningKey::from_bytes(&[n; 32]);
        let claim = Claim::new(name.clone(), Sequence::ZERO);
        let signed = claim.sign(&key, Sequence::new(1), Ttl::MAX).unwrap();
        net.one(Ask::Claim { name: name.clone(), signed }).await.unwrap();
        let me = Author::with_clock(name, key, move || clock.fetch_add(1, Ordering::Relaxed));
        let key = OpeningKey::from_bytes(&[n; 32]).unwrap();
        Person { net, me, key, kept: Mailbox::default(), seed: n.into() }
    }

    fn receiver(&self) -> Receiver {
        Receiver { name: self.me.name().clone(), key: self.key.sealing_key() }
    }

    fn peer(&self) -> Peer {
        Peer::Person(self.me.public())
    }

    fn mail(&mut self) -> Mail<'_> {
        self.seed += 1000;
        let seed = *blake3::hash(&self.seed.to_le_bytes()).as_bytes();
        Mail::new(&self.net, &self.me, &self.key, self.kept.clone(), &seed)
    }

    async fn say(&mut self, to: &Person, text: &str) -> MessageId {
        let (key, receiver) = (to.me.public(), to.receiver());
        let mut kept = None;
        let mut mail = self.mail();
        let id = mail.say(key, receiver, text).unwrap();
        mail.send(&mut |mailbox| keep(&mut kept, mailbox)).await.unwrap();
        self.kept = kept.unwrap();
        id
    }

    async fn fetch_as(&mut self, regard: Regard) -> Fetched {
        let mut kept = None;
        let mut mail = self.mail();
        let mut keep_it = |mailbox: &Mailbox| keep(&mut kept, mailbox);
        let fetched = mail.fetch(&|_, _| regard, &mut keep_it).await.unwrap();
        mail.send(&mut keep_it).await.unwrap();
        self.kept = kept.unwrap();
        fetched
    }

    async fn fetch(&mut self) -> Fetched {
        self.fetch_as(Regard::None).await
    }

    /// Does something, and sends what follows from it.
    async fn then(&mut self, act: impl FnOnce(&mut Mail<'_>)) {
        let mut kept = None;
        let mut mail = self.mail();
        act(&mut mail);
        kept = kept.or(Some(mail.mailbox().clone()));
        mail.send(&mut |mailbox| keep(&mut kept, mailbox)).await.unwrap();
        self.kept = kept.unwrap();
    }

    fn texts(&self, with: &Person) -> Vec<&str> {
        let held = self.kept.inbox.with(&with.peer());
        held.into_iter().flat_map(|held| held.messages()).map(|(_, _, kept)| &*kept.text).collect()
    }

    fn states(&self, with: &Person) -> Vec<State> {
        let held = self.kept.inbox.with(&with.peer());
        held.into_iter()
            .flat_map(|held| held.messages())
            .filter_map(|(_, _, kept)| kept.mine)
            .collect()
    }
}

fn keep(kept: &mut Option<Mailbox>, mailbox: &Mailbox) -> Result<(), OverlayError> {
    // As from a file.
    *kept = Mailbox::from_bytes(&mailbox.to_bytes());
    assert_eq!(kept.as_ref(), Some(mailbox));
    Ok(())
}

async fn two() -> (Memory, Person, Person) {
    let memory = Memory::new();
    let (alice, bob) = (Person::new(&memory, 1).await, Person::new(&memory, 2).await);
    (memory, alice, bob)
}

/// Entries beside the two claims.
fn left_over(memory: &Memory) -> usize {
    memory.load().values().sum::<usize>() - 2
}

#[tokio::test]
async fn a_message_is_relayed_then_delivered_then_read_and_nothing_of_it_is_left() {
    let (memory, mut alice, mut bob) = two().await;
    alice.say(&bob, "hello").await;
    assert_eq!(alice.states(&bob), [State::Relayed(1)]);
    assert_eq!(bob.fetch_as(Regard::Followed).await.new, 1);
    assert_eq!(bob.texts(&alice), ["hello"]);
    alice.fetch().await;
    assert_eq!(alice.states(&bob), [State::Delivered]);
    assert!(alice.kept.outbox.waiting().is_empty());
    let peer = alice.peer();
    bob.then(|mail| mail.read(&peer)).await;
    alice.fetch().await;
    assert_eq!(alice.states(&bob), [State::Read]);
    assert_eq!(left_over(&memory), 0);
}

#[tokio::test]
async fn nothing_in_the_overlay_shows_who_wrote() {
    let (_, mut alice, bob) = two().await;
    alice.say(&bob, "hello").await;
    let inbox = alice.net.list(keys::inbox(bob.me.name()));
    let page = inbox.page(None, 10).await.unwrap();
    let [signed] = &page.items[..] else { panic!() };
    assert!(signed.author() != alice.me.public());
    for secret in [&alice.me.public().as_bytes()[..], b"person1", b"hello"] {
        assert!(!signed.as_bytes().windows(secret.len()).any(|bytes| bytes == secret));
    }
}

#[tokio::test]
async fn a_strangers_message_is_a_request_which_is_told_only_when_it_is_accepted() {
    let (memory, mut alice, mut bob) = two().await;
    alice.say(&bob, "hello").await;
    bob.fetch().await;
    let peer = alice.peer();
    assert_eq!(bob.kept.inbox.with(&peer).unwrap().standing(), Standing::Stranger);
    assert_eq!(left_over(&memory), 0, "it is here, not there any more");
    alice.fetch().await;
    assert_eq!(alice.states(&bob), [State::Relayed(1)]);
    bob.then(|mail| mail.accept(&peer)).await;
    alice.fetch().await;
    assert_eq!(alice.states(&bob), [State::Delivered]);
    // Who answers accepts, too.
    bob.say(&alice, "hi").await;
    assert_eq!(alice.fetch().await.new, 1, "whom she wrote to is no stranger");
    assert_eq!((alice.texts(&bob), bob.texts(&alice)), (vec!["hello", "hi"], vec!["hello", "hi"]));
}

#[tokio::test]
async fn who_is_blocked_or_refused_is_not_heard_and_does_not_learn_of_it() {
    let (memory, mut alice, mut bob) = two().await;
    alice.say(&bob, "hello").await;
    assert_eq!(bob.fetch_as(Regard::Blocked).await.new, 0);
    assert_eq!(left_over(&memory), 0);
    alice.say(&bob, "hello?").await;
    bob.fetch().await;
    let peer = alice.peer();
    bob.then(|mail| mail.refuse(&peer)).await;
    alice.say(&bob, "hello??").await;
    bob.fetch().await;
    assert!(bob.texts(&alice).is_empty());
    alice.fetch().await;
    assert_eq!(alice.states(&bob), [State::Relayed(1); 3]);
}

#[tokio::test]
async fn what_was_removed_in_vain_or_brought_back_is_one_message_and_is_told_again() {
    let (_, mut alice, mut bob) = two().await;
    alice.say(&bob, "hello").await;
    // The machine stops when it has kept the message and has removed nothing.
    let (mut kept, fails) = (None, OverlayError::NoQuorum("stopped".into()));
    let mut mail = bob.mail();
    let stop = |mailbox: &Mailbox| {
        keep(&mut kept, mailbox)?;
        Err(fails.clone())
    };
    let stopped = {
        let mut stop = stop;
        mail.fetch(&|_, _| Regard::Followed, &mut stop).await
    };
    assert_eq!(stopped, Err(fails.clone()));
    bob.kept = kept.unwrap();
    assert_eq!(bob.fetch_as(Regard::Followed).await.new, 0);
    assert_eq!(bob.texts(&alice), ["hello"]);
    alice.fetch().await;
    assert_eq!(alice.states(&bob), [State::Delivered]);
}

#[tokio::test]
async fn a_long_text_comes_whole_and_nothing_of_it_is_left() {
    let (memory, mut alice, mut bob) = two().await;
    let long = "long ".repeat(5000);
    alice.say(&bob, &long).await;
    assert_eq!(left_over(&memory), 2);
    bob.fetch().await;
    assert_eq!((bob.texts(&alice), left_over(&memory)), (vec![&*long], 0));
    let id = alice.say(&bob, &long).await;
    let mut kept = None;
    let mut mail = alice.mail();
    assert!(mail.drop_text(id, &mut |mailbox| keep(&mut kept, mailbox)).await.unwrap());
    assert!(kept.unwrap().outbox.dropped(id).is_none());
    assert_eq!(left_over(&memory), 0, "what was given up is gone, too");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_fetched_for_a_week_is_there_in_the_next() {
    let memory = Memory::new();
    let (mut alice, mut bob) = (Person::new(&memory, 1).await, Person::new(&memory, 2).await);
    let start = tokio::time::Instant::now();
    let since = move || u64::try_from(start.elapsed().as_millis()).unwrap();
    for person in [&mut alice, &mut bob] {
        let (name, key) = (person.me.name().clone(), person.me.key().clone());
        person.me = Author::with_clock(name, key, since);
    }
    alice.say(&bob, "hello").await;
    for _ in 0..12 {
        tokio::time::advance(std::time::Duration::from_secs(24 * 3600)).await;
        alice.then(|_| {}).await;
    }
    assert_eq!(bob.fetch().await.new, 1);
}

#[tokio::test]
async fn what_does_not_open_is_nothing_and_does_not_stop_what_does() {
    let (_, mut alice, mut bob) = two().await;
    for n in 0..300u32 {
        let key = SigningKey::from_bytes(blake3::hash(&n.to_le_bytes()).as_bytes());
        let author = bob.me.with_key(key);
        let (root, slot) = (keys::inbox(bob.me.name()), Slot::ZERO);
        let body = vec![0x0a, 0x03, 1, 2, 3];
        let saying = Saying { root, slot, ttl: Ttl::MAX, body, seat: None };
        bob.net.say_all_by(vec![(author, saying)]).await.remove(0).unwrap();
    }
    alice.say(&bob, "hello").await;
    let fetched = bob.fetch().await;
    assert!(fetched.read >= 301 && fetched.new == 1);
}

#[tokio::test]
async fn who_writes_in_a_name_that_is_anothers_is_shown_as_such() {
    let (memory, mut alice, mut bob) = two().await;
    let mallory = SigningKey::from_bytes(&[66; 32]);
    let name = alice.me.name().clone();
    let key = alice.key.clone();
    let seed = 66;
    let me = alice.me.with_key(mallory);
    let mut mallory = Person { net: Net::new(memory), me, key, kept: Mailbox::default(), seed };
    mallory.say(&bob, "it is me, alice").await;
    alice.say(&bob, "it is me").await;
    bob.fetch().await;
    let named = |of: &Person| bob.kept.inbox.with(&of.peer()).unwrap().name();
    assert_eq!((named(&alice), named(&mallory)), (Some((&name, true)), Some((&name, false))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn however_two_write_and_fetch_both_see_one_conversation(
        acts in prop::collection::vec((any::<bool>(), prop::option::of("[a-z]{1,8}")), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (memory, mut alice, mut bob) = two().await;
            for (first, text) in acts {
                let (one, two) = if first { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
                match text {
                    Some(text) => { one.say(two, &text).await; }
                    None => { one.fetch_as(Regard::Followed).await; }
                }
            }
            for _ in 0..2 {
                alice.fetch_as(Regard::Followed).await;
                bob.fetch_as(Regard::Followed).await;
            }
            alice.fetch_as(Regard::Followed).await;
            assert_eq!(alice.texts(&bob), bob.texts(&alice));
            assert!(alice.states(&bob).iter().all(|state| *state >= State::Delivered));
            assert!(alice.kept.outbox.waiting().is_empty() && bob.kept.outbox.waiting().is_empty());
            assert_eq!(left_over(&memory), 0);
        });
    }
}
