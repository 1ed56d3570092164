//! The same, where this node has no passphrase: it says so to those who have one, and hears it from
//! them.

use std::time::Duration;

use libp2p::Stream;
use tokio::time::timeout;

use super::words::{self, Message};
use crate::link::PassphraseMismatch;

/// How long the other side may take to say what it wants, and to hear the answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// What another node said of passphrases. The stream is open until this is dropped, as it waits for
/// that before it ends the connection.
pub(in crate::p2p) struct Told {
    _stream: Stream,
}

/// Hears somebody out who has a passphrase, and says that this node has none. Whatever is said, it
/// comes down to that.
pub(in crate::p2p) async fn answer(mut stream: Stream) -> Told {
    let talk = async {
        if let Ok(Message::Offer(_)) = words::read(&mut stream).await {
            let refusal = Message::Refusal(PassphraseMismatch::OursMissing);
            let _ = words::write(&mut stream, &refusal).await;
            let _ = words::finish(&mut stream).await;
            words::until_closed(&mut stream).await;
        }
    };
    let _ = timeout(ANSWER_MAX, talk).await;
    Told { _stream: stream }
}
