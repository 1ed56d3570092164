//! Names, as callers of the handle claim and find them, on real nodes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use base::{
    Claim, Key, Kind, Name, Sequence, Signed, SigningKey, Slot, Succession, Ttl, person_key,
};
use dht::testnet::Testnet;
use dht::{Claimed, Dht, DhtError, NameStatus, Options, Storage};

/// Longer than any decision takes, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn author(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn claim_of(text: &str) -> Claim {
    Claim::new(name(text), Sequence::ZERO)
}

async fn claims(
    dht: &Dht,
    text: &str,
    by: &SigningKey,
    sequence: u64,
) -> Result<Claimed, DhtError> {
    let sequence = Sequence::new(sequence);
    dht.claim(by, &claim_of(text), sequence, Ttl::MAX, PATIENCE).await
}

fn is_confirmed(claimed: &Claimed, key: &SigningKey) -> bool {
    matches!(claimed, Claimed::Confirmed(holder) if holder.key == key.public())
}

fn is_lost_to(claimed: &Claimed, key: &SigningKey) -> bool {
    matches!(claimed, Claimed::Lost(holder) if holder.key == key.public())
}

#[tokio::test]
async fn who_claims_a_name_first_has_it_everywhere_and_others_are_told() {
    let net = Testnet::start(4).await.unwrap();
    let (alice, mallory) = (author(1), author(2));
    let claimed = claims(net.node(0), "alice", &alice, 1).await.unwrap();
    assert!(is_confirmed(&claimed, &alice), "{claimed:?}");
    for node in net.nodes() {
        let holder = node.holder(&name("alice")).await.unwrap().holder.unwrap();
        assert_eq!((holder.key, holder.claim), (alice.public(), claim_of("alice")));
    }
    let refused = claims(net.node(1), "alice", &mallory, 1).await.unwrap();
    assert!(is_lost_to(&refused, &alice), "{refused:?}");
    let put = claim_of("alice").sign(&mallory, Sequence::new(2), Ttl::MAX).unwrap();
    let taken = net.node(2).put_claim(&name("alice"), put).await.unwrap_err();
    let DhtError::Taken(text) = &taken else { panic!("{taken}") };
    assert!(text.contains(&alice.public().fingerprint().to_string()), "{text}");
    let again = claims(net.node(3), "alice", &alice, 2).await.unwrap();
    assert!(is_confirmed(&again, &alice), "a refresh, at any node");
    net.close().await;
}

#[tokio::test]
async fn a_name_that_looks_like_a_live_one_is_taken_by_that() {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let (first, second) = (author(1), author(2));
    assert!(is_confirmed(&claims(&dht, "paypal", &first, 1).await.unwrap(), &first));
    let Claimed::Lost(holder) = claims(&dht, "paypa1", &second, 1).await.unwrap() else {
        panic!("both have it");
    };
    assert_eq!(holder.claim.name, name("paypal"), "who lost learns how the other one is spelt");
    let status = dht.holder(&name("paypa1")).await.unwrap();
    assert_eq!(status.holder.unwrap().claim.name, name("paypal"));
}

#[tokio::test]
async fn a_name_given_back_is_free_and_what_was_signed_before_is_no_claim_any_more() {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let (first, second, alice) = (author(1), author(2), name("alice"));
    assert!(is_confirmed(&claims(&dht, "alice", &first, 1).await.unwrap(), &first));
    let (public, least) = (first.public(), Sequence::ZERO);
    let next = dht.next_sequence(alice.key(), &public, Slot::ZERO, least).await;
    assert_eq!(next, Ok(Sequence::new(2)));
    let withdrawn = Claim::withdraw(&alice, &first, Sequence::new(2));
    dht.put_claim(&alice, withdrawn).await.unwrap();
    let nobody = NameStatus { holder: None, others: Vec::new() };
    assert_eq!(dht.holder(&alice).await, Ok(nobody));
    let replayed = claim_of("alice").sign(&first, Sequence::new(1), Ttl::MAX).unwrap();
    let replayed = dht.put_claim(&alice, replayed).await;
    assert_eq!(replayed, Err(DhtError::Superseded(2)));
    assert!(is_confirmed(&claims(&dht, "alice", &second, 1).await.unwrap(), &second));
    let late = claims(&dht, "alice", &first, 3).await.unwrap();
    assert!(is_lost_to(&late, &second), "{late:?}");
}

