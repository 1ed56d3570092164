use super::super::testing::{Person, Ran};
use crate::overlay::Memory;

/// Somebody logged in on this overlay.
async fn person(memory: &Memory, name: &str) -> Person {
    let person = Person::on(memory);
    let ran = person.run(&format!("login {name} --guest")).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    person
}

async fn run(person: &Person, arguments: &[&str]) -> Ran {
    person.run_with(arguments, "").await
}

async fn ok(person: &Person, arguments: &[&str]) -> String {
    let ran = run(person, arguments).await;
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    ran.out
}

async fn refused(person: &Person, arguments: &[&str], code: u8) -> String {
    let ran = run(person, arguments).await;
    assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {}", ran.err);
    ran.err
}

#[tokio::test]
async fn an_evening_of_a_community() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    assert_eq!(refused(&bob, &["community", "list"], 1).await, "there is no community yet\n");
    let about = "Every evening in hall 2";
    ok(&alice, &["community", "create", "Chess club", "--about", about]).await;
    let listed = ok(&bob, &["community", "list"]).await;
    assert!(listed.contains("Chess club  alice    open"), "{listed}");
    let json = bob.json("community list").await;
    let id = json["communities"][0]["id"].as_str().unwrap().to_owned();

    assert_eq!(ok(&bob, &["community", "join", &id[..6]]).await, "you are a member\n");
    ok(&bob, &["community", "post", "chess CLUB", "Who plays tonight?"]).await;
    let news = ok(&alice, &["community", "news", "Chess club"]).await;
    assert!(news.contains("bob  Who plays tonight?"), "{news}");
    let found = alice.json("find tonight").await;
    assert_eq!(found["content"][0]["kind"], "news");
    assert_eq!(alice.json("find chess").await["communities"][0]["id"], *id);

    let event = ["community", "event", &id, "First round", "--start", "2026-12-01T19:00+01:00"];
    ok(&alice, &[&event[..], &["--place", "Hall 2"]].concat()).await;
    let events = ok(&bob, &["community", "events", &id]).await;
    assert!(events.contains("2026-12-01 19:00 +01:00  2026-12-01 20:00 +01:00  First round"));
    let ics = ok(&bob, &["community", "events", &id, "--ics"]).await;
    assert!(ics.contains("DTSTART:20261201T180000Z\r\n"), "{ics}");

    let shown = ok(&bob, &["community", "show", &id]).await;
    for line in ["Chess club", about, "founder   alice", "members   2", "bob  Who plays tonight?"] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let members = ok(&bob, &["community", "members", &id]).await;
    assert!(members.contains("alice  founder") && members.contains("bob    member"), "{members}");
    let news = bob.json(&format!("community news {id}")).await;
    let post = news["news"][0]["id"].as_str().unwrap().to_owned();
    ok(&bob, &["community", "delete", &id, &post[..8]]).await;
    refused(&alice, &["community", "news", &id], 1).await;
    assert!(ok(&bob, &["community", "keep", &id]).await.contains("said 2 things again"));
    ok(&bob, &["community", "leave", &id]).await;
    assert_eq!(refused(&bob, &["community", "leave", &id], 1).await, "you had not joined\n");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    let nobody = Person::on(&memory);
    let error = refused(&nobody, &["community", "create", "Chess"], 2).await;
    assert!(error.contains("log in with"), "{error}");
    let error = refused(&alice, &["community", "create", " "], 2).await;
    assert_eq!(error, "error: the community's title is empty; write something\n");
    let error = refused(&alice, &["community", "create", &"x".repeat(101)], 2).await;
    assert!(error.contains("has 101 bytes; the limit is 100"), "{error}");
    ok(&alice, &["community", "create", "Chess"]).await;
    ok(&bob, &["community", "create", "Chess"]).await;
    let error = refused(&bob, &["community", "join", "Chess"], 2).await;
    assert!(error.contains("are several; name one by its id: "), "{error}");
    let error = refused(&bob, &["community", "join", "Go"], 1).await;
    assert!(error.contains("there is no community \"Go\""), "{error}");
    let error = refused(&bob, &["community", "join", &"ab".repeat(16)], 1).await;
    assert!(error.contains("`whatsup community list` shows"), "{error}");

    ok(&alice, &["community", "create", "Go"]).await;
    let post = ["community", "post", "Go", "Hello"];
    let error = refused(&bob, &post, 1).await;
    assert_eq!(error, "error: you are no member of \"Go\"; join first\n");
    refused(&bob, &["community", "describe", "Go", "--title", "Mine"], 1).await;
    refused(&bob, &["community", "appoint", "Go", "bob"], 1).await;
    refused(&bob, &["community", "remove", "Go", "alice"], 1).await;
    let event = ["community", "event", "Go", "Final"];
    let ends = ["--start", "2026-12-01T19:00Z", "--end", "2026-12-01T18:00Z"];
    let error = refused(&alice, &[&event[..], &ends[..]].concat(), 2).await;
    assert!(error.contains("before it begins (2026-12-01 19:00 +00:00)"), "{error}");
    let error = refused(&alice, &[&event[..], &["--start", "soon"]].concat(), 2).await;
    assert!(error.contains("\"soon\" is no time; write 2026-12-01T19:00"), "{error}");
    refused(&alice, &["community", "delete", "Go", "abcd"], 1).await;
}

