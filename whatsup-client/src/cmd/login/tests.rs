use super::super::testing::Person;
use crate::overlay::Memory;

#[tokio::test]
async fn a_name_is_claimed_with_a_passphrase_that_is_shown_once_and_gets_one_in_elsewhere() {
    let memory = Memory::new();
    let (laptop, phone) = (Person::on(&memory), Person::on(&memory));
    let nobody = laptop.run("whoami").await;
    assert_eq!((nobody.code, &*nobody.err), (1, "nobody is logged in here\n"));
    let ran = laptop.run("login Alice").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (first, second) = ran.out.split_once('\n').unwrap();
    let passphrase = first.strip_prefix("passphrase: ").unwrap();
    assert!(second.starts_with("logged in as alice, fingerprint "), "{second}");
    assert!(ran.err.contains("Write the passphrase down"));
    assert!(laptop.run("whoami").await.out.starts_with("alice, fingerprint "));

    let taken = phone.run("login alice").await;
    assert_eq!((taken.code, &*taken.out), (1, ""));
    assert!(taken.err.starts_with("alice is taken already, by somebody with"), "{}", taken.err);
    assert!(taken.err.ends_with("These are free: alice2, alice3, alice4\n"), "{}", taken.err);
    let back = ["login", "alice", "--name-passphrase-file", "-"];
    let wrong = phone.run_with(&back, "bako-tiru-dolu-nemi-savo\n").await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("is not yours by this key"), "{}", wrong.err);
    assert!(phone.run("whoami").await.err.contains("nobody is logged in"));
    let right = phone.run_with(&back, &format!("{}\n", passphrase.to_uppercase())).await;
    assert_eq!((right.code, &*right.err), (0, ""));
    assert_eq!(right.out, second);

    let other = phone.run("login bob").await;
    assert_eq!(other.code, 2);
    assert!(other.err.contains("alice is logged in here"), "{}", other.err);
    let out = phone.run("logout").await;
    assert_eq!(
        out.out,
        "logged out; alice stays yours for a week, and your passphrase gets you in\n"
    );
    assert_eq!(phone.run("logout").await.code, 1);
    assert!(laptop.run("logout --give-back").await.out.contains("given back"));
    assert_eq!(phone.json("login alice --guest").await["state"], "confirmed");
}

#[tokio::test]
async fn a_look_alike_is_told_what_it_looks_like() {
    let memory = Memory::new();
    Person::on(&memory).json("login alice --guest").await;
    let other = Person::on(&memory).run("login a1ice --guest").await;
    assert_eq!(other.code, 1);
    assert!(other.err.starts_with("a1ice looks like alice, which somebody has"), "{}", other.err);
}

#[tokio::test]
async fn a_guest_gives_the_name_back_when_logging_out() {
    let memory = Memory::new();
    let guest = Person::on(&memory);
    let json = guest.json("login bob --guest").await;
    assert!(json.get("passphrase").is_none());
    assert_eq!(guest.json("whoami").await["guest"], true);
    assert_eq!(guest.json("login bob").await["key"], json["key"], "who is logged in stays it");
    assert_eq!(guest.json("logout").await["given_back"], true);
    assert_eq!(Person::on(&memory).json("login bob --guest").await["state"], "confirmed");
}

#[tokio::test]
async fn what_makes_no_key_is_refused_before_anything_is_claimed() {
    let person = Person::new();
    let weak = person.run_with(&["login", "bob", "--name-passphrase-file", "-"], "password").await;
    assert_eq!(weak.code, 2);
    assert!(weak.err.contains("too easy to guess"), "{}", weak.err);
    let none = person.run("login bob --name-passphrase-file /nonexistent").await;
    assert_eq!(none.code, 3);
    assert!(none.err.contains("/nonexistent cannot be read"), "{}", none.err);
    let no_name = person.run("login .bob").await;
    assert_eq!(no_name.code, 2);
    assert!(person.memory.load().is_empty());
}

#[tokio::test]
async fn a_claim_is_renewed_by_any_command_when_half_of_it_is_over() {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let person = Person::new().at(DAY_MS);
    person.json("login alice --guest").await;
    let asks = |person: &Person| person.memory.asks();
    let before = asks(&person);
    person.run("services").await;
    assert_eq!(asks(&person) - before, 1, "nothing is to be renewed");
    let person = person.at(5 * DAY_MS);
    let before = asks(&person);
    assert_eq!(person.run("services").await.err, "nobody offers a service\n");
    assert!(asks(&person) - before > 3);
    let before = asks(&person);
    person.run("services").await;
    assert_eq!(asks(&person) - before, 1);
}
