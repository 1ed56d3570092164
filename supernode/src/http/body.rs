//! Reading a request's body within bounds of size and time, however it is framed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::budget::{Account, Budget, NoneLeft, Share};

/// Longest that a body may take to arrive for each so many bytes it may have: 26 kB/s, which even a crowded
/// radio gives.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
const PATIENT_BYTES: u64 = 256 * 1024;
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
    /// There is no memory for it just now.
    NoRoom,
    /// The connection failed, or its chunks are malformed.
    Broken,
}

/// Reads a body of at most `limit` bytes. Never holds more than that and one frame. With the body
/// comes its share of the budget, which is taken before the first byte is read: all of `limit` for a
/// body that does not say how long it is.
pub(super) async fn read(
    body: Body,
    limit: usize,
    budget: &Budget,
    account: &Arc<Account>,
) -> Result<(Bytes, Share), BodyError> {
    let declared = body.size_hint().upper().unwrap_or(limit as u64).min(limit as u64);
    let parts = u32::try_from(declared.div_ceil(PATIENT_BYTES)).unwrap_or(u32::MAX);
    let patience = BODY_PATIENCE.saturating_mul(parts.max(1));
    let reading = async {
        let hint = body.size_hint();
        let declared = hint.lower();
        if declared > limit as u64 {
            // Refused by what is declared, before a byte of it is read.
            discard(body, declared).await;
            return Err(BodyError::TooLarge);
        }
        let most = hint.upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(limit);
        let share = budget.take(account, most.min(limit)).map_err(|NoneLeft| BodyError::NoRoom)?;
        let body = collect(body, usize::try_from(declared).unwrap_or(0), limit).await?;
        Ok((body, share))
    };
    timeout(patience, reading).await.unwrap_or(Err(BodyError::TooSlow))
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
