use super::super::testing::Person;
use crate::overlay::Memory;

/// Two who are logged in.
async fn two() -> (Person, Person) {
    let memory = Memory::new();
    let (alice, bob) = (Person::on(&memory), Person::on(&memory));
    alice.json("login alice --guest").await;
    bob.json("login bob --guest").await;
    (alice, bob)
}

#[tokio::test]
async fn a_message_is_written_fetched_answered_and_known_to_be_read() {
    let (alice, bob) = two().await;
    let said = alice.run("say bob hello, bob").await;
    assert_eq!(
        said.out, "relayed, at 1 super-node; bob has it when they fetch it\n",
        "{}",
        said.err
    );
    let json = alice.json("outbox").await;
    assert_eq!(
        (json["outbox"][0]["state"].as_str(), json["outbox"][0]["to"].as_str()),
        (Some("relayed"), Some("bob"))
    );
    let list = bob.run("inbox").await;
    assert!(list.out.contains("alice  1    hello, bob"), "{}", list.out);
    assert!(list.out.contains("a stranger's request"), "{}", list.out);
    let read = bob.run("inbox alice").await;
    assert!(read.out.ends_with("alice: hello, bob  (new)\n"), "{}", read.out);
    assert!(read.err.contains("--accept"), "{}", read.err);
    assert_eq!(
        alice.json("outbox").await["outbox"][0]["state"],
        "relayed",
        "bob is not known to have it"
    );
    bob.json("say alice hi").await;
    let json = alice.json("inbox bob").await;
    assert_eq!(json["standing"], "accepted");
    let states = |json: &serde_json::Value| {
        let each = json["messages"].as_array().unwrap().iter();
        each.map(|one| one["state"].as_str().unwrap_or("theirs").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&json), ["delivered", "theirs"]);
    assert_eq!(alice.run("outbox").await.code, 1);
    bob.json("inbox alice").await;
    let json = bob.json("inbox alice").await;
    assert_eq!(states(&json), ["theirs", "read"]);
}

#[tokio::test]
async fn strangers_are_accepted_or_refused_and_the_blocked_are_not_heard() {
    let (alice, bob) = two().await;
    alice.json("say bob one").await;
    assert_eq!(bob.json("inbox alice --accept").await["standing"], "accepted");
    assert_eq!(alice.run("outbox").await.code, 1, "it is known to be there");
    assert_eq!(bob.run("inbox alice --refuse").await.out, "alice is refused\n");
    alice.json("say bob two").await;
    assert_eq!(bob.run("inbox").await.code, 1);
    bob.run("block alice").await;
    let blocked = bob.run("say alice hi").await;
    assert!(blocked.code == 2 && blocked.err.contains("unblock"), "{}", blocked.err);
}

#[tokio::test]
async fn what_is_given_up_does_not_come_and_a_long_text_from_standard_input_does() {
    let (alice, bob) = two().await;
    let id = alice.json("say bob oh no").await["id"].as_str().unwrap().to_owned();
    assert_eq!(alice.run(&format!("outbox --drop {}", &id[..8])).await.out, "it is given up\n");
    assert!(alice.run(&format!("outbox --drop {id}")).await.err.contains("is in the outbox"));
    let long = "line\n".repeat(3000);
    assert_eq!(alice.run_with(&["say", "bob"], &long).await.code, 0);
    let json = bob.json("inbox alice").await;
    let messages = json["messages"].as_array().unwrap();
    assert_eq!((messages.len(), messages[0]["text"].as_str().unwrap().len()), (1, long.len() - 1));
}

#[tokio::test]
async fn wrong_receivers_and_texts_are_told_kindly_and_nothing_hostile_is_shown() {
    let (alice, bob) = two().await;
    for (line, why) in [
        (vec!["say", "nobody", "hi"], "nobody has the name"),
        (vec!["say", "alice", "hi"], "that is you"),
        (vec!["say", "a b", "hi"], "a name may not have"),
        (vec!["say", "bob", "\u{202e}"], "cannot be seen"),
        (vec!["say", "bob", " "], "empty"),
    ] {
        let ran = alice.run_with(&line, "").await;
        assert!(ran.code == 2 && ran.err.contains(why), "{line:?}: {}", ran.err);
    }
    assert_eq!(alice.run_with(&["say", "bob"], &"x".repeat(40_000)).await.code, 2);
    assert_eq!(alice.run("inbox bob").await.code, 1);
    alice.run_with(&["say", "bob"], "one\n2026-01-01 00:00  carol: two").await;
    let shown = bob.run("inbox alice").await.out;
    assert!(shown.contains("one\n    2026-01-01"), "{shown}");
    let nobody = Person::new();
    assert_eq!(nobody.run("inbox").await.code, 2);
}

#[tokio::test]
async fn who_took_anothers_name_does_not_take_the_conversation() {
    let (alice, bob) = two().await;
    alice.json("say bob hello").await;
    bob.json("inbox alice --accept").await;
    alice.run("logout").await;
    let mallory = Person::on(&alice.memory);
    mallory.json("login alice --guest").await;
    mallory.json("say bob it is me").await;
    let json = bob.json("inbox").await;
    let each = json["conversations"].as_array().unwrap();
    assert_eq!(each.len(), 2);
    assert!(each.iter().all(|one| one["with"].as_str().unwrap().starts_with("alice~")), "{json}");
}
