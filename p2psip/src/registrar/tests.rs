use super::*;

const OWNER: &str = "192.0.2.1:5060";

fn register(lines: &str) -> Message {
    let text = format!(
        "REGISTER sip:scope SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1;rport\r\n\
         From: <sip:Anna@scope>;tag=1\r\nTo: <sip:Anna@scope>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
         {lines}\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn arrival(tokens: &TokenKey, carrier: Carrier) -> Arrival<'_> {
    let flow = Flow { carrier, peer: "192.0.2.7:5062".parse().unwrap(), connection: 0 };
    Arrival { flow, owner: OWNER.parse().unwrap(), tokens }
}

fn tokens() -> TokenKey {
    TokenKey::new([1; 32])
}

fn wish(lines: &str) -> Result<Wish, Rejection> {
    Wish::read(&register(lines), &arrival(&tokens(), Carrier::Udp), &Lifetimes::default())
}

fn set(lines: &str) -> Vec<(Arc<Binding>, u64)> {
    match wish(lines).unwrap().what {
        What::Set(set) => {
            set.into_iter().map(|(binding, life)| (binding, life.as_secs())).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn bound(contact: &str) -> Bound {
    let mut set = set(&format!("Contact: <{contact}>\r\n"));
    Bound { binding: set.remove(0).0, version: 1, remaining: Duration::from_secs(99) }
}

#[test]
fn lifetimes_are_granted_within_limits() {
    for (lines, granted) in [
        ("Contact: <sip:a@h>\r\n", 120),
        ("Contact: <sip:a@h>\r\nExpires: 3600\r\n", 120),
        ("Contact: <sip:a@h>\r\nExpires: 90\r\n", 90),
        ("Contact: <sip:a@h>;expires=61\r\nExpires: 90\r\n", 61),
        ("Contact: <sip:a@h>;expires=0\r\n", 0),
        ("Contact: <sip:a@h>\r\nExpires: 0\r\n", 0),
    ] {
        assert_eq!(set(lines)[0].1, granted, "{lines}");
    }
    let refused = wish("Contact: <sip:a@h>;expires=59\r\n").unwrap_err();
    assert_eq!(refused.status, Status::INTERVAL_TOO_BRIEF);
    assert_eq!(refused.header, Some((HeaderName::MinExpires, "60".to_owned())));
    let request = register("Contact: <sip:a@h>\r\nExpires: 3600\r\n");
    let over_tcp =
        Wish::read(&request, &arrival(&tokens(), Carrier::Tcp), &Lifetimes::default()).unwrap();
    let What::Set(set) = over_tcp.what else { panic!() };
    assert_eq!(set[0].1.as_secs(), 600);
}

#[test]
fn a_contact_is_direct_if_it_is_where_it_came_from() {
    for (contact, direct) in [
        ("<sip:anna@192.0.2.7:5062>", true),
        ("<sip:anna@192.0.2.7:5062;transport=udp>;+sip.instance=\"<urn:1>\"", true),
        ("<sip:anna@192.0.2.7:5062;transport=tcp>", false),
        ("<sip:anna@192.0.2.7>", false),
        ("<sip:anna@192.0.2.8:5062>", false),
        ("<sip:anna@phone.local:5062>", false),
        ("<sip:anna@192.0.2.7:5062>;reg-id=1;+sip.instance=\"<urn:1>\"", false),
    ] {
        assert_eq!(set(&format!("Contact: {contact}\r\n"))[0].0.direct, direct, "{contact}");
    }
}

#[test]
fn a_phone_that_listens_elsewhere_on_its_machine_is_reached_there() {
    for (contact, reached) in [
        ("sip:anna@192.0.2.7:5070", "192.0.2.7:5070"),
        ("sip:anna@192.0.2.8:5070", "192.0.2.7:5062"),
        ("sip:anna@10.0.0.1", "192.0.2.7:5062"),
    ] {
        let flow = Flow::udp(reached.parse().unwrap());
        let set = set(&format!("Contact: <{contact}>\r\n"));
        assert_eq!(*set[0].0.token, *tokens().of_flow(&flow), "{contact}");
    }
}

#[test]
fn several_contacts_are_all_set_and_nothing_is_a_question() {
    let set = set("Contact: <sip:a@h1>;q=0.5, <sip:a@h2>\r\nm: sip:a@h3;q=0.1\r\n");
    let found: Vec<_> = set.iter().map(|(b, _)| (&*b.contact, b.q)).collect();
    assert_eq!(found, [("sip:a@h1", 500), ("sip:a@h2", 1000), ("sip:a@h3", 100)]);
    let query = wish("").unwrap();
    assert!(query.is_query());
    assert_eq!(query.aor.as_str(), "anna");
    assert_eq!(query.change(&[]), Ok(None));
}

#[test]
fn a_star_clears_only_alone_and_with_no_lifetime() {
    let clear = wish("Contact: *\r\nExpires: 0\r\n").unwrap();
    assert_eq!(clear.change(&[]), Ok(Some(Change::Clear)));
    for lines in [
        "Contact: *\r\n",
        "Contact: *\r\nExpires: 9\r\n",
        "Contact: *, <sip:a@h>\r\nExpires: 0\r\n",
    ] {
        assert_eq!(wish(lines).unwrap_err().status, Status::BAD_REQUEST, "{lines}");
    }
}

#[test]
fn nobody_has_more_than_so_many_contacts() {
    let current: Vec<_> = (0..10).map(|n| bound(&format!("sip:a@h{n}"))).collect();
    let status = |lines: &str| wish(lines).unwrap().change(&current).map_err(|r| r.status);
    assert_eq!(status("Contact: <sip:a@h10>\r\n"), Err(Status::FORBIDDEN));
    assert!(status("Contact: <sip:a@h9>\r\n").is_ok(), "it replaces one");
    assert!(status("Contact: <sip:a@h9>;expires=0\r\n").is_ok());
    let many: Vec<_> = (0..11).map(|n| format!("<sip:a@h{n}>")).collect();
    let refused = wish(&format!("Contact: {}\r\n", many.join(","))).unwrap_err();
    assert_eq!(refused.status, Status::FORBIDDEN);
}

#[test]
fn a_path_is_kept_and_has_to_be_known() {
    let path = "Path: <sip:p1.h;lr>, <sip:p2.h;lr>\r\nContact: <sip:a@192.0.2.7:5062>\r\n";
    assert_eq!(wish(path).unwrap_err().status, Status::EXTENSION_REQUIRED);
    let set = set(&format!("{path}Supported: path\r\n"));
    assert_eq!((&*set[0].0.path, set[0].0.direct), ("<sip:p1.h;lr>, <sip:p2.h;lr>", false));
}

#[test]
fn what_cannot_be_bound_is_refused() {
    let long = format!("Contact: <sip:{}@h>\r\n", "a".repeat(CONTACT_MAX));
    for lines in ["Contact: <tel:+1>\r\n", &long] {
        assert_eq!(wish(lines).unwrap_err().status, Status::BAD_REQUEST);
    }
}

#[test]
fn the_answer_tells_all_bindings() {
    let request = register("Supported: outbound\r\n");
    let mut one = bound("sip:a@h1");
    let binding = Arc::make_mut(&mut one.binding);
    (binding.q, binding.reg_id) = (50, Some(2));
    binding.instance = Some("urn:uuid:1".into());
    let bytes = answer(&request, &[one, bound("sip:a@h2")], "9", ViaMark::default(), Room::Any);
    let reply = Message::parse(bytes).unwrap();
    assert_eq!(reply.status(), Some(Status::OK));
    let contacts: Vec<_> = reply.contacts().map(|c| c.unwrap().address().unwrap()).collect();
    assert_eq!(contacts[0].instance().as_deref(), Some("urn:uuid:1"));
    assert_eq!(
        (contacts[0].q(), contacts[0].reg_id(), contacts[0].expires()),
        (50, Some(2), Some(99))
    );
    assert_eq!(contacts[1].uri().as_str(), "sip:a@h2");
    assert_eq!(reply.require().collect::<Result<Vec<_>, _>>().unwrap(), ["outbound"]);
}

#[test]
fn who_may_be_elsewhere_gets_no_more_than_three_times_what_has_come() {
    let request = register("Contact: <sip:own@h>\r\n");
    let mut all: Vec<Bound> =
        (0..9).map(|n| bound(&format!("sip:{}{n}@h", "a".repeat(300)))).collect();
    all.push(bound("sip:own@h"));
    let bytes = answer(&request, &all, "9", ViaMark::default(), Room::times_three(&request));
    assert!(bytes.len() < 3 * request.bytes().len() + 200, "{}", bytes.len());
    let reply = Message::parse(bytes).unwrap();
    let first = reply.contacts().next().unwrap().unwrap().address().unwrap();
    assert_eq!(first.uri().as_str(), "sip:own@h", "what was asked about comes first");
}

#[test]
fn an_open_name_that_is_live_is_one_device_s() {
    let at = |contact: &str, instance: Option<&str>| {
        let mut bound = bound(contact);
        Arc::make_mut(&mut bound.binding).instance = instance.map(Into::into);
        bound
    };
    let here = "192.0.2.7".parse().unwrap();
    let asks =
        |lines: &str, current: &[Bound]| wish(lines).unwrap().is_another_device_s(current, here);
    let mine = "Contact: <sip:a@192.0.2.7:5062>;+sip.instance=\"<urn:1>\"\r\n";
    let bare = "Contact: <sip:a@192.0.2.7:5062>\r\n";
    let elsewhere = [at("sip:a@192.0.2.9", Some("urn:1"))];
    assert!(!asks(mine, &[]));
    assert!(!asks(mine, &elsewhere), "it has moved");
    assert!(asks(mine, &[at("sip:a@192.0.2.7", Some("urn:2"))]), "two on one machine");
    assert!(asks(bare, &elsewhere), "to leave the instance out does not help");
    assert!(!asks(bare, &[at("sip:a@192.0.2.7:7000", None)]), "it has started anew");
    assert!(asks(bare, &[at("sip:a@192.0.2.9", None)]));
    assert!(!asks("", &elsewhere), "to ask is free");
    assert!(asks("Contact: *\r\nExpires: 0\r\n", &elsewhere));
    assert!(!asks("Contact: *\r\nExpires: 0\r\n", &[at("sip:a@192.0.2.7", None)]));
}
