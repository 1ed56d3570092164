//! Who may come in, where there is a passphrase: every connection proves that it has it, before any
//! behaviour of the swarm hears of the connection.
//!
//! ```text
//!      dialler                                     listener
//!         │  opens the first stream                    │
//!         ├── preamble, share ────────────────────────►│
//!         │◄────────────────────── preamble, share, proof
//!         ├── proof ──────────────────────────────────►│
//!      goes on                                     goes on
//! ```
//!
//! The shares are SPAKE2's, the proofs show that both came to the same key ([`proof`]); whoever has
//! another passphrase comes to another one, and learns nothing but that. A node that has none answers
//! on the same stream ([`without`]), so that both sides can be told. Decision 0013 says what this
//! protects against.

mod guesses;
mod muxer;
mod proof;
mod without;
mod words;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::ConnectedPoint;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::{PeerId, TransportError};
use tokio::time::{Instant, sleep, timeout};

use self::guesses::{Guess, Guesses};
use self::proof::{Opening, Role};
pub(super) use self::without::{Told, answer};
use self::words::{Message, ReadError};
use super::address;
use super::causes::causes;
use crate::link::PassphraseMismatch;
use crate::passphrase::AdmissionKey;

pub(super) use self::words::ADMISSION;

/// How long admission may take: within the time for a handshake, of which it is a part.
const ADMISSION_MAX: Duration = Duration::from_secs(3);
/// How long somebody waits whose address has used up its tries.
const TURN_MAX: Duration = Duration::from_secs(1);
/// Between two looks whether it is its turn.
const TURN_LOOK: Duration = Duration::from_millis(50);
/// How long the other side has to take the last word before the connection ends.
const LAST_WORD_MAX: Duration = Duration::from_secs(1);

/// Why a connection was not let in, or did not let this node in.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct Refused {
    /// The peer, whose id the transport has proven.
    pub(super) peer: PeerId,
    pub(super) why: Why,
}

impl Refused {
    pub(super) fn mismatch(&self) -> Option<PassphraseMismatch> {
        match self.why {
            Why::Mismatch(mismatch) => Some(mismatch),
            _ => None,
        }
    }
}

