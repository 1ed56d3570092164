//! Who a super-node is.

use std::fmt;
use std::str::FromStr;

use libp2p_identity::{ParseError, PeerId};

use crate::{Place, PublicKey};

/// A super-node's name: the libp2p peer id of its Ed25519 key, so nobody else can answer to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(PeerId);

impl NodeId {
    /// Where the node lies: SHA-256 of the peer id's bytes, as `libp2p-kad` has it.
    pub fn place(&self) -> Place {
        Place::of(&self.0.to_bytes())
    }

    /// The Ed25519 key the id is made of: ids of such keys hold them whole. None of another key's id.
    pub fn public_key(&self) -> Option<PublicKey> {
        let bytes = self.0.to_bytes();
        // A multihash: the identity's code, the length, and then the key as libp2p encodes it.
        let key = libp2p_identity::PublicKey::try_decode_protobuf(bytes.strip_prefix(&[0, 36])?);
        Some(PublicKey::from_bytes(key.ok()?.try_into_ed25519().ok()?.to_bytes()))
    }

    /// The id of a key's owner; none if these bytes are no point of the curve.
    pub fn of(key: &PublicKey) -> Option<NodeId> {
        let key = libp2p_identity::ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
        Some(NodeId(libp2p_identity::PublicKey::from(key).to_peer_id()))
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
    fn an_id_holds_its_key() {
        let key = crate::SigningKey::from_bytes(&[1; 32]).public();
        assert_eq!(NodeId::of(&key).unwrap().public_key(), Some(key));
        let hashed: NodeId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap();
        assert_eq!(hashed.public_key(), None, "an id that is only a hash of its key");
    }

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