#[tokio::test]
async fn moderators_approve_remove_and_hide_for_all_to_see() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    let carol = person(&memory, "carol").await;
    ok(&alice, &["community", "create", "Chess", "--by-approval"]).await;
    let asked = ok(&bob, &["community", "join", "Chess"]).await;
    assert!(asked.contains("has to approve you"), "{asked}");
    ok(&carol, &["community", "join", "Chess"]).await;
    let error = refused(&bob, &["community", "post", "Chess", "Hi"], 1).await;
    assert!(error.contains("yet: a moderator has to approve you"), "{error}");
    assert_eq!(
        ok(&alice, &["community", "appoint", "Chess", "bob"]).await,
        "bob moderates it from now on\n"
    );
    ok(&bob, &["community", "approve", "Chess", "carol"]).await;
    ok(&carol, &["community", "post", "Chess", "Buy this"]).await;
    let news = carol.json("community news Chess").await;
    let id = news["news"][0]["id"].as_str().unwrap().to_owned();
    ok(&bob, &["community", "hide", "Chess", &id[..6], "--reason", "an advertisement"]).await;
    let news = ok(&alice, &["community", "news", "Chess"]).await;
    assert!(news.contains("[hidden by bob: an advertisement]") && !news.contains("Buy"), "{news}");
    refused(&alice, &["find", "buy"], 1).await;
    ok(&alice, &["community", "undo", "Chess", &id[..6]]).await;
    assert!(ok(&alice, &["find", "buy"]).await.contains("Buy this"));
    assert!(ok(&alice, &["community", "news", "Chess"]).await.contains("Buy this"));
    ok(&bob, &["community", "remove", "Chess", "carol", "--reason", "advertises"]).await;
    refused(&alice, &["community", "news", "Chess"], 1).await;
    let decisions = ok(&carol, &["community", "decisions", "Chess"]).await;
    for line in ["alice  undone", "bob    removed  carol", "advertises"] {
        assert!(decisions.contains(line), "{line} in {decisions}");
    }
    let members = carol.json("community members Chess").await;
    assert_eq!((&members["count"], members["members"].as_array().unwrap().len()), (&2.into(), 3));
    assert_eq!(
        ok(&alice, &["community", "dismiss", "Chess", "bob"]).await,
        "bob moderates it no more\n"
    );
    refused(&alice, &["community", "dismiss", "Chess", "bob"], 1).await;
    // Whoever is dismissed has no say, in what was decided before neither.
    assert!(ok(&carol, &["community", "members", "Chess"]).await.contains("carol  waiting"));
}

