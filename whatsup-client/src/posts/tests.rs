use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Claim, Kind, Signed, SigningKey};
use bytes::Bytes;
use futures::future::BoxFuture;

use super::*;
use crate::overlay::{Answer, Changed, Memory, Overlay, Watched};
use crate::post::Attachment;

/// People with one clock, which goes on by itself.
struct World {
    memory: Memory,
    net: Net,
    clock: Arc<AtomicU64>,
}

impl World {
    fn new() -> World {
        let memory = Memory::new();
        World { net: Net::new(memory.clone()), memory, clock: Arc::new(AtomicU64::new(1_000)) }
    }

    /// Somebody with this key who claims this name.
    async fn person(&self, name: &str, key: u8) -> Author {
        let author = self.device(name, key);
        let claim = Claim::new(author.name().clone(), Sequence::ZERO);
        let signed = claim.sign(author.key(), Sequence::new(1), Ttl::MAX).unwrap();
        // Whoever comes second has a claim and not the name.
        let _ = self.net.one(Ask::Claim { name: author.name().clone(), signed }).await;
        author
    }

    /// Another device of somebody's.
    fn device(&self, name: &str, key: u8) -> Author {
        let clock = Arc::clone(&self.clock);
        let now = move || clock.fetch_add(1, Ordering::Relaxed);
        Author::with_clock(Name::new(name).unwrap(), SigningKey::from_bytes(&[key; 32]), now)
    }

    fn posts(&self) -> Posts {
        self.net.posts()
    }

    async fn share(&self, author: &Author, text: &str) -> Post {
        self.posts().share(author, &draft(text)).await.unwrap().post
    }

    async fn file(&self, author: &Author, bytes: Vec<u8>) -> Attachment {
        let source = Source::Bytes(Bytes::from(bytes));
        let blob = self.net.blobs().share(author, &source, &|_| ()).await.unwrap();
        let (name, media) = ("a.bin".to_owned(), "application/x-a".to_owned());
        Attachment { blob, name, media, thumbnail: None, pixels: None }
    }

    async fn feed(&self, names: &[&str], max: usize) -> Vec<String> {
        let names: Vec<Name> = names.iter().map(|name| Name::new(name).unwrap()).collect();
        let page = self.posts().feed(&names, vec![], |_| false, None, max).await;
        assert!(page.unread.is_empty(), "{:?}", page.unread);
        texts(&page.page.items)
    }
}

/// An overlay where everything takes a while, each time another.
struct Slow(Memory, Mutex<fastrand::Rng>);

