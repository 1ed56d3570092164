//! Envelopes: how a message is sealed, and what is read out of one.

use base::{Key, Name, Place, PublicKey, Sequence, Signed, SigningKey, Ttl};
use prost::Message as _;

use super::{Content, Long, Message, MessageId, RECEIPT_MAX, Receiver, Sender, State, TEXT_MAX};
use crate::keys;
use crate::list::BODY_MAX;
use crate::seal::{self, OpeningKey, SealingKey};
use crate::stamp::Stamp;

/// What is in an inbox's element.
#[derive(Clone, PartialEq, prost::Message)]
struct Envelope {
    /// A [`Signed`], of an [`Inner`].
    #[prost(bytes = "vec", tag = "1")]
    sealed: Vec<u8>,
    /// What a super-node took from a softphone: it is not encrypted, and nobody signed it.
    #[prost(message, optional, tag = "2")]
    from_sip: Option<FromSip>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FromSip {
    /// The address it says it is from.
    #[prost(string, tag = "1")]
    from: String,
    #[prost(string, tag = "2")]
    text: String,
    #[prost(uint64, tag = "3")]
    stamp_ms: u64,
}

/// What a sender signs.
#[derive(Clone, PartialEq, prost::Message)]
struct Inner {
    #[prost(string, tag = "1")]
    name: String,
    /// The seed of the key that signed the envelope.
    #[prost(bytes = "vec", tag = "2")]
    envelope: Vec<u8>,
    #[prost(uint64, tag = "3")]
    stamp_ms: u64,
    /// What an answer is sealed with.
    #[prost(bytes = "vec", tag = "4")]
    answers: Vec<u8>,
    #[prost(string, optional, tag = "5")]
    text: Option<String>,
    /// The hash of a long text and its key.
    #[prost(bytes = "vec", tag = "6")]
    long: Vec<u8>,
    /// Of a receipt: 1 delivered, 2 read.
    #[prost(uint32, tag = "7")]
    receipt: u32,
    /// Of which messages.
    #[prost(bytes = "vec", tag = "8")]
    of: Vec<u8>,
}

/// The lengths to which what is signed is padded: a line or two, and as much as fits an element. What the
/// overlay can tell is which of them it is.
const LENGTHS: [usize; 2] = [384, BODY_MAX - SEALED_FIELD - seal::OVERHEAD];
/// Number and length of the field in front of what is sealed, in bytes.
const SEALED_FIELD: usize = 3;
/// The lengths to which a long text is padded.
const LONG_LENGTHS: [usize; 5] = [2 << 10, 4 << 10, 8 << 10, 16 << 10, (32 << 10) + 16];

/// Makes the key of an envelope out of a message's seed, and what HPKE wants of randomness.
const ENVELOPE_CONTEXT: &str = "scope 2026-11 key of an envelope";
const SEALING_CONTEXT: &str = "scope 2026-11 sealing of an envelope";
const LONG_CONTEXT: &str = "scope 2026-11 key of a long message";

/// A message as it is put: the same each time.
#[derive(Clone)]
pub struct Posting {
    /// Signs the element; whoever has it removes it.
    pub envelope: SigningKey,
    /// The element's body.
    pub body: Vec<u8>,
    /// The sealed text, if it is too long for that; to be put first.
    pub long: Option<(Long, Vec<u8>)>,
}

/// What was in an element of an inbox.
#[derive(Debug, Clone)]
pub enum Opened {
    /// A message that its sender signed for this receiver.
    Letter(Box<Letter>),
    /// What somebody said from a softphone; anybody may have said it, and have read it.
    FromSip {
        /// The address it says it is from.
        from: String,
        /// What was said.
        message: Message,
    },
}

/// A message that was sealed for this receiver.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Who sent it.
    pub sender: Sender,
    /// What it says.
    pub message: Message,
    /// Removes its envelope.
    pub envelope: SigningKey,
}

