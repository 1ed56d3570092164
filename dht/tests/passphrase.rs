//! Overlays with a passphrase, as who opens a node sees them.

use std::time::Duration;

use base::{Key, SecretTag, Ttl, Value};
use dht::{Dht, JoinError, Options, PageRequest, Passphrase, PassphraseMismatch, Phase, Storage};

async fn open(passphrase: Option<&str>) -> Dht {
    let passphrase = passphrase.map(|text| Passphrase::new(text).expect("it is long enough"));
    Dht::open(Options { passphrase, ..Options::local(Storage::Memory) }).await.expect("it opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn those_with_the_passphrase_share_values_and_others_are_told_what_to_do() {
    let first = open(Some("five random words of ours")).await;
    let second = open(Some("five random words of ours")).await;
    assert_eq!(second.join(first.listening_on()).await, Ok(first.id()));
    // Who was joined learns of it a moment later.
    let learns = async {
        while first.status().replicas < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), learns).await.expect("it learns of the other");
    let key = Key::new("greeting").unwrap();
    let value = Value::new("hello").unwrap();
    let receipt = first.put(&key, value.clone(), SecretTag::NONE, Ttl::MAX).await.unwrap();
    assert_eq!(receipt.replicas, 2);
    let page = second.get(&key, PageRequest::ALL).await.unwrap();
    assert_eq!(page.values.len(), 1);

    let strangers = [
        (open(Some("five random words of theirs")).await, PassphraseMismatch::Different),
        (open(None).await, PassphraseMismatch::OursMissing),
    ];
    for (stranger, expected) in strangers {
        let error = stranger.join(first.listening_on()).await.unwrap_err();
        let JoinError::NotAdmitted { address, mismatch } = &error else { panic!("{error}") };
        assert_eq!((*address, *mismatch), (first.listening_on(), expected));
        assert!(error.to_string().contains("--passphrase-file"), "{error}");
        assert!(stranger.status().peers.is_empty());
        stranger.close().await;
    }
    assert_eq!(first.status().peers.len(), 1);
    assert_eq!(first.status().phase, Phase::Serving);
    first.close().await;
    second.close().await;
}
