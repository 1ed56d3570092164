//! [`View`]: a community as a reader sees it, and what of its parts is shown: what members said.

use std::collections::BTreeMap;

use base::{Key, PublicKey, Sequence};

use super::charter::Charter;
use super::members::{Join, Members};
use super::moderation::{Act, Decision, Moderation};
use crate::index::Shelf;
use crate::keys::{CommunityId, ThingId};
use crate::record::Record;
use crate::stamp::{Stamp, newest_first};

/// Who belongs to a community, and what was decided there. It follows from the entries that were seen, in
/// whatever order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What it is.
    pub charter: Charter,
    /// Who belongs to it.
    pub members: Members,
    /// What was decided.
    pub moderation: Moderation,
    /// Whether the lists were read whole; if not, there is more than a reader takes.
    pub complete: bool,
}

/// Something that is said in a part of a community.
pub trait Part {
    /// The name of who says it, as she gives it.
    fn name(&self) -> &str;
    /// When, to be shown.
    fn stamp(&self) -> Stamp;
    /// What it is called in a line.
    fn title(&self) -> &str;
    /// By what else it is found.
    fn texts(&self) -> Vec<&str>;
    /// What it is in the index.
    fn shelf(community: CommunityId) -> Shelf
    where
        Self: Sized;
    /// Whether it can be shown: what is said breaks no rule of its part. `record` is where it stands.
    fn is_whole(record: &Record<Self>) -> bool
    where
        Self: Sized;
}

/// Something a member said.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown<T> {
    /// What it is called.
    pub id: ThingId,
    /// Who said it.
    pub author: PublicKey,
    /// Where it stands among the author's.
    pub record: Record<T>,
    /// Who hid it, and why; its text is then not to be shown.
    pub hidden: Option<Decision>,
}

impl View {
    /// The view that follows from what was said.
    pub fn of(charter: Charter, joins: &[Record<Join>], acts: &[Record<Act>]) -> View {
        let moderation = Moderation::of(&charter, acts);
        let members = Members::of(&charter, joins, &moderation);
        View { charter, members, moderation, complete: true }
    }

    /// What members said in the part at this root, the newest first; what was hidden is marked.
    pub fn shown<T: Part>(
        &self,
        root: &Key,
        records: impl IntoIterator<Item = Record<T>>,
    ) -> Vec<Shown<T>> {
        let mut newest: BTreeMap<ThingId, Record<T>> = BTreeMap::new();
        for record in records {
            let id = ThingId::of(root, &record.author, record.slot);
            let rank = |record: &Record<T>| (record.sequence, record.hash);
            if newest.get(&id).is_none_or(|old| rank(old) < rank(&record)) {
                newest.insert(id, record);
            }
        }
        let is_shown = |record: &Record<T>| self.members.has(&record.author) && T::is_whole(record);
        let of_members = newest.into_iter().filter(|(_, record)| is_shown(record));
        let show = |(id, record): (ThingId, Record<T>)| {
            let (author, hidden) = (record.author, self.moderation.hides(&id).cloned());
            Shown { id, author, record, hidden }
        };
        let mut shown: Vec<_> = of_members.map(show).collect();
        shown.sort_by(|one, two| newest_first((one.stamp(), one.id), (two.stamp(), two.id)));
        shown
    }
}

impl<T: Part> Shown<T> {
    /// When it was said, to be shown.
    pub fn stamp(&self) -> Stamp {
        self.record.body.stamp()
    }

    /// The name its author gives.
    pub fn name(&self) -> &str {
        self.record.body.name()
    }

    /// Which of what the author said in its place it is.
    pub fn sequence(&self) -> Sequence {
        self.record.sequence
    }
}
