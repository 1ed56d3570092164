//! How long the lists of a frame are, found out before they are made: an empty element takes two bytes
//! of a frame and a hundred and more of memory.

use super::ENTRIES_MAX;

/// Most fields with a length that what a frame carries may have: the longest list, and some more.
const FIELDS_MAX: usize = ENTRIES_MAX + 16;

/// Whether no list is longer than any may be. Says nothing of frames that are no protobuf at all.
pub(super) fn are_bounded(frame: &[u8]) -> bool {
    let mut rest = frame;
    while let Some(field) = next_field(&mut rest) {
        let Field::Bytes(mut body) = field else { continue };
        let mut count = 0;
        while let Some(field) = next_field(&mut body) {
            count += usize::from(matches!(field, Field::Bytes(_)));
            if count > FIELDS_MAX {
                return false;
            }
        }
    }
    true
}

/// A field of a protobuf message.
enum Field<'a> {
    /// A number.
    Number,
    /// Something with a length.
    Bytes(&'a [u8]),
}

/// The next field; `None` at the end, or where nothing can be read.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let key = varint(rest)?;
    match key & 7 {
        0 => varint(rest).map(|_| Field::Number),
        1 => rest.split_off(..8).map(|_| Field::Number),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            rest.split_off(..length).map(Field::Bytes)
        }
        5 => rest.split_off(..4).map(|_| Field::Number),
        _ => None,
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame whose body, field 3, has so many empty elements in field 1.
    fn frame(elements: usize) -> Vec<u8> {
        let mut frame = vec![0x08, 0x01, 0x1a];
        let length = elements * 2;
        frame.extend([(length & 0x7f | 0x80) as u8, (length >> 7 & 0x7f | 0x80) as u8]);
        frame.push((length >> 14) as u8);
        frame.extend([0x0a, 0x00].repeat(elements));
        frame
    }

    #[test]
    fn a_list_is_counted_before_it_is_made() {
        assert!(are_bounded(&frame(ENTRIES_MAX)));
        assert!(!are_bounded(&frame(FIELDS_MAX + 1)));
        assert!(!are_bounded(&frame(250_000)));
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        for bytes in [&[][..], &[0xff; 30], &[0x1a, 0x7f, 1], &[0x0b], &[0x1a, 0xff, 0xff, 0xff]] {
            assert!(are_bounded(bytes));
        }
    }
}
