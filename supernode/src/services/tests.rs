//! The registry on overlays of real nodes.

use std::time::Duration;

use base::limits::LIST_ROOM;
use dht::PageRequest;
use dht::testnet::Testnet;
use tokio::time::{sleep, timeout};

use super::*;

/// Longest wait for anything: a slow, shared machine is slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

fn service(text: &str) -> ServiceId {
    ServiceId::new(text).unwrap()
}

fn contact(port: usize) -> Contact {
    format!("laptop:{port}").parse().unwrap()
}

fn own() -> Source {
    Source::of([127, 0, 0, 1].into())
}

fn hour() -> Ttl {
    Ttl::from_secs(3600).unwrap()
}

/// Registries over the nodes of an overlay, whose advertisements live for so long without them.
fn registries(testnet: &Testnet, lease_s: u64) -> Vec<Services> {
    let of = |dht: &Dht| Services::with_lease(dht.clone(), lease_s).unwrap();
    let registries: Vec<Services> = testnet.nodes().iter().map(of).collect();
    registries.iter().for_each(Services::start);
    registries
}

async fn contacts(services: &Services, of: &str) -> Vec<Contact> {
    services.lookup(&service(of), LIST_ROOM, None).await.unwrap().contacts
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect(what);
}

async fn end(testnet: Testnet, registries: Vec<Services>) {
    for registry in registries {
        registry.stop().await;
    }
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_advertises_is_found_at_all_until_it_is_withdrawn() {
    let testnet = Testnet::start(3).await.unwrap();
    let nodes = registries(&testnet, LEASE_S);
    nodes[0].advertise(own(), &service("S"), &contact(1), hour()).await.unwrap();
    nodes[1].advertise(own(), &service("S"), &contact(2), hour()).await.unwrap();
    nodes[1].advertise(own(), &service("T"), &contact(2), hour()).await.unwrap();
    for node in &nodes {
        assert_eq!(node.services().await.unwrap(), [service("S"), service("T")]);
        assert_eq!(contacts(node, "S").await.len(), 2);
        assert_eq!(contacts(node, "T").await, [contact(2)]);
        assert_eq!(contacts(node, "U").await, []);
    }
    assert_eq!((nodes[0].own(), nodes[2].own()), (vec![service("S")], vec![]));
    let others = nodes[0].withdraw(own(), &service("S"), &contact(2)).await;
    assert_eq!(others, Err(ServiceError::NotYours));
    assert_eq!(nodes[1].withdraw(own(), &service("S"), &contact(2)).await, Ok(true));
    assert_eq!(contacts(&nodes[2], "S").await, [contact(1)]);
    assert_eq!(nodes[1].withdraw(own(), &service("S"), &contact(2)).await, Ok(false));
    end(testnet, nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_service_come_to_know_each_other_and_no_others() {
    let testnet = Testnet::start(3).await.unwrap();
    let nodes = registries(&testnet, LEASE_S);
    for (port, node) in nodes.iter().enumerate().take(2) {
        node.advertise(own(), &service("S"), &contact(port + 1), hour()).await.unwrap();
    }
    let members = |node: &Services| node.members(&service("S")).map_or(0, |all| all.len());
    until("both know both", async || members(&nodes[0]) == 2 && members(&nodes[1]) == 2).await;
    assert_eq!(nodes[2].members(&service("S")), None);
    until("all know the service", async || nodes[2].counts().services == 1).await;
    assert!(nodes[2].is_registry_key(&Key::new("S").unwrap()));
    nodes[0].withdraw(own(), &service("S"), &contact(1)).await.unwrap();
    until("the other sees it go", async || members(&nodes[1]) == 1).await;
    until("who offers it no more knows no members", async || members(&nodes[0]) == 0).await;
    end(testnet, nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertisement_lives_while_its_node_does_and_a_lease_longer() {
    let testnet = Testnet::start(3).await.unwrap();
    let nodes = registries(&testnet, 3);
    for (node, port) in [(0, 1), (1, 2)] {
        nodes[node].advertise(own(), &service("S"), &contact(port), hour()).await.unwrap();
    }
    until("it is renewed", async || nodes[0].counts().renewals >= 6).await;
    assert_eq!(contacts(&nodes[2], "S").await.len(), 2, "longer than a lease");
    // As a power cut would end it: nothing is withdrawn.
    drop(std::mem::take(&mut *nodes[0].inner.tasks()));
    until("it is gone", async || contacts(&nodes[2], "S").await == [contact(2)]).await;
    assert_eq!(nodes[2].services().await.unwrap(), [service("S")], "the other goes on");
    drop(std::mem::take(&mut *nodes[1].inner.tasks()));
    until("so is the service", async || nodes[2].services().await.unwrap().is_empty()).await;
    end(testnet, nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_withdraws_what_it_advertises() {
    let testnet = Testnet::start(2).await.unwrap();
    let nodes = registries(&testnet, LEASE_S);
    for port in 1..=20 {
        nodes[0].advertise(own(), &service("S"), &contact(port), hour()).await.unwrap();
    }
    assert_eq!(contacts(&nodes[1], "S").await.len(), 20);
    nodes[0].stop().await;
    assert_eq!(contacts(&nodes[1], "S").await, []);
    end(testnet, nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_providers_than_a_key_holds_are_all_found() {
    let testnet = Testnet::start(3).await.unwrap();
    let nodes = registries(&testnet, LEASE_S);
    for port in 1..=300 {
        nodes[port % 3].advertise(own(), &service("S"), &contact(port), hour()).await.unwrap();
    }
    let key = Key::of_service(&service("S"));
    let root = testnet.node(0).get(&key, PageRequest::ALL).await.unwrap();
    assert_eq!(root.values.len(), LIST_ROOM);
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let found = nodes[1].lookup(&service("S"), 50, from).await.unwrap();
        all.extend(found.contacts);
        from = found.next;
        if from.is_none() {
            break;
        }
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 300);
    end(testnet, nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_looks_like_a_live_one_is_refused_until_that_is_gone() {
    let testnet = Testnet::start(2).await.unwrap();
    let nodes = registries(&testnet, 1);
    let looks_alike = service("\u{421}\u{41e}\u{420}\u{410}");
    nodes[0].advertise(own(), &service("COPA"), &contact(1), hour()).await.unwrap();
    let refused = nodes[1].advertise(own(), &looks_alike, &contact(1), hour()).await.unwrap_err();
    assert_eq!(refused, ServiceError::Confusable { live: service("COPA") });
    assert!(refused.to_string().contains("looks like COPA"), "{refused}");
    nodes[0].stop().await;
    until("the name is free", async || {
        nodes[1].advertise(own(), &looks_alike, &contact(1), hour()).await.is_ok()
    })
    .await;
    end(testnet, nodes).await;
}
