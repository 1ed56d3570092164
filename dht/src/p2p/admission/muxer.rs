//! Streams on a connection that no swarm drives yet.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};

/// Opens a stream.
pub(super) async fn open(muxer: &mut StreamMuxerBox) -> io::Result<SubstreamBox> {
    poll_fn(|context| match muxer.poll_outbound_unpin(context) {
        Poll::Ready(opened) => Poll::Ready(opened),
        Poll::Pending => progress(muxer, context).map(Err),
    })
    .await
}

/// Takes the first stream the other side opens.
pub(super) async fn accept(muxer: &mut StreamMuxerBox) -> io::Result<SubstreamBox> {
    poll_fn(|context| match muxer.poll_inbound_unpin(context) {
        Poll::Ready(accepted) => Poll::Ready(accepted),
        Poll::Pending => progress(muxer, context).map(Err),
    })
    .await
}

/// Runs what is said on a stream of the connection. Streams that the other side opens meanwhile wait
/// in the muxer, which bounds them.
pub(super) async fn drive<T, E: From<io::Error>>(
    muxer: &mut StreamMuxerBox,
    talk: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut talk = pin!(talk);
    poll_fn(|context| {
        if let Poll::Ready(said) = talk.as_mut().poll(context) {
            return Poll::Ready(said);
        }
        let Poll::Ready(error) = progress(muxer, context) else { return Poll::Pending };
        // The last that came may say why.
        match talk.as_mut().poll(context) {
            Poll::Ready(said) => Poll::Ready(said),
            Poll::Pending => Poll::Ready(Err(error.into())),
        }
    })
    .await
}

/// Lets the connection work; ready with an error when it is over.
fn progress(muxer: &mut StreamMuxerBox, context: &mut Context<'_>) -> Poll<io::Error> {
    loop {
        match muxer.poll_unpin(context) {
            // An address that changed is the swarm's concern.
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(error),
            Poll::Pending => return Poll::Pending,
        }
    }
}
