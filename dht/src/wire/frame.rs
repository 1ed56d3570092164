//! Frames on a stream: a length, then that many bytes.

use bytes::{Buf, Bytes, BytesMut};

use super::WireError;

/// Longest frame on the small stream; longer ones take the other, where they delay none of these.
pub(crate) const SMALL_MAX: usize = 8 * 1024;
/// Longest frame at all, its length not counted: what a listing of a key may carry in one part, and
/// its frame.
pub(crate) const FRAME_MAX: usize = 512 * 1024;
/// Bytes of a frame's length.
pub(super) const LENGTH_LEN: usize = 4;

/// Splits what a stream gives into frames.
#[derive(Debug)]
pub(crate) struct FrameSplitter {
    buffer: BytesMut,
}

impl FrameSplitter {
    pub(crate) fn new() -> FrameSplitter {
        FrameSplitter { buffer: BytesMut::new() }
    }

    /// Adds what came.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether no part of a frame is held.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// [`WireError::Length`] when its length cannot be: nothing after it can be read then.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.buffer.first_chunk::<LENGTH_LEN>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > FRAME_MAX {
            return Err(WireError::Length(length));
        }
        if self.buffer.len() < LENGTH_LEN + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_LEN);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_came_in() {
        let stream = [&3u32.to_le_bytes()[..], b"abc", &1u32.to_le_bytes(), b"d"].concat();
        for piece in 1..stream.len() {
            let mut splitter = FrameSplitter::new();
            let mut frames = Vec::new();
            for part in stream.chunks(piece) {
                splitter.extend(part);
                while let Some(frame) = splitter.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, ["abc", "d"]);
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_an_error_before_anything_is_kept() {
        for length in [0, FRAME_MAX + 1, u32::MAX as usize] {
            let mut splitter = FrameSplitter::new();
            splitter.extend(&u32::try_from(length).unwrap().to_le_bytes());
            assert_eq!(splitter.next_frame(), Err(WireError::Length(length)));
        }
    }
}
