use std::time::Duration;

use base::SigningKey;

use super::*;
use crate::overlay::Memory;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn alice(memory: &Memory, device: u8) -> Private {
    let author = Author::with_clock(name("alice"), SigningKey::from_bytes(&[1; 32]), || 1);
    Private::new(Net::new(memory.clone()), author, Device([device; 16]))
}

fn bob() -> PublicKey {
    PublicKey::from_bytes([2; 32])
}

#[tokio::test]
async fn blocks_and_follows_are_the_same_on_all_devices_and_hidden_from_others() {
    let memory = Memory::new();
    let (phone, laptop) = (alice(&memory, 1), alice(&memory, 2));
    phone.block(&bob(), &name("bob")).await.unwrap();
    let community = Follow::Community(CommunityId::from_bytes([7; 16]));
    laptop.follow(&community).await.unwrap();
    laptop.follow(&Follow::Person(name("carol"))).await.unwrap();
    for device in [&phone, &laptop] {
        let kept = device.read().await.unwrap();
        assert!(kept.is_blocked(&bob()));
        assert_eq!(kept.blocks().collect::<Vec<_>>(), [(bob(), "bob".to_owned())]);
        let follows: Vec<_> = kept.follows().collect();
        assert_eq!(follows, [community.clone(), Follow::Person(name("carol"))]);
        assert!(kept.is_followed(&community));
    }
    laptop.unblock(&bob()).await.unwrap();
    assert!(!phone.read().await.unwrap().is_blocked(&bob()));

    let shown = phone.net.get(Get::all(phone.key())).await.unwrap();
    for found in shown.values {
        let bytes = found.value.into_bytes();
        assert!(!bytes.windows(3).any(|part| part == b"bob"));
        assert!(!bytes.windows(5).any(|part| part == b"carol"));
    }
    let stranger = Author::new(name("mallory"), SigningKey::from_bytes(&[9; 32]));
    let stranger = Private::new(Net::new(memory), stranger, Device([1; 16]));
    assert_eq!(stranger.read().await.unwrap(), Kept::default());
}

#[tokio::test]
async fn changes_made_at_one_time_on_two_devices_are_both_kept() {
    let memory = Memory::new();
    let (phone, laptop) = (alice(&memory, 1), alice(&memory, 2));
    // Both have read, neither has written.
    let mut seen = [phone.read().await.unwrap(), laptop.read().await.unwrap()];
    for (device, (kept, who)) in [&phone, &laptop]
        .iter()
        .zip(seen.iter_mut().zip([bob(), { PublicKey::from_bytes([3; 32]) }]))
    {
        let set = kept.0.entry(Shelf::Blocks).or_default();
        set.change(who.as_bytes(), Some(vec![]));
        device.write(Shelf::Blocks, set).await.unwrap();
    }
    assert_eq!(phone.read().await.unwrap().blocks().count(), 2);
}

#[tokio::test]
async fn what_strangers_put_there_counts_for_nothing() {
    let memory = Memory::new();
    let phone = alice(&memory, 1);
    phone.block(&bob(), &name("bob")).await.unwrap();
    let mallory = Author::with_clock(name("mallory"), SigningKey::from_bytes(&[9; 32]), || 9);
    let body = Sealed { sealed: vec![1; 300] };
    let net = &phone.net;
    net.publish(&mallory, &phone.key(), Slot::ZERO, Ttl::MAX, &body).await.unwrap();
    net.publish(&phone.author, &phone.key(), Slot::ZERO, Ttl::MAX, &body).await.unwrap();
    assert_eq!(phone.read().await.unwrap().blocks().count(), 1);
    assert_eq!(Private::remove_all(net, &phone.author).await, Ok(2));
    assert_eq!(phone.read().await.unwrap(), Kept::default());
}

#[tokio::test(start_paused = true)]
async fn what_is_renewed_outlives_its_ttl_and_the_device_that_wrote_it() {
    let memory = Memory::new();
    let (phone, laptop) = (alice(&memory, 1), alice(&memory, 2));
    phone.verify(&name("bob"), Some(&bob())).await.unwrap();
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(4 * 24 * 3600)).await;
        laptop.renew().await.unwrap();
        let asks = memory.asks();
        laptop.renew().await.unwrap();
        assert_eq!(memory.asks() - asks, 1, "nothing is written twice");
    }
    let kept = phone.read().await.unwrap();
    assert_eq!(kept.verified(&name("bob")), Some(bob()));
    assert_eq!(kept.all_verified().count(), 1);
}
