//! How much the reply to a batch may carry, and what of it each answer gets. Nothing here waits.

use std::sync::atomic::{AtomicUsize, Ordering};

use whatsup::door::{Answer, BATCH_REPLY_MAX, Page, Refusal};

use crate::http::budget::Share;

/// Bytes of a reply that are kept for each ask: what tells of anything but values.
const KEPT: usize = 512;
/// Most bytes of JSON of a page, and of each of its values, beside the values' base64: an id has 96
/// letters, a number 20.
const PAGE_JSON: usize = 160;
const VALUE_JSON: usize = 192;

const FULL: &str = "the reply is full; ask for this in another batch";

/// What there is room for in a reply.
pub(super) struct Room {
    left: AtomicUsize,
}

/// An answer as it will be sent, with its share of the memory.
pub(super) struct Told {
    json: String,
    _held: Option<Share>,
}

impl Room {
    /// For the reply with so many answers.
    pub(super) fn for_answers(answers: usize) -> Room {
        Room { left: AtomicUsize::new(BATCH_REPLY_MAX.saturating_sub((answers + 1) * KEPT)) }
    }

    /// Makes room for an answer: of a page as much as there is room for, of anything else all or nothing.
    pub(super) fn tell(&self, mut answer: Answer) -> Result<Told, Refusal> {
        if let Answer::Page(page) = &mut answer {
            let all = page.values.len();
            self.cut(page);
            if page.values.is_empty() && all > 0 {
                return Err(Refusal::try_again(FULL));
            }
            return Ok(Told::of(&answer));
        }
        let told = Told::of(&answer);
        match told.len() <= KEPT || self.take(told.len()) {
            true => Ok(told),
            false => Err(Refusal::try_again(FULL)),
        }
    }

    /// What was not done always finds room; what about it was said too long, does not.
    pub(super) fn refuse(&self, refusal: Refusal) -> Told {
        let told = Told::of(&Answer::Error(refusal.clone()));
        if told.len() <= KEPT || self.take(told.len()) {
            return told;
        }
        let message = "it was refused, and the reply is full; ask for this alone to learn why";
        Told::of(&Answer::Error(Refusal { message: message.to_owned(), ..refusal }))
    }

    /// Takes room for a page's values, and leaves out those that find none: the next page begins there.
    fn cut(&self, page: &mut Page) {
        if page.values.is_empty() {
            return;
        }
        let mut fit = 0;
        if self.take(PAGE_JSON) {
            for value in &page.values {
                if !self.take(VALUE_JSON + value.value.0.len().div_ceil(3) * 4) {
                    break;
                }
                fit += 1;
            }
        }
        if fit < page.values.len() {
            page.values.truncate(fit);
            page.next = page.values.last().map(|last| last.id.clone());
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Told {
    fn of(answer: &Answer) -> Told {
        Told { json: serde_json::to_string(answer).unwrap_or_default(), _held: None }
    }

    /// Bytes of JSON.
    pub(super) fn len(&self) -> usize {
        self.json.len()
    }

    /// The same, with its share of the memory.
    pub(super) fn with(self, share: Share) -> Told {
        Told { _held: Some(share), ..self }
    }
}

/// Bytes of all of it.
pub(super) fn len(answers: &[Told]) -> usize {
    "{\"answers\":[]}".len() + answers.iter().map(|told| told.len() + 1).sum::<usize>()
}

/// The reply, of that many bytes at most.
pub(super) fn together(answers: Vec<Told>, len: usize) -> String {
    let mut json = String::with_capacity(len);
    json.push_str("{\"answers\":[");
    for (at, told) in answers.into_iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(&told.json);
    }
    json.push_str("]}");
    json
}

#[cfg(test)]
mod tests {
    use whatsup::door::{Base64, Found};

    use super::*;

    fn page(values: usize, bytes: usize) -> Answer {
        let found = |n: usize| Found {
            id: Base64(vec![u8::try_from(n).unwrap(); 72].into()),
            value: Base64(vec![7; bytes].into()),
            remaining_ms: u64::MAX,
        };
        Answer::Page(Page { values: (0..values).map(found).collect(), next: None })
    }

    #[test]
    fn no_reply_is_longer_than_it_may_be_and_what_found_no_room_is_told_so() {
        for (asks, values, bytes) in
            [(256, 4, 65_536), (256, 256, 0), (1, 200, 65_536), (40, 1, 61_440)]
        {
            let room = Room::for_answers(asks);
            let told: Vec<Told> = (0..asks)
                .map(|_| room.tell(page(values, bytes)).unwrap_or_else(|no| room.refuse(no)))
                .collect();
            let len = len(&told);
            let reply = together(told, len);
            assert!(reply.len() <= BATCH_REPLY_MAX, "{}", reply.len());
            let read: whatsup::door::Answers = serde_json::from_str(&reply).unwrap();
            assert_eq!(read.answers.len(), asks);
            let (mut carried, mut cut) = (0, false);
            for answer in read.answers {
                match answer {
                    Answer::Page(page) => {
                        assert_eq!(page.values.len() < values, page.next.is_some());
                        assert!(!page.values.is_empty());
                        cut |= page.next.is_some();
                        carried += page.values.len() * bytes;
                    }
                    Answer::Error(refusal) => {
                        assert_eq!(refusal.message, FULL);
                        cut = true;
                    }
                    other => panic!("{other:?}"),
                }
            }
            let all = asks * values * bytes;
            assert_eq!(cut, carried < all || asks * values * VALUE_JSON > BATCH_REPLY_MAX);
            assert!(!cut || carried > BATCH_REPLY_MAX / 2 || bytes == 0, "{carried}");
        }
    }

    #[test]
    fn a_refusal_finds_room_however_full_the_reply_is_and_however_long_it_is() {
        let room = Room::for_answers(3);
        assert!(room.take(room.left.load(Ordering::Relaxed)));
        for message in ["short".to_owned(), "\0".repeat(10_000)] {
            let told = room.refuse(Refusal::bad(message));
            assert!(told.len() <= KEPT, "{}", told.len());
        }
        assert!(room.tell(page(0, 0)).is_ok(), "an empty page needs none");
        assert!(room.tell(page(1, 0)).is_err());
    }
}
