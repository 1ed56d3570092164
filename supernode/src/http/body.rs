//! Reading a request's body within bounds of size and time, however it is framed.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

/// Longest that a body may take to arrive: 256 KiB at 26 kB/s, which even a crowded radio gives.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// How much of a body above its limit is read and thrown away, so that a client that sends all of
/// it before it reads gets to see why it was refused.
const DISCARD_MAX: u64 = 4 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than the limit.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection failed, or its chunks are malformed.
    Broken,
}

/// Reads a body of at most `limit` bytes. Never holds more than that and one frame.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let reading = async {
        match body.size_hint().lower() {
            // Refused by what is declared, before a byte of it is read.
            declared if declared > limit as u64 => {
                discard(body, declared).await;
                Err(BodyError::TooLarge)
            }
            declared => collect(body, usize::try_from(declared).unwrap_or(0), limit).await,
        }
    };
    timeout(BODY_PATIENCE, reading).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(mut body: Body, expected: usize, limit: usize) -> Result<Bytes, BodyError> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > limit {
            discard(body, 0).await;
            return Err(BodyError::TooLarge);
        }
        if collected.is_empty() {
            if data.len() >= expected && body.is_end_stream() {
                // The usual small request: one frame, no copy.
                return Ok(data);
            }
            collected.reserve(expected.max(data.len()));
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}

/// Reads on without keeping anything, unless far too much is announced.
async fn discard(mut body: Body, announced: u64) {
    let mut discarded = 0;
    while announced.max(discarded) <= DISCARD_MAX {
        match body.frame().await {
            Some(Ok(frame)) => discarded += frame.data_ref().map_or(1, |data| data.len() as u64),
            _ => return,
        }
    }
}
