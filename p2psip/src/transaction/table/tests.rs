//! The table alone, with messages; and two tables over links that lose, repeat and overtake.

mod links;

use super::*;
use crate::message::{HeaderName, Reply, RequestBuilder, cancel_for};

const LIMITS: Limits = Limits { transactions: 4, bytes: 10_000 };

fn table(limits: Limits) -> Table<u8> {
    Table::new(Keys::new([3; 32]), Timers::default(), limits)
}

fn request(method: Method<'_>, branch: &str) -> Message {
    let bytes = RequestBuilder::new(method, "sip:bob@scope")
        .header(HeaderName::Via, format_args!("SIP/2.0/UDP a.test;branch={branch}"))
        .header(HeaderName::From, "<sip:anna@scope>;tag=f")
        .header(HeaderName::To, "<sip:bob@scope>")
        .header(HeaderName::CallId, "c")
        .header(HeaderName::CSeq, format_args!("1 {method}"))
        .build();
    Message::parse(bytes).unwrap()
}

fn reply(request: &Message, code: u16) -> Bytes {
    Reply::new(request, Status::new(code).unwrap()).to_tag("t").build()
}

fn answer(table: &mut Table<u8>, id: TransactionId, request: &Message, code: u16) -> Bytes {
    let (bytes, status) = (reply(request, code), Status::new(code).unwrap());
    table.respond(id, status, bytes.clone(), 0).map_or(Bytes::new(), |output| {
        assert_eq!((output.id, &output.bytes, output.flow), (id, &bytes, 7));
        bytes
    })
}