impl Posting {
    /// Seals what a person says to somebody. The seed is 32 random bytes, for this message alone. A text that
    /// is too long becomes a [`Long`] one. Nothing if it is longer than [`super::TEXT_MAX`], or nothing can be
    /// sealed for the receiver.
    pub fn seal(
        from: (&SigningKey, &Name, SealingKey),
        to: &Receiver,
        message: &Message,
        seed: &[u8; 32],
    ) -> Option<Posting> {
        let (key, name, answers) = from;
        let envelope = SigningKey::from_bytes(&blake3::derive_key(ENVELOPE_CONTEXT, seed));
        let mut inner = Inner {
            name: name.to_string(),
            envelope: envelope.to_bytes().to_vec(),
            stamp_ms: message.stamp.millis(),
            answers: answers.as_bytes().to_vec(),
            ..Inner::default()
        };
        match &message.content {
            Content::Text(text) => inner.text = Some(text.clone()),
            Content::Long(long) => inner.long = long_bytes(long),
            Content::Receipt { state, of } => {
                inner.receipt = if *state == State::Read { 2 } else { 1 };
                let of = of.iter().take(RECEIPT_MAX);
                inner.of = of.flat_map(|id| *id.as_bytes()).collect();
            }
        }
        let bound_to = bound_to(&to.name, &envelope.public());
        let sealed = |inner: &Inner| {
            let signed = sign(key, to, message, inner)?;
            let random = blake3::derive_key(SEALING_CONTEXT, seed);
            to.key.seal(&bound_to, signed.as_bytes(), &LENGTHS, &random)
        };
        let posted = |sealed, long| {
            let body = Envelope { sealed, from_sip: None }.encode_to_vec();
            Posting { envelope: envelope.clone(), body, long }
        };
        if let Some(sealed) = sealed(&inner) {
            return Some(posted(sealed, None));
        }
        let text = inner.text.take().filter(|text| text.len() <= TEXT_MAX)?;
        let key = blake3::derive_key(LONG_CONTEXT, seed);
        let value = seal::seal_long(&key, text.as_bytes(), &LONG_LENGTHS)?;
        let long = Long { hash: blake3::hash(&value), key };
        inner.long = long_bytes(&long);
        Some(posted(sealed(&inner)?, Some((long, value))))
    }
}

/// What an element of this person's inbox says, if it was meant for her; `author` is who signed it.
pub fn letter(me: &Name, key: &OpeningKey, author: &PublicKey, body: &[u8]) -> Option<Opened> {
    let envelope = Envelope::decode(body).ok()?;
    if let Some(FromSip { from, text, stamp_ms }) = envelope.from_sip {
        let hash = blake3::hash(body);
        let id = MessageId::from_bytes(std::array::from_fn(|at| hash.as_bytes()[at]));
        let stamp = Stamp::from_millis(stamp_ms);
        return Some(Opened::FromSip {
            from,
            message: Message { id, stamp, content: Content::Text(text) },
        });
    }
    let signed = key.open(&bound_to(me, author), &envelope.sealed)?;
    let signed = Signed::from_bytes(signed.into()).ok()?;
    let signed = signed.verify(&place(me, &key.sealing_key())).ok()?;
    let inner = Inner::decode(signed.body()?).ok()?;
    let envelope = SigningKey::from_bytes(&inner.envelope.as_slice().try_into().ok()?);
    let name = Name::new(&inner.name).ok().filter(|name| name.as_str() == inner.name)?;
    if envelope.public() != *author {
        return None;
    }
    let answers = SealingKey::from_bytes(&inner.answers)?;
    let sender = Sender { key: signed.author(), name, answers };
    let id = MessageId::from_bytes(*signed.slot().as_bytes());
    let stamp = Stamp::from_millis(inner.stamp_ms);
    let message = Message { id, stamp, content: content(inner)? };
    Some(Opened::Letter(Box::new(Letter { sender, message, envelope })))
}

fn content(inner: Inner) -> Option<Content> {
    if let Some(text) = inner.text {
        return Some(Content::Text(text));
    }
    let state = match inner.receipt {
        0 => {
            let (hash, key) = inner.long.split_at_checked(32)?;
            let hash = blake3::Hash::from_bytes(hash.try_into().ok()?);
            return Some(Content::Long(Long { hash, key: key.try_into().ok()? }));
        }
        1 => State::Delivered,
        2 => State::Read,
        _ => return None,
    };
    let (ids, rest) = inner.of.as_chunks::<{ MessageId::LEN }>();
    let of = ids.iter().take(RECEIPT_MAX).copied().map(MessageId::from_bytes).collect();
    rest.is_empty().then_some(Content::Receipt { state, of })
}

fn long_bytes(long: &Long) -> Vec<u8> {
    [*long.hash.as_bytes(), long.key].concat()
}

fn sign(key: &SigningKey, to: &Receiver, message: &Message, inner: &Inner) -> Option<Signed> {
    let (place, slot) = (place(&to.name, &to.key), message.id.slot());
    let sequence = Sequence::new(message.stamp.millis());
    let body = inner.encode_to_vec();
    Signed::sign(key, &place, slot, base::Kind::Plain, sequence, Ttl::MAX, &body).ok()
}

/// For where a sender signs: a key under which nothing is ever put.
fn place(name: &Name, key: &SealingKey) -> Place {
    keys::message(name, key.as_bytes()).place()
}

/// What an envelope opens for: this inbox, and whoever signed it there.
fn bound_to(name: &Name, author: &PublicKey) -> Vec<u8> {
    let inbox: Key = keys::inbox(name);
    [&inbox.place().as_bytes()[..], author.as_bytes()].concat()
}

/// A message that somebody sent from a softphone, as a super-node puts it.
#[cfg(test)]
pub(super) fn from_sip(from: &str, text: &str, stamp_ms: u64) -> Vec<u8> {
    let (from, text) = (from.to_owned(), text.to_owned());
    Envelope { sealed: Vec::new(), from_sip: Some(FromSip { from, text, stamp_ms }) }
        .encode_to_vec()
}