/// Whether that is why a connection was not made.
pub(super) fn refused(error: &TransportError<io::Error>) -> Option<&Refused> {
    let TransportError::Other(error) = error else { return None };
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// See [`Refused`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    #[error("it {0}")]
    Mismatch(PassphraseMismatch),
    #[error("it does not keep to the protocol of admission: {0}")]
    Garbage(&'static str),
    #[error("it did not say in time that it has the passphrase")]
    Silent,
    #[error("{0}")]
    Broken(#[from] io::Error),
}

impl From<ReadError> for Why {
    fn from(error: ReadError) -> Why {
        match error {
            ReadError::Io(error) => Why::Broken(error),
            ReadError::Stranger => Why::Mismatch(PassphraseMismatch::TheirsMissing),
            ReadError::Garbage(what) => Why::Garbage(what),
        }
    }
}

/// What all connections of a node with a passphrase have to do with.
pub(super) struct Admission {
    own: PeerId,
    key: AdmissionKey,
    guesses: Mutex<Guesses>,
}

impl Admission {
    pub(super) fn new(own: PeerId, key: AdmissionKey) -> Arc<Admission> {
        Arc::new(Admission { own, key, guesses: Mutex::new(Guesses::new(Instant::now())) })
    }

    /// Lets a connection in, or not.
    pub(super) async fn admit(
        self: Arc<Admission>,
        peer: PeerId,
        muxer: StreamMuxerBox,
        endpoint: ConnectedPoint,
    ) -> Result<(PeerId, StreamMuxerBox), Refused> {
        // The swarm says what is wrong with that.
        if peer == self.own {
            return Ok((peer, muxer));
        }
        let ip = address::socket(endpoint.get_remote_address()).map(|(address, _)| address.ip());
        let talk = async {
            if endpoint.is_dialer() {
                self.ask(peer, ip, muxer).await
            } else {
                self.answer(peer, ip, muxer).await
            }
        };
        let admitted = timeout(ADMISSION_MAX, talk).await.unwrap_or(Err(Why::Silent));
        let mut guesses = self.lock();
        match admitted {
            Ok(muxer) => {
                guesses.admitted(peer);
                Ok((peer, muxer))
            }
            Err(why) => {
                if matches!(why, Why::Mismatch(PassphraseMismatch::Different)) {
                    guesses.refused(&peer);
                }
                Err(Refused { peer, why })
            }
        }
    }

    async fn ask(
        &self,
        peer: PeerId,
        ip: Option<IpAddr>,
        mut muxer: StreamMuxerBox,
    ) -> Result<StreamMuxerBox, Why> {
        let mut turn = self.turn(peer, ip).await.ok_or(PassphraseMismatch::TooManyTries)?;
        let mut stream = muxer::open(&mut muxer).await?;
        let talk = async {
            let opening = Opening::new(&self.key, Role::Dialler, &self.own, &peer);
            words::greet(&mut stream, &Message::Offer(*opening.share())).await?;
            words::read_preamble(&mut stream).await?;
            let (share, proof) = match words::read(&mut stream).await? {
                Message::Counter(share, proof) => (share, proof),
                Message::Refusal(why) => return Err(why.seen_by_the_other().into()),
                _ => return Err(Why::Garbage("no share came")),
            };
            let proofs = opening.finish(&share).ok_or(Why::Garbage("its share is none"))?;
            if !proofs.is_theirs(&proof) {
                turn.spend();
                let refusal = Message::Refusal(PassphraseMismatch::Different);
                last_word(&mut stream, &refusal).await;
                return Err(PassphraseMismatch::Different.into());
            }
            words::write(&mut stream, &Message::Proof(*proofs.own())).await?;
            words::finish(&mut stream).await?;
            Ok(())
        };
        muxer::drive(&mut muxer, talk).await?;
        Ok(muxer)
    }

    async fn answer(
        &self,
        peer: PeerId,
        ip: Option<IpAddr>,
        mut muxer: StreamMuxerBox,
    ) -> Result<StreamMuxerBox, Why> {
        let mut stream = muxer::accept(&mut muxer).await?;
        let greeted = muxer::drive(&mut muxer, async {
            words::read_preamble(&mut stream).await.map_err(Why::from)
        });
        let greeted = greeted.await;
        if let Err(Why::Mismatch(PassphraseMismatch::TheirsMissing)) = greeted {
            tell_stranger(&mut muxer).await;
        }
        greeted?;
        let talk = async {
            let Message::Offer(share) = words::read(&mut stream).await? else {
                return Err(Why::Garbage("no share came"));
            };
            let Some(mut turn) = self.turn(peer, ip).await else {
                let refusal = Message::Refusal(PassphraseMismatch::TooManyTries);
                words::greet(&mut stream, &refusal).await?;
                linger(&mut stream).await;
                return Err(PassphraseMismatch::TooManyTries.into());
            };
            let opening = Opening::new(&self.key, Role::Listener, &peer, &self.own);
            let own_share = *opening.share();
            let proofs = opening.finish(&share).ok_or(Why::Garbage("its share is none"))?;
            // From here on it knows whether it guessed right.
            turn.spend();
            words::greet(&mut stream, &Message::Counter(own_share, *proofs.own())).await?;
            match words::read(&mut stream).await? {
                Message::Proof(proof) if proofs.is_theirs(&proof) => {
                    turn.give_back();
                    Ok(())
                }
                Message::Proof(_) | Message::Refusal(_) => {
                    Err(PassphraseMismatch::Different.into())
                }
                _ => Err(Why::Garbage("no proof came")),
            }
        };
        muxer::drive(&mut muxer, talk).await?;
        Ok(muxer)
    }

    /// Waits for a try, but not for long.
    async fn turn(&self, peer: PeerId, ip: Option<IpAddr>) -> Option<Turn<'_>> {
        let until = Instant::now() + TURN_MAX;
        loop {
            let now = Instant::now();
            let guess = self.lock().take(&peer, ip, now);
            if let Some(guess) = guess {
                return Some(Turn { admission: self, guess, spent: false });
            }
            if now >= until {
                return None;
            }
            sleep(TURN_LOOK).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A try. It is given back when it is dropped, unless it let the other side find out something.
struct Turn<'a> {
    admission: &'a Admission,
    guess: Guess,
    spent: bool,
}

impl Turn<'_> {
    fn spend(&mut self) {
        self.spent = true;
    }

    fn give_back(&mut self) {
        self.spent = false;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.spent {
            self.admission.lock().give_back(self.guess);
        }
    }
}

impl From<PassphraseMismatch> for Why {
    fn from(mismatch: PassphraseMismatch) -> Why {
        Why::Mismatch(mismatch)
    }
}

/// Tells a dialler that knows of no passphrase that one is wanted: on a stream of this node's own, as
/// what comes on the other's first stream is some other protocol.
async fn tell_stranger(muxer: &mut StreamMuxerBox) {
    let Ok(mut stream) = muxer::open(muxer).await else { return };
    let talk = async {
        let refusal = Message::Refusal(PassphraseMismatch::TheirsMissing);
        words::greet(&mut stream, &refusal).await?;
        linger(&mut stream).await;
        io::Result::Ok(())
    };
    // It may be gone; then there is nobody to be told.
    let _ = muxer::drive(muxer, talk).await;
}

/// Says why this is the end, and waits a moment until it has arrived.
async fn last_word(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), word: &Message) {
    if words::write(stream, word).await.is_ok() {
        linger(stream).await;
    }
}

/// Waits until the other side has closed the stream: a connection that is dropped takes with it what
/// has not arrived.
async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let closed = async {
        if words::finish(stream).await.is_ok() {
            words::until_closed(stream).await;
        }
    };
    let _ = timeout(LAST_WORD_MAX, closed).await;
}
