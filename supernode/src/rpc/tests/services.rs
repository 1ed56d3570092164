//! Calls of the registry, and of keys in services.

use super::*;

/// A node, with its registry.
struct Node {
    dht: Dht,
    services: Services,
}

type Told = Result<Value, (i32, String)>;

impl Node {
    async fn new() -> Node {
        let dht = node().await;
        let services = Services::new(dht.clone()).unwrap();
        Node { dht, services }
    }

    async fn call(&self, name: &str, params: impl IntoIterator<Item = Value>) -> Told {
        let call = MethodCall { name: name.into(), params: params.into_iter().collect() };
        send_to(&self.dht, &self.services, call.to_xml().unwrap().as_bytes()).await
    }

    async fn advertise(&self, service: &str, contact: &str) -> Told {
        self.call("scope.advertise", [text(service), text(contact), INT(60)]).await
    }
}

#[tokio::test]
async fn the_same_key_in_two_services_and_in_none_is_three_keys() {
    let node = Node::new().await;
    let put = |value: &str, service: Option<&str>| {
        let rest = service.map(|service| [Value::Nil, Value::Nil, text(service)]);
        [text("k"), text(value)].into_iter().chain(rest.into_iter().flatten()).collect::<Vec<_>>()
    };
    for (value, service) in [("plain", None), ("of A", Some("A")), ("of B", Some("B"))] {
        node.call("scope.put", put(value, service)).await.unwrap();
    }
    let get = async |service: Option<&str>| {
        let rest = service.map(|service| [Value::Nil, Value::Nil, text(service)]);
        let params = std::iter::once(text("k")).chain(rest.into_iter().flatten());
        node.call("scope.get", params.collect::<Vec<_>>()).await
    };
    assert_eq!(get(None).await, Ok(array([b64("plain")])));
    assert_eq!(get(Some("A")).await, Ok(array([b64("of A")])));
    assert_eq!(get(Some("B")).await, Ok(array([b64("of B")])));
    let watched = node.call("scope.watch", [text("k"), b64(""), INT(0), text("A")]).await;
    let Ok(Value::Array(watched)) = watched else { panic!("{watched:?}") };
    assert_eq!(watched[0], array([b64("of A")]));
    assert_eq!(node.call("scope.remove", put("of A", Some("B"))).await, Ok(INT(0)));
    assert_eq!(node.call("scope.remove", put("of A", Some("A"))).await, Ok(INT(1)));
    assert_eq!(get(Some("A")).await, Ok(array([])));
    assert_eq!(get(Some("B")).await, Ok(array([b64("of B")])));
}

#[tokio::test]
async fn what_is_advertised_is_looked_up_and_got_and_withdrawn_at_once() {
    let node = Node::new().await;
    let lookup = async || node.call("scope.lookup", [text("P2PSIP")]).await;
    assert_eq!(node.call("scope.services", []).await, Ok(array([])));
    assert_eq!(lookup().await, Ok(array([])));
    assert_eq!(node.advertise("P2PSIP", "169.254.3.1:5061").await, Ok(INT(1)));
    assert_eq!(node.call("scope.services", []).await, Ok(array([text("P2PSIP")])));
    assert_eq!(lookup().await, Ok(array([text("169.254.3.1:5061")])));
    // The raw calls, as any program makes them.
    let got = node.call("scope.get", [text("service-list")]).await;
    assert_eq!(got, Ok(array([b64("P2PSIP")])));
    let got = node.call("get", [b64("P2PSIP"), INT(10), b64(""), text("x")]).await;
    let Ok(Value::Array(got)) = got else { panic!("{got:?}") };
    assert_eq!(got[0], array([b64("169.254.3.1:5061")]));
    node.call("put", [b64("P2PSIP"), b64("169.254.3.2:5061"), INT(60), text("x")]).await.unwrap();
    node.call("scope.put", [text("P2PSIP"), text("hello")]).await.unwrap();
    let Ok(Value::Array(both)) = lookup().await else { panic!() };
    assert_eq!(both.len(), 2, "what is no contact is skipped: {both:?}");
    let withdraw =
        async |contact: &str| node.call("scope.withdraw", [text("P2PSIP"), text(contact)]).await;
    assert_eq!(withdraw("169.254.3.1:5061").await, Ok(INT(1)));
    assert_eq!(lookup().await, Ok(array([text("169.254.3.2:5061")])));
    assert_eq!(withdraw("169.254.3.1:5061").await, Ok(INT(0)));
    assert_eq!(withdraw("169.254.3.2:5061").await.unwrap_err().0, 7, "put with no secret");
}

