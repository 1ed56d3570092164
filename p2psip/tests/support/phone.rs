//! Phones that are no more than sockets, and servers on loopback.

#![allow(dead_code, reason = "no test uses all of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use p2psip::accounts::{Accounts, MemoryAccounts};
use p2psip::location::{LocationService, MemoryLocations};
use p2psip::message::{HeaderName, Message, Method, Reply, RequestBuilder, Status, validate};
use p2psip::server::{Config, Server};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Nothing here takes a second; a test that fails is to fail in time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn server(change: impl FnOnce(&mut Config)) -> Server {
    server_of(change, MemoryLocations::new(), MemoryAccounts::new()).await
}

/// One that shares what it knows.
pub(crate) async fn server_of(
    change: impl FnOnce(&mut Config),
    locations: impl LocationService,
    accounts: impl Accounts,
) -> Server {
    let mut config = Config::new(([127, 0, 0, 1], 0).into());
    change(&mut config);
    Server::bind(config, Arc::new(locations), Arc::new(accounts)).await.unwrap()
}

pub(crate) struct Phone {
    pub(crate) name: &'static str,
    pub(crate) socket: UdpSocket,
    pub(crate) server: SocketAddr,
}

impl Phone {
    pub(crate) async fn new(name: &'static str, server: &Server) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Phone { name, socket, server: server.address() }
    }

    pub(crate) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.name, self.socket.local_addr().unwrap())
    }

    pub(crate) fn request(
        &self,
        method: Method<'_>,
        uri: &str,
        branch: &str,
        number: u32,
    ) -> RequestBuilder {
        let here = self.socket.local_addr().unwrap();
        RequestBuilder::new(method, uri)
            .header(HeaderName::Via, format!("SIP/2.0/UDP {here};branch=z9hG4bK{branch};rport"))
            .header(HeaderName::From, format!("<sip:{}@scope>;tag=f", self.name))
            .header(HeaderName::CallId, format!("{}-{here}", self.name))
            .header(HeaderName::CSeq, format!("{number} {method}"))
    }

    /// With a body that offers media.
    pub(crate) async fn invite_with(
        &self,
        whom: &str,
        lines: &[(&str, &str)],
        sdp: &str,
    ) -> Message {
        let uri = format!("sip:{whom}@scope");
        let branch = format!("o{:x}", fastrand::u64(..));
        let mut request = self.request(Method::Invite, &uri, &branch, 1);
        request = request.header(HeaderName::To, format!("<{uri}>"));
        request = request.header(HeaderName::Contact, self.contact());
        for (name, value) in lines {
            request = request.other_header(name, value);
        }
        let request = request.build_with_body("application/sdp", sdp.as_bytes());
        self.send(&request).await;
        Message::parse(request).unwrap()
    }

    pub(crate) async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).await.unwrap();
    }

    pub(crate) async fn heard(&self) -> Message {
        let mut buffer = vec![0; 65_536];
        let (length, from) =
            timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(from, self.server);
        let message = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap();
        validate(&message).unwrap();
        message
    }

    pub(crate) async fn heard_status(&self) -> u16 {
        let message = self.heard().await;
        message.status().unwrap_or_else(|| panic!("{message:?}")).code()
    }

    /// What comes next but 100.
    pub(crate) async fn final_status(&self) -> u16 {
        loop {
            match self.heard_status().await {
                100 => {}
                status => return status,
            }
        }
    }

    pub(crate) async fn register(&self, lines: &str) -> Message {
        let request = self.request(Method::Register, "sip:scope", "r", 1);
        let request = request.header(HeaderName::To, format!("<sip:{}@scope>", self.name));
        let request = request.header(HeaderName::Contact, format!("{}{lines}", self.contact()));
        self.send(&request.build()).await;
        self.heard().await
    }

    pub(crate) async fn invite(&self, whom: &str) -> Message {
        let uri = format!("sip:{whom}@scope");
        let request = self.request(Method::Invite, &uri, "i", 1);
        let request = request.header(HeaderName::To, format!("<{uri}>"));
        let request = request.header(HeaderName::Contact, self.contact()).build();
        self.send(&request).await;
        Message::parse(request).unwrap()
    }

    pub(crate) async fn answer(&self, request: &Message, code: u16) {
        let reply =
            Reply::new(request, Status::new(code).unwrap()).to_tag("t").with_record_routes();
        self.send(&reply.header("Contact", self.contact()).build()).await;
    }
}