#[tokio::test]
async fn a_name_passes_to_a_new_key_by_the_old_ones_word_and_by_no_other() {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let (old, new, thief) = (author(1), author(2), author(3));
    assert!(is_confirmed(&claims(&dht, "alice", &old, 1).await.unwrap(), &old));
    let passed = |from: &SigningKey, to: &SigningKey| Claim {
        successions: vec![Succession::sign(from, &name("alice"), &to.public())],
        ..claim_of("alice")
    };
    let stolen = passed(&thief, &thief);
    let stolen = dht.claim(&thief, &stolen, Sequence::new(1), Ttl::MAX, PATIENCE).await.unwrap();
    assert!(is_lost_to(&stolen, &old), "{stolen:?}");
    let forged = passed(&old, &new).sign(&thief, Sequence::new(2), Ttl::MAX).unwrap();
    let forged = dht.put_claim(&name("alice"), forged).await;
    assert!(matches!(forged, Err(DhtError::Forged(_))), "{forged:?}");
    let inherited = passed(&old, &new);
    let inherited = dht.claim(&new, &inherited, Sequence::new(1), Ttl::MAX, PATIENCE).await;
    assert!(is_confirmed(&inherited.unwrap(), &new));
    let late = claims(&dht, "alice", &old, 2).await.unwrap();
    assert!(is_lost_to(&late, &new), "{late:?}");
}

#[tokio::test]
async fn what_is_no_claim_of_the_name_is_refused_and_nothing_is_put() {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let (alice, place) = (name("alice"), name("alice").key().place());
    let sign = |kind, slot, body: &[u8]| {
        Signed::sign(&author(1), &place, slot, kind, Sequence::new(1), Ttl::MAX, body).unwrap()
    };
    let bob = claim_of("bob").sign(&author(1), Sequence::new(1), Ttl::MAX).unwrap();
    let look_alike = claim_of("a1ice").sign(&author(1), Sequence::new(1), Ttl::MAX).unwrap();
    for (what, signed) in [
        ("a body that is none", sign(Kind::Claim, Slot::ZERO, b"\xff")),
        ("another slot", sign(Kind::Claim, Slot::new([1; 16]), b"")),
        ("another kind", sign(Kind::Plain, Slot::ZERO, b"")),
        ("another name", bob),
        ("another spelling", look_alike),
    ] {
        let refused = dht.put_claim(&alice, signed).await;
        assert!(matches!(refused, Err(DhtError::Forged(_))), "{what}: {refused:?}");
    }
    // As raw entries replicas see them, too.
    let refused = dht.put_signed(alice.key(), sign(Kind::Claim, Slot::ZERO, b"\xff")).await;
    assert!(refused.is_err(), "{refused:?}");
    let nobody = NameStatus { holder: None, others: Vec::new() };
    assert_eq!(dht.holder(&alice).await, Ok(nobody));
}

#[tokio::test]
async fn a_holder_is_one_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Dht::open(Options::local(Storage::Disk(dir.path().to_owned())));
    let (alice, other) = (author(1), author(2));
    let dht = open().await.unwrap();
    assert!(is_confirmed(&claims(&dht, "alice", &alice, 1).await.unwrap(), &alice));
    dht.close().await;
    drop(dht);
    let dht = open().await.unwrap();
    let refused = claims(&dht, "alice", &other, 1).await.unwrap();
    assert!(is_lost_to(&refused, &alice), "{refused:?}");
    let claimed = dht.await_claim(&name("alice"), &alice.public(), PATIENCE).await.unwrap();
    assert!(is_confirmed(&claimed, &alice));
    dht.close().await;
}

#[tokio::test]
async fn what_a_holder_signed_is_told_apart_from_what_others_did() {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let passphrase = base::Passphrase::generate(&[7; 32]);
    let alice = person_key(&name("alice"), &passphrase).unwrap();
    let claim = Claim { floor: Sequence::new(5), ..claim_of("alice") };
    let claimed = dht.claim(&alice, &claim, Sequence::new(9), Ttl::MAX, PATIENCE).await.unwrap();
    let Claimed::Confirmed(holder) = claimed else { panic!("{claimed:?}") };
    let at = Key::new("sip/alice").unwrap();
    let slot = |n| Slot::new([n; 16]);
    for (by, slot, sequence, body) in [
        (&alice, slot(1), 6, "hers"),
        (&alice, slot(2), 4, "below the floor"),
        (&author(2), slot(1), 7, "another's"),
    ] {
        let sequence = Sequence::new(sequence);
        let signed =
            Signed::sign(by, &at.place(), slot, Kind::Plain, sequence, Ttl::MAX, body.as_bytes());
        dht.put_signed(&at, signed.unwrap()).await.unwrap();
    }
    let found = dht.signed_by(&at, &holder, 10).await.unwrap();
    let bodies: Vec<_> = found.iter().filter_map(|signed| signed.body()).collect();
    assert_eq!(bodies, ["hers"]);
    let hers = dht.signed_in(&at, &alice.public(), slot(1)).await.unwrap().unwrap();
    assert_eq!(hers.sequence(), Sequence::new(6));
    assert_eq!(dht.signed_in(&at, &alice.public(), slot(3)).await, Ok(None));
}