#[tokio::test]
async fn a_poll_from_the_question_to_the_count() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    ok(&alice, &["community", "create", "Chess"]).await;
    ok(&bob, &["community", "join", "Chess"]).await;
    let error = refused(&bob, &["poll", "list", "Chess"], 1).await;
    assert_eq!(error, "there is no poll yet\n");
    let error = refused(&bob, &["poll", "create", "Chess", "Again?", "yes", "yes"], 2).await;
    assert!(error.contains("two options are \"yes\""), "{error}");
    ok(&bob, &["poll", "create", "Chess", "Again?", "yes", "no"]).await;
    let polls = alice.json("poll list Chess").await;
    let id = polls["polls"][0]["id"].as_str().unwrap().to_owned();
    ok(&alice, &["poll", "vote", "Chess", &id[..6], "Yes"]).await;
    let shown = ok(&bob, &["poll", "vote", "Chess", &id, "2"]).await;
    let expected =
        "Again?\nNO  OPTION  VOTES\n1   yes     1\n2   no      1\nopen; votes of members count\n";
    assert_eq!(shown, expected);
    let error = refused(&bob, &["poll", "vote", "Chess", &id, "3"], 2).await;
    assert_eq!(error, "error: there is no option 3; the poll has 1 to 2\n");
    let error = refused(&bob, &["poll", "vote", "Chess", &id, "perhaps"], 2).await;
    assert!(error.contains("give one of the numbers 1 to 2"), "{error}");
    let carol = person(&memory, "carol").await;
    let error = refused(&carol, &["poll", "vote", "Chess", &id, "1"], 1).await;
    assert!(error.contains("join first"), "{error}");
    let error = refused(&carol, &["poll", "close", "Chess", &id], 1).await;
    assert!(error.contains("closed by who asked, by the founder or a moderator"), "{error}");
    let closed = ok(&alice, &["poll", "close", "Chess", &id]).await;
    assert!(closed.contains("closed by alice at "), "{closed}");
    let error = refused(&bob, &["poll", "vote", "Chess", &id, "1"], 1).await;
    assert_eq!(error, "error: the poll is closed; votes count no more\n");
    refused(&bob, &["poll", "close", "Chess", &id], 1).await;
    let json = bob.json(&format!("poll show Chess {id}")).await;
    assert_eq!((&json["open"], &json["votes"]), (&false.into(), &2.into()));
    assert_eq!(json["options"][0]["votes"], 1);
}

#[tokio::test(start_paused = true)]
async fn alerts_are_told_as_they_happen() {
    let memory = Memory::new();
    let (alice, bob) = (person(&memory, "alice").await, person(&memory, "bob").await);
    let error = refused(&bob, &["alerts"], 1).await;
    assert_eq!(error, "you follow no community; join one, or follow it\n");
    ok(&alice, &["community", "create", "Chess"]).await;
    ok(&alice, &["community", "post", "Chess", "before"]).await;
    ok(&bob, &["community", "follow", "Chess"]).await;
    let waits = run(&bob, &["alerts", "--count", "2"]);
    let says = async {
        // The first look is over before a second of the paused clock has passed.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        ok(&alice, &["community", "post", "Chess", "Who plays tonight?"]).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        ok(&alice, &["poll", "create", "Chess", "Again?", "yes", "no"]).await;
    };
    let (told, ()) = tokio::join!(waits, says);
    assert_eq!(told.code, 0, "{}", told.err);
    let lines: Vec<&str> = told.out.lines().collect();
    assert!(lines[0].ends_with("Chess: alice shared Who plays tonight?"), "{}", told.out);
    assert!(lines[1].ends_with("Chess: alice asks Again?"), "{}", told.out);
    assert_eq!(lines.len(), 2);
    ok(&bob, &["community", "unfollow", "Chess"]).await;
    refused(&bob, &["alerts"], 1).await;
}
