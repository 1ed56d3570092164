//! SIP (RFC 3261). All but the topmost three layers is without I/O: what arrives is an argument, what leaves
//! is a return value, and time is a number of milliseconds.
//!
//! Each layer is a file, with a folder of the same name for its parts; an upper one knows those below:
//!
//! | file | what it is |
//! |---|---|
//! | [`server`] | all of it put together: binds, serves, counts, stops |
//! | [`agent`] | user agents in this process, and the echo |
//! | [`transport`] | UDP, TCP and WebSockets |
//! | [`proxy`] | whose a request is, where it goes, and what follows from each response |
//! | [`registrar`] | what a REGISTER wants, gets and is told |
//! | [`accounts`] | which names are protected by a password |
//! | [`location`] | bindings, and the service that keeps them |
//! | [`domain`] | which addresses are ours |
//! | [`flow`] | ways to a peer, and the tokens that name them |
//! | [`transaction`] | the four machines of RFC 3261 §17, and the table that owns them |
//! | [`digest`] | challenges, nonces without memory, answers, replays |
//! | [`framing`] | messages off a stream |
//! | [`sdp`] | what media is offered, and where |
//! | [`stun`] | Binding requests on the SIP port |
//! | [`message`] | messages: parsed, checked, edited, built |
//!
//! # The way of a request
//!
//! ```
//! use bytes::Bytes;
//! use p2psip::message::{Message, Reply, Status, validate};
//! use p2psip::transaction::{Keys, Limits, OnRequest, Table, Timers};
//!
//! let mut table = Table::new(Keys::new([0; 32]), Timers::default(), Limits::default());
//! let datagram = Bytes::from_static(
//!     b"OPTIONS sip:bob@scope SIP/2.0\r\n\
//!       Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK776;rport\r\n\
//!       From: <sip:anna@scope>;tag=1\r\nTo: <sip:bob@scope>\r\n\
//!       Call-ID: a\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n",
//! );
//! let (source, now_ms) = ("192.0.2.1:40000".parse()?, 0);
//!
//! let request = Message::parse(datagram)?;
//! validate(&request)?;
//! let OnRequest::New(id) = table.on_request(&request, &source, false, now_ms)? else { panic!() };
//! let mark = request.top_via()?.mark(source);
//! let reply = Reply::new(&request, Status::OK).to_tag("2").mark_via(mark).build();
//! let output = table.respond(id, Status::OK, reply, now_ms).expect("it was not answered yet");
//! assert_eq!(output.flow, source);
//! assert!(output.bytes.windows(20).any(|part| part == b";received=192.0.2.1;"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod accounts;
pub mod agent;
pub mod digest;
pub mod domain;
pub mod flow;
pub mod framing;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod location;
pub mod message;
pub mod proxy;
pub mod registrar;
pub mod sdp;
pub mod server;
pub mod stun;
pub mod transaction;
pub mod transport;
