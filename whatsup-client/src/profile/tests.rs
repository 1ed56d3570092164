use base::{Claim, Sequence, SigningKey};

use super::*;
use crate::overlay::Memory;

fn author(of: &str, seed: u8) -> Author {
    let key = SigningKey::from_bytes(&[seed; 32]);
    Author::with_clock(Name::new(of).unwrap(), key, || 1000)
}

async fn claim(net: &Net, author: &Author, floor: u64) {
    let claim = Claim::new(author.name().clone(), Sequence::new(floor));
    let next = net.claimants(author.name(), Some(author.public())).await.unwrap().next;
    let signed = claim.sign(author.key(), next.max(Sequence::new(1)), Ttl::MAX).unwrap();
    net.one(Ask::Claim { name: author.name().clone(), signed }).await.unwrap();
}

#[tokio::test]
async fn a_profile_is_two_gets_and_only_the_holders_counts() {
    let memory = Memory::new();
    let net = Net::new(memory.clone());
    let (alice, mallory) = (author("alice", 1), author("alice", 9));
    claim(&net, &alice, 0).await;
    edit(&net, &mallory, |profile| profile.full_name = "Not Alice".into()).await.unwrap();
    let told = edit(&net, &alice, |profile| {
        profile.full_name = " Alice Ada ".into();
        profile.contacts = vec!["alice@example.org".into(), "alice@example.org".into()];
    });
    let told = told.await.unwrap();
    assert_eq!(told.contacts, ["mailto:alice@example.org"]);
    let asks = memory.asks();
    let person = read_of(&net, alice.name()).await.unwrap().unwrap();
    assert_eq!(memory.asks() - asks, 2);
    assert_eq!((person.key, person.profile), (alice.public(), Some(told)));
    assert_eq!(read_of(&net, &Name::new("bob").unwrap()).await, Ok(None));
}

#[tokio::test]
async fn what_others_put_there_hides_nobody() {
    let net = Net::new(Memory::new());
    let alice = author("alice", 1);
    claim(&net, &alice, 0).await;
    edit(&net, &alice, |profile| profile.company = "Acme".into()).await.unwrap();
    for seed in 10..60 {
        edit(&net, &author("alice", seed), |profile| profile.job = "x".into()).await.unwrap();
    }
    let names = [alice.name().clone(), Name::new("bob").unwrap(), alice.name().clone()];
    let people = read(&net, &names).await;
    for at in [0, 2] {
        let person = people[at].as_ref().unwrap().as_ref().unwrap();
        assert_eq!(person.profile.as_ref().unwrap().company, "Acme");
    }
    assert_eq!(people[1], Ok(None));
}

#[tokio::test]
async fn what_was_said_before_the_claims_floor_is_not_believed() {
    let net = Net::new(Memory::new());
    let alice = author("alice", 1);
    claim(&net, &alice, 2000).await;
    edit(&net, &alice, |profile| profile.company = "Acme".into()).await.unwrap();
    assert_eq!(read_of(&net, alice.name()).await.unwrap().unwrap().profile, None);
}

#[tokio::test]
async fn a_profile_is_changed_removed_and_begun_again() {
    let memory = Memory::new();
    let net = Net::new(memory.clone());
    let alice = author("alice", 1);
    claim(&net, &alice, 0).await;
    edit(&net, &alice, |profile| profile.encryption_key = vec![7; 32]).await.unwrap();
    edit(&net, &alice, |profile| profile.interests = vec!["tea".into()]).await.unwrap();
    let profile = read_of(&net, alice.name()).await.unwrap().unwrap().profile.unwrap();
    assert_eq!((profile.encryption_key.len(), profile.interests.len()), (32, 1));
    assert!(delete(&net, &alice).await.unwrap());
    assert!(!delete(&net, &alice).await.unwrap());
    assert_eq!(read_of(&net, alice.name()).await.unwrap().unwrap().profile, None);
    edit(&net, &alice, |profile| profile.interests = vec!["radio".into()]).await.unwrap();
    let profile = read_of(&net, alice.name()).await.unwrap().unwrap().profile.unwrap();
    assert_eq!(profile.interests, ["radio"]);
}

#[tokio::test(start_paused = true)]
async fn a_photo_is_small_goes_with_the_profile_and_is_renewed() {
    let memory = Memory::new();
    let net = Net::new(memory.clone());
    let alice = author("alice", 1);
    claim(&net, &alice, 0).await;
    let image = |grey: u8| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let image = image::RgbImage::from_pixel(900, 600, image::Rgb([grey; 3]));
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes::Bytes::from(bytes.into_inner())
    };
    photo::set(&net, &alice, image(10)).await.unwrap();
    let first = read_of(&net, alice.name()).await.unwrap().unwrap().profile.unwrap();
    let jpeg = photo::fetch(&net, &first).await.unwrap().unwrap();
    assert_eq!(crate::picture::sniff(&jpeg), Some("image/jpeg"));
    let second = photo::set(&net, &alice, image(200)).await.unwrap();
    assert!(photo::fetch(&net, &first).await.is_err(), "the one before is gone");
    for _ in 0..3 {
        tokio::time::advance(std::time::Duration::from_secs(4 * 24 * 3600)).await;
        renew(&net, &alice).await.unwrap();
        claim(&net, &alice, 0).await;
    }
    assert!(photo::fetch(&net, &second).await.unwrap().is_some());
    let none = photo::remove(&net, &alice).await.unwrap();
    assert_eq!((none.photo.len(), none.photo_size), (0, 0));
    assert!(photo::fetch(&net, &second).await.is_err());
    assert!(photo::set(&net, &alice, bytes::Bytes::from_static(b"no image")).await.is_err());
}

#[test]
fn what_is_wrong_with_a_profile_is_said() {
    let with = |change: fn(&mut Profile)| {
        let mut profile = Profile::default();
        change(&mut profile);
        profile.checked().unwrap_err().to_string()
    };
    assert!(with(|p| p.full_name = "a\u{1b}[2J".into()).contains("U+001B"));
    assert!(with(|p| p.company = "x".repeat(200)).contains("200 bytes; the limit is 160"));
    assert!(with(|p| p.contacts = vec!["ftp://x".into()]).contains("is no contact"));
    let many = |p: &mut Profile| p.interests = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(with(many), "a profile has 30 interests; it may have 24");
}

#[test]
fn a_hostile_profile_is_shown_harmless() {
    let hostile = Profile {
        full_name: "a\u{1b}[2J\u{202e}".into(),
        about: "x".repeat(10_000),
        interests: vec!["tea".into(); 1000],
        contacts: vec!["javascript:alert(1)".into(), "tel:110".into()],
        photo: vec![1; 31],
        encryption_key: vec![1; 32],
        ..Profile::default()
    };
    let clean = hostile.cleaned();
    assert_eq!(clean.full_name, "a\u{fffd}[2J\u{fffd}");
    assert!(clean.about.len() <= ABOUT_MAX);
    assert_eq!((clean.interests, clean.contacts), (vec!["tea".into()], vec!["tel:110".into()]));
    assert_eq!((clean.photo.len(), clean.encryption_key.len()), (0, 32));
}
