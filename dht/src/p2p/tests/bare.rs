//! A connection with nothing on it: no swarm, no admission, no identify.

use futures::AsyncReadExt;
use libp2p::Multiaddr;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{DialOpts, PortUse};
use libp2p::core::{Endpoint, Transport};
use libp2p_identity::Keypair;

use super::support::PATIENCE;
use crate::p2p::transport::{Connections, transport};

/// A connection that somebody who is no super-node dialled.
pub(super) struct Bare {
    _transport: Connections,
    muxer: StreamMuxerBox,
}

impl Bare {
    pub(super) async fn dial(address: Multiaddr) -> Bare {
        let mut transport = transport(&Keypair::generate_ed25519(), None).unwrap();
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialled = transport.dial(address, opts).unwrap();
        let (_, muxer) = tokio::time::timeout(PATIENCE, dialled).await.unwrap().unwrap();
        Bare { _transport: transport, muxer }
    }

    pub(super) async fn open(&mut self) -> SubstreamBox {
        std::future::poll_fn(|context| {
            let _ = self.muxer.poll_unpin(context);
            self.muxer.poll_outbound_unpin(context)
        })
        .await
        .unwrap()
    }

    /// Does something on a stream; an error if the connection ends before.
    pub(super) async fn drive<T>(
        &mut self,
        talk: impl Future<Output = std::io::Result<T>>,
    ) -> std::io::Result<T> {
        let mut talk = std::pin::pin!(talk);
        let driven = std::future::poll_fn(|context| {
            let over = self.muxer.poll_unpin(context);
            match (talk.as_mut().poll(context), over) {
                (std::task::Poll::Pending, std::task::Poll::Ready(Err(error))) => {
                    std::task::Poll::Ready(Err(error))
                }
                (said, _) => said,
            }
        });
        tokio::time::timeout(PATIENCE, driven).await.expect("it ends")
    }

    pub(super) async fn until_closed(&mut self, stream: &mut SubstreamBox) {
        let mut said = Vec::new();
        let _ = self.drive(stream.read_to_end(&mut said)).await;
        assert!(said.len() < 200, "{}", said.len());
    }

    /// Waits for the end of a connection on which nobody opens a stream.
    pub(super) async fn until_over(&mut self) {
        assert!(self.next_stream().await.is_none());
    }

    /// Waits for the end of a connection, whatever streams are opened on it.
    pub(super) async fn until_gone(&mut self) {
        let mut streams = Vec::new();
        while let Some(stream) = self.next_stream().await {
            streams.push(stream);
        }
    }

    async fn next_stream(&mut self) -> Option<SubstreamBox> {
        let next = std::future::poll_fn(|context| {
            let _ = self.muxer.poll_unpin(context);
            self.muxer.poll_inbound_unpin(context)
        });
        tokio::time::timeout(PATIENCE, next).await.expect("it ends").ok()
    }
}
