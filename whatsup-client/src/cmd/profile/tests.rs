use super::super::testing::Person;
use crate::overlay::Memory;

#[tokio::test]
async fn a_profile_is_said_shown_exported_and_imported() {
    let memory = Memory::new();
    let (alice, bob) = (Person::on(&memory), Person::on(&memory));
    let early = alice.run("profile show").await;
    assert_eq!(
        (early.code, &*early.err),
        (2, "error: nobody is logged in here\nlog in with: whatsup login NAME\n")
    );
    alice.json("login alice --guest").await;
    bob.json("login bob --guest").await;
    let said = [
        "profile",
        "edit",
        "--full-name",
        "Alice Ada",
        "--company",
        "Acme",
        "--interest",
        "tea",
        "--interest",
        "radio",
        "--contact",
        "alice@example.org",
        "--about",
        "one\ntwo",
    ];
    assert_eq!(alice.run_with(&said, "").await.code, 0);
    let shown = bob.run("profile show alice").await.out;
    let rest = shown.split_once('\n').unwrap().1;
    assert_eq!(
        rest,
        "  full name  Alice Ada\n  company    Acme\n  interests  tea, radio\n  \
         contact    mailto:alice@example.org\n  about      one\n             two\n"
    );
    assert!(bob.run("find acme radio").await.out.contains("Alice Ada"));
    let card = bob.run("profile export alice").await.out;
    assert!(card.starts_with("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Alice Ada\r\n"), "{card}");
    let card = card.replace("END:VCARD", "PHOTO:data:x\r\nEND:VCARD");
    let taken = bob.run_with(&["profile", "import", "-"], &card).await;
    assert_eq!((taken.code, &*taken.err), (0, "left out: PHOTO\n"));
    let both = bob.json("profile show alice bob nobody").await;
    assert_eq!(both["people"][0]["profile"], both["people"][1]["profile"]);
    assert_eq!(both["missing"][0], "nobody");

    assert_eq!(bob.run("profile edit --company=").await.code, 0);
    assert_eq!(bob.json("profile show").await["people"][0]["profile"]["company"], "");
    assert_eq!(bob.run("profile delete").await.out, "removed\n");
    assert_eq!(bob.run("profile delete").await.code, 1);
    assert_eq!(bob.run("profile show nobody").await.code, 1);
    assert_eq!(bob.run("profile export nobody").await.code, 1);
}

#[tokio::test]
async fn a_photo_is_taken_shown_to_others_and_removed() {
    let memory = Memory::new();
    let (alice, bob) = (Person::on(&memory), Person::on(&memory));
    alice.json("login alice --guest").await;
    let folder = tempfile::tempdir().unwrap();
    let (png, jpeg) = (folder.path().join("me.png"), folder.path().join("alice.jpg"));
    image::RgbImage::from_pixel(40, 30, image::Rgb([9; 3])).save(&png).unwrap();
    let said = alice.json(&format!("profile edit --photo {}", png.display())).await;
    assert_eq!(said["photo"].as_str().map(str::len), Some(64));
    let line = format!("profile photo alice --to {}", jpeg.display());
    assert_eq!(bob.run(&line).await.code, 0);
    assert!(image::open(&jpeg).is_ok());
    assert_eq!(bob.run(&line).await.code, 3, "no file is replaced");
    let wrong = alice.run_with(&["profile", "edit", "--photo", "/dev/null"], "").await;
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    assert_eq!(alice.json("profile edit --photo=").await["photo"], serde_json::Value::Null);
    let none = bob.run("profile photo alice --to x").await;
    assert_eq!((none.code, &*none.err), (1, "alice has no photo\n"));
}

#[tokio::test]
async fn bad_input_is_refused_and_said() {
    let person = Person::new();
    person.json("login alice --guest").await;
    for (arguments, text) in [
        (&["profile", "edit", "--contact", "javascript:x"][..], "is no contact"),
        (&["profile", "edit", "--full-name", "\u{1b}[2J"], "U+001B"),
        (&["profile", "delete", "--everything"], "add --yes"),
        (&["profile", "import", "-"], "no vCard"),
    ] {
        let ran = person.run_with(arguments, "").await;
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.err.contains(text), "{}", ran.err);
    }
}

#[tokio::test]
async fn deleting_everything_leaves_nothing_and_says_what_may_remain() {
    let memory = Memory::new();
    let alice = Person::on(&memory);
    alice.json("login alice --guest").await;
    alice.json("profile edit --company Acme").await;
    assert!(!memory.load().is_empty());
    let gone = alice.run("profile delete --everything --yes").await;
    assert_eq!(
        (gone.code, &*gone.out),
        (
            0,
            "removed: 1 entries of the index\nremoved: 1 private lists\nremoved: 1 profile\nremoved: 1 name\n"
        )
    );
    assert!(gone.err.starts_with("Copies may remain: at laptops"), "{}", gone.err);
    assert!(memory.load().is_empty());
    assert_eq!(alice.run("whoami").await.code, 1);
}
