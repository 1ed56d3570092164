//! The canonical bytes of a signed entry. Numbers are big-endian.
//!
//! ```text
//! format 1 │ kind 1 │ flags 1 │ author 32 │ slot 16 │ sequence 8 │ ttl 4 │ body length 4 │ body │ signature 64
//! ```

use std::ops::Range;

use super::parts::{Kind, Sequence};
use crate::limits::{TTL_MAX_S, TTL_MIN_S, VALUE_MAX};
use crate::public_key::SIGNATURE_LEN;
use crate::{PublicKey, Slot, Ttl};

/// The layout drawn above.
const FORMAT: u8 = 1;

/// The flag of a removal, which has no body and a ttl of zero.
const REMOVAL: u8 = 1;

const FORMAT_AT: usize = 0;
const KIND_AT: usize = 1;
const FLAGS_AT: usize = 2;
const AUTHOR: Range<usize> = 3..35;
const SLOT: Range<usize> = 35..51;
const SEQUENCE: Range<usize> = 51..59;
const TTL: Range<usize> = 59..63;
const BODY_LEN: Range<usize> = 63..67;

/// What stands before the body, in bytes.
pub(super) const HEADER_LEN: usize = BODY_LEN.end;

/// All but the body, in bytes.
pub(super) const OVERHEAD: usize = HEADER_LEN + SIGNATURE_LEN;

/// Longest body, in bytes.
pub(super) const BODY_MAX: usize = VALUE_MAX - OVERHEAD;

/// Bytes that are no signed entry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSigned {
    /// There are fewer bytes than it says, or more, or more than any may have.
    #[error("a signed entry of {len} bytes has to have {expected}")]
    Length {
        /// How many there are.
        len: usize,
        /// How many there should be, as far as they tell.
        expected: usize,
    },
    /// A later version made it, or something else.
    #[error("a signed entry of format {0} is not known here; this program knows format {FORMAT}")]
    Format(u8),
    /// The body is of a kind that is not known here.
    #[error("a signed entry of kind {0} is not known here")]
    Kind(u8),
    /// Flags are set that have no meaning.
    #[error("the flags {0:#04x} of a signed entry are not known here")]
    Flags(u8),
    /// The ttl is outside of what the overlay keeps, or a removal has one.
    #[error(
        "a signed ttl of {0} s is out of range; it is between {TTL_MIN_S} and {TTL_MAX_S} s, and 0 of a removal"
    )]
    Ttl(u32),
    /// A removal has a body.
    #[error("a signed removal has a body; it has to have none")]
    RemovalWithBody,
}

/// All but the signature. Nothing but a ttl and a body stands for a removal.
pub(super) fn write(
    author: &PublicKey,
    slot: Slot,
    kind: Kind,
    sequence: Sequence,
    content: Option<(Ttl, &[u8])>,
) -> Vec<u8> {
    // Both fit: a ttl is at most seven days, a body at most 64 KiB.
    let field = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let body = content.map_or(&[][..], |(_, body)| body);
    let mut bytes = Vec::with_capacity(OVERHEAD + body.len());
    bytes.extend([FORMAT, kind.number(), if content.is_none() { REMOVAL } else { 0 }]);
    bytes.extend(author.as_bytes());
    bytes.extend(slot.as_bytes());
    bytes.extend(sequence.number().to_be_bytes());
    bytes.extend(field(content.map_or(0, |(ttl, _)| ttl.as_secs())));
    bytes.extend(field(body.len() as u64));
    bytes.extend(body);
    bytes
}

/// Whether the bytes are one signed entry's, and just as [`write`] writes them.
pub(super) fn check(bytes: &[u8]) -> Result<(), MalformedSigned> {
    let len = bytes.len();
    if len < OVERHEAD {
        return Err(MalformedSigned::Length { len, expected: OVERHEAD });
    }
    if bytes[FORMAT_AT] != FORMAT {
        return Err(MalformedSigned::Format(bytes[FORMAT_AT]));
    }
    if Kind::of(bytes[KIND_AT]).is_none() {
        return Err(MalformedSigned::Kind(bytes[KIND_AT]));
    }
    if bytes[FLAGS_AT] & !REMOVAL != 0 {
        return Err(MalformedSigned::Flags(bytes[FLAGS_AT]));
    }
    let body_len = (number(bytes, BODY_LEN) as usize).min(BODY_MAX);
    if len != OVERHEAD + body_len || number(bytes, BODY_LEN) as usize != body_len {
        return Err(MalformedSigned::Length { len, expected: OVERHEAD + body_len });
    }
    let ttl_fits = if is_removal(bytes) { number(bytes, TTL) == 0 } else { ttl(bytes).is_some() };
    if !ttl_fits {
        return Err(MalformedSigned::Ttl(number(bytes, TTL)));
    }
    if is_removal(bytes) && body_len != 0 {
        return Err(MalformedSigned::RemovalWithBody);
    }
    Ok(())
}

// What follows reads bytes that were checked.

pub(super) fn kind(bytes: &[u8]) -> Kind {
    Kind::of(bytes[KIND_AT]).unwrap_or(Kind::Plain)
}

pub(super) fn is_removal(bytes: &[u8]) -> bool {
    bytes[FLAGS_AT] & REMOVAL != 0
}

pub(super) fn author(bytes: &[u8]) -> [u8; PublicKey::LEN] {
    array(&bytes[AUTHOR])
}

pub(super) fn slot(bytes: &[u8]) -> [u8; Slot::LEN] {
    array(&bytes[SLOT])
}

pub(super) fn sequence(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(array(&bytes[SEQUENCE]))
}

pub(super) fn ttl(bytes: &[u8]) -> Option<Ttl> {
    Ttl::from_secs(number(bytes, TTL).into()).ok()
}

/// What was signed, and the signature.
pub(super) fn split(bytes: &[u8]) -> (&[u8], [u8; SIGNATURE_LEN]) {
    let (unsigned, signature) = bytes.split_at(bytes.len() - SIGNATURE_LEN);
    (unsigned, array(signature))
}

fn number(bytes: &[u8], field: Range<usize>) -> u32 {
    u32::from_be_bytes(array(&bytes[field]))
}

/// The slice as an array of its own length.
fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| slice[i])
}