impl Slow {
    async fn wait(&self) {
        let turns = {
            let mut random = self.1.lock().unwrap();
            // Now and then somebody stays behind while others do several things.
            if random.usize(..4) == 0 { random.usize(..60) } else { random.usize(..4) }
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

impl Overlay for Slow {
    fn run(&self, asks: Vec<Ask>) -> BoxFuture<'_, Vec<Result<Answer, OverlayError>>> {
        Box::pin(async {
            self.wait().await;
            let answers = self.0.run(asks).await;
            self.wait().await;
            answers
        })
    }

    fn watch_values(
        &self,
        keys: Vec<Watched>,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Changed>, OverlayError>> {
        self.0.watch_values(keys, wait)
    }
}

fn draft(text: &str) -> Draft {
    Draft { text: text.to_owned(), ..Draft::default() }
}

fn texts(posts: &[Post]) -> Vec<String> {
    posts.iter().map(|post| post.text.clone()).collect()
}

#[tokio::test]
async fn what_is_shared_is_in_the_list_and_in_feeds_until_it_is_deleted() {
    let world = World::new();
    let alice = world.person("alice", 1).await;
    let first = world.share(&alice, "first").await;
    world.share(&alice, "second").await;
    let shared = world.posts().of(alice.name()).await.unwrap();
    assert_eq!((texts(&shared.posts), shared.all), (vec!["second".into(), "first".into()], true));
    assert_eq!(world.feed(&["alice"], 9).await, ["second", "first"]);
    assert_eq!(world.posts().delete(&alice, first.id, &[]).await.unwrap(), first);
    assert_eq!(world.feed(&["alice"], 9).await, ["second"]);
    assert_eq!(texts(&world.posts().of(alice.name()).await.unwrap().posts), ["second"]);
    let error = world.posts().delete(&alice, first.id, &[]).await.unwrap_err();
    assert!(error.to_string().contains("you have shared nothing with the id"), "{error}");
    assert_eq!(world.posts().clear(&alice).await.unwrap(), 1);
    assert!(world.feed(&["alice"], 9).await.is_empty());
    let nobody = Name::new("nobody").unwrap();
    assert!(matches!(world.posts().of(&nobody).await, Err(PostError::NoSuchPerson(_))));
}

#[tokio::test]
async fn only_what_the_names_holder_shares_counts() {
    let world = World::new();
    let alice = world.person("alice", 1).await;
    let mallory = world.person("alice", 2).await;
    world.share(&alice, "mine").await;
    world.share(&mallory, "forged").await;
    // Whatever else stands under the head's key does not hide hers.
    for key in 3..20 {
        let other = world.device("alice", key);
        world
            .net
            .publish(&other, &keys::head(alice.name()), Slot::ZERO, Ttl::MAX, &HeadBody::default())
            .await
            .unwrap();
    }
    assert_eq!(world.feed(&["alice"], 9).await, ["mine"]);
    assert_eq!(texts(&world.posts().of(alice.name()).await.unwrap().posts), ["mine"]);
}

#[tokio::test]
async fn what_is_older_than_the_claims_floor_does_not_count() {
    let world = World::new();
    let alice = world.person("alice", 1).await;
    world.share(&alice, "of an earlier life").await;
    let floor = alice.sequence(Sequence::ZERO);
    let claim = Claim::new(alice.name().clone(), floor);
    let signed = claim.sign(alice.key(), Sequence::new(2), Ttl::MAX).unwrap();
    world.net.one(Ask::Claim { name: alice.name().clone(), signed }).await.unwrap();
    assert!(world.feed(&["alice"], 9).await.is_empty());
    assert!(world.posts().of(alice.name()).await.unwrap().posts.is_empty());
}

#[tokio::test]
async fn a_feed_of_fifty_is_one_batch_of_two_asks_each() {
    let world = World::new();
    let mut names = Vec::new();
    for at in 0..50u8 {
        let name = format!("p{at}");
        let author = world.person(&name, at + 1).await;
        for round in 0..3 {
            world.share(&author, &format!("{name} {round}")).await;
        }
        names.push(author.name().clone());
    }
    let asked = world.memory.asks();
    let page = world.posts().feed(&names, vec![], |_| false, None, 50).await.page;
    assert_eq!(world.memory.asks() - asked, 100);
    // They shared one after the other: the last seventeen people are on the first page.
    let mut expected: Vec<String> =
        (33..50).flat_map(|at| (0..3).map(move |round| format!("p{at} {round}"))).collect();
    expected.reverse();
    assert_eq!(texts(&page.items), expected[..50]);
    let rest = world.posts().feed(&names, vec![], |_| false, page.next, 200).await.page;
    assert_eq!((rest.items.len(), rest.next), (100, None));
}

#[tokio::test]
async fn lists_are_read_only_where_the_page_goes_beyond_a_head() {
    let world = World::new();
    let (alice, bob) = (world.person("alice", 1).await, world.person("bob", 2).await);
    for at in 0..40 {
        world.share(&alice, &format!("a{at}")).await;
    }
    world.share(&bob, "b").await;
    let asked = world.memory.asks();
    let names = ["alice", "bob"];
    assert_eq!(world.feed(&names, 16).await.len(), 16);
    assert_eq!(world.memory.asks() - asked, 4);
    let all = world.feed(&names, 100).await;
    assert_eq!((all.len(), &*all[0], &*all[40]), (41, "b", "a0"));
    let blocked = alice.public();
    let of = [alice.name().clone(), bob.name().clone()];
    let page = world.posts().feed(&of, vec![], |who| *who == blocked, None, 9).await;
    assert_eq!(texts(&page.page.items), ["b"]);
}

#[tokio::test]
async fn two_devices_that_share_at_once_leave_nothing_out_of_the_head() {
    for seed in 0..40 {
        let mut world = World::new();
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        world.net = Net::new(Slow(world.memory.clone(), random));
        let phone = world.person("alice", 1).await;
        // A laptop whose clock is an hour ahead.
        let clock = Arc::clone(&world.clock);
        let now = move || clock.fetch_add(1, Ordering::Relaxed) + 3_600_000;
        let key = SigningKey::from_bytes(&[1; 32]);
        let laptop = Author::with_clock(phone.name().clone(), key, now);
        for round in 0..3 {
            let (one, two) = (draft(&format!("p{round}")), draft(&format!("l{round}")));
            let posts = world.posts();
            let (one, two) = tokio::join!(posts.share(&phone, &one), posts.share(&laptop, &two));
            let id = one.unwrap().post.id;
            two.unwrap();
            if round % 2 == 0 {
                let third = draft(&format!("t{round}"));
                let (gone, third) =
                    tokio::join!(posts.delete(&laptop, id, &[]), posts.share(&phone, &third));
                gone.unwrap();
                third.unwrap();
            }
        }
        let listed = world.posts().of(phone.name()).await.unwrap().posts;
        assert_eq!(listed.len(), 6);
        assert_eq!(world.feed(&["alice"], 16).await, texts(&listed), "seed {seed}");
    }
}

#[tokio::test]
async fn a_long_text_is_read_whole_from_its_blob() {
    let world = World::new();
    let alice = world.person("alice", 1).await;
    let text = "words and ".repeat(400);
    let post = world.share(&alice, &text).await;
    assert!(post.text.ends_with('…'));
    let whole = world.net.blobs().small(&[post.long.unwrap()]).await;
    assert_eq!(whole[0].as_deref(), Some(text.trim().as_bytes()));
}

#[tokio::test]
async fn a_deleted_posts_chunks_go_unless_another_post_needs_them() {
    let world = World::new();
    let alice = world.person("alice", 1).await;
    let chunk = |fill: u8| vec![fill; crate::blob::CHUNK];
    // Two files with one chunk in common, and one of them twice.
    let one = world.file(&alice, [chunk(1), chunk(2)].concat()).await;
    let two = world.file(&alice, [chunk(1), chunk(3)].concat()).await;
    let share = |text: &str, file: &Attachment| Draft { file: Some(file.clone()), ..draft(text) };
    let posts = world.posts();
    let first = posts.share(&alice, &share("one", &one)).await.unwrap().post;
    let again = posts.share(&alice, &share("one again", &one)).await.unwrap().post;
    let other = posts.share(&alice, &share("two", &two)).await.unwrap().post;
    let there = |blob: Blob| {
        let blobs = world.net.blobs();
        async move { blobs.bytes(&blob, u64::MAX).await.is_ok() }
    };
    posts.delete(&alice, first.id, &[]).await.unwrap();
    assert!(there(one.blob).await);
    posts.delete(&alice, again.id, &[]).await.unwrap();
    assert!(!there(one.blob).await && there(two.blob).await);
    let usage = posts.usage(&alice).await.unwrap();
    assert_eq!((usage.posts, &*usage.largest[0].label), (1, "a.bin"));
    assert!((usage.bytes - two.blob.size) < 200 && usage.largest[0].bytes == usage.bytes);
    // What something else of the author's needs is kept.
    posts.delete(&alice, other.id, &[two.blob]).await.unwrap();
    assert!(there(two.blob).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_renewed_lives_on_with_its_file_and_what_is_not_lapses() {
    let world = World::new();
    let alice = world.person("alice", 1).await;
    let file = world.file(&alice, vec![5; 3 * crate::blob::CHUNK + 1]).await;
    let old = Draft { file: Some(file.clone()), ..draft("old") };
    world.posts().share(&alice, &old).await.unwrap();
    tokio::time::advance(Duration::from_secs(4 * 24 * 3600)).await;
    world.share(&alice, "new").await;
    assert_eq!(world.posts().renew(&alice).await.unwrap(), 1);
    assert_eq!(world.posts().renew(&alice).await.unwrap(), 0);
    tokio::time::advance(Duration::from_secs(4 * 24 * 3600)).await;
    let claim = Claim::new(alice.name().clone(), Sequence::ZERO);
    let signed = claim.sign(alice.key(), Sequence::new(3), Ttl::MAX).unwrap();
    world.net.one(Ask::Claim { name: alice.name().clone(), signed }).await.unwrap();
    assert_eq!(world.feed(&["alice"], 9).await, ["new", "old"]);
    assert!(world.net.blobs().bytes(&file.blob, u64::MAX).await.is_ok());
    tokio::time::advance(Duration::from_secs(4 * 24 * 3600)).await;
    assert!(world.posts().of(alice.name()).await.is_ok_and(|shared| shared.posts.is_empty()));
    assert!(world.net.blobs().bytes(&file.blob, u64::MAX).await.is_err());
}

#[tokio::test]
async fn posts_of_another_key_in_a_head_are_not_shown() {
    let world = World::new();
    let (alice, bob) = (world.person("alice", 1).await, world.person("bob", 2).await);
    world.share(&alice, "hers").await;
    // Bob puts alice's signed head under his own key: it is not signed for there.
    let found = world.net.get(crate::overlay::Get::all(keys::head(alice.name()))).await.unwrap();
    let signed = Signed::from_bytes(found.values[0].value.clone().into_bytes()).unwrap();
    assert_eq!(signed.kind(), Kind::Plain);
    let put = Ask::PutSigned { key: keys::head(bob.name()), signed, room: None };
    assert!(world.net.one(put).await.is_err());
    assert!(world.feed(&["bob"], 9).await.is_empty());
}

#[test]
fn all_of_it_can_be_done_on_any_thread() {
    fn is_send(_: impl Send) {}
    let world = World::new();
    let (posts, blobs, alice) = (world.posts(), world.net.blobs(), world.device("alice", 1));
    let id = ThingId::from_bytes([1; 16]);
    let blob = Blob { root: blake3::hash(b""), size: 1 };
    let source = Source::Bytes(Bytes::new());
    is_send(posts.share(&alice, &draft("")));
    is_send(posts.delete(&alice, id, &[]));
    is_send(posts.of(alice.name()));
    is_send(posts.feed(&[], vec![], |_| false, None, 1));
    is_send(blobs.share(&alice, &source, &|_| ()));
    is_send(blobs.bytes(&blob, 1));
    is_send(world.net.comments().of(id, |_| false));
}
