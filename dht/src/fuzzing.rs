//! Where the fuzz targets of `fuzz/` come in: each function takes any bytes, and panics where
//! something does not hold that must. Tests feed them every seed and every past finding, too.

#[cfg(test)]
mod tests;

use base::limits::{SECRET_MAX, VALUE_MAX};
use base::{Entry, Lifetime, Place, State, Told};
use bytes::{BufMut, Bytes, BytesMut};

use crate::sketch::Sketch;
use crate::store;
use crate::wire::{FRAME_MAX, FrameSplitter, Message, Reply, Request, WireError, decode, encode};

/// What a stream brings, after one byte that says in pieces of what size: it makes the same frames
/// however it comes, and what reads as a message reads as the same one when it is written again.
pub fn frames(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let (frames, error) = split(stream, usize::from(*piece) + 1);
    assert_eq!((&frames, &error), (&split(stream, usize::MAX).0, &split(stream, usize::MAX).1));
    for frame in frames {
        if let Ok(message) = decode(frame) {
            entries_of(&message).for_each(sound);
            sketches_of(&message).for_each(readable);
            survives(&message);
        }
    }
}

/// An entry as another super-node sends it, and a row or a note as the disk gives it: what is read is an
/// entry somebody could have put or removed, and within the limits.
pub fn entries(bytes: &[u8]) {
    if let Ok(message) = decode(applying(bytes)) {
        entries_of(&message).for_each(sound);
        survives(&message);
    }
    store::fuzzing::row(bytes);
    if let Some(told) = Told::from_bytes(bytes) {
        assert_eq!(Told::from_bytes(&told.to_bytes()), Some(told));
    }
}

/// All frames, and what is wrong with what follows them.
fn split(stream: &[u8], piece: usize) -> (Vec<Bytes>, Option<WireError>) {
    let (mut splitter, mut frames) = (FrameSplitter::new(), Vec::new());
    for part in stream.chunks(piece) {
        splitter.extend(part);
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Writes a message and reads it again.
fn survives(message: &Message) {
    let mut out = BytesMut::new();
    let length = encode(message, &mut out);
    assert_eq!(length, out.len());
    let (frames, error) = split(&out, FRAME_MAX);
    let [frame] = frames.as_slice() else { panic!("{} frames, {error:?}", frames.len()) };
    assert_eq!(decode(frame.clone()).as_ref(), Ok(message));
}

/// Entries that others keep because of a message, or believe in.
fn entries_of(message: &Message) -> Box<dyn Iterator<Item = (Option<Place>, &Entry)> + '_> {
    match message {
        Message::Request(_, Request::Apply { place, entry, .. }) => {
            Box::new(std::iter::once((Some(*place), entry)))
        }
        Message::Reply(_, Reply::Listed(listing)) => {
            Box::new(listing.entries.iter().map(|entry| (None, entry)))
        }
        Message::Reply(_, Reply::Pulled(pulled)) => {
            Box::new(pulled.entries.iter().map(|(place, entry)| (Some(*place), entry)))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Symbols from which what differs is read.
fn sketches_of(message: &Message) -> Box<dyn Iterator<Item = &[u128]> + '_> {
    match message {
        Message::Reply(_, Reply::Digests(answers)) => {
            Box::new(answers.iter().map(|answer| &answer.symbols[..]))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Whether what is read from symbols, if anything is, makes up these symbols.
fn readable(symbols: &[u128]) {
    let mut sketch = Sketch::new(symbols.len());
    sketch.add(0, symbols);
    if let Some(items) = sketch.decode(symbols.len()) {
        assert!(items.len() <= symbols.len());
        let mut again = Sketch::new(symbols.len());
        items.into_iter().for_each(|item| again.toggle(item));
        assert_eq!(again, sketch);
    }
}

/// Where what is not signed may lie: anywhere.
const NOWHERE: Place = Place::from_bytes([0; Place::LEN]);

/// Whether nobody could complain about an entry that came from somebody else.
fn sound((place, entry): (Option<Place>, &Entry)) {
    // Of what is listed the reader knows the place, and looks at signatures.
    if let Some(place) = place.or(entry.as_signed().is_none().then_some(NOWHERE)) {
        assert_eq!(entry.check(&place), Ok(()));
    }
    assert!(entry.remaining() <= Lifetime::TOMBSTONE, "{entry:?}");
    match entry.state() {
        State::Live(value) => assert!(value.as_bytes().len() <= VALUE_MAX),
        State::Removed(Some(secret)) => assert!(secret.as_bytes().len() <= SECRET_MAX),
        State::Removed(None) => {}
        State::Signed(signed) => assert!(entry.remaining() <= signed.life()),
    }
}

/// A frame that asks for the entry to be kept that these bytes are, if they are one. Protobuf: a
/// field of length-delimited bytes is its tag and type, the length, the bytes.
fn applying(entry: &[u8]) -> Bytes {
    /// `Frame.apply` and `Apply.entry` of the schema.
    const APPLY: u8 = 4 << 3 | 2;
    const ENTRY: u8 = 1 << 3 | 2;
    let field = |tag, bytes: &[u8]| {
        let mut field = BytesMut::new();
        field.put_u8(tag);
        prost::encoding::encode_varint(bytes.len() as u64, &mut field);
        field.put_slice(bytes);
        field
    };
    field(APPLY, &field(ENTRY, entry)).freeze()
}
