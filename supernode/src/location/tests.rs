use std::time::Duration;

use dht::testnet::Testnet;
use futures::future::join_all;
use p2psip::message::Uri;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn aor(user: &str) -> Aor {
    Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
}

fn for_a_minute(binding: Binding) -> Change {
    Change::Set(vec![(Arc::new(binding), MINUTE)])
}

fn phone(contact: &str) -> Binding {
    Binding { instance: Some("urn:uuid:1".into()), ..samples::binding(contact) }
}

fn contacts(found: Vec<Bound>) -> Vec<String> {
    found.into_iter().map(|bound| bound.binding.contact.clone().into()).collect()
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
    let gone = Change::Set(vec![(Arc::new(phone("sip:a@192.0.2.8")), Duration::ZERO)]);
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
    let gone = Change::Drop(vec![Arc::new(phone("sip:a@192.0.2.7"))]);
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

/// Gets this node has made.
fn gets(locations: &Locations) -> u64 {
    locations.inner.dht.meters().gets.get()
}

/// Refreshes as a registrar does.
async fn refresh(locations: &Locations, aor: &Aor, binding: &Binding) -> Vec<Bound> {
    let again = vec![(Arc::new(binding.clone()), MINUTE)];
    let known = locations.lookup_again(aor, &again).await.unwrap();
    locations.bind_after(aor, Change::Set(again), known).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_alone_reads_nothing_for_a_refresh_and_reads_once_it_had_company() {
    let testnet = Testnet::start(1).await.unwrap();
    let locations = Locations::new(testnet.node(0).clone());
    let (anna, binding) = (aor("anna"), phone("sip:a@192.0.2.7"));
    let first = refresh(&locations, &anna, &binding).await;
    let before = gets(&locations);
    assert!(before > 0);
    let again = refresh(&locations, &anna, &binding).await;
    assert_eq!(gets(&locations), before);
    assert_eq!(again[0].version, first[0].version + 1);
    assert_eq!(locations.lookup(&anna).await.unwrap().bound[0].version, again[0].version);
    // Nor is anything else of the phone's taken for a refresh.
    let before = gets(&locations);
    refresh(&locations, &anna, &Binding { q: 500, ..binding.clone() }).await;
    assert!(gets(&locations) > before);
    // Another node comes, and the phone goes there.
    let company = Dht::open(dht::Options::local(dht::Storage::Memory)).await.unwrap();
    company.join(testnet.node(0).listening_on()).await.unwrap();
    let other = Locations::new(company.clone());
    other.bind(&anna, for_a_minute(phone("sip:a@192.0.2.8"))).await.unwrap();
    let version = other.lookup(&anna).await.unwrap().version;
    let bound = refresh(&locations, &anna, &Binding { q: 500, ..binding }).await;
    assert_eq!(bound[0].version, version + 1);
    assert_eq!(contacts(other.lookup(&anna).await.unwrap().bound), ["sip:a@192.0.2.7"]);
    company.close().await;
    testnet.close().await;
}

/// Refreshes until nothing is read for it any more: once the replicas tell of changes.
async fn until_known(locations: &Locations, aor: &Aor, binding: &Binding) {
    let known = async {
        loop {
            let before = gets(locations);
            let again = vec![(Arc::new(binding.clone()), MINUTE)];
            let known = locations.lookup_again(aor, &again).await.unwrap();
            let read_nothing = gets(locations) == before;
            locations.bind_after(aor, Change::Set(again), known).await.unwrap();
            if read_nothing {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(MINUTE, known).await.expect("the replicas tell of changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_elsewhere_meanwhile_is_where_it_registered_last() {
    let testnet = Testnet::start(4).await.unwrap();
    let nodes: Vec<Locations> = testnet.nodes().iter().cloned().map(Locations::new).collect();
    let (anna, binding) = (aor("anna"), phone("sip:a@192.0.2.7"));
    nodes[0].bind(&anna, for_a_minute(binding.clone())).await.unwrap();
    // As the registrar does, for those who registered.
    let watching = tokio::spawn({
        let (locations, anna) = (nodes[0].clone(), anna.clone());
        async move {
            let mut seen = None;
            loop {
                let (_, cursor) = locations.watch(&anna, seen).await.unwrap();
                seen = Some(cursor);
            }
        }
    });
    for n in 0..5 {
        until_known(&nodes[0], &anna, &binding).await;
        let key = nodes[0].inner.key(&anna);
        let stamp = testnet.node(0).stamp(&key);
        let elsewhere = format!("sip:a@192.0.2.{}", 10 + n);
        nodes[3].bind(&anna, for_a_minute(phone(&elsewhere))).await.unwrap();
        assert_eq!(contacts(nodes[1].lookup(&anna).await.unwrap().bound), [elsewhere]);
        let told = async {
            while testnet.node(0).stamp(&key) == stamp {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(MINUTE, told).await.expect("it is told");
        refresh(&nodes[0], &anna, &binding).await;
        let found = contacts(nodes[1].lookup(&anna).await.unwrap().bound);
        assert_eq!(found, ["sip:a@192.0.2.7"], "it is back");
    }
    watching.abort();
    testnet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_contacts_are_set_by_one_entry_and_end_one_by_one() {
    let testnet = Testnet::start(2).await.unwrap();
    let nodes: Vec<Locations> = testnet.nodes().iter().cloned().map(Locations::new).collect();
    let anna = aor("anna");
    let at = |n: usize| Arc::new(samples::binding(&format!("sip:a@192.0.2.{n}")));
    let mut found = Vec::new();
    let mut there = async |node: &Locations| {
        found = contacts(node.lookup(&anna).await.unwrap().bound);
        found.sort_unstable();
        found
            .iter()
            .map(|contact| contact.trim_start_matches("sip:a@192.0.2.").to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    nodes[0].bind(&anna, Change::Set(vec![(at(1), MINUTE)])).await.unwrap();
    let puts = testnet.node(0).meters().puts.get();
    let set = vec![(at(1), Duration::ZERO), (at(2), MINUTE), (at(3), 2 * MINUTE)];
    let bound = nodes[0].bind(&anna, Change::Set(set)).await.unwrap();
    assert_eq!(testnet.node(0).meters().puts.get(), puts + 1);
    let left = |n: usize| bound.iter().find(|bound| bound.binding == at(n)).map(|b| b.remaining);
    assert_eq!((left(1), left(2), left(3)), (None, Some(MINUTE), Some(2 * MINUTE)));
    assert_eq!(there(&nodes[1]).await, "2 3");
    // One of them is said alone, taken back, and does not come again.
    nodes[0].bind(&anna, Change::Set(vec![(at(2), MINUTE)])).await.unwrap();
    assert_eq!(there(&nodes[1]).await, "2 3");
    assert_eq!(nodes[0].bind(&anna, Change::Drop(vec![at(2)])).await.unwrap().len(), 1);
    assert_eq!(there(&nodes[1]).await, "3");
    // It is elsewhere, and what is taken back here is not what is there.
    nodes[1].bind(&anna, Change::Set(vec![(at(2), MINUTE), (at(4), MINUTE)])).await.unwrap();
    nodes[0].bind(&anna, Change::Drop(vec![at(2)])).await.unwrap();
    assert_eq!(there(&nodes[0]).await, "2 3 4");
    let ends = vec![(at(2), Duration::ZERO), (at(3), Duration::ZERO)];
    nodes[0].bind(&anna, Change::Set(ends)).await.unwrap();
    assert_eq!(there(&nodes[1]).await, "4");
    nodes[1].bind(&anna, Change::Clear).await.unwrap();
    assert_eq!(there(&nodes[0]).await, "");
    testnet.close().await;
}

#[test]
fn nothing_lives_longer_than_its_end_is_remembered() {
    let lifetimes = p2psip::registrar::Lifetimes::default();
    assert!(OVER >= lifetimes.max_connection && OVER >= lifetimes.max_udp);
}
