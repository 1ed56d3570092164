use std::time::Duration;

use base::{Claim, SigningKey, Succession, Ttl};
use dht::Claimed;
use dht::testnet::Testnet;
use p2psip::message::Uri;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn aor(user: &str) -> Aor {
    Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn person(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

async fn claim(dht: &Dht, key: &SigningKey, claim: Claim, sequence: u64) {
    let claimed = dht.claim(key, &claim, Sequence::new(sequence), Ttl::MAX, PATIENCE).await;
    assert!(matches!(claimed, Ok(Claimed::Confirmed(_))), "{claimed:?}");
}

async fn have(dht: &Dht, by: &SigningKey, text: &str) {
    claim(dht, by, Claim::new(name(text), Sequence::ZERO), 1).await;
}

fn entry(by: &SigningKey, of: &str, sequence: u64, body: &[u8]) -> Signed {
    let (place, sequence) = (key(&name(of)).place(), Sequence::new(sequence));
    Signed::sign(by, &place, Slot::ZERO, Kind::Plain, sequence, Ttl::MAX, body).unwrap()
}

fn record(accounts: &PhoneAccounts, by: &SigningKey, of: &str, password: &str) -> Vec<u8> {
    let record = Record::of(&Account::new(of, password), [1; 8]).unwrap();
    accounts.seal(&name(of), &by.public(), &record).unwrap()
}

async fn put(accounts: &PhoneAccounts, of: &str, signed: Signed) -> Result<usize, AccountsError> {
    let bytes = Bytes::copy_from_slice(signed.as_bytes());
    let source = Source::of([127, 0, 0, 1].into());
    accounts.put((&Quota::new(), source), &name(of), bytes).await
}

async fn protect(accounts: &PhoneAccounts, by: &SigningKey, of: &str, password: &str) {
    let next = accounts.standing(&name(of), &by.public()).await.unwrap().next.number();
    let signed = entry(by, of, next, &record(accounts, by, of, password));
    assert!(put(accounts, of, signed).await.unwrap() >= 2);
}

/// What a node that has not been asked before finds.
async fn fresh(dht: &Dht, user: &str) -> Found {
    PhoneAccounts::new(dht.clone()).account(&aor(user)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_protected_at_every_node_until_its_holder_says_otherwise() {
    let testnet = Testnet::start(4).await.unwrap();
    let here = PhoneAccounts::new(testnet.node(0).clone());
    let (alice, account) = (person(1), |password| Some(Account::new("alice", password)));
    assert_eq!(here.account(&aor("alice")).await, Ok(None));
    have(testnet.node(1), &alice, "alice").await;
    assert_eq!(here.standing(&name("alice"), &alice.public()).await.unwrap().salt, None);
    protect(&here, &alice, "alice", "one").await;
    assert_eq!(here.standing(&name("alice"), &alice.public()).await.unwrap().salt, Some([1; 8]));
    // At the node itself at once.
    assert_eq!(here.account(&aor("alice")).await, Ok(account("one")));
    for node in testnet.nodes() {
        // Whatever looks like it is protected with it.
        for user in ["alice", "Alice", "a1ice"] {
            assert_eq!(fresh(node, user).await, Ok(account("one")), "{user}");
        }
        assert_eq!(fresh(node, "bob").await, Ok(None));
        assert_eq!(fresh(node, "+49301234").await, Ok(None), "nobody can claim it");
    }
    protect(&PhoneAccounts::new(testnet.node(3).clone()), &alice, "alice", "two").await;
    assert_eq!(fresh(testnet.node(2), "alice").await, Ok(account("two")));
    let next = here.standing(&name("alice"), &alice.public()).await.unwrap().next;
    let place = key(&name("alice")).place();
    let removal = Signed::removal(&alice, &place, Slot::ZERO, Kind::Plain, next);
    put(&here, "alice", removal).await.unwrap();
    assert_eq!(here.account(&aor("alice")).await, Ok(None));
    assert_eq!(fresh(testnet.node(2), "alice").await, Ok(None));
    assert_eq!(here.standing(&name("alice"), &alice.public()).await.unwrap().salt, None);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_else_says_counts_for_nothing_and_what_cannot_be_read_opens_nothing() {
    let testnet = Testnet::start(3).await.unwrap();
    let (alice, mallory) = (person(1), person(2));
    let here = PhoneAccounts::new(testnet.node(0).clone());
    let body = |by: &SigningKey, of: &str| record(&here, by, of, "secret");
    let refused = async |signed: Signed| put(&here, "alice", signed).await.unwrap_err();
    let early = refused(entry(&alice, "alice", 1, &body(&alice, "alice"))).await;
    assert!(matches!(early, AccountsError::NotTheHolder(_)), "{early}");
    have(testnet.node(1), &alice, "alice").await;
    let other = refused(entry(&mallory, "alice", 1, &body(&mallory, "alice"))).await;
    assert!(matches!(other, AccountsError::NotTheHolder(_)), "{other}");
    let garbage = refused(entry(&alice, "alice", 1, b"garbage")).await;
    assert!(matches!(garbage, AccountsError::NotARecord(_)), "{garbage}");
    let elsewhere = refused(entry(&alice, "bob", 1, &body(&alice, "bob"))).await;
    assert!(matches!(elsewhere, AccountsError::Dht(DhtError::Forged(_))), "{elsewhere}");
    let a_claim = Claim::new(name("alice"), Sequence::ZERO);
    let a_claim = a_claim.sign(&alice, Sequence::new(9), Ttl::MAX).unwrap();
    assert!(matches!(refused(a_claim).await, AccountsError::NotARecord(_)));
    // A hostile super-node puts what it likes where no door lets anybody.
    let raw = async |signed: Signed| testnet.node(2).put_signed(&key(&name("alice")), signed).await;
    for seed in 10..40 {
        raw(entry(&person(seed), "alice", 1, &body(&person(seed), "alice"))).await.unwrap();
    }
    raw(entry(&mallory, "alice", 1, &[0; 60_000])).await.unwrap();
    assert_eq!(fresh(testnet.node(1), "alice").await, Ok(None));
    protect(&here, &alice, "alice", "secret").await;
    let account = Ok(Some(Account::new("alice", "secret")));
    assert_eq!(fresh(testnet.node(1), "alice").await, account);
    // What the holder signed, and nobody can read, protects the name from everybody.
    for (sequence, body) in [(100, &b""[..]), (101, b"\x02"), (102, &[1; 60_000]), (103, &[1; 98])]
    {
        raw(entry(&alice, "alice", sequence, body)).await.unwrap();
        let found = fresh(testnet.node(1), "alice").await;
        assert_eq!(found, Err(LocationError::Unavailable), "{sequence}");
    }
    protect(&here, &alice, "alice", "secret").await;
    assert_eq!(fresh(testnet.node(1), "alice").await, account);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_ends_with_its_owners_claim() {
    let testnet = Testnet::start(3).await.unwrap();
    let (old, heir, next) = (person(1), person(2), person(3));
    let here = PhoneAccounts::new(testnet.node(0).clone());
    have(testnet.node(1), &old, "alice").await;
    protect(&here, &old, "alice", "old").await;
    // It is passed on.
    let passed = Succession::sign(&old, &name("alice"), &heir.public());
    let inherited = Claim { name: name("alice"), floor: Sequence::ZERO, successions: vec![passed] };
    claim(testnet.node(1), &heir, inherited, 1).await;
    assert_eq!(fresh(testnet.node(2), "alice").await, Ok(None));
    protect(&here, &heir, "alice", "new").await;
    assert_eq!(fresh(testnet.node(2), "alice").await, Ok(Some(Account::new("alice", "new"))));
    // It is given back, with the record left behind; then somebody else claims it.
    let gone = Claim::withdraw(&name("alice"), &heir, Sequence::new(5));
    testnet.node(1).put_claim(&name("alice"), gone).await.unwrap();
    let gone = Claim::withdraw(&name("alice"), &old, Sequence::new(5));
    testnet.node(1).put_claim(&name("alice"), gone).await.unwrap();
    assert_eq!(fresh(testnet.node(2), "alice").await, Ok(None));
    have(testnet.node(1), &next, "alice").await;
    assert_eq!(fresh(testnet.node(2), "alice").await, Ok(None));
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_name_is_never_taken_for_open_where_the_others_are_gone() {
    let testnet = Testnet::start(3).await.unwrap();
    let alice = person(1);
    have(testnet.node(0), &alice, "alice").await;
    let here = PhoneAccounts::new(testnet.node(0).clone());
    protect(&here, &alice, "alice", "secret").await;
    testnet.node(1).close().await;
    testnet.node(2).close().await;
    let account = Account::new("alice", "secret");
    loop {
        match fresh(testnet.node(0), "alice").await {
            Ok(found) => break assert_eq!(found, Some(account)),
            Err(error) => assert_eq!(error, LocationError::Unavailable),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_alone_asks_once_for_an_open_name_until_something_is_put() {
    let testnet = Testnet::start(1).await.unwrap();
    let (alice, dht) = (person(1), testnet.node(0));
    let here = PhoneAccounts::new(dht.clone());
    have(dht, &alice, "alice").await;
    assert_eq!(here.account(&aor("alice")).await, Ok(None));
    // However long ago that was.
    here.inner.remembered().clear();
    let gets = dht.meters().gets.get();
    assert_eq!(here.account(&aor("alice")).await, Ok(None));
    assert_eq!(dht.meters().gets.get(), gets);
    assert_eq!(here.account(&aor("bob")).await, Ok(None));
    assert!(dht.meters().gets.get() > gets);
    let signed = entry(&alice, "alice", 1, &record(&here, &alice, "alice", "secret"));
    assert_eq!(put(&here, "alice", signed).await.unwrap(), 1);
    let account = Ok(Some(Account::new("alice", "secret")));
    assert_eq!(here.account(&aor("alice")).await, account);
    here.inner.remembered().clear();
    assert_eq!(here.account(&aor("alice")).await, account);
    testnet.close().await;
}