fn new(table: &mut Table<u8>, request: &Message) -> TransactionId {
    match table.on_request(request, &7, false, 0) {
        Ok(OnRequest::New(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn again(table: &mut Table<u8>, request: &Message) -> Option<Bytes> {
    match table.on_request(request, &7, false, 0) {
        Ok(OnRequest::Known(output)) => output.map(|output| output.bytes),
        other => panic!("{other:?}"),
    }
}

fn fire(table: &mut Table<u8>, now_ms: u64) -> Vec<Fired<u8>> {
    let mut fired = Vec::new();
    table.fire(now_ms, &mut fired);
    fired
}

#[test]
fn a_repeated_request_is_answered_as_before_and_forgotten_in_time() {
    let mut table = table(LIMITS);
    let register = request(Method::Register, "z9hG4bK1");
    let id = new(&mut table, &register);
    assert_eq!(again(&mut table, &register), None);
    let ok = answer(&mut table, id, &register, 200);
    assert_eq!(again(&mut table, &register), Some(ok.clone()));
    assert_eq!(answer(&mut table, id, &register, 404), "");
    assert_eq!((table.kept_bytes(), table.next_deadline_ms()), (ok.len(), Some(32_000)));
    assert_eq!(fire(&mut table, 31_999), []);
    assert_eq!(fire(&mut table, 32_000), [Fired::Over(id)]);
    assert!(table.is_empty() && !table.contains(id) && table.kept_bytes() == 0);
    let next = new(&mut table, &register);
    assert_ne!(id, next);
    assert_eq!(answer(&mut table, id, &register, 200), "");
}

#[test]
fn a_refused_invite_s_ack_is_swallowed_and_an_accepted_one_s_is_told() {
    let mut table = table(LIMITS);
    let ack = |branch| request(Method::Ack, branch);
    let (refused, accepted) =
        (request(Method::Invite, "z9hG4bK1"), request(Method::Invite, "z9hG4bK2"));
    let id = new(&mut table, &refused);
    answer(&mut table, id, &refused, 486);
    assert_eq!(again(&mut table, &ack("z9hG4bK1")), None);
    assert_eq!(table.kept_bytes(), 0);
    assert_eq!(fire(&mut table, 5000), [Fired::Over(id)]);
    let id = new(&mut table, &accepted);
    answer(&mut table, id, &accepted, 200);
    assert_eq!((again(&mut table, &accepted), table.kept_bytes()), (None, 0));
    let told = table.on_request(&ack("z9hG4bK2"), &7, false, 0);
    assert_eq!(told, Ok(OnRequest::Ack(Some(id))));
    let unknown = table.on_request(&ack("z9hG4bK3"), &7, false, 0);
    assert_eq!((unknown, table.len()), (Ok(OnRequest::Ack(None)), 1));
}

#[test]
fn a_cancel_is_a_transaction_of_its_own_and_finds_its_invite() {
    let mut table = table(LIMITS);
    let invite = request(Method::Invite, "z9hG4bK1");
    let id = new(&mut table, &invite);
    let cancel = Message::parse(cancel_for(&invite).unwrap()).unwrap();
    assert_ne!(new(&mut table, &cancel), id);
    assert_eq!(table.cancelled_by(&cancel), Ok(Some(id)));
    let other = request(Method::Cancel, "z9hG4bK2");
    assert_eq!(table.cancelled_by(&other), Ok(None));
}

#[test]
fn a_client_acknowledges_each_refusal_and_tells_the_first() {
    let mut table = table(LIMITS);
    let invite = request(Method::Invite, "z9hG4bK1");
    let sent = invite.bytes();
    let id = table.begin(sent, "z9hG4bK1", Method::Invite, 9, false, 0).unwrap();
    assert_eq!(table.begin(sent, "z9hG4bK1", Method::Invite, 9, false, 0), Err(Full));
    assert_eq!(table.sent_invite(id), Some(sent));
    let again = Output { id, bytes: sent.clone(), flow: 9 };
    assert_eq!(fire(&mut table, 504), [Fired::Send(again)]);
    let refusal = Message::parse(reply(&invite, 486)).unwrap();
    let Ok(OnResponse::Told { id: told, ack: Some(ack), over: false }) =
        table.on_response(&refusal, 600)
    else {
        panic!("it is refused")
    };
    assert_eq!((told, ack.flow), (id, 9));
    assert_eq!(Message::parse(ack.bytes.clone()).unwrap().method(), Some(Method::Ack));
    assert_eq!(table.on_response(&refusal, 700), Ok(OnResponse::Known(Some(ack))));
    assert_eq!(table.sent_invite(id), None);
    assert_eq!(fire(&mut table, 40_000), [Fired::Over(id)]);
    assert_eq!(table.on_response(&refusal, 40_000), Ok(OnResponse::Stray));
}

#[test]
fn over_a_reliable_transport_an_answer_ends_it_and_nothing_is_kept() {
    let mut table = table(LIMITS);
    let bye = request(Method::Bye, "z9hG4bK1");
    let id = table.begin(bye.bytes(), "z9hG4bK1", Method::Bye, 9, true, 0).unwrap();
    assert_eq!(table.kept_bytes(), 0);
    let ok = Message::parse(reply(&bye, 200)).unwrap();
    let told = OnResponse::Told { id, ack: None, over: true };
    assert_eq!((table.on_response(&ok, 5), table.len()), (Ok(told), 0));
    // An INVITE is needed for its ACK.
    let invite = request(Method::Invite, "z9hG4bK2");
    let id = table.begin(invite.bytes(), "z9hG4bK2", Method::Invite, 9, true, 0).unwrap();
    let busy = Message::parse(reply(&invite, 486)).unwrap();
    let Ok(OnResponse::Told { ack: Some(_), over: true, .. }) = table.on_response(&busy, 5) else {
        panic!("it is refused")
    };
    assert!(!table.contains(id) && table.kept_bytes() == 0);
}

#[test]
fn silence_and_broken_transports_are_told() {
    let mut table = table(LIMITS);
    let bye = request(Method::Bye, "z9hG4bK1");
    let id = table.begin(bye.bytes(), "z9hG4bK1", Method::Bye, 9, true, 0).unwrap();
    assert_eq!(fire(&mut table, 32_000), [Fired::NoResponse(id), Fired::Over(id)]);
    let id = table.begin(bye.bytes(), "z9hG4bK1", Method::Bye, 9, true, 0).unwrap();
    assert!(table.on_unsent(id, 5));
    assert!(!table.on_unsent(id, 5) && table.is_empty());
    let invite = request(Method::Invite, "z9hG4bK2");
    let id = new(&mut table, &invite);
    answer(&mut table, id, &invite, 486);
    let fired = fire(&mut table, 32_000);
    assert_eq!(fired, [Fired::NoAck(id), Fired::Over(id)]);
}

#[test]
fn what_only_answers_repetitions_makes_room_and_nothing_else_does() {
    let mut table = table(LIMITS);
    let requests: Vec<_> =
        (0..7).map(|n| request(Method::Options, &format!("z9hG4bK{n}"))).collect();
    let ids: Vec<_> = requests[..4].iter().map(|request| new(&mut table, request)).collect();
    let full = |table: &mut Table<u8>| table.on_request(&requests[5], &7, false, 0);
    assert_eq!(full(&mut table), Ok(OnRequest::Full));
    answer(&mut table, ids[2], &requests[2], 200);
    answer(&mut table, ids[1], &requests[1], 200);
    new(&mut table, &requests[4]);
    assert_eq!(
        ids.iter().map(|id| table.contains(*id)).collect::<Vec<_>>(),
        [true, true, false, true]
    );
    table.end(ids[1]);
    new(&mut table, &requests[5]);
    assert_eq!(table.on_request(&requests[6], &7, false, 0), Ok(OnRequest::Full));
    assert_eq!(table.len(), 4);
}

#[test]
fn bytes_are_bounded_too() {
    let mut table = table(Limits { transactions: 1000, bytes: 1000 });
    let begin = |table: &mut Table<u8>, n: u32| {
        let (branch, bytes) = (format!("z9hG4bK{n}"), Bytes::from(vec![b'x'; 400]));
        table.begin(&bytes, &branch, Method::Bye, 9, false, 0)
    };
    let first = begin(&mut table, 1).unwrap();
    assert!(begin(&mut table, 2).is_ok());
    assert_eq!(begin(&mut table, 3), Err(Full));
    table.end(first);
    assert!(begin(&mut table, 3).is_ok());
    assert_eq!(table.kept_bytes(), 800);
}

#[test]
fn calls_of_the_past_do_not_pile_up() {
    let mut table = table(Limits { transactions: 2, bytes: 10_000 });
    for round in 0..1000 {
        let bye = request(Method::Bye, "z9hG4bK1");
        let id = table.begin(bye.bytes(), "z9hG4bK1", Method::Bye, 9, true, round).unwrap();
        table.on_response(&Message::parse(reply(&bye, 200)).unwrap(), round).unwrap();
        assert!(!table.contains(id) && table.wheel.held() <= table.calls_max + 1);
    }
}
