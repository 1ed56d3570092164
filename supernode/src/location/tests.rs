use std::time::Duration;

use dht::testnet::Testnet;
use p2psip::message::Uri;

use super::*;

fn aor(user: &str) -> Aor {
    Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
}

fn for_a_minute(binding: Binding) -> Change {
    Change::Set(vec![(binding, Duration::from_secs(60))])
}

fn phone(contact: &str) -> Binding {
    Binding { instance: Some("urn:uuid:1".into()), ..samples::binding(contact) }
}

fn contacts(found: Vec<Bound>) -> Vec<String> {
    found.into_iter().map(|bound| bound.binding.contact.into()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_at_one_is_found_at_all_and_moves_and_goes() {
    let testnet = Testnet::start(4).await.unwrap();
    let nodes: Vec<Locations> = testnet.nodes().iter().cloned().map(Locations::new).collect();
    let anna = aor("anna");
    let bound = nodes[0].bind(&anna, for_a_minute(phone("sip:a@192.0.2.7"))).await.unwrap();
    assert_eq!(bound.len(), 1);
    assert!(bound[0].remaining > Duration::from_secs(50));
    for node in &nodes {
        let found = node.lookup(&anna).await.unwrap().bound;
        assert!(found[0].remaining <= Duration::from_secs(60));
        assert_eq!(contacts(found), ["sip:a@192.0.2.7"]);
    }
    // The same phone comes to another super-node, and goes there.
    nodes[3].bind(&anna, for_a_minute(phone("sip:a@192.0.2.8"))).await.unwrap();
    let other = samples::binding("sip:other@192.0.2.9");
    nodes[1].bind(&anna, for_a_minute(other)).await.unwrap();
    let mut found = contacts(nodes[2].lookup(&anna).await.unwrap().bound);
    found.sort();
    assert_eq!(found, ["sip:a@192.0.2.8", "sip:other@192.0.2.9"]);
    let gone = Change::Set(vec![(phone("sip:a@192.0.2.8"), Duration::ZERO)]);
    assert_eq!(contacts(nodes[2].bind(&anna, gone).await.unwrap()), ["sip:other@192.0.2.9"]);
    assert_eq!(nodes[0].bind(&anna, Change::Clear).await.unwrap(), []);
    assert_eq!(nodes[3].lookup(&anna).await.unwrap().bound, []);
    // And comes back.
    nodes[3].bind(&anna, for_a_minute(phone("sip:a@192.0.2.8"))).await.unwrap();
    assert_eq!(contacts(nodes[0].lookup(&anna).await.unwrap().bound), ["sip:a@192.0.2.8"]);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_superseded_is_taken_back_and_may_come_again() {
    let testnet = Testnet::start(2).await.unwrap();
    let nodes: Vec<Locations> = testnet.nodes().iter().cloned().map(Locations::new).collect();
    let anna = aor("anna");
    nodes[0].bind(&anna, for_a_minute(phone("sip:a@192.0.2.7"))).await.unwrap();
    nodes[1].bind(&anna, for_a_minute(phone("sip:a@192.0.2.8"))).await.unwrap();
    assert_eq!(nodes[0].registrations().len(), 1);
    let gone = Change::Drop(vec![phone("sip:a@192.0.2.7")]);
    let left = nodes[0].bind(&anna, gone).await.unwrap();
    assert_eq!(contacts(left), ["sip:a@192.0.2.8"]);
    assert_eq!(nodes[0].registrations().len(), 0);
    let key = nodes[0].inner.key(&anna);
    let page = testnet.node(0).get(&key, PageRequest::ALL).await.unwrap();
    assert_eq!(page.values.len(), 1);
    nodes[0].bind(&anna, for_a_minute(phone("sip:a@192.0.2.7"))).await.unwrap();
    assert_eq!(contacts(nodes[1].lookup(&anna).await.unwrap().bound), ["sip:a@192.0.2.7"]);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_twice_at_once_is_registered() {
    let testnet = Testnet::start(1).await.unwrap();
    let locations = Locations::new(testnet.node(0).clone());
    let anna = aor("anna");
    let binds = (0..4).map(|n| {
        let binding = Binding { q: n, ..phone("sip:a@192.0.2.7") };
        locations.bind(&anna, for_a_minute(binding))
    });
    for bound in join_all(binds).await {
        bound.unwrap();
    }
    assert_eq!(locations.lookup(&anna).await.unwrap().bound.len(), 1);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_takes_back_what_only_it_could_reach() {
    let testnet = Testnet::start(2).await.unwrap();
    let nodes: Vec<Locations> = testnet.nodes().iter().cloned().map(Locations::new).collect();
    let anna = aor("anna");
    let flow = Binding { direct: false, ..samples::binding("sip:a@x.invalid;transport=ws") };
    nodes[0].bind(&anna, for_a_minute(flow)).await.unwrap();
    nodes[0].bind(&anna, for_a_minute(samples::binding("sip:a@192.0.2.7"))).await.unwrap();
    nodes[0].stop().await;
    assert_eq!(contacts(nodes[1].lookup(&anna).await.unwrap().bound), ["sip:a@192.0.2.7"]);
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_of_who_comes_and_not_of_who_stays() {
    let testnet = Testnet::start(2).await.unwrap();
    let nodes: Vec<Locations> = testnet.nodes().iter().cloned().map(Locations::new).collect();
    let anna = aor("anna");
    let (found, none) = nodes[1].watch(&anna, None).await.unwrap();
    assert!(found.is_empty());
    let coming = tokio::spawn(nodes[1].watch(&anna, Some(none)));
    nodes[0].bind(&anna, for_a_minute(phone("sip:a@192.0.2.7"))).await.unwrap();
    let (found, one) = coming.await.unwrap().unwrap();
    assert_eq!(contacts(found), ["sip:a@192.0.2.7"]);
    let changing = tokio::spawn(nodes[1].watch(&anna, Some(one)));
    nodes[0].bind(&anna, for_a_minute(phone("sip:a@192.0.2.7"))).await.unwrap();
    nodes[0].bind(&anna, for_a_minute(phone("sip:a@192.0.2.8"))).await.unwrap();
    let (found, _) = changing.await.unwrap().unwrap();
    assert_eq!(contacts(found), ["sip:a@192.0.2.8"], "a refresh is no change");
    testnet.close().await;
}

#[test]
fn nothing_lives_longer_than_its_end_is_remembered() {
    let lifetimes = p2psip::registrar::Lifetimes::default();
    assert!(OVER >= lifetimes.max_connection && OVER >= lifetimes.max_udp);
}
