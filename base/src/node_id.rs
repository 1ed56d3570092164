//! Who a super-node is.

use std::fmt;
use std::str::FromStr;

use libp2p_identity::{ParseError, PeerId};

use crate::Place;

/// A super-node's name: the libp2p peer id of its Ed25519 key, so nobody else can answer to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(PeerId);

impl NodeId {
    /// Where the node lies: SHA-256 of the peer id's bytes, as `libp2p-kad` has it.
    pub fn place(&self) -> Place {
        Place::of(&self.0.to_bytes())
    }

    /// The id as libp2p's own type.
    pub const fn peer_id(&self) -> PeerId {
        self.0
    }
}

impl From<PeerId> for NodeId {
    fn from(peer: PeerId) -> NodeId {
        NodeId(peer)
    }
}

impl FromStr for NodeId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<NodeId, ParseError> {
        text.parse().map(NodeId)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        // The id of the Ed25519 public key 00 01 … 1f; base58 and SHA-256 made with Python.
        let text = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
        let id: NodeId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(
            id.place().to_string(),
            "3850f1dedc79dcb027d80793d2a732dbb2cbd4d149ea0e4be5ceb97b1596ce75"
        );
        assert!("not a peer id".parse::<NodeId>().is_err());
    }
}
