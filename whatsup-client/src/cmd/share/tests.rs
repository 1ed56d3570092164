use std::time::Duration;

use futures::future::BoxFuture;
use image::{ImageFormat, RgbImage};
use serde_json::Value as Json;

use super::super::testing::{Person, Ran};
use super::*;
use crate::net::Net;
use crate::overlay::{Answer as Answered, Ask, Changed, Memory, Overlay, Watched};

/// Somebody logged in on this overlay.
async fn person(memory: &Memory, name: &str) -> Person {
    let person = Person::on(memory);
    let ran = person.run(&format!("login {name} --guest")).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    person
}

async fn ok(person: &Person, arguments: &[&str]) -> String {
    let ran = person.run_with(arguments, "").await;
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    ran.out
}

async fn json(person: &Person, arguments: &[&str]) -> Json {
    let out = ok(person, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&out).unwrap()
}

async fn refused(person: &Person, arguments: &[&str], code: u8) -> String {
    let ran: Ran = person.run_with(arguments, "").await;
    assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {}", ran.err);
    ran.err
}

/// An overlay that has room for small values only.
struct Small(Memory);

impl Overlay for Small {
    fn run(&self, asks: Vec<Ask>) -> BoxFuture<'_, Vec<Result<Answered, OverlayError>>> {
        Box::pin(async move {
            let mut answers = Vec::new();
            for ask in asks {
                let large = |signed: &base::Signed| signed.as_bytes().len() > 9_000;
                answers.push(match &ask {
                    Ask::PutSigned { signed, .. } if large(signed) => {
                        Err(OverlayError::OverCapacity("this signer's share is used up".into()))
                    }
                    _ => self.0.run(vec![ask]).await.remove(0),
                });
            }
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

#[tokio::test]
async fn who_has_no_room_left_is_told_what_takes_it() {
    let memory = Memory::new();
    let mut alice = person(&memory, "alice").await;
    alice.net = Net::new(Small(memory));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, len: usize| {
        let path = folder.path().join(name);
        std::fs::write(&path, vec![7; len]).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (small, large) = (path("small.txt", 5_000), path("large.txt", 50_000));
    let id = json(&alice, &["share", "--file", &small]).await["id"].as_str().unwrap().to_owned();
    let error = refused(&alice, &["share", "--file", &large], 6).await;
    let expected = format!("  4.9 KiB  small.txt  whatsup delete {id}\n");
    assert!(
        error.starts_with("error: there is no room for it: this signer's share is used up\n"),
        "{error}"
    );
    assert!(error.contains("you have shared 1 posts of ") && error.contains(&expected), "{error}");
}

fn texts(feed: &Json) -> Vec<&str> {
    feed["posts"].as_array().unwrap().iter().map(|post| post["text"].as_str().unwrap()).collect()
}

#[test]
fn media_types_are_in_order() {
    assert!(MEDIA.is_sorted());
}

#[tokio::test]
async fn what_is_shared_is_followed_commented_found_and_deleted() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    let nobody = "you follow nobody; follow people with: whatsup follow NAME\n";
    assert_eq!(refused(&bob, &["feed"], 1).await, nobody);
    ok(&bob, &["follow", "alice"]).await;
    assert_eq!(refused(&bob, &["feed"], 1).await, "there is nothing in your feed\n");

    let said =
        ok(&alice, &["share", "Talks begin at nine", "--link", "https://example.org/plan"]).await;
    let id = said.trim().rsplit(' ').next().unwrap().to_owned();
    let feed = ok(&bob, &["feed"]).await;
    assert!(feed.contains("alice  Talks begin at nine https://example.org/plan"), "{feed}");
    assert_eq!(json(&bob, &["find", "talks"]).await["content"][0]["id"], *id);

    assert!(ok(&bob, &["comment", &id, "In which hall?"]).await.starts_with("said, with the id "));
    let asked =
        json(&bob, &["comments", &id]).await["comments"][0]["id"].as_str().unwrap().to_owned();
    ok(&alice, &["comment", &id, "In hall 2", "--to", &asked[..6]]).await;
    let whole = ok(&bob, &["posts", "alice", &id[..6]]).await;
    for line in [
        "Talks begin at nine\n",
        "https://example.org/plan\n",
        "bob    In which hall?",
        "In hall 2",
    ] {
        assert!(whole.contains(line), "{line} in {whole}");
    }
    let taken = ok(&bob, &["delete", &asked[..6], "--on", &id]).await;
    assert_eq!(taken, "taken back\n");
    assert_eq!(json(&bob, &["comments", &id]).await["comments"].as_array().unwrap().len(), 1);
    assert!(
        refused(&bob, &["delete", &id], 1).await.contains("you have shared nothing with the id")
    );

    assert_eq!(ok(&alice, &["delete", &id[..8]]).await, "deleted\n");
    assert_eq!(refused(&bob, &["feed"], 1).await, "there is nothing in your feed\n");
    assert_eq!(refused(&bob, &["posts", "alice"], 1).await, "alice shares nothing\n");
    assert_eq!(bob.run("find talks").await.code, 1);
    assert!(refused(&bob, &["posts", "carol"], 1).await.contains("nobody has the name carol"));
}

#[tokio::test]
async fn a_feed_is_read_page_by_page_without_whom_one_blocks() {
    let memory = Memory::new();
    let bob = person(&memory, "bob").await;
    let mut expected = Vec::new();
    for name in ["alice", "carol", "dave"] {
        let sharer = person(&memory, name).await;
        for round in 0..20 {
            let text = format!("{name} {round}");
            ok(&sharer, &["share", &text]).await;
            expected.insert(0, text);
        }
        ok(&bob, &["follow", name]).await;
    }
    let (mut read, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut arguments = vec!["feed", "--max", "25"];
        arguments.extend(after.iter().flat_map(|after| ["--after", after]));
        let page = json(&bob, &arguments).await;
        read.extend(texts(&page).into_iter().map(str::to_owned));
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(read, expected);
    ok(&bob, &["block", "carol"]).await;
    let feed = json(&bob, &["feed", "--max", "100"]).await;
    assert!(texts(&feed).iter().all(|text| !text.starts_with("carol")));
    assert_eq!(texts(&feed).len(), 40);
}

#[tokio::test]
async fn images_and_files_are_shared_and_fetched_and_what_is_none_is_refused() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    RgbImage::from_pixel(400, 300, image::Rgb([9, 200, 9]))
        .save_with_format(path("hall.gif"), ImageFormat::Png)
        .unwrap();
    let shared = json(&alice, &["share", "The hall", "--image", &path("hall.gif")]).await;
    assert_eq!(
        (&shared["file"]["name"], &shared["file"]["width"]),
        (&"hall.png".into(), &400.into())
    );
    let fetched = path("fetched.png");
    let id = shared["id"].as_str().unwrap();
    ok(&bob, &["fetch", "alice", &id[..6], "--to", &fetched]).await;
    assert_eq!(image::open(&fetched).unwrap().to_rgb8().get_pixel(7, 7).0, [9, 200, 9]);
    assert!(
        refused(&bob, &["fetch", "alice", id, "--to", &fetched], 3)
            .await
            .contains("there is something of this name")
    );

    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(path("numbers.bin"), &bytes).unwrap();
    let shared = json(&alice, &["share", "--file", &path("numbers.bin")]).await;
    let blob = shared["file"]["blob"].as_str().unwrap();
    assert_eq!(shared["file"]["media"], ANY_MEDIA);
    // Under its own name, in the folder that is named.
    std::fs::remove_file(path("numbers.bin")).unwrap();
    let said =
        ok(&bob, &["fetch", "alice", shared["id"].as_str().unwrap(), "--to", &path("")]).await;
    assert!(said.ends_with("numbers.bin, 781.2 KiB\n"), "{said}");
    assert_eq!(std::fs::read(path("numbers.bin")).unwrap(), bytes);
    ok(&alice, &["delete", shared["id"].as_str().unwrap()]).await;
    let error = refused(&bob, &["fetch", blob, "--to", &path("again")], 1).await;
    assert!(error.contains("part 1 of 1 is not there"), "{error}");

    std::fs::write(path("text.jpg"), "no image").unwrap();
    let error = refused(&alice, &["share", "--image", &path("text.jpg")], 2).await;
    assert!(error.contains("no JPEG, PNG, GIF or WebP image"), "{error}");
    assert!(refused(&alice, &["share", "--file", &path("none")], 3).await.contains("No such file"));
    std::fs::write(path("empty"), "").unwrap();
    assert!(refused(&alice, &["share", "--file", &path("empty")], 2).await.contains("it is empty"));
    let link = ["share", "x", "--link", "javascript:alert(1)"];
    assert!(refused(&alice, &link, 2).await.contains("only http:// and https://"));
    assert!(refused(&bob, &["fetch", "alice"], 2).await.contains("say which"));
}

#[tokio::test]
async fn a_long_text_comes_from_standard_input_and_is_shown_whole() {
    let memory = Memory::new();
    let alice = person(&memory, "alice").await;
    let text = "line of a long text\n".repeat(100);
    let ran = alice.run_with(&["share", "-", "--json"], &text).await;
    let shared: Json = serde_json::from_str(&ran.out).unwrap();
    assert!(shared["text"].as_str().unwrap().ends_with('…'));
    let whole = ok(&alice, &["posts", "alice", shared["id"].as_str().unwrap()]).await;
    assert!(whole.contains(text.trim()), "{whole}");
}

#[tokio::test]
async fn files_are_shared_with_a_community() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    ok(&alice, &["community", "create", "Chess club"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.csv");
    std::fs::write(&path, "alice,bob\n").unwrap();
    let path = path.to_str().unwrap();
    let long = "All pairs. ".repeat(80);
    ok(&alice, &["share", &long, "--file", path, "--with", "Chess club"]).await;
    ok(&bob, &["community", "follow", "Chess club"]).await;
    let feed = json(&bob, &["feed"]).await;
    assert_eq!(feed["posts"][0]["file"]["name"], "pairs.csv");
    let id = feed["posts"][0]["id"].as_str().unwrap();
    let to = folder.path().join("to.csv");
    ok(&bob, &["fetch", id, "--from", "Chess club", "--to", to.to_str().unwrap()]).await;
    assert_eq!(std::fs::read_to_string(to).unwrap(), "alice,bob\n");
}