#[tokio::test]
async fn a_lookup_in_pages_gives_every_provider() {
    let node = Node::new().await;
    for port in 1..=25 {
        node.advertise("S", &format!("laptop:{port}")).await.unwrap();
    }
    let (mut seen, mut placemark) = (Vec::new(), b64(""));
    loop {
        let page = node.call("scope.lookup", [text("S"), INT(7), placemark]).await;
        let Ok(Value::Array(page)) = page else { panic!("{page:?}") };
        let [Value::Array(contacts), next] = &page[..] else { panic!("{page:?}") };
        assert!(contacts.len() <= 7);
        seen.extend(contacts.clone());
        placemark = next.clone();
        if placemark == b64("") {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(node.call("scope.lookup", [text("S")]).await, Ok(Value::Array(seen)));
}

#[tokio::test]
async fn bad_names_contacts_and_placemarks_are_told_what_is_wrong_with_them() {
    let node = Node::new().await;
    node.advertise("COPA", "laptop:1").await.unwrap();
    let long = "x".repeat(65);
    for (service, contact, code, told) in [
        (text(""), text("a:1"), 2, "parameter 1 (service): the Service-ID is empty"),
        (text(&long), text("a:1"), 3, "parameter 1 (service): the Service-ID has 65 bytes"),
        (b64(b"P2P\xff"), text("a:1"), 2, "parameter 1 (service): the Service-ID is not UTF-8"),
        (text("P2P\u{421}IP"), text("a:1"), 2, "(service): the Service-ID mixes letters"),
        (text("a b"), text("a:1"), 2, "the Service-ID has the character U+0020"),
        (text("\u{421}\u{41e}\u{420}\u{410}"), text("a:1"), 2, "looks like COPA, which is there"),
        (INT(7), text("a:1"), 2, "parameter 1 (service) must be base64 or a string, not int"),
        (text("S"), text("laptop"), 2, "parameter 2 (contact): the contact is not HOST:PORT"),
        (text("S"), text("laptop:0"), 2, "parameter 2 (contact): the contact's port"),
        (text("S"), text("a_b:1"), 2, "parameter 2 (contact): the contact's host"),
        (text("S"), Value::Nil, 2, "parameter 2 (contact) is missing"),
    ] {
        let error = node.call("scope.advertise", [service, contact]).await.unwrap_err();
        assert!(error.0 == code && error.1.contains(told), "{told}: {error:?}");
    }
    let error = node.call("scope.lookup", [text("S"), INT(1), b64("x")]).await.unwrap_err();
    assert_eq!(error, (2, "parameter 3 (placemark) is not one that a listing gave".to_owned()));
    let error = node.call("scope.get", [text("k"), Value::Nil, Value::Nil, text("")]).await;
    assert_eq!(error.unwrap_err().0, 2);
    let error = node.call("scope.advertise", [text("S"), text("a:1"), INT(0)]).await.unwrap_err();
    assert!(error.0 == 2 && error.1.contains("ttl of 0 s"), "{error:?}");
    assert_eq!(node.call("scope.services", []).await, Ok(array([text("COPA")])));
}

#[tokio::test]
async fn plain_puts_under_a_services_name_are_so_many_and_advertising_finds_room_for_more() {
    let node = Node::new().await;
    node.advertise("S", "laptop:1").await.unwrap();
    let put = async |port: usize| {
        node.call("scope.put", [text("S"), text(&format!("laptop:{port}"))]).await
    };
    for port in 2..=256 {
        put(port).await.unwrap();
    }
    let (code, told) = put(257).await.unwrap_err();
    assert!(code == 4 && told.contains("holds 256 values"), "{told}");
    let put = [b64("S"), b64("laptop:257"), INT(60), text("x")];
    assert_eq!(node.call("put", put).await, Ok(INT(1)), "over capacity");
    node.advertise("S", "laptop:257").await.unwrap();
    let page = node.call("scope.lookup", [text("S"), INT(256)]).await.unwrap();
    let Value::Array(page) = page else { panic!("{page:?}") };
    assert!(matches!(&page[0], Value::Array(contacts) if contacts.len() == 256));
    let page = node.call("scope.lookup", [text("S"), INT(9), page[1].clone()]).await;
    assert_eq!(page, Ok(array([array([text("laptop:257")]), b64("")])));
}
