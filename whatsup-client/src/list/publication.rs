//! Elements being put, many at once: each round asks what each of them needs next.

use base::limits::LIST_ROOM;
use base::list::{Insert, InsertStep, LAPSES, Path, Tree};
use base::{EntryId, Sequence};

use super::{BODY_MAX, Placed, Saying};
use crate::author::Author;
use crate::net::{Net, SEQUENCE_TRIES, unexpected};
use crate::overlay::{Answer, Ask, OverlayError};

/// Puts all of these.
pub(super) async fn publish(
    net: &Net,
    sayings: Vec<(Author, Saying)>,
) -> Vec<Result<Placed, OverlayError>> {
    let begin = |(author, saying)| Publication::new(author, saying);
    let mut all: Vec<Publication> = sayings.into_iter().map(begin).collect();
    loop {
        let asks: Vec<(usize, Ask)> =
            all.iter_mut().enumerate().filter_map(|(at, one)| Some((at, one.ask(net)?))).collect();
        if asks.is_empty() {
            let ended = |one: Publication| one.end.unwrap_or_else(|| Err(unexpected()));
            return all.into_iter().map(ended).collect();
        }
        let (which, asks): (Vec<usize>, Vec<Ask>) = asks.into_iter().unzip();
        let mut answers = net.run(asks).await.into_iter();
        for at in which {
            all[at].told(answers.next().unwrap_or_else(|| Err(unexpected())));
        }
    }
}

/// An element being put.
struct Publication {
    author: Author,
    insert: Insert,
    saying: Saying,
    /// A sequence that another device of the author used.
    least: Sequence,
    tries: usize,
    replicas: usize,
    end: Option<Result<Placed, OverlayError>>,
}

impl Publication {
    fn new(author: Author, saying: Saying) -> Publication {
        let way = Path::of(&EntryId::of_slot(&author.public(), saying.slot));
        let tree = Tree::new(saying.root.clone());
        let insert = Insert::new(tree, way, saying.ttl, saying.seat, author.now_ms());
        let length = saying.body.len();
        let end = (length > BODY_MAX).then(|| {
            let text = format!("an element of a list has {length} bytes; it may have {BODY_MAX}");
            Err(OverlayError::Refused(text))
        });
        Publication { author, insert, saying, least: Sequence::ZERO, tries: 0, replicas: 0, end }
    }

    /// What to ask next; nothing once it has ended.
    fn ask(&mut self, net: &Net) -> Option<Ask> {
        if self.end.is_some() {
            return None;
        }
        let room = Some(LIST_ROOM);
        match self.insert.step() {
            InsertStep::Enrol { key, value, ttl } => {
                Some(Ask::Put { key, value, tag: LAPSES, ttl, room })
            }
            InsertStep::Put(key) => {
                let Saying { slot, ttl, body, .. } = &self.saying;
                let said = Some((*ttl, &body[..]));
                match net.sign(&self.author, &key.place(), *slot, said, self.least) {
                    Ok(signed) => Some(Ask::PutSigned { key, signed, room }),
                    Err(error) => self.ended(Err(error)),
                }
            }
            InsertStep::Seated(seat) => self.ended(Ok(Placed { seat, replicas: self.replicas })),
            InsertStep::Full => {
                let text = "the list has no room on this element's way; try another slot";
                self.ended(Err(OverlayError::OverCapacity(text.to_owned())))
            }
        }
    }

    fn ended(&mut self, end: Result<Placed, OverlayError>) -> Option<Ask> {
        self.end = Some(end);
        None
    }

    fn told(&mut self, answer: Result<Answer, OverlayError>) {
        match answer {
            Ok(Answer::Put { replicas }) => {
                self.replicas = replicas;
                self.insert.done();
            }
            Ok(_) => self.end = Some(Err(unexpected())),
            Err(OverlayError::Full) => self.insert.full(),
            Err(OverlayError::Superseded(other)) if self.tries < SEQUENCE_TRIES => {
                self.tries += 1;
                self.least = Sequence::new(other);
            }
            Err(error) => self.end = Some(Err(error)),
        }
    }
}
