//! An Ethernet frame, as a laptop's device has it, and whom it is for.

use std::sync::Arc;

/// Destination, source, type.
pub(crate) const HEADER: usize = 14;
/// What a device carries at most: the header, 1500 bytes, and room for a VLAN tag.
pub(crate) const FRAME_MAX: usize = HEADER + 1500 + 4;

/// A laptop's hardware address, by its number: a locally administered one.
pub(crate) const fn address(station: usize) -> [u8; 6] {
    let [.., high, low] = station.to_be_bytes();
    [0x02, 0x5c, 0x0b, 0xe0, high, low]
}

/// Whom a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// One laptop.
    Station(usize),
    /// Whoever hears it: broadcast and multicast.
    All,
    /// An address that no laptop has.
    Nobody,
}

/// A frame of a laptop.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    bytes: Arc<[u8]>,
    to: Destination,
}

impl Frame {
    /// A frame as it came from a device among so many; none if it is too short or too long to be one.
    pub(crate) fn new(bytes: &[u8], stations: usize) -> Option<Frame> {
        let fits = (HEADER..=FRAME_MAX).contains(&bytes.len());
        let to = *bytes.first_chunk::<6>().filter(|_| fits)?;
        let [.., high, low] = to;
        let station = usize::from(u16::from_be_bytes([high, low]));
        let to = if to[0] & 1 == 1 {
            Destination::All
        } else if station < stations && to == address(station) {
            Destination::Station(station)
        } else {
            Destination::Nobody
        };
        Some(Frame { bytes: bytes.into(), to })
    }

    /// Whom it is for.
    pub(crate) const fn to(&self) -> Destination {
        self.to
    }

    /// What the device of a receiver gets.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its length, with the header.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to(address: [u8; 6]) -> Destination {
        let bytes = [&address[..], &[0; 8]].concat();
        Frame::new(&bytes, 300).unwrap().to()
    }

    #[test]
    fn a_destination_is_a_laptop_or_all_or_nobody() {
        assert_eq!(to(address(0)), Destination::Station(0));
        assert_eq!(to(address(299)), Destination::Station(299));
        assert_eq!(to(address(300)), Destination::Nobody);
        assert_eq!(to([0x02, 0x5d, 0x0b, 0xe0, 0, 1]), Destination::Nobody);
        assert_eq!(to([0xff; 6]), Destination::All);
        assert_eq!(to([0x01, 0, 0x5e, 0, 0, 0xfb]), Destination::All, "mDNS");
    }

    #[test]
    fn what_is_too_short_or_too_long_is_no_frame() {
        assert!(Frame::new(&[0; HEADER - 1], 1).is_none());
        assert!(Frame::new(&[0; FRAME_MAX], 1).is_some());
        assert!(Frame::new(&[0; FRAME_MAX + 1], 1).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_none(bytes: Vec<u8>, stations in 0usize..100) {
            if let Some(frame) = Frame::new(&bytes, stations) {
                prop_assert_eq!(frame.bytes(), &bytes[..]);
                if let Destination::Station(station) = frame.to() {
                    prop_assert!(station < stations);
                }
            }
        }
    }
}
