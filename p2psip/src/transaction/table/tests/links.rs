//! A client and a server, each with its table, over a link that loses, repeats and delays: they agree on
//! what became of a request, and forget it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What becomes of one datagram: lost, or there after some milliseconds, maybe twice.
#[derive(Debug, Clone, Copy)]
struct Fate {
    lost: bool,
    delay_ms: u64,
    twice: Option<u64>,
}

/// Nothing is under way for so long that it comes after timer J, when the last repetition is sent at
/// 31.5 s: it would be a new request, and rightly.
fn fate() -> impl Strategy<Value = Fate> {
    let twice = prop::option::weighted(0.2, 0_u64..450);
    (prop::bool::weighted(0.4), 0_u64..450, twice).prop_map(|(lost, delay_ms, twice)| Fate {
        lost,
        delay_ms,
        twice,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Client,
    Server,
}

/// Both sides, the link, and what they saw.
struct World {
    client: Table<u8>,
    server: Table<u8>,
    invite: Message,
    now_ms: u64,
    air: BTreeMap<(u64, usize), (Side, Bytes)>,
    fates: Vec<Fate>,
    sent: usize,
    served: Vec<TransactionId>,
    heard: Vec<u16>,
    silent: bool,
    acked: bool,
    no_ack: bool,
}

impl World {
    fn send(&mut self, to: Side, bytes: Bytes) {
        let fate = self.fates[self.sent % self.fates.len()];
        self.sent += 1;
        if !fate.lost {
            self.air.insert((self.now_ms + fate.delay_ms, self.air.len()), (to, bytes.clone()));
            if let Some(later) = fate.twice {
                self.air.insert((self.now_ms + later, self.air.len() + 1_000_000), (to, bytes));
            }
        }
    }

    fn answer(&mut self, code: u16) {
        let bytes = reply(&self.invite, code);
        let id = self.served[0];
        let output = self.server.respond(id, Status::new(code).unwrap(), bytes, self.now_ms);
        if let Some(output) = output {
            self.send(Side::Client, output.bytes);
        }
    }

    fn arrive(&mut self, to: Side, bytes: Bytes, codes: &[u16]) {
        let message = Message::parse(bytes).unwrap();
        if to == Side::Client {
            let output = match self.client.on_response(&message, self.now_ms).unwrap() {
                OnResponse::Told { ack, .. } => {
                    let code = message.status().unwrap().code();
                    self.heard.push(code);
                    if code == 200 && message.cseq().unwrap().method == Method::Invite {
                        // The user's own, of a transaction of its own (§13.2.2.4).
                        self.send(Side::Server, request(Method::Ack, "z9hG4bKack").bytes().clone());
                    }
                    ack
                }
                OnResponse::Known(output) => output,
                OnResponse::Stray => None,
            };
            if let Some(output) = output {
                self.send(Side::Server, output.bytes);
            }
            return;
        }
        match self.server.on_request(&message, &7, false, self.now_ms).unwrap() {
            OnRequest::New(id) => {
                self.served.push(id);
                codes.iter().for_each(|code| self.answer(*code));
            }
            OnRequest::Known(Some(output)) => self.send(Side::Client, output.bytes),
            OnRequest::Known(None) => {}
            OnRequest::Ack(_) => self.acked = true,
            OnRequest::Full => panic!("there is room"),
        }
    }

    fn tick(&mut self) {
        for side in [Side::Client, Side::Server] {
            let mut fired = Vec::new();
            match side {
                Side::Client => self.client.fire(self.now_ms, &mut fired),
                Side::Server => self.server.fire(self.now_ms, &mut fired),
            }
            let to = if side == Side::Client { Side::Server } else { Side::Client };
            for fired in fired {
                match fired {
                    Fired::Send(output) => self.send(to, output.bytes),
                    Fired::NoResponse(_) => self.silent = true,
                    Fired::NoAck(_) => self.no_ack = true,
                    Fired::Over(_) => {}
                }
            }
        }
    }

    /// Until nothing is under way and nothing waits.
    fn run(&mut self, codes: &[u16]) {
        // Of a 2xx to an INVITE the user is the one who repeats (§13.3.1.4).
        let mut repeat = Some((500, 500));
        loop {
            let repeats = repeat.filter(|_| {
                codes.last() == Some(&200)
                    && self.invite.method() == Some(Method::Invite)
                    && !self.served.is_empty()
                    && !self.acked
            });
            let next = [
                self.air.keys().next().map(|(at, _)| *at),
                self.client.next_deadline_ms(),
                self.server.next_deadline_ms(),
                repeats.map(|(at, _)| at),
            ];
            let Some(next) = next.into_iter().flatten().min() else { return };
            self.now_ms = self.now_ms.max(next);
            while let Some(entry) = self.air.first_entry()
                && entry.key().0 <= self.now_ms
            {
                let (to, bytes) = entry.remove();
                self.arrive(to, bytes, codes);
            }
            if let Some((at, interval)) = repeats.filter(|(at, _)| *at <= self.now_ms) {
                self.answer(200);
                let interval = (interval * 2).min(4000);
                repeat = Some((at + interval, interval)).filter(|(at, _)| *at < 32_000);
            }
            self.tick();
        }
    }
}

fn world(method: Method<'_>, fates: Vec<Fate>) -> World {
    let mut world = World {
        client: table(Limits::default()),
        server: table(Limits::default()),
        invite: request(method, "z9hG4bK1"),
        now_ms: 0,
        air: BTreeMap::new(),
        fates,
        sent: 0,
        served: Vec::new(),
        heard: Vec::new(),
        silent: false,
        acked: false,
        no_ack: false,
    };
    let bytes = world.invite.bytes().clone();
    world.client.begin(&bytes, "z9hG4bK1", method, 9, false, 0).unwrap();
    world.send(Side::Server, bytes);
    world
}

proptest! {
    #[test]
    fn both_sides_agree_on_what_became_of_a_request(
        invite in any::<bool>(),
        code in prop::sample::select(vec![200_u16, 404, 603]),
        provisional in any::<bool>(),
        fates in prop::collection::vec(fate(), 7..60),
    ) {
        let method = if invite { Method::Invite } else { Method::Options };
        let codes: &[u16] = if provisional { &[180, code] } else { &[code] };
        let mut world = world(method, fates);
        world.run(codes);
        // The server served it once, if it heard of it at all.
        prop_assert!(world.served.len() <= 1);
        // The client has one end: an answer, which is the server's, or silence.
        let finals: Vec<_> = world.heard.iter().filter(|code| **code >= 200).collect();
        prop_assert!(finals.iter().all(|heard| **heard == code));
        let may_repeat = invite && code == 200;
        prop_assert!(finals.len() <= 1 || may_repeat);
        let hung = invite && world.heard.contains(&180) && finals.is_empty();
        prop_assert_eq!(finals.is_empty() && !hung, world.silent);
        if world.served.is_empty() {
            prop_assert!(world.silent);
        }
        // A refusal of which no ACK came in time is told, and nothing else is.
        if world.no_ack {
            prop_assert!(invite && code != 200 && !world.served.is_empty());
        }
        // Nothing is left, but a call that rings and whose answer was lost: that is timer C's.
        prop_assert!(world.server.is_empty());
        prop_assert_eq!(world.client.len(), usize::from(hung));
        prop_assert_eq!(world.server.kept_bytes(), 0);
    }

    #[test]
    fn a_link_that_loses_nothing_for_long_is_enough(
        invite in any::<bool>(),
        code in prop::sample::select(vec![200_u16, 486]),
        fates in prop::collection::vec((0_u64..400).prop_map(|delay_ms| {
            Fate { lost: false, delay_ms, twice: Some(delay_ms * 3) }
        }), 1..20),
    ) {
        let method = if invite { Method::Invite } else { Method::Options };
        let mut world = world(method, fates);
        world.run(&[code]);
        prop_assert_eq!(world.served.len(), 1);
        prop_assert!(world.heard.contains(&code));
        prop_assert!(!world.silent && !world.no_ack);
        prop_assert!(world.client.is_empty() && world.server.is_empty());
    }
}
