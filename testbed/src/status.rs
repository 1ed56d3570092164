//! What a super-node says of itself: `/api/v1/status`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::get;

/// Far more than the answer takes; a node that does not answer must not hold up a proof.
const LIMIT: Duration = Duration::from_secs(5);

/// How a super-node is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// Whom it is in the overlay with.
    pub(crate) peers: Vec<String>,
    /// "looking", "filling" or "serving".
    pub(crate) phase: String,
    /// Values it holds.
    pub(crate) entries: u64,
}

/// Asks a super-node.
pub(crate) fn status(server: SocketAddr) -> Result<Status> {
    let answer = get(server, "/api/v1/status", LIMIT)?;
    ensure!(answer.status == 200, "HTTP status {} to /api/v1/status", answer.status);
    parse(&answer.body)
}

impl Status {
    /// Whether it holds what it should, together with this many others.
    pub(crate) fn serves_with(&self, peers: usize) -> bool {
        self.peers.len() == peers && self.phase == "serving"
    }
}

fn parse(body: &[u8]) -> Result<Status> {
    let status: Value = serde_json::from_slice(body).context("the status is not JSON")?;
    let missing = |name| format!("no {name} in /api/v1/status");
    let peers = status["peers"].as_array().with_context(|| missing("peers"))?;
    let id = |peer: &Value| Some(peer["id"].as_str()?.to_owned());
    let peers = peers.iter().map(id).collect::<Option<_>>().with_context(|| missing("id"))?;
    let phase = status["phase"].as_str().with_context(|| missing("phase"))?.to_owned();
    let entries = status["entries"].as_u64().with_context(|| missing("entries"))?;
    Ok(Status { peers, phase, entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_phase_and_entries_are_read() {
        let body = br#"{"id":"x","peers":[{"id":"y"}],"phase":"serving","entries":7}"#;
        let status = parse(body).unwrap();
        assert_eq!(status, Status { peers: vec!["y".into()], phase: "serving".into(), entries: 7 });
        assert!(status.serves_with(1) && !status.serves_with(2));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = parse(br#"{"peers":[],"entries":0}"#).unwrap_err().to_string();
        assert!(error.contains("phase"), "{error}");
    }
}
