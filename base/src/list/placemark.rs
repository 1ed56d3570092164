//! How far somebody has read a list.

use crate::EntryId;

use super::Path;

/// A point in the order in which a list is read, good at any super-node: a path, and where at its node.
/// At most [`Placemark::LEN_MAX`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placemark {
    pub(super) path: Path,
    pub(super) stage: Stage,
}

/// What of a node has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its elements up to this one.
    Elements(Option<EntryId>),
    /// Its elements, and the children before this one.
    Children(u8),
}

/// These bytes are no placemark of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the placemark is not one that a listing gave")]
pub struct NotAPlacemark;

/// What the bytes behind the path are.
const NOTHING: u8 = b'n';
const AFTER: u8 = b'e';
const CHILD: u8 = b'c';

impl Placemark {
    /// Most bytes of one.
    pub const LEN_MAX: usize = 2 + super::DEPTH_MAX + EntryId::LEN;

    /// Before everything.
    pub(super) const START: Placemark =
        Placemark { path: Path::ROOT, stage: Stage::Elements(None) };

    /// To be given out: what is behind the path, how long the path is, the path, a byte a step, and that.
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, rest) = match self.stage {
            Stage::Elements(None) => (NOTHING, Vec::new()),
            Stage::Elements(Some(id)) => (AFTER, id.to_bytes().to_vec()),
            Stage::Children(step) => (CHILD, vec![step]),
        };
        let depth = u8::try_from(self.path.depth()).unwrap_or(u8::MAX);
        [&[kind, depth], self.path.steps(), &rest].concat()
    }

    /// One that was given out.
    ///
    /// # Errors
    /// [`NotAPlacemark`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Placemark, NotAPlacemark> {
        let [kind, depth, rest @ ..] = bytes else { return Err(NotAPlacemark) };
        let (steps, rest) = rest.split_at_checked(usize::from(*depth)).ok_or(NotAPlacemark)?;
        let path = Path::from_steps(steps).ok_or(NotAPlacemark)?;
        let stage = match (*kind, rest) {
            (NOTHING, []) => Stage::Elements(None),
            (AFTER, id) => {
                let id = id.try_into().map_err(|_| NotAPlacemark)?;
                Stage::Elements(Some(EntryId::from_bytes(id)))
            }
            (CHILD, [step @ 0..=16]) => Stage::Children(*step),
            _ => return Err(NotAPlacemark),
        };
        Ok(Placemark { path, stage })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SecretTag, Value};

    #[test]
    fn a_placemark_reads_back_and_is_short() {
        let id = EntryId::of(&Value::new("v").unwrap(), SecretTag::NONE);
        let whole = Path::of_identity(b"e");
        for depth in 0..=super::super::DEPTH_MAX {
            for stage in [Stage::Elements(None), Stage::Elements(Some(id)), Stage::Children(16)] {
                let mark = Placemark { path: whole.first(depth), stage };
                let bytes = mark.to_bytes();
                assert!(bytes.len() <= Placemark::LEN_MAX);
                assert_eq!(Placemark::from_bytes(&bytes), Ok(mark));
                assert!(Placemark::from_bytes(&bytes[1..]).is_err());
                assert!(Placemark::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn any_other_bytes_are_refused_or_are_what_they_read_as(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            if let Ok(mark) = Placemark::from_bytes(&bytes) {
                prop_assert_eq!(mark.to_bytes(), bytes);
            }
        }
    }
}
